//! Layer: pki.
