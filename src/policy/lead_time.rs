//! When to start is arithmetic for people, not a fraction of a lifetime.

use jiff::Timestamp;

use crate::model::Lapse;

/// How long each part of a rotation takes, the slowest first thing that it waits for included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LeadTimes {
    /// From the request to the certificate.
    pub issuance: Lapse,
    /// From our letter to the partner's desk.
    pub delivery: Lapse,
    /// From the partner's desk to the installed certificate.
    pub partner_answer: Lapse,
    /// The longest wait for a change window.
    pub change_window: Lapse,
    /// From activation to being sure.
    pub soak: Lapse,
    /// For what nobody thought of.
    pub margin: Lapse,
}

/// A rotation that cannot be done in time, however early it is begun.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "a certificate valid for {validity} cannot be rotated in time: {sum} = {needed}; \
     issue longer certificates, shorten the lead times, or have the gateway trust the authority instead of the certificate"
)]
pub struct UnworkablePlan {
    /// How long certificates live.
    pub validity: Lapse,
    /// How long a rotation takes.
    pub needed: Lapse,
    /// The addends, spelled out.
    pub sum: String,
}

impl LeadTimes {
    /// The addends in the order in which they pass, each with its name.
    pub fn addends(&self) -> [(&'static str, Lapse); 6] {
        [
            ("issuance", self.issuance),
            ("delivery", self.delivery),
            ("partner-answer", self.partner_answer),
            ("change-window", self.change_window),
            ("soak", self.soak),
            ("margin", self.margin),
        ]
    }

    /// How long a rotation takes from beginning to end.
    pub fn total(&self) -> Lapse {
        self.addends()
            .into_iter()
            .fold(Lapse::ZERO, |sum, (_, addend)| sum.plus(addend))
    }

    /// The latest instant at which the rotation of a certificate must begin.
    pub fn begin_by(&self, not_after: Timestamp) -> Timestamp {
        self.total().before(not_after)
    }

    /// Refuses lead times that leave a certificate of this validity no time to be used.
    pub fn check(&self, validity: Lapse) -> Result<(), UnworkablePlan> {
        let needed = self.total();
        if needed < validity {
            return Ok(());
        }
        let sum: Vec<String> = self
            .addends()
            .into_iter()
            .filter(|(_, addend)| *addend > Lapse::ZERO)
            .map(|(name, addend)| format!("{name} {addend}"))
            .collect();
        Err(UnworkablePlan {
            validity,
            needed,
            sum: sum.join(" + "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead_times(days: [i64; 6]) -> LeadTimes {
        let [
            issuance,
            delivery,
            partner_answer,
            change_window,
            soak,
            margin,
        ] = days.map(Lapse::days);
        LeadTimes {
            issuance,
            delivery,
            partner_answer,
            change_window,
            soak,
            margin,
        }
    }

    #[test]
    fn a_rotation_begins_its_lead_times_before_the_end() {
        let end: Timestamp = "2027-03-31T00:00:00Z".parse().unwrap();
        assert_eq!(
            lead_times([1, 1, 20, 7, 1, 0]).begin_by(end),
            "2027-03-01T00:00:00Z".parse().unwrap()
        );
    }

    #[test]
    fn a_plan_that_cannot_work_is_refused_with_its_arithmetic() {
        let refused = lead_times([1, 1, 28, 7, 2, 10])
            .check(Lapse::days(47))
            .unwrap_err();
        assert_eq!(refused.needed, Lapse::days(49));
        assert!(
            refused
                .to_string()
                .contains("partner-answer 28d + change-window 7d"),
            "{refused}"
        );
        assert!(
            lead_times([1, 1, 20, 7, 2, 10])
                .check(Lapse::days(47))
                .is_ok()
        );
    }
}
