//! Rules for a certificate.
