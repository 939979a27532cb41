//! Taking in an identity that is in use already.
//!
//! One transaction writes identity, generation, key and the two facts that tell of them. Proven by then is that key
//! and leaf belong together and that nobody of ours has the key; that anybody trusts it is claimed, and says so.

use jiff::Timestamp;

use super::{
    Setting,
    steps::{judge, violations},
};
use crate::{
    model::{
        Fingerprint, Generation, GenerationNumber, HexBytes, Identity, IdentityName, KeyAlgorithm,
        KeyOrigin, KeyState, PolicyName, Slots,
        audit::Author,
        rotation::{Event, Fact, Rotation, RotationReason},
    },
    pki::{self, PrivateKey},
    policy::adoption::{self, Judgement},
    records::{Records, RecordsError},
};

/// What is to be taken in.
#[derive(Debug)]
pub struct Adoption {
    /// Our name for it.
    pub identity: IdentityName,
    /// Its key.
    pub key: PrivateKey,
    /// Its certificates, DER, in any order.
    pub certificates: Vec<Vec<u8>>,
    /// The host names of the next generations; none: those of this one.
    pub names: Vec<String>,
    /// The kind of key that the next generation gets.
    pub key_algorithm: KeyAlgorithm,
    /// Who says that it is in use.
    pub by: String,
    /// The files that it came from.
    pub from: String,
}

/// What was taken in.
#[derive(Debug)]
pub struct Adopted {
    /// Its story so far: it has ended, since there is nothing to do.
    pub rotation: Rotation,
    /// The certificate.
    pub fingerprint: Fingerprint,
    /// The facts, as they were noted.
    pub story: [Event; 2],
    /// Rules that it breaks, each with its name.
    pub warnings: Vec<String>,
}

/// Why it was not taken in. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// The certificates do not fit together, or none of them certifies the key.
    #[error("the certificates do not form a chain for this key")]
    Chain(#[from] pki::ChainError),
    /// It breaks a rule that matters for one in use as well.
    #[error(
        "the certificate cannot be adopted under policy {policy}: {violations}; start anew with `countersign identity add`"
    )]
    Lint {
        /// Whose rules.
        policy: PolicyName,
        /// The rules by name, and what is wrong.
        violations: String,
    },
    /// The store refused, or knows the key.
    #[error("it was not stored")]
    Records(#[from] RecordsError),
}

/// Takes in an identity with its first generation, which is current at once.
pub fn adopt(
    records: &Records,
    setting: &Setting,
    author: &Author,
    adoption: Adoption,
    now: Timestamp,
) -> Result<Adopted, AdoptError> {
    let key = &adoption.key;
    let chain = pki::order_chain(&adoption.certificates, key.key_id())?;
    let subject = pki::subject_of(&chain[0]);
    let identity = Identity {
        name: adoption.identity.clone(),
        issuer: setting.issuer.name.clone(),
        policy: setting.policy.name.clone(),
        subject: match adoption.names.as_slice() {
            [] => subject,
            [first, ..] => crate::model::SubjectRequest {
                common_name: first.clone(),
                dns_names: adoption.names.clone(),
                ..subject
            },
        },
        key_algorithm: adoption.key_algorithm,
        created_at: now,
        slots: Slots::default(),
        newest: None,
        rotation: None,
    };
    let facts = pki::inspect_chain(&chain, Some(key.key_id()), &setting.issuer.anchors)?;
    let leaf = facts.leaf().clone();
    let Judgement { faults, leniencies } =
        adoption::judge(judge(records, setting, &identity, &facts, now)?, &leaf);
    if !faults.is_empty() {
        return Err(AdoptError::Lint {
            policy: setting.policy.name.clone(),
            violations: violations(&faults),
        });
    }
    let fingerprint = leaf.fingerprint;
    let event = |fact| Event { at: now, fact };
    let story = [
        event(Fact::Planned {
            identity: adoption.identity.clone(),
            from: None,
            to: GenerationNumber::FIRST,
            reason: RotationReason::Adopted,
            scope: setting.scope.clone(),
        }),
        event(Fact::Adopted {
            fingerprint,
            not_after: leaf.validity.not_after(),
            by: adoption.by,
            leniencies: leniencies.iter().map(|v| v.reason.to_string()).collect(),
        }),
    ];
    let generation = Generation {
        identity: adoption.identity,
        number: GenerationNumber::FIRST,
        key_algorithm: key.algorithm(),
        key_id: key.key_id(),
        key_state: KeyState::Active,
        origin: KeyOrigin::Adopted,
        request: Vec::new(),
        chain: chain.into_iter().map(HexBytes).collect(),
        leaf: Some(leaf),
        created_at: now,
        destroyed_at: None,
    };
    let [planned, adopted] = &story;
    let rotation = records.adopt(
        identity,
        generation,
        key.pkcs8(),
        &adoption.from,
        author,
        [planned, adopted],
    )?;
    Ok(Adopted {
        rotation,
        fingerprint,
        warnings: leniencies
            .iter()
            .map(|violation| violations(std::slice::from_ref(violation)))
            .collect(),
        story,
    })
}
