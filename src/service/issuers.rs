//! What we certify with, and what we sign letters with.

use jiff::Timestamp;
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use zeroize::Zeroizing;

use super::{PemView, Service, ServiceError, error::chain};
use crate::{
    model::{
        ExtendedKeyUsage, Fingerprint, HexBytes, IssuerKind, IssuerName, KeyAlgorithm, Lapse,
        SubjectRequest, Validity,
        audit::{Action, Author},
    },
    pki::{self, CertificateAuthority, PrivateKey, Profile, pem},
    records::{AuthorityRecord, Batch, SecretBytes, SignerRecord, Versioned},
    rotation::issuing_authority,
};

/// How long the root of a local authority lives: long enough to be pinned.
const ROOT: Lapse = Lapse::days(20 * 365);

/// How long the issuing authority lives.
const ISSUING: Lapse = Lapse::days(10 * 365);

/// How long a certificate for signing letters lives.
const SIGNER: Lapse = Lapse::days(825);

/// How long a revocation list is good for.
const CRL: Lapse = Lapse::days(30);

/// The letter-signing key: what every S/MIME client verifies.
const SIGNER_KEY: KeyAlgorithm = KeyAlgorithm::Rsa3072;

impl Service {
    pub(super) fn create_authority(
        &self,
        by: &Author,
        issuer: &IssuerName,
        common_name: &str,
    ) -> Result<PemView, ServiceError> {
        let config = self.config();
        match config.issuers.get(issuer) {
            Some(found) if found.kind == IssuerKind::LocalCa => {}
            Some(found) => {
                return Err(ServiceError::refused(format!(
                    "{issuer} is of kind {}, which has no keys here",
                    found.kind
                )));
            }
            None => {
                return Err(
                    ServiceError::refused(format!("there is no issuer {issuer}")).hint(format!(
                        "add [issuer.{issuer}] with kind = \"local-ca\" to {}",
                        config.path.display()
                    )),
                );
            }
        }
        if self.records.authority(issuer)?.is_some() {
            return Err(
                ServiceError::refused(format!("the issuer {issuer} has its keys already"))
                    .hint(format!("countersign issuer show {issuer}")),
            );
        }
        let algorithm = KeyAlgorithm::EcdsaP384;
        let now = self.clock.now();
        let root = CertificateAuthority::create_root(
            &format!("{common_name} Root CA"),
            algorithm,
            from_now(now, ROOT)?,
            &serial()?,
        )
        .map_err(|error| ServiceError::from_error(&error))?;
        let issuing = CertificateAuthority::create_issuing(
            &root,
            &format!("{common_name} Issuing CA"),
            algorithm,
            from_now(now, ISSUING)?,
            &serial()?,
        )
        .map_err(|error| ServiceError::from_error(&error))?;
        let record = AuthorityRecord {
            root: HexBytes(root.certificate().to_vec()),
            root_key: SecretBytes::new(root.key().pkcs8()),
            issuing: HexBytes(issuing.certificate().to_vec()),
            issuing_key: SecretBytes::new(issuing.key().pkcs8()),
            revoked: Vec::new(),
            crl_number: 0,
            created_at: now,
        };
        let created = Action::AuthorityCreated {
            issuer: issuer.clone(),
            root: fingerprint(root.certificate())?,
            issuing: fingerprint(issuing.certificate())?,
        };
        let batch = Batch::new().authority(
            issuer,
            &Versioned {
                version: 0,
                value: record,
            },
        );
        self.records.commit(by, now, batch.tell(created))?;
        self.authority_chain(issuer)
    }

    pub(super) fn authority_chain(&self, issuer: &IssuerName) -> Result<PemView, ServiceError> {
        let record = self.authority_record(issuer)?.value;
        chain_view(
            format!("authority {issuer}: issuing certificate, then root"),
            &[record.issuing, record.root],
        )
    }

    /// The revocation list, issued anew: its number grows and its dates move on.
    pub(super) fn revocation_list(
        &self,
        by: &Author,
        issuer: &IssuerName,
    ) -> Result<PemView, ServiceError> {
        let mut record = self.authority_record(issuer)?;
        let authority =
            issuing_authority(&record.value).map_err(|error| ServiceError::from_error(&error))?;
        record.value.crl_number += 1;
        let now = whole_seconds(self.clock.now());
        let revoked: Vec<_> = record
            .value
            .revoked
            .iter()
            .map(|entry| pki::Revoked {
                serial: entry.serial.clone(),
                at: entry.at,
                reason: pki::RevocationReason::Superseded,
            })
            .collect();
        let list = authority
            .revocation_list(&revoked, record.value.crl_number, now, CRL.after(now))
            .map_err(|error| ServiceError::from_error(&error))?;
        let issued = Action::RevocationListIssued {
            issuer: issuer.clone(),
            number: record.value.crl_number,
            revoked: revoked.len() as u64,
        };
        let batch = Batch::new().authority(issuer, &record);
        self.records.commit(by, now, batch.tell(issued))?;
        Ok(PemView {
            schema: 1,
            what: format!("revocation list {} of {issuer}", record.value.crl_number),
            fingerprint: None,
            pem: pem::crl_pem(&list),
        })
    }

