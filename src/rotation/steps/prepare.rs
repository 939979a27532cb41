//! The key pair, and its certificate or its request.
//!
//! Contract: key, request, certificate and the fact that they exist become durable in one transaction, so
//! there is no orphan; run again, the step makes another key, and the first was never written anywhere.
//! No certificate gets past the rules: what fails is named, and nothing is kept.

use super::{Done, StepError};
use crate::{
    delivery::Publisher,
    exchange::Mailer,
    model::{
        CertificateFacts, ChainFacts, Generation, GenerationNumber, HexBytes, Identity,
        IdentityName, IssuerKind, KeyId, KeyOrigin, KeyState, Lapse, Role, Validity,
        audit::Action,
        rotation::{Failure, Output, Rotation},
    },
    pki::{self, CertificateAuthority, PrivateKey, Profile},
    policy::lint::{self, LintInput, Reason, Violation},
    probe::Prober,
    records::{AuthorityRecord, Batch, Records, RecordsError, Versioned},
    rotation::{Driver, Setting},
};

/// How far certificates are dated back, for gateways whose clock is behind ours.
const BACKDATE: Lapse = Lapse::seconds(300);

impl<M: Mailer, P: Prober, B: Publisher> Driver<'_, M, P, B> {
    pub(super) async fn prepare(&self, rotation: &Rotation) -> Result<Done, StepError> {
        let name = rotation.identity();
        let identity = self
            .records
            .identity(name)?
            .ok_or_else(|| {
                StepError::permanent(format!("there is no identity {name}"), "add it", Role::Ops)
            })?
            .value;
        let (generation, key) = self.made(&identity, rotation.to()).await?;
        let output = match &generation.leaf {
            None => Output::Requested,
            Some(leaf) => Output::Prepared {
                fingerprint: leaf.fingerprint,
                not_after: leaf.validity.not_after(),
            },
        };
        let mut batch = Batch::new().tell(Action::KeyGenerated {
            identity: name.clone(),
            generation: generation.number,
            algorithm: generation.key_algorithm,
            key: generation.key_id,
        });
        if let Some(leaf) = &generation.leaf {
            batch = batch.tell(Action::CertificateIssued {
                identity: name.clone(),
                generation: generation.number,
                issuer: identity.issuer,
                certificate: leaf.fingerprint,
                not_after: leaf.validity.not_after(),
            });
        }
        let batch = batch
            .new_key(name, rotation.to(), key.pkcs8())
            .generation(&Versioned {
                version: 0,
                value: generation,
            });
        Ok((output, batch))
    }

    /// Whether a generation of this identity could be made now. Nothing is kept.
    pub async fn rehearse(&self, identity: &Identity) -> Result<(), RehearsalError> {
        match self.made(identity, GenerationNumber::FIRST).await {
            Ok(_) => Ok(()),
            Err(StepError::Failed(failure)) => Err(RehearsalError::Failed(failure)),
            Err(StepError::Records(error)) => Err(RehearsalError::Records(error)),
        }
    }

    /// A generation with its key, not written anywhere yet.
    async fn made(
        &self,
        identity: &Identity,
        number: GenerationNumber,
    ) -> Result<(Generation, PrivateKey), StepError> {
        let algorithm = identity.key_algorithm;
        // An RSA key takes seconds: not on a thread that serves sockets.
        let key = tokio::task::spawn_blocking(move || PrivateKey::generate(algorithm))
            .await
            .map_err(|error| StepError::from_error(&error, true, "try again"))?
            .map_err(|error| StepError::from_error(&error, false, "choose another kind of key"))?;
        let request =
            pki::request::certification_request(&key, &identity.subject).map_err(|error| {
                StepError::from_error(&error, false, "correct the names of the identity")
            })?;
        let mut generation = Generation {
            identity: identity.name.clone(),
            number,
            key_algorithm: algorithm,
            key_id: key.key_id(),
            key_state: KeyState::PreActivation,
            origin: KeyOrigin::Made,
            request,
            chain: Vec::new(),
            leaf: None,
            created_at: self.clock.now(),
            destroyed_at: None,
        };
        match self.certify(identity, &key)? {
            Some(certified) => {
                generation.leaf = Some(self.lint(identity, &certified, key.key_id(), |_| true)?);
                generation.chain = certified.chain.into_iter().map(HexBytes).collect();
            }
            None => {
                // What we ask for must be fit to be granted: judged on a stand-in that says the same.
                let stand_in = self.self_signed(identity, &key)?;
                self.lint(identity, &stand_in, key.key_id(), |reason| {
                    matches!(
                        reason,
                        Reason::NameOutsideApprovedDomains
                            | Reason::NoNames
                            | Reason::KeyAlgorithmNotAllowed
                    )
                })?;
            }
        }
        Ok((generation, key))
    }

    fn self_signed(&self, identity: &Identity, key: &PrivateKey) -> Result<Certified, StepError> {
        let serial = pki::random_serial().map_err(|error| fault(&error))?;
        let certificate = pki::self_signed(key, &identity.subject, self.validity()?, &serial)
            .map_err(|error| fault(&error))?;
        Ok(Certified {
            chain: vec![certificate],
            anchors: Vec::new(),
        })
    }

    /// The chain, leaf first; `None` when the partner's authority has to sign.
    fn certify(
        &self,
        identity: &Identity,
        key: &PrivateKey,
    ) -> Result<Option<Certified>, StepError> {
        let validity = self.validity()?;
        let serial = pki::random_serial().map_err(|error| fault(&error))?;
        match self.setting.issuer.kind {
            IssuerKind::PartnerCa => Ok(None),
            IssuerKind::SelfSigned => self.self_signed(identity, key).map(Some),
            IssuerKind::LocalCa => {
                let issuer = &self.setting.issuer.name;
                let record = self.records.authority(issuer)?.ok_or_else(|| {
                    StepError::permanent(
                        format!("the issuer {issuer} has no keys yet"),
                        format!("run `countersign issuer create {issuer} --common-name NAME`, then `countersign rotation retry {}`", identity.name),
                        Role::Ops,
                    )
                })?;
                let authority = issuing_authority(&record.value).map_err(|error| fault(&error))?;
                let certificate = authority
                    .issue(
                        key.public_key(),
                        &identity.subject,
                        validity,
                        &serial,
                        &Profile::Client,
                    )
                    .map_err(|error| fault(&error))?;
                let (issuing, root) = (record.value.issuing.0, record.value.root.0);
                Ok(Some(Certified {
                    chain: vec![certificate, issuing],
                    anchors: vec![root],
                }))
            }
        }
    }

    /// As long as the policy says, dated back a little; whole seconds, since certificates know no others.
    fn validity(&self) -> Result<Validity, StepError> {
        let now = self.clock.now();
        let whole = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now);
        let not_before = BACKDATE.before(whole);
        Validity::new(
            not_before,
            self.setting.policy.certificate.validity.after(not_before),
        )
        .map_err(|error| {
            StepError::from_error(&error, false, "correct the policy's certificate.validity")
        })
    }

    fn lint(
        &self,
        identity: &Identity,
        certified: &Certified,
        key: KeyId,
        concerns: impl Fn(Reason) -> bool,
    ) -> Result<CertificateFacts, StepError> {
        let facts = pki::inspect_chain(&certified.chain, Some(key), &certified.anchors)
            .map_err(|error| StepError::from_error(&error, false, "look at the issuer"))?;
        let mut violations = judge(
            self.records,
            self.setting,
            identity,
            &facts,
            self.clock.now(),
        )?;
        violations.retain(|violation| concerns(violation.reason));
        if violations.is_empty() {
            return Ok(facts.leaf().clone());
        }
        Err(StepError::permanent(
            format!(
                "the certificate breaks the rules of policy {}: {}",
                self.setting.policy.name,
                self::violations(&violations)
            ),
            "correct the issuer, the identity's names or the policy",
            Role::Ops,
        ))
    }
}

