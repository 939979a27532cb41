//! A certification authority of one's own: a root that stays put, an issuing authority under it, client and mail
//! certificates from that, and its revocation list. The next partner installs the root once and no leaf ever.

use std::collections::BTreeSet;

use der::Decode;
use jiff::Timestamp;
use rcgen::{CertificateParams, CertificateRevocationListParams, Issuer, KeyIdMethod};
use rustls::pki_types::CertificateDer;
use x509_cert::{Certificate, ext::pkix::SubjectKeyIdentifier};

use super::{
    ChainError, Credentials, CredentialsError, IssueError, KeyError, PrivateKey, Profile,
    PublicKey, Revoked, inspect_chain,
    profile::{authority, date, instant, number, parameters},
    signed::CertificateParts,
};
use crate::model::{
    CertificateFacts, KeyAlgorithm, OrderFault, SerialNumber, SubjectRequest, Validity,
};

/// Parts that make no authority.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// One certificate was not issued by the next.
    #[error(
        "the authority's chain breaks after certificate {}: it was issued by `{}`, but `{}` follows",
        .fault.position, .fault.issuer, .fault.next_subject
    )]
    BrokenChain {
        /// Where.
        fault: OrderFault,
    },
    /// The chain cannot be read.
    #[error("the authority's chain cannot be read")]
    Chain {
        /// Why.
        source: ChainError,
    },
    /// Chain and key do not belong together.
    #[error("the authority's certificate and key do not belong together")]
    Credentials {
        /// Why.
        source: CredentialsError,
    },
    /// Its first certificate could not be issued.
    #[error("the authority's certificate could not be issued")]
    Issue {
        /// Why.
        source: IssueError,
    },
    /// No key could be made for it.
    #[error("the authority's key could not be made")]
    Key {
        /// Why.
        source: KeyError,
    },
    /// It may not issue certificates.
    #[error(
        "`{subject}` may not issue: cA in basicConstraints, and keyCertSign and cRLSign in keyUsage are wanted"
    )]
    NotAuthority {
        /// Its subject.
        subject: String,
    },
    /// A name that would not come out of the library as it went in.
    #[error(
        "the authority's name `{subject}` is empty, has an attribute twice, or several in one part; an authority with such a name cannot be used here"
    )]
    UnsupportedName {
        /// Its subject.
        subject: String,
    },
}

/// An authority with its key.
///
/// To keep it, store [`Self::chain`] and the key's PKCS#8; [`Self::from_parts`] makes it whole again.
#[derive(Clone, Debug)]
pub struct CertificateAuthority {
    credentials: Credentials,
}

impl CertificateAuthority {
    /// A root with a new key. Nothing but issuing authorities comes from it: it allows one level below.
    pub fn create_root(
        name: &str,
        algorithm: KeyAlgorithm,
        validity: Validity,
        serial: &SerialNumber,
    ) -> Result<Self, AuthorityError> {
        let key = new_key(algorithm)?;
        let params = prepared(key.public_key(), name, 1, validity, serial)?;
        let certificate = params
            .self_signed(&key)
            .map_err(|source| issue_error(making("certificate", source)))?;
        Self::from_parts(vec![certificate.der().to_vec()], key)
    }

    /// An issuing authority with a new key under this root: it allows leaves only (pathLenConstraint 0).
    pub fn create_issuing(
        root: &Self,
        name: &str,
        algorithm: KeyAlgorithm,
        validity: Validity,
        serial: &SerialNumber,
    ) -> Result<Self, AuthorityError> {
        if !root.certificate_facts().self_issued {
            return Err(issue_error(IssueError::NotRoot {
                subject: root.certificate_facts().subject.clone(),
            }));
        }
        let key = new_key(algorithm)?;
        let params = prepared(key.public_key(), name, 0, validity, serial)?;
        let certificate = root.sign(&params, key.public_key()).map_err(issue_error)?;
        let mut chain = vec![certificate];
        chain.extend_from_slice(root.chain());
        Self::from_parts(chain, key)
    }

    /// Puts an authority together from its chain, its own certificate first, and its key. Refuses parts that do
    /// not belong together, a chain that does not hold, and a certificate that may not issue.
    pub fn from_parts(chain: Vec<Vec<u8>>, key: PrivateKey) -> Result<Self, AuthorityError> {
        let credentials = Credentials::new(chain, key)
            .map_err(|source| AuthorityError::Credentials { source })?;
        let facts = credentials.leaf();
        let may_issue = facts.is_ca
            && facts
                .key_usage
                .is_none_or(|usage| usage.key_cert_sign && usage.crl_sign);
        if !may_issue {
            return Err(AuthorityError::NotAuthority {
                subject: facts.subject.clone(),
            });
        }
        let chain = inspect_chain(credentials.chain(), None, &[])
            .map_err(|source| AuthorityError::Chain { source })?;
        if let Some(fault) = chain.order_fault {
            return Err(AuthorityError::BrokenChain { fault });
        }
        let names_hold = credentials
            .chain()
            .first()
            .and_then(|der| Certificate::from_der(der).ok())
            .is_some_and(|certificate| {
                let subject = certificate.tbs_certificate().subject();
                let kinds: BTreeSet<_> = subject.iter().map(|attribute| attribute.oid).collect();
                !kinds.is_empty()
                    && kinds.len() == subject.len()
                    && subject.iter_rdn().all(|part| part.len() == 1)
            });
        if !names_hold {
            return Err(AuthorityError::UnsupportedName {
                subject: facts.subject.clone(),
            });
        }
        Ok(Self { credentials })
    }

