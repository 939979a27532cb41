//! Layer: policy.

pub mod lint;
