//! What was measured: by the gateway in its log, by the connector in its calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    time::Duration,
};

use jiff::Timestamp;
use serde::Serialize;

use super::{
    DemoError,
    connector::{AGENT, Tally},
    gateway::Logged,
};
use crate::model::{Fingerprint, GenerationNumber, KeyState};

/// The measured facts of a run. Times are RFC 3339 UTC by the one clock of this machine.
#[derive(Clone, Debug, Serialize)]
pub struct DemoSummary {
    /// 1.
    pub schema: u32,
    /// How long the whole story took.
    pub seconds: f64,
    /// The connector's calls, as the connector saw them.
    pub requests: Requests,
    /// The moment of the switch, as the gateway saw it.
    pub switch: Switch,
    /// The certificates that the connector presented, as the gateway saw them.
    pub fingerprints: Fingerprints,
    /// The connector's traffic with the old certificate, as the gateway saw it.
    pub old: Traffic,
    /// The connector's traffic with the new certificate, as the gateway saw it.
    pub new: Traffic,
    /// The gateway's refusal of the old certificate.
    pub old_refused: OldRefused,
    /// When the old private key was destroyed.
    pub old_key_destroyed: Timestamp,
}

/// The connector's calls.
#[derive(Clone, Debug, Serialize)]
pub struct Requests {
    /// How many were made.
    pub made: u64,
    /// How many had no good answer.
    pub failed: u64,
    /// What was wrong with one of them.
    pub failure: Option<String>,
    /// How long they took.
    pub latency_ms: Latency,
}

/// How long calls took, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latency {
    /// Half of them took no longer.
    pub median: f64,
    /// 99 of 100 took no longer.
    pub p99: f64,
    /// None took longer.
    pub longest: f64,
}

/// The moment of the switch.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Switch {
    /// The connector's first request with the new certificate.
    pub at: Timestamp,
    /// The connector's last request with the old certificate: one that was under way may end after the switch.
    pub last_old: Timestamp,
}

/// SHA-256 of both certificates.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Fingerprints {
    /// The one that was replaced.
    pub old: Fingerprint,
    /// The one that replaced it.
    pub new: Fingerprint,
}

/// What the connector did with one certificate.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Traffic {
    /// Requests.
    pub requests: u64,
    /// Connections with a full handshake, in which the certificate was presented.
    pub full_handshakes: u64,
    /// Connections that resumed an earlier session of the same certificate.
    pub resumed: u64,
}

/// The gateway's refusal of the old certificate.
#[derive(Clone, Debug, Serialize)]
pub struct OldRefused {
    /// When.
    pub at: Timestamp,
    /// What was asked, and how the gateway answered.
    pub how: String,
}

/// What the store says of a generation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recorded {
    pub(super) generation: GenerationNumber,
    pub(super) fingerprint: Fingerprint,
    pub(super) key_state: KeyState,
    pub(super) destroyed_at: Option<Timestamp>,
}

