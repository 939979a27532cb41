//! Throw-away certificates, good and bad in one chosen way.
//!
//! Validity is fixed by calendar dates: what is valid here is valid for decades, what is
//! expired has been for years, so no test depends on when it runs.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};

use crate::identity::Identity;

/// The key of a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on NIST P-256.
    #[default]
    EcdsaP256,
    /// RSA with a modulus of 2048 bits.
    Rsa2048,
    /// Ed25519 (RFC 8410).
    Ed25519,
}

impl Algorithm {
    fn generate(self) -> KeyPair {
        let algorithm = match self {
            Self::EcdsaP256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Self::Rsa2048 => &rcgen::PKCS_RSA_SHA256,
            Self::Ed25519 => &rcgen::PKCS_ED25519,
        };
        KeyPair::generate_for(algorithm).expect("a key can be generated")
    }
}

/// What the extended key usage of a certificate allows (RFC 5280 §4.2.1.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// clientAuth: a good client certificate.
    Client,
    /// serverAuth: a server's, or a client's that lost its clientAuth.
    Server,
    /// clientAuth and serverAuth, as public authorities issued until lately.
    ClientAndServer,
    /// No extended key usage at all: for everything.
    Unstated,
    /// emailProtection, with the first name as mail address.
    Email,
}

/// When a certificate is valid, seen from the days in which tests run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validity {
    /// Now and for decades.
    #[default]
    Valid,
    /// No longer.
    Expired,
    /// Not before decades have passed.
    NotYet,
}

impl Validity {
    fn years(self) -> (i32, i32) {
        match self {
            Self::Valid => (2020, 2049),
            Self::Expired => (2020, 2021),
            Self::NotYet => (2048, 2049),
        }
    }

    fn apply(self, params: &mut CertificateParams) {
        let (from, until) = self.years();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
    }
}

/// What a certificate is to say.
#[derive(Clone, Debug)]
pub struct Request {
    /// Subject alternative names; the first is the common name too. IP addresses and mail
    /// addresses are recognised.
    pub names: Vec<String>,
    /// The extended key usage.
    pub purpose: Purpose,
    /// The time of validity.
    pub validity: Validity,
    /// The key.
    pub algorithm: Algorithm,
    /// Whether it calls itself an authority (RFC 5280 §4.2.1.9).
    pub authority: bool,
}

impl Request {
    /// A valid certificate with an ECDSA key.
    pub fn new(purpose: Purpose, name: &str) -> Self {
        Self {
            names: vec![name.to_owned()],
            purpose,
            validity: Validity::default(),
            algorithm: Algorithm::default(),
            authority: false,
        }
    }

    /// A certificate that nobody but itself vouches for.
    pub fn self_signed(&self) -> Identity {
        let key = self.algorithm.generate();
        let certificate = self
            .params()
            .self_signed(&key)
            .expect("the request is well-formed");
        Identity::new(vec![certificate], key)
    }

    fn params(&self) -> CertificateParams {
        // rcgen takes everything that is no IP address for a DNS name.
        let (mail, hosts) = self
            .names
            .iter()
            .cloned()
            .partition::<Vec<_>, _>(|name| name.contains('@'));
        let mut params = CertificateParams::new(hosts).expect("the names are well-formed");
        for address in mail {
            let address = address
                .as_str()
                .try_into()
                .expect("a mail address is ASCII");
            params.subject_alt_names.push(SanType::Rfc822Name(address));
        }
        params.distinguished_name.remove(DnType::CommonName);
        params
            .distinguished_name
            .push(DnType::CommonName, self.names[0].as_str());
        params.is_ca = if self.authority {
            IsCa::Ca(BasicConstraints::Unconstrained)
        } else {
            IsCa::ExplicitNoCa
        };
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if self.authority {
            params.key_usages.push(KeyUsagePurpose::KeyCertSign);
        }
        if self.algorithm == Algorithm::Rsa2048 {
            params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
        }
        params.extended_key_usages = match self.purpose {
            Purpose::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
            Purpose::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
            Purpose::ClientAndServer => vec![
                ExtendedKeyUsagePurpose::ClientAuth,
                ExtendedKeyUsagePurpose::ServerAuth,
            ],
            Purpose::Unstated => vec![],
            Purpose::Email => vec![ExtendedKeyUsagePurpose::EmailProtection],
        };
        params.use_authority_key_identifier_extension = true;
        self.validity.apply(&mut params);
        params
    }
}

