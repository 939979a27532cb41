//! A certification authority for one test, which signs the server and its clients alike.

use countersign_connector::{Bundle, Fingerprint, Tls, Versions};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

pub(crate) struct Pki {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) anchor_pem: String,
}

/// A client certificate with its key.
pub(crate) struct Credentials {
    pub(crate) key_pem: String,
    pub(crate) leaf_pem: String,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = named("test authority", &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let anchor_pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            anchor_pem,
        }
    }

    /// Certificate and key of a server on this host, in one text.
    pub(crate) fn server_pem(&self) -> String {
        let server = self.issue(
            "server",
            &["localhost", "open.localhost"],
            ExtendedKeyUsagePurpose::ServerAuth,
        );
        server.pem()
    }

    pub(crate) fn client(&self, name: &str) -> Credentials {
        self.issue(name, &[], ExtendedKeyUsagePurpose::ClientAuth)
    }

    pub(crate) fn tls(&self, versions: Versions) -> Tls {
        Tls::new(self.anchor_pem.as_bytes(), versions).unwrap()
    }

    fn issue(&self, name: &str, hosts: &[&str], usage: ExtendedKeyUsagePurpose) -> Credentials {
        let key = KeyPair::generate().unwrap();
        let mut params = named(name, hosts);
        params.extended_key_usages = vec![usage];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        Credentials {
            key_pem: key.serialize_pem(),
            leaf_pem: leaf.pem(),
        }
    }
}

impl Credentials {
    pub(crate) fn pem(&self) -> String {
        format!("{}{}", self.key_pem, self.leaf_pem)
    }

    pub(crate) fn bundle(&self) -> Bundle {
        Bundle::from_pem(self.pem().as_bytes()).unwrap()
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.bundle().fingerprint()
    }
}

fn named(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
    let mut params = CertificateParams::new(hosts).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2040, 1, 1);
    params
}
