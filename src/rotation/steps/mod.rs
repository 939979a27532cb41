//! One file per step: inputs, contract, action.

mod activate;
mod ending;
mod letters;
mod prepare;
mod probing;

pub use activate::handover;
pub use prepare::{RehearsalError, issuing_authority};
pub(super) use prepare::{judge, violations};
pub use probing::{Questions, probe_request};

use super::{
    driver::Driver,
    error::{StepError, chain},
};
use crate::{
    delivery::Publisher,
    exchange::Mailer,
    model::{
        GenerationNumber, IdentityName, LetterKind, Role,
        rotation::{Basis, Gate, Output, Rotation, Step},
    },
    pki::{Credentials, PrivateKey},
    policy::GateRule,
    probe::Prober,
    records::{Batch, Records},
};

/// What a step brought about, and what is written with it.
type Done = (Output, Batch);

impl<M: Mailer, P: Prober, B: Publisher> Driver<'_, M, P, B> {
    /// Performs a step. Every step may be performed again under the same name without harm.
    pub(super) async fn perform(
        &self,
        rotation: &Rotation,
        step: &Step,
    ) -> Result<Done, StepError> {
        match step {
            Step::Prepare => self.prepare(rotation).await,
            Step::Offer { destination } => {
                self.write(rotation, LetterKind::Offer, 1, destination)
                    .await
            }
            Step::Remind {
                destination,
                number,
            } => {
                self.write(rotation, LetterKind::Reminder, *number, destination)
                    .await
            }
            Step::Confirm { destination } => {
                let waiver = rotation
                    .legs
                    .get(destination)
                    .and_then(|leg| leg.waiver(Gate::Acknowledgement));
                let evidence = rotation
                    .legs
                    .get(destination)
                    .is_some_and(|leg| leg.acknowledgement.is_some());
                let basis = match waiver {
                    _ if evidence => Basis::Evidence,
                    Some(waiver) => Basis::Waived {
                        by: waiver.by.clone(),
                        reason: waiver.reason.clone(),
                    },
                    None if self.setting.policy.gates.acknowledgement == GateRule::NotRequired => {
                        Basis::NotRequired
                    }
                    None => {
                        return Err(StepError::permanent(
                            "there is neither evidence nor a waiver",
                            "wait for the partner, or waive the gate",
                            Role::JiraSec,
                        ));
                    }
                };
                Ok((Output::Confirmed { basis }, Batch::new()))
            }
            Step::Probe { destination } => self.probe_new(rotation, destination).await,
            Step::Publish { connector } => self.publish_new(rotation, connector).await,
            Step::Activate { .. } => Ok((Output::Done, Batch::new())),
            Step::Notify { destination } => {
                self.write(rotation, LetterKind::RemovalNotice, 1, destination)
                    .await
            }
            Step::ProveRefusal { destination } => self.probe_old(rotation, destination).await,
            Step::Destroy => self.destroy(rotation, rotation.from).await,
            Step::RollBack { connector } => self.publish_old(rotation, connector).await,
            Step::Withdraw { destination } => {
                self.write(rotation, LetterKind::Withdrawal, 1, destination)
                    .await
            }
            Step::Discard => self.destroy(rotation, Some(rotation.to())).await,
        }
    }
}

/// Key and chain of a generation, checked to belong together.
pub(super) fn credentials(
    records: &Records,
    identity: &IdentityName,
    number: GenerationNumber,
) -> Result<Credentials, StepError> {
    let gone = |what: &str| {
        StepError::permanent(
            format!("generation {number} of {identity} has no {what}"),
            "abandon the rotation and begin another",
            Role::Ops,
        )
    };
    let generation = records
        .generation(identity, number)?
        .ok_or_else(|| gone("record"))?
        .value;
    let key = records
        .private_key(identity, number)?
        .ok_or_else(|| gone("private key any more"))?;
    let key = PrivateKey::from_pkcs8(key).map_err(|error| {
        StepError::permanent(chain(&error), "run `countersign store verify`", Role::Ops)
    })?;
    let chain_der = generation
        .chain
        .into_iter()
        .map(|certificate| certificate.0)
        .collect();
    Credentials::new(chain_der, key).map_err(|error| {
        StepError::permanent(chain(&error), "run `countersign store verify`", Role::Ops)
    })
}