    /// Its own certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.credentials.chain()[0]
    }

    /// What its own certificate says.
    pub fn certificate_facts(&self) -> &CertificateFacts {
        self.credentials.leaf()
    }

    /// Its own certificate and those above it, DER. This is what follows a leaf that it issued.
    pub fn chain(&self) -> &[Vec<u8>] {
        self.credentials.chain()
    }

    /// Its key.
    pub fn key(&self) -> &PrivateKey {
        self.credentials.key()
    }

    /// Issues an end-entity certificate (DER). The names are the caller's decision, not the request's; the key
    /// is one that was proven to be held.
    pub fn issue(
        &self,
        key: &PublicKey,
        subject: &SubjectRequest,
        validity: Validity,
        serial: &SerialNumber,
        profile: &Profile,
    ) -> Result<Vec<u8>, IssueError> {
        let mut params =
            parameters(key, subject, profile).map_err(|source| IssueError::Subject { source })?;
        date(&mut params, validity);
        params.serial_number =
            Some(number(serial).map_err(|source| IssueError::Serial { source })?);
        let ends = self.certificate_facts().validity.not_after();
        if validity.not_after() > ends {
            return Err(IssueError::OutlivesAuthority {
                wanted: validity.not_after(),
                authority: ends,
            });
        }
        self.sign(&params, key)
    }

    /// The revocation list (DER) number `number`, with the authority key identifier that RFC 5280 §5.2 wants.
    /// Numbers must rise from list to list.
    pub fn revocation_list(
        &self,
        revoked: &[Revoked],
        number: u64,
        this_update: Timestamp,
        next_update: Timestamp,
    ) -> Result<Vec<u8>, IssueError> {
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let what = "revocation list";
        let list = CertificateRevocationListParams {
            this_update: instant(epoch, this_update),
            next_update: instant(epoch, next_update),
            crl_number: number.into(),
            issuing_distribution_point: None,
            revoked_certs: revoked
                .iter()
                .map(Revoked::parameters)
                .collect::<Result<_, _>>()
                .map_err(|source| IssueError::Serial { source })?,
            key_identifier_method: self.key_identifier()?,
        };
        let signed = list
            .signed_by(&self.issuer(what)?)
            .map_err(|source| making(what, source))?;
        Ok(signed.der().to_vec())
    }

    fn sign(&self, params: &CertificateParams, key: &PublicKey) -> Result<Vec<u8>, IssueError> {
        let what = "certificate";
        let certificate = params
            .signed_by(key, &self.issuer(what)?)
            .map_err(|source| making(what, source))?
            .der()
            .to_vec();
        // The library rebuilds our name from what it parsed. Whether it is still the same is seen here and not
        // at a partner's gateway.
        let holds = CertificateParts::from_der(&certificate).is_ok_and(|issued| {
            CertificateParts::from_der(self.certificate())
                .is_ok_and(|own| issued.is_issued_by(&own))
        });
        if !holds {
            return Err(IssueError::Unverifiable {
                issuer: self.certificate_facts().subject.clone(),
            });
        }
        Ok(certificate)
    }

    fn issuer(&self, what: &'static str) -> Result<Issuer<'static, &PrivateKey>, IssueError> {
        Issuer::from_ca_cert_der(&CertificateDer::from(self.certificate()), self.key())
            .map_err(|source| making(what, source))
    }

    /// What our own certificate calls our key; lists and leaves must call it the same (RFC 5280 §5.2.1).
    fn key_identifier(&self) -> Result<KeyIdMethod, IssueError> {
        let malformed = |_| making("revocation list", rcgen::Error::CouldNotParseCertificate);
        let certificate = Certificate::from_der(self.certificate()).map_err(malformed)?;
        let stated = certificate
            .tbs_certificate()
            .get_extension::<SubjectKeyIdentifier>()
            .map_err(malformed)?;
        Ok(stated.map_or_else(
            || self.key().public_key().identifier(),
            |(_critical, identifier)| KeyIdMethod::PreSpecified(identifier.0.into_bytes().into()),
        ))
    }
}

fn new_key(algorithm: KeyAlgorithm) -> Result<PrivateKey, AuthorityError> {
    PrivateKey::generate(algorithm).map_err(|source| AuthorityError::Key { source })
}

fn prepared(
    key: &PublicKey,
    name: &str,
    below: u8,
    validity: Validity,
    serial: &SerialNumber,
) -> Result<CertificateParams, AuthorityError> {
    let mut params = authority(key, name, below)
        .map_err(|source| issue_error(IssueError::Subject { source }))?;
    date(&mut params, validity);
    params.serial_number =
        Some(number(serial).map_err(|source| issue_error(IssueError::Serial { source }))?);
    Ok(params)
}

fn issue_error(source: IssueError) -> AuthorityError {
    AuthorityError::Issue { source }
}

fn making(what: &'static str, source: rcgen::Error) -> IssueError {
    IssueError::Making { what, source }
}