impl DemoSummary {
    /// Puts the facts together; refuses to when they do not agree with what the store says.
    pub(super) fn gather(
        log: &[Logged],
        tally: Tally,
        [old, new]: [Recorded; 2],
        seconds: f64,
    ) -> Result<Self, DemoError> {
        let contradiction = |what: String| DemoError::Contradiction { what };
        let calls: Vec<_> = log
            .iter()
            .filter(|entry| entry.agent.as_deref() == Some(AGENT))
            .collect();
        let presented: BTreeSet<_> = calls.iter().map(|entry| entry.client).collect();
        if presented != BTreeSet::from([Some(old.fingerprint), Some(new.fingerprint)]) {
            let seen: Vec<_> = presented
                .iter()
                .map(|client| client.map_or("none".to_owned(), |client| client.short()))
                .collect();
            return Err(contradiction(format!(
                "the connector presented {}, and not {} and {}",
                seen.join(", "),
                old.fingerprint.short(),
                new.fingerprint.short()
            )));
        }
        let of = |fingerprint| {
            let of = move |entry: &&&Logged| entry.client == Some(fingerprint);
            calls.iter().filter(of).copied()
        };
        let (Some(first_new), Some(last_old)) =
            (of(new.fingerprint).next(), of(old.fingerprint).last())
        else {
            return Err(contradiction("the connector was not seen".to_owned()));
        };
        let refused = log
            .iter()
            .filter(|entry| entry.at >= last_old.at && entry.client == Some(old.fingerprint))
            .find(|entry| entry.refused.is_some());
        let refused = refused.ok_or_else(|| {
            contradiction(format!(
                "{} was not refused after the switch",
                old.fingerprint.short()
            ))
        })?;
        let old_key_destroyed = old
            .destroyed_at
            .filter(|_| old.key_state == KeyState::Destroyed)
            .ok_or_else(|| {
                contradiction(format!(
                    "the key of generation {} is not destroyed",
                    old.generation
                ))
            })?;
        Ok(Self {
            schema: 1,
            seconds,
            requests: Requests {
                made: tally.made,
                failed: tally.failed,
                failure: tally.failure,
                latency_ms: latency(tally.latencies),
            },
            switch: Switch {
                at: first_new.at,
                last_old: last_old.at,
            },
            fingerprints: Fingerprints {
                old: old.fingerprint,
                new: new.fingerprint,
            },
            old: traffic(of(old.fingerprint)),
            new: traffic(of(new.fingerprint)),
            old_refused: OldRefused {
                at: refused.at,
                how: format!(
                    "{} {} was answered by the gateway with HTTP {}",
                    refused.method, refused.path, refused.status
                ),
            },
            old_key_destroyed,
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |label: &str, value: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{label:<18}{value}");
        };
        let Latency {
            median,
            p99,
            longest,
        } = self.requests.latency_ms;
        line("requests made", self.requests.made.to_string());
        line("requests failed", self.requests.failed.to_string());
        if let Some(failure) = &self.requests.failure {
            line("", failure.clone());
        }
        line(
            "latency",
            format!("median {median:.1} ms, 99 of 100 within {p99:.1} ms, longest {longest:.1} ms"),
        );
        line("switched at", shown(self.switch.at));
        line("last with old", shown(self.switch.last_old));
        for (label, fingerprint, traffic) in [
            ("old certificate", self.fingerprints.old, self.old),
            ("new certificate", self.fingerprints.new, self.new),
        ] {
            line(label, fingerprint.to_string());
            line(
                "",
                format!(
                    "{} requests, {} full handshakes, {} resumed",
                    traffic.requests, traffic.full_handshakes, traffic.resumed
                ),
            );
        }
        line("old refused at", shown(self.old_refused.at));
        line("", self.old_refused.how.clone());
        line("old key destroyed", shown(self.old_key_destroyed));
        line("all in", format!("{:.1} s", self.seconds));
        text
    }
}

fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S%.3f UTC").to_string()
}

fn traffic<'a>(entries: impl Iterator<Item = &'a Logged>) -> Traffic {
    let mut traffic = Traffic::default();
    let mut connections = BTreeMap::new();
    for entry in entries {
        traffic.requests += 1;
        connections.insert(entry.connection, entry.resumed);
    }
    for resumed in connections.values() {
        match resumed {
            true => traffic.resumed += 1,
            false => traffic.full_handshakes += 1,
        }
    }
    traffic
}

fn latency(mut all: Vec<Duration>) -> Latency {
    all.sort_unstable();
    let share = |percent: usize| {
        let at = (all.len() * percent).div_ceil(100).saturating_sub(1);
        all.get(at).map_or(0.0, |took| took.as_secs_f64() * 1_000.0)
    };
    Latency {
        median: share(50),
        p99: share(99),
        longest: share(100),
    }
}

#[cfg(test)]
mod tests;