    /// A certificate for signing letters from the local authority.
    pub(super) fn create_signer(
        &self,
        by: &Author,
        issuer: &IssuerName,
    ) -> Result<PemView, ServiceError> {
        let config = self.config();
        let mail = config.mail.as_ref().ok_or_else(|| {
            ServiceError::refused("no mail address of ours is configured")
                .hint("describe [mail] in countersign.toml")
        })?;
        let record = self.authority_record(issuer)?.value;
        let authority =
            issuing_authority(&record).map_err(|error| ServiceError::from_error(&error))?;
        let key =
            PrivateKey::generate(SIGNER_KEY).map_err(|error| ServiceError::from_error(&error))?;
        let subject = SubjectRequest {
            common_name: config.ops_name.clone(),
            organization: None,
            dns_names: Vec::new(),
        };
        let certificate = authority
            .issue(
                key.public_key(),
                &subject,
                from_now(self.clock.now(), SIGNER)?,
                &serial()?,
                &Profile::Email(mail.from.clone()),
            )
            .map_err(|error| ServiceError::from_error(&error))?;
        let chain = vec![certificate, record.issuing.0, record.root.0];
        self.keep_signer(by, &key, chain, false)
    }

    /// A certificate for signing letters from elsewhere.
    pub(super) fn import_signer(
        &self,
        by: &Author,
        key: &str,
        chain_pem: &[u8],
    ) -> Result<PemView, ServiceError> {
        let key = PrivatePkcs8KeyDer::from_pem_slice(key.as_bytes()).map_err(|_| {
            ServiceError::refused("the key file holds no unencrypted PKCS#8 private key in PEM")
                .hint("openssl pkcs8 -topk8 -nodes -in KEY -out KEY.pk8")
        })?;
        let key = PrivateKey::from_pkcs8(Zeroizing::new(key.secret_pkcs8_der().to_vec()))
            .map_err(|error| ServiceError::refused(chain(&error)))?;
        let certificates = pem::certificates_from_pem(chain_pem)
            .map_err(|error| ServiceError::refused(chain(&error)))?;
        let ordered = pki::order_chain(&certificates, key.key_id()).map_err(|error| {
            ServiceError::refused(chain(&error)).hint("give the chain of this key")
        })?;
        let leaf =
            pki::inspect(&ordered[0]).map_err(|error| ServiceError::refused(chain(&error)))?;
        let signs_mail = leaf.extended_key_usage.as_ref().is_none_or(|usages| {
            usages.contains(&ExtendedKeyUsage::EmailProtection)
                || usages.contains(&ExtendedKeyUsage::Any)
        });
        if !signs_mail {
            return Err(ServiceError::refused(
                "the certificate is not for mail: emailProtection is missing",
            ));
        }
        if leaf.validity.is_over(self.clock.now()) {
            return Err(ServiceError::refused(format!(
                "the certificate expired at {}",
                leaf.validity.not_after()
            )));
        }
        self.keep_signer(by, &key, ordered, true)
    }

    pub(super) fn signer_chain(&self) -> Result<PemView, ServiceError> {
        let record = self.records.signer()?.ok_or_else(|| {
            ServiceError::refused("there is no certificate to sign letters with")
                .hint("countersign signer create --issuer NAME, or countersign signer import --key FILE --chain FILE")
        })?;
        chain_view(
            "certificate that our letters are signed with".to_owned(),
            &record.value.chain,
        )
    }

    fn keep_signer(
        &self,
        by: &Author,
        key: &PrivateKey,
        certificates: Vec<Vec<u8>>,
        imported: bool,
    ) -> Result<PemView, ServiceError> {
        let leaf =
            pki::inspect(&certificates[0]).map_err(|error| ServiceError::from_error(&error))?;
        let record = SignerRecord {
            key: SecretBytes::new(key.pkcs8()),
            chain: certificates.into_iter().map(HexBytes).collect(),
            leaf,
        };
        let version = self.records.signer()?.map_or(0, |old| old.version);
        let installed = Action::SignerInstalled {
            certificate: record.leaf.fingerprint,
            key: key.key_id(),
            imported,
        };
        let batch = Batch::new().signer(&Versioned {
            version,
            value: record,
        });
        self.records
            .commit(by, self.clock.now(), batch.tell(installed))?;
        self.signer_chain()
    }

    fn authority_record(
        &self,
        issuer: &IssuerName,
    ) -> Result<Versioned<AuthorityRecord>, ServiceError> {
        self.records.authority(issuer)?.ok_or_else(|| {
            ServiceError::refused(format!("the issuer {issuer} has no keys here")).hint(format!(
                "countersign issuer create {issuer} --common-name NAME"
            ))
        })
    }
}

fn fingerprint(certificate: &[u8]) -> Result<Fingerprint, ServiceError> {
    pki::inspect(certificate)
        .map(|facts| facts.fingerprint)
        .map_err(|error| ServiceError::from_error(&error))
}

fn serial() -> Result<crate::model::SerialNumber, ServiceError> {
    pki::random_serial().map_err(|error| ServiceError::from_error(&error))
}

fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

fn from_now(now: Timestamp, length: Lapse) -> Result<Validity, ServiceError> {
    let now = whole_seconds(now);
    Validity::new(now, length.after(now)).map_err(|error| ServiceError::from_error(&error))
}

fn chain_view(what: String, chain: &[HexBytes]) -> Result<PemView, ServiceError> {
    let fingerprint = match chain.first() {
        Some(leaf) => Some(
            pki::inspect(&leaf.0)
                .map_err(|error| ServiceError::from_error(&error))?
                .fingerprint,
        ),
        None => None,
    };
    Ok(PemView {
        schema: 1,
        what,
        fingerprint,
        pem: chain.iter().map(|c| pem::certificate_pem(&c.0)).collect(),
    })
}
