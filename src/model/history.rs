//! What probes of one place with one identity have shown over time: not every probe, but every change.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Fingerprint, GenerationNumber, ProbeReport, Role, Tier, Verdict};

/// How many stretches are remembered; a gateway that flaps pushes out what is oldest.
const LONGEST: usize = 100;

/// A stretch of time in which every probe showed the same.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    /// The first probe.
    pub first: Timestamp,
    /// The last one.
    pub last: Timestamp,
    /// How many there were.
    pub probes: u64,
    /// What was presented.
    pub generation: GenerationNumber,
    /// What it means.
    pub verdict: Verdict,
    /// How far it came.
    pub tier: Tier,
    /// Whether no certificate and a stranger's were refused, and no method was blocked.
    pub proven: bool,
    /// Who issued the last certificate that the server sent; `None` when none was seen.
    pub issuer: Option<String>,
    /// The server's own certificate, SHA-256; `None` when none was seen.
    pub server: Option<Fingerprint>,
    /// What the first probe of the stretch said.
    pub summary: String,
    /// Who could mend it; `None` when nothing was to mend.
    pub owner: Option<Role>,
}

impl Stretch {
    /// A stretch of one probe.
    pub fn of(report: &ProbeReport, generation: GenerationNumber) -> Self {
        let chain = report
            .addresses
            .iter()
            .map(|address| &address.server_chain)
            .find(|chain| !chain.is_empty());
        Self {
            first: report.at,
            last: report.at,
            probes: 1,
            generation,
            verdict: report.verdict,
            tier: report.tier,
            proven: report.proves_acceptance(),
            issuer: chain.and_then(|c| c.last()).map(|c| c.issuer.clone()),
            server: chain.and_then(|c| c.first()).map(|c| c.fingerprint),
            summary: report.summary.clone(),
            owner: report.owner,
        }
    }

    fn continues(&self, earlier: &Self) -> bool {
        self.generation == earlier.generation
            && self.verdict == earlier.verdict
            && self.tier == earlier.tier
            && self.proven == earlier.proven
            && self.issuer == earlier.issuer
            && self.server == earlier.server
    }
}

/// What is remembered of one identity at one place, oldest first.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct ProbeHistory {
    /// The stretches.
    pub stretches: Vec<Stretch>,
}

impl ProbeHistory {
    /// Adds a probe; says whether it shows something else than the one before. The first one does not.
    pub fn remember(&mut self, probe: Stretch) -> bool {
        match self.stretches.last_mut() {
            Some(last) if probe.continues(last) => {
                last.last = last.last.max(probe.last);
                last.probes += 1;
                false
            }
            earlier => {
                let changed = earlier.is_some();
                self.stretches.push(probe);
                let excess = self.stretches.len().saturating_sub(LONGEST);
                self.stretches.drain(..excess);
                changed
            }
        }
    }

    /// When it was last probed.
    pub fn last(&self) -> Option<Timestamp> {
        self.stretches.last().map(|stretch| stretch.last)
    }
}

/// A day, less up to four hours that differ from place to place: a thousand places are not probed at once because
/// they were once begun at once. The same before and after a restart.
pub fn next_daily_probe(last: Timestamp, place: &str) -> Timestamp {
    // FNV-1a: any spread that never changes will do.
    let spread = place.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let less = i64::try_from(spread % (4 * 3600)).unwrap_or(0);
    last.saturating_add(jiff::SignedDuration::from_secs(24 * 3600 - less))
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(second: i64, verdict: Verdict, issuer: &str) -> Stretch {
        let at = Timestamp::from_second(second).unwrap();
        Stretch {
            first: at,
            last: at,
            probes: 1,
            generation: GenerationNumber::FIRST,
            verdict,
            tier: Tier::Jira,
            proven: true,
            issuer: Some(issuer.to_owned()),
            server: None,
            summary: String::new(),
            owner: None,
        }
    }

    #[test]
    fn only_changes_take_room_and_a_change_of_the_servers_issuer_is_one() {
        let mut history = ProbeHistory::default();
        assert!(!history.remember(probe(1, Verdict::Accepted, "a")));
        assert!(!history.remember(probe(2, Verdict::Accepted, "a")));
        assert!(history.remember(probe(3, Verdict::Accepted, "b")));
        assert!(history.remember(probe(4, Verdict::Rejected, "b")));
        assert_eq!(history.stretches.len(), 3);
        assert_eq!(history.stretches[0].probes, 2);
        assert_eq!(history.stretches[0].last.as_second(), 2);
        assert_eq!(history.last().unwrap().as_second(), 4);
    }

    #[test]
    fn a_place_that_flaps_forgets_its_oldest() {
        let mut history = ProbeHistory::default();
        for second in 0..250 {
            let verdict = if second % 2 == 0 {
                Verdict::Accepted
            } else {
                Verdict::Rejected
            };
            history.remember(probe(second, verdict, "a"));
        }
        assert_eq!(history.stretches.len(), LONGEST);
        assert_eq!(history.last().unwrap().as_second(), 249);
    }

    #[test]
    fn daily_probes_are_spread_and_stay_where_they_are() {
        let last = Timestamp::UNIX_EPOCH;
        let hours: std::collections::BTreeSet<i64> = (0..500)
            .map(|n| next_daily_probe(last, &format!("place {n}")).as_second() / 600)
            .collect();
        assert!(hours.len() > 20, "{hours:?}");
        assert!(hours.iter().all(|h| (120..=144).contains(h)), "{hours:?}");
        assert_eq!(next_daily_probe(last, "a"), next_daily_probe(last, "a"));
    }
}
