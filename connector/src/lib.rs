//! A TLS client identity that is replaced while the program runs.
