//! Layer: probe.
