//! What probes of one place with one identity have shown over time: not every probe, but every change.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Fingerprint, GenerationNumber, KeyId, ProbeReport, Role, Tier, Verdict};

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
    /// Its key; `None` when none was seen, or it was remembered by an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_key: Option<KeyId>,
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
            server_key: chain.and_then(|c| c.first()).and_then(|c| c.key),
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

/// What is different about a server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerChange {
    /// When it was last seen as it was.
    pub last_seen: Timestamp,
    /// What.
    pub what: Changed,
}

/// In what a server differs from what it was.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Changed {
    /// Another authority issued the last certificate that it sends.
    Issuer {
        /// Who did.
        before: String,
        /// Who does.
        now: String,
    },
    /// The same authority, and another key.
    Key {
        /// Who it is.
        issuer: String,
    },
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
                // The same certificate has the same key: an earlier version did not keep it.
                last.server_key = last.server_key.or(probe.server_key);
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

    /// What is different about the server since a probe last saw it.
    pub fn server_changed(&self, now: &Stretch) -> Option<ServerChange> {
        let issuer = now.issuer.as_ref()?;
        let seen = self.stretches.iter().rev().find(|s| s.issuer.is_some())?;
        let before = seen.issuer.as_ref()?;
        let what = if before != issuer {
            Changed::Issuer {
                before: before.clone(),
                now: issuer.clone(),
            }
        } else if seen.server_key? != now.server_key? {
            Changed::Key {
                issuer: issuer.clone(),
            }
        } else {
            return None;
        };
        Some(ServerChange {
            last_seen: seen.last,
            what,
        })
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
            server_key: None,
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
    fn a_server_is_compared_with_what_was_last_seen_of_one() {
        let key = |byte| Some(KeyId::from_digest([byte; 32]));
        let with = |second, issuer, server_key| Stretch {
            server_key,
            ..probe(second, Verdict::Accepted, issuer)
        };
        let mut history = ProbeHistory::default();
        assert_eq!(history.server_changed(&with(1, "a", key(1))), None);
        history.remember(with(1, "a", key(1)));
        assert_eq!(history.server_changed(&with(2, "a", key(1))), None);
        // Nobody was met in between, which says nothing of the server.
        history.remember(Stretch {
            issuer: None,
            ..probe(3, Verdict::Unreachable, "")
        });
        let change = history.server_changed(&with(4, "b", key(1))).unwrap();
        assert_eq!(change.last_seen.as_second(), 1);
        assert!(
            matches!(change.what, Changed::Issuer { before, now } if before == "a" && now == "b")
        );
        let change = history.server_changed(&with(4, "a", key(2))).unwrap();
        assert!(matches!(change.what, Changed::Key { issuer } if issuer == "a"));
        // What an earlier version kept has no key, and what was not met has no server.
        assert_eq!(history.server_changed(&with(4, "a", None)), None);
        let nobody = Stretch {
            issuer: None,
            ..with(4, "", None)
        };
        assert_eq!(history.server_changed(&nobody), None);
        // The key is learned from the next probe that sees the same certificate.
        let mut old = ProbeHistory::default();
        old.remember(with(1, "a", None));
        old.remember(with(2, "a", key(1)));
        assert_eq!(old.stretches[0].server_key, key(1));
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
