//! countersign keeps mutual-TLS client identities alive.
