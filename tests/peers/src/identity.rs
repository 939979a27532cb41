//! A key with its certificates, in every form that a peer or a test wants.

use aws_lc_rs::digest;
use rcgen::{Certificate, KeyPair};

/// A key and the certificates that vouch for it.
pub struct Identity {
    chain: Vec<Certificate>,
    key: KeyPair,
}

impl Identity {
    /// Brings a key and its chain, its own certificate first, together.
    pub(crate) fn new(chain: Vec<Certificate>, key: KeyPair) -> Self {
        Self { chain, key }
    }

    /// The same without the certificates above its own, as a careless administrator presents it.
    #[must_use]
    pub fn without_intermediates(mut self) -> Self {
        self.chain.truncate(1);
        self
    }

    /// The serial number, as the DER has it (RFC 5280 §4.1.2.2).
    pub fn serial(&self) -> &[u8] {
        // Certificate, TBSCertificate and, since they are of version 3, its explicit version.
        let inside = contents(contents(self.chain[0].der()));
        contents(&inside[5..])
    }

    /// The certificate of the key alone, PEM.
    pub fn certificate_pem(&self) -> String {
        self.chain[0].pem()
    }

    /// The certificate of the key alone, DER.
    pub fn certificate_der(&self) -> Vec<u8> {
        self.chain[0].der().to_vec()
    }

    /// The certificate and the intermediates above it, PEM, in the order of a handshake.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(Certificate::pem).collect()
    }

    /// The certificate and the intermediates above it, DER, in the order of a handshake.
    pub fn chain_der(&self) -> Vec<Vec<u8>> {
        self.chain
            .iter()
            .map(|certificate| certificate.der().to_vec())
            .collect()
    }

    /// The key, PKCS#8 in PEM (RFC 5958).
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The key, PKCS#8 in DER.
    pub fn key_der(&self) -> Vec<u8> {
        self.key.serialize_der()
    }

    /// Key, certificate and intermediates in one PEM text, as servers like to read them.
    pub fn bundle_pem(&self) -> String {
        self.key_pem() + &self.chain_pem()
    }

    /// SHA-1 of the certificate in lower-case hex: nginx's spelling.
    pub fn sha1_lower(&self) -> String {
        self.fingerprint(&digest::SHA1_FOR_LEGACY_USE_ONLY)
    }

    /// SHA-1 of the certificate in upper-case hex: Azure's spelling.
    pub fn sha1_upper(&self) -> String {
        self.sha1_lower().to_uppercase()
    }

    /// SHA-256 of the certificate in lower-case hex.
    pub fn sha256_lower(&self) -> String {
        self.fingerprint(&digest::SHA256)
    }

    /// SHA-256 of the certificate in upper-case hex: HAProxy's spelling.
    pub fn sha256_upper(&self) -> String {
        self.sha256_lower().to_uppercase()
    }

    fn fingerprint(&self, algorithm: &'static digest::Algorithm) -> String {
        hex::encode(digest::digest(algorithm, self.chain[0].der()))
    }
}

/// What stands in the DER element at the beginning of `der` (X.690 §8.1).
fn contents(der: &[u8]) -> &[u8] {
    let (header, length) = match usize::from(der[1]) {
        short @ ..0x80 => (2, short),
        long => {
            let octets = &der[2..2 + (long - 0x80)];
            let length = octets.iter().fold(0, |all, &o| all << 8 | usize::from(o));
            (2 + octets.len(), length)
        }
    };
    &der[header..header + length]
}
