//! Layer: exchange.
