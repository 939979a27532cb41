//! Sealed, versioned, journalled bytes over an embedded engine.