/// A certification authority, root or below one.
pub struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
    /// The intermediates up to the root, which is left out; this one first.
    intermediates: Vec<Certificate>,
}

impl Authority {
    /// A root with an ECDSA key.
    pub fn root(name: &str) -> Self {
        Self::root_with(name, Algorithm::EcdsaP256)
    }

    /// A root with a key of one's choice.
    pub fn root_with(name: &str, algorithm: Algorithm) -> Self {
        let (key, params) = (algorithm.generate(), Self::params(name));
        let certificate = params.self_signed(&key).expect("a root is well-formed");
        Self {
            certificate,
            issuer: Issuer::new(params, key),
            intermediates: Vec::new(),
        }
    }

    /// An authority below this one.
    pub fn intermediate(&self, name: &str) -> Self {
        let (key, params) = (Algorithm::EcdsaP256.generate(), Self::params(name));
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("a CA is well-formed");
        let mut intermediates = vec![certificate.clone()];
        intermediates.extend(self.intermediates.iter().cloned());
        Self {
            certificate,
            issuer: Issuer::new(params, key),
            intermediates,
        }
    }

    /// Another certificate for this authority's name and key, by another root: what links two worlds. DER.
    pub fn cross_certificate(&self, name: &str, root: &Self) -> Vec<u8> {
        let certificate = Self::params(name)
            .signed_by(self.issuer.key(), &root.issuer)
            .expect("a CA is well-formed");
        certificate.der().to_vec()
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.use_authority_key_identifier_extension = true;
        Validity::Valid.apply(&mut params);
        params
    }

    /// This authority's own certificate, PEM (RFC 7468).
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// This authority's own certificate, DER.
    pub fn der(&self) -> Vec<u8> {
        self.certificate.der().to_vec()
    }

    /// The authority as rcgen's issuer, to sign what this module does not know of.
    pub fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }

    /// Certifies a new key as `request` says.
    pub fn issue(&self, request: &Request) -> Identity {
        self.certify(request, &request.params())
    }

    /// A good client certificate whose subject says an organisation too, whatever that looks like.
    pub fn client_of(&self, name: &str, organization: &str) -> Identity {
        let request = Request::new(Purpose::Client, name);
        let mut params = request.params();
        params
            .distinguished_name
            .push(DnType::OrganizationName, organization);
        self.certify(&request, &params)
    }

    fn certify(&self, request: &Request, params: &CertificateParams) -> Identity {
        let key = request.algorithm.generate();
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("the request is well-formed");
        let chain = std::iter::once(certificate).chain(self.intermediates.iter().cloned());
        Identity::new(chain.collect(), key)
    }

    /// A list of what this authority revoked (RFC 5280 §5), PEM, of which the next is due when `validity`
    /// is over.
    pub fn revocation_list(&self, revoked: &[&Identity], validity: Validity) -> String {
        let (from, until) = validity.years();
        CertificateRevocationListParams {
            this_update: date_time_ymd(from, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1u64),
            issuing_distribution_point: None,
            revoked_certs: revoked
                .iter()
                .map(|identity| RevokedCertParams {
                    serial_number: SerialNumber::from_slice(identity.serial()),
                    revocation_time: date_time_ymd(from, 1, 1),
                    reason_code: None,
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        }
        .signed_by(&self.issuer)
        .and_then(|list| list.pem())
        .expect("a revocation list is well-formed")
    }

    /// A good client certificate with an ECDSA key.
    pub fn client(&self, name: &str) -> Identity {
        self.issue(&Request::new(Purpose::Client, name))
    }

    /// A good server certificate for `localhost`, 127.0.0.1 and `name`.
    pub fn server(&self, name: &str) -> Identity {
        let mut request = Request::new(Purpose::Server, name);
        request
            .names
            .extend(["localhost", "127.0.0.1"].map(str::to_owned));
        request.names.dedup();
        self.issue(&request)
    }
}