/// Why a generation cannot be made.
#[derive(Debug)]
pub enum RehearsalError {
    /// A rule or the issuer says no.
    Failed(Failure),
    /// The store cannot be read.
    Records(RecordsError),
}

fn fault(error: &dyn std::error::Error) -> StepError {
    StepError::from_error(
        error,
        false,
        "mend what it names, then `countersign rotation retry IDENTITY`",
    )
}

struct Certified {
    chain: Vec<Vec<u8>>,
    anchors: Vec<Vec<u8>>,
}

/// The authority that signs, from its record.
pub fn issuing_authority(
    record: &AuthorityRecord,
) -> Result<CertificateAuthority, pki::AuthorityError> {
    let key = record.issuing_key.expose();
    let chain = vec![record.issuing.0.clone(), record.root.0.clone()];
    let key = PrivateKey::from_pkcs8(key).map_err(|source| pki::AuthorityError::Key { source })?;
    CertificateAuthority::from_parts(chain, key)
}

/// What the rules say to a chain that is meant for a generation of an identity.
pub(crate) fn judge(
    records: &Records,
    setting: &Setting,
    identity: &Identity,
    chain: &ChainFacts,
    now: jiff::Timestamp,
) -> Result<Vec<Violation>, RecordsError> {
    let earlier = earlier_keys(records, &identity.name, chain.leaf().key_id)?;
    let rules = lint::CertificateRules {
        algorithms: setting.policy.key.allowed.clone(),
        max_validity: setting.policy.certificate.max_validity,
        // One that would be due at once would be replaced for ever.
        min_remaining: setting
            .policy
            .certificate
            .min_remaining
            .max(setting.policy.lead_time.total()),
    };
    Ok(lint::lint(&LintInput {
        chain,
        rules: &rules,
        approved_domains: &setting.issuer.approved_domains,
        wanted_names: &identity.subject.dns_names,
        earlier_keys: &earlier,
        now,
    }))
}

/// Keys that were certified before. The one that waits for its certificate is not among them, unless the witness of
/// the store knows it to have ended.
fn earlier_keys(
    records: &Records,
    identity: &IdentityName,
    key: KeyId,
) -> Result<Vec<KeyId>, RecordsError> {
    let generations = records.generations(identity)?;
    let waiting = |generation: &Generation| generation.key_id == key && generation.chain.is_empty();
    let ended = records.fate_of(key)?.map(|_| key);
    Ok(generations
        .into_iter()
        .map(|g| g.value)
        .filter(|g| !waiting(g))
        .map(|g| g.key_id)
        .chain(ended)
        .collect())
}

/// Violations on one line, each with the name of its rule.
pub(crate) fn violations(violations: &[Violation]) -> String {
    let each: Vec<String> = violations
        .iter()
        .map(|v| format!("[{}] {}", v.reason.as_str(), v.message))
        .collect();
    each.join("; ")
}
