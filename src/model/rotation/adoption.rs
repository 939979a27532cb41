//! Generations that were in use before they came to us. What is claimed of them is kept apart from what is proven.

use jiff::Timestamp;

use super::{
    Basis, Event, IllegalTransition, Outcome, PreparedCertificate, Probed, Rotation, RotationReason,
};
use crate::model::{Destination, Fingerprint, ProbeReport};

impl Rotation {
    /// A first generation that is in use already: there is nothing to do but to write it down.
    pub(super) fn adopted(
        &mut self,
        fingerprint: Fingerprint,
        not_after: Timestamp,
        event: &Event,
    ) -> Result<(), IllegalTransition> {
        let fresh = self.reason == RotationReason::Adopted
            && self.from.is_none()
            && self.requested.is_none()
            && self.certificate.is_none();
        if !fresh {
            return Err(self.illegal(&event.fact, "it is not a first generation to be adopted"));
        }
        self.certificate = Some(PreparedCertificate {
            fingerprint,
            not_after,
            at: event.at,
        });
        for leg in self.legs.values_mut() {
            leg.claimed = Some(event.at);
        }
        self.outcome = Some((event.at, Outcome::Completed));
        Ok(())
    }

    /// Evidence for a claim may come at any time: it moves nothing.
    pub(super) fn claim_probed(
        mut self,
        destination: &Destination,
        report: &ProbeReport,
        event: &Event,
    ) -> Result<Self, IllegalTransition> {
        let leg = self.leg(destination, event)?;
        if leg.claimed.is_none() {
            return Err(self.illegal(&event.fact, "nothing is claimed of it"));
        }
        if report.proves_acceptance() {
            leg.proven.get_or_insert((event.at, Basis::Evidence));
        }
        leg.probe = Some(Probed {
            report: Box::new(report.clone()),
            noted: event.at,
        });
        self.last_event = event.at;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::{KeyState, rotation::Phase};

    fn event(fact: &Value) -> Event {
        let mut stored = json!({ "at": "2026-11-23T12:00:00Z" });
        for (name, value) in fact.as_object().unwrap() {
            stored[name] = value.clone();
        }
        serde_json::from_value(stored).unwrap()
    }

    fn planned(reason: &str, from: Option<u32>) -> Event {
        event(&json!({
            "fact": "planned", "identity": "jira", "from": from, "to": from.unwrap_or(0) + 1, "reason": reason,
            "scope": { "destinations": ["acme/test"], "connectors": { "one": "acme/test" } },
        }))
    }

    fn adopted() -> Event {
        event(&json!({
            "fact": "adopted", "fingerprint": "07".repeat(32), "not_after": "2027-01-01T00:00:00Z", "by": "olga",
            "leniencies": ["no-names"],
        }))
    }

    fn probed(destination: &str, verdict: &str) -> Event {
        event(
            &json!({ "fact": "claim-probed", "destination": destination, "report": {
            "probe_id": "p", "at": "2026-11-23T12:00:00Z", "url": "https://a.example", "presented": "07".repeat(32),
            "verdict": verdict, "summary": "s", "tier": "gateway", "addresses": [], "controls": [], "verbs": [],
        } }),
        )
    }

    #[test]
    fn an_adopted_generation_is_current_and_active_and_its_trust_is_only_claimed() {
        let rotation = Rotation::begin(&planned("adopted", None)).unwrap();
        let rotation = rotation.after(&adopted()).unwrap();
        assert_eq!(rotation.phase(), Phase::Completed);
        assert_eq!(rotation.slots().current, Some(rotation.to()));
        assert_eq!(rotation.new_key_state(), KeyState::Active);
        let leg = rotation.legs.values().next().unwrap();
        assert!(leg.claimed.is_some() && leg.proven.is_none() && leg.acknowledgement.is_none());
    }

    #[test]
    fn nothing_but_a_planned_adoption_can_be_adopted() {
        for first in [planned("initial", None), planned("adopted", Some(1))] {
            let rotation = Rotation::begin(&first).unwrap();
            assert!(rotation.after(&adopted()).is_err());
        }
        let twice = Rotation::begin(&planned("adopted", None))
            .and_then(|rotation| rotation.after(&adopted()))
            .unwrap();
        assert!(twice.after(&adopted()).is_err());
    }

    #[test]
    fn a_claim_is_probed_where_one_was_made_and_nowhere_else() {
        let planned_only = Rotation::begin(&planned("initial", None)).unwrap();
        assert!(
            planned_only
                .after(&probed("acme/test", "rejected"))
                .is_err()
        );
        let rotation = Rotation::begin(&planned("adopted", None))
            .and_then(|rotation| rotation.after(&adopted()))
            .unwrap();
        assert!(
            rotation
                .clone()
                .after(&probed("other/test", "rejected"))
                .is_err()
        );
        let rotation = rotation.after(&probed("acme/test", "rejected")).unwrap();
        let leg = rotation.legs.values().next().unwrap();
        assert!(leg.probe.is_some() && leg.proven.is_none());
    }
}
