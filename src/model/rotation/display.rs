//! Facts in words.

use std::fmt;

use super::fact::{Decision, Fact, Output};
use crate::model::Verdict;

/// In a few words, for errors and for the history.
impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Planned {
                identity,
                to,
                reason,
                ..
            } => write!(f, "generation {to} of {identity} planned ({reason})"),
            Self::ScopeChanged { .. } => {
                f.write_str("the configuration changed what has to be reached")
            }
            Self::Started { step } => write!(f, "started to {step}"),
            Self::Succeeded {
                step,
                output: Output::Probed { report },
            } => {
                let outcome = match report.verdict {
                    Verdict::Accepted if !report.proves_acceptance() => "accepted, but not proven",
                    Verdict::Accepted => "accepted",
                    Verdict::Rejected => "rejected",
                    Verdict::Unreachable => "unreachable",
                    Verdict::Inconclusive => "inconclusive",
                };
                write!(f, "succeeded to {step}: {outcome}")
            }
            Self::Succeeded { step, .. } => write!(f, "succeeded to {step}"),
            Self::Failed { step, failure } => write!(f, "failed to {step}: {}", failure.message),
            Self::Imported { fingerprint, .. } => {
                write!(f, "certificate {} imported", fingerprint.short())
            }
            Self::Adopted {
                fingerprint,
                by,
                leniencies,
                ..
            } => {
                write!(
                    f,
                    "certificate {} adopted with its key; {by} says that it is in use, nobody has proven it",
                    fingerprint.short()
                )?;
                if leniencies.is_empty() {
                    return Ok(());
                }
                write!(f, "; it breaks {}", leniencies.join(", "))
            }
            Self::ClaimProbed {
                destination,
                report,
            } => write!(
                f,
                "probed {destination} with the adopted certificate: {}",
                if report.proves_acceptance() {
                    "accepted".to_owned()
                } else {
                    report.verdict.to_string()
                }
            ),
            Self::Acknowledged { acknowledgement } => {
                write!(
                    f,
                    "{} acknowledged for {}",
                    acknowledgement.contact, acknowledgement.destination
                )
            }
            Self::Declined {
                destination,
                contact,
                reason,
            } => {
                write!(f, "{contact} declined for {destination}: {reason}")
            }
            Self::Waived {
                destination,
                gate,
                by,
                reason,
            } => {
                write!(f, "{by} waived the {gate} of {destination}: {reason}")
            }
            Self::Held { why } => write!(f, "held: {why}"),
            Self::Decided {
                decision: Decision::Abandon,
                by,
                reason,
            } => write!(f, "{by} abandoned it: {reason}"),
            Self::Decided {
                decision: Decision::RollBack,
                by,
                reason,
            } => write!(f, "{by} rolled it back: {reason}"),
            Self::Decided {
                decision: Decision::Retry,
                by,
                ..
            } => write!(f, "{by} asked to try again"),
        }
    }
}
