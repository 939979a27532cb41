//! Layer: policy.
