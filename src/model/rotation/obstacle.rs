//! What forbids a step, or a decision. The invariants of a rotation stand here and nowhere else.

use super::{
    fact::{Decision, Step},
    leg::Leg,
    state::Rotation,
};
use crate::model::Destination;

impl Rotation {
    /// What forbids a step now.
    pub(super) fn obstacle(&self, step: &Step) -> Option<&'static str> {
        let leg = |destination: &Destination| self.legs.get(destination);
        let ending = self.ending.is_some();
        let forward = !matches!(
            step,
            Step::RollBack { .. } | Step::Withdraw { .. } | Step::Discard
        );
        if ending && forward {
            return Some("the rotation is being given up");
        }
        if !ending && !forward {
            return Some("nobody decided to give the rotation up");
        }
        let prepared = self.certificate.is_some();
        let missing = |known: Option<bool>, obstacle| match known {
            None => Some("it is not in the scope of the rotation"),
            Some(false) => Some(obstacle),
            Some(true) => None,
        };
        match step {
            Step::Prepare if prepared => Some("it is prepared already"),
            Step::Prepare if self.requested.is_some() => Some("a request is out already"),
            Step::Prepare => None,
            Step::Discard => self.still_needed(),
            _ if !prepared && forward => Some("there is no certificate yet"),
            Step::Offer { destination } => missing(
                leg(destination).map(|l| l.offer.is_none()),
                "it was offered",
            ),
            Step::Remind { destination, .. } => missing(
                leg(destination).map(|l| l.offer.is_some()),
                "nothing was offered",
            ),
            Step::Confirm { destination } => missing(
                leg(destination).map(|l| l.offer.is_some()),
                "nothing was offered",
            ),
            Step::Probe { destination } => missing(leg(destination).map(|_| true), ""),
            Step::Publish { connector } => {
                let gates = self
                    .connectors
                    .get(connector)
                    .and_then(|c| leg(&c.destination))
                    .map(Leg::may_activate);
                missing(gates, "the gates of its destination are shut")
            }
            Step::Activate { destination } => {
                if self
                    .connectors_at(destination)
                    .any(|(_, c)| c.activation.is_none())
                {
                    return Some("a connector there has not been seen presenting it");
                }
                missing(
                    leg(destination).map(Leg::may_activate),
                    "the gates are shut",
                )
            }
            Step::Notify { destination } | Step::ProveRefusal { destination } => {
                if self.from.is_none() {
                    return Some("there is no old generation");
                }
                missing(
                    leg(destination).map(|l| l.activated.is_some()),
                    "it is not active there",
                )
            }
            Step::Destroy => {
                // A first generation has nothing to retire.
                let first = self.from.is_none();
                let through = self.active_legs().count() > 0
                    && self.active_legs().all(|(_, leg)| {
                        leg.retired.is_some() || (first && leg.activated.is_some())
                    });
                (!through).then_some("the old generation is not retired everywhere")
            }
            Step::RollBack { connector } => {
                missing(self.connectors.get(connector).map(|_| true), "")
            }
            Step::Withdraw { destination } => missing(
                leg(destination).map(|l| l.offer.is_some() || l.offer_in_doubt),
                "nothing was offered",
            ),
        }
    }

    /// What forbids an operator's decision now.
    pub fn obstacle_to(&self, decision: &Decision) -> Option<&'static str> {
        let retired = self.legs.values().any(|leg| leg.retired.is_some());
        let switched = self.connectors.values().any(|c| c.switched.is_some());
        match decision {
            _ if self.outcome.is_some() => Some("the rotation has ended"),
            Decision::Retry => None,
            _ if self.ending.is_some() => Some("it is being given up already"),
            _ if retired => Some("the old generation is retired, there is no way back"),
            Decision::Abandon if self.from.is_some() && switched => {
                Some("connectors were switched: roll back instead")
            }
            Decision::RollBack if self.from.is_none() => {
                Some("there is no old generation to go back to")
            }
            Decision::Abandon | Decision::RollBack => None,
        }
    }

    /// Who would be left with a key that is gone: connectors that present it, partners that wait for it.
    fn still_needed(&self) -> Option<&'static str> {
        let presented = self
            .connectors
            .values()
            .any(|c| !c.left && c.switched.is_some() && c.restored.is_none());
        if self.from.is_some() && presented {
            return Some("a connector has not been seen presenting the old one again");
        }
        self.active_legs()
            .any(|(_, leg)| leg.must_withdraw())
            .then_some("a partner was not told that the offer no longer stands")
    }
}
