//! The text of a policy, and how it becomes one.

use std::fmt;

use serde::Deserialize;

use super::{
    ActivationRules, CertificateRules, ExchangeRules, GateRule, Gates, KeyRules, LeadTimes, Policy,
    ProbeRules, RetireRule, RetireRules, RetryRules,
};
use crate::model::{KeyAlgorithm, Lapse, PolicyName};

/// Why a text is no policy: all faults at once.
#[derive(Clone, Debug, thiserror::Error)]
pub struct PolicyFaults {
    /// One sentence each, naming the place.
    pub faults: Vec<String>,
}

impl fmt::Display for PolicyFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the policy cannot be used: {}", self.faults.join("; "))
    }
}

impl Policy {
    /// Reads a policy. `stem` is the name of its file without `.toml`, which must be its own name.
    pub fn from_toml(stem: &str, text: &str) -> Result<Self, PolicyFaults> {
        let raw: RawPolicy = toml::from_str(text).map_err(|error| PolicyFaults {
            faults: vec![place(text, &error)],
        })?;
        let faults = raw.faults(stem);
        if faults.is_empty() {
            Ok(raw.into_policy())
        } else {
            Err(PolicyFaults { faults })
        }
    }
}

/// A TOML error with line and column, on one line.
pub(crate) fn place(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().trim().replace('\n', " ");
    match error.span() {
        Some(span) => {
            let before = &text[..span.start.min(text.len())];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
            format!("line {line}, column {column}: {message}")
        }
        None => message,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawPolicy {
    name: PolicyName,
    description: String,
    key: RawKey,
    certificate: RawCertificate,
    #[serde(default)]
    gates: RawGates,
    lead_time: RawLeadTimes,
    #[serde(default)]
    exchange: RawExchange,
    #[serde(default)]
    probe: RawProbe,
    #[serde(default)]
    activation: RawActivation,
    #[serde(default)]
    retire: RawRetire,
    #[serde(default)]
    retry: RawRetry,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawKey {
    algorithm: KeyAlgorithm,
    #[serde(default)]
    allowed: Vec<KeyAlgorithm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawCertificate {
    validity: Lapse,
    max_validity: Option<Lapse>,
    #[serde(default = "zero")]
    min_remaining: Lapse,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct RawGates {
    acknowledgement: GateRule,
    probe: GateRule,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawLeadTimes {
    issuance: Lapse,
    delivery: Lapse,
    partner_answer: Lapse,
    change_window: Lapse,
    soak: Lapse,
    margin: Lapse,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct RawExchange {
    respond_within: Lapse,
    remind_every: Lapse,
    reminders: u32,
    code_lifetime: Lapse,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct RawProbe {
    every: Lapse,
    controls: bool,
    verbs: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct RawActivation {
    canary: Lapse,
    drain: Lapse,
    confirm_within: Lapse,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct RawRetire {
    proof: RetireRule,
    every: Lapse,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct RawRetry {
    first: Lapse,
    most: Lapse,
}

fn zero() -> Lapse {
    Lapse::ZERO
}

impl Default for RawGates {
    fn default() -> Self {
        Self {
            acknowledgement: GateRule::Required,
            probe: GateRule::Required,
        }
    }
}

impl Default for RawExchange {
    fn default() -> Self {
        Self {
            respond_within: Lapse::days(10),
            remind_every: Lapse::days(5),
            reminders: 3,
            code_lifetime: Lapse::days(60),
        }
    }
}

impl Default for RawProbe {
    fn default() -> Self {
        Self {
            every: Lapse::seconds(3_600),
            controls: true,
            verbs: true,
        }
    }
}

impl Default for RawActivation {
    fn default() -> Self {
        Self {
            canary: Lapse::ZERO,
            drain: Lapse::seconds(60),
            confirm_within: Lapse::seconds(120),
        }
    }
}

impl Default for RawRetire {
    fn default() -> Self {
        Self {
            proof: RetireRule::RefusedOrExpired,
            every: Lapse::seconds(3_600),
        }
    }
}

impl Default for RawRetry {
    fn default() -> Self {
        Self {
            first: Lapse::seconds(60),
            most: Lapse::seconds(3_600),
        }
    }
}

impl RawPolicy {
    fn faults(&self, stem: &str) -> Vec<String> {
        let mut faults = Vec::new();
        let mut fault = |wrong: bool, text: String| {
            if wrong {
                faults.push(text);
            }
        };
        fault(
            self.name.as_str() != stem,
            format!(
                "name: it says `{}`, but its file is named `{stem}.toml`",
                self.name
            ),
        );
        let allowed = &self.key.allowed;
        fault(
            !allowed.is_empty() && !allowed.contains(&self.key.algorithm),
            format!(
                "key.algorithm: `{}` is not among key.allowed",
                self.key.algorithm
            ),
        );
        let certificate = &self.certificate;
        fault(
            certificate.validity == Lapse::ZERO,
            "certificate.validity: it is nothing".to_owned(),
        );
        if let Some(most) = certificate.max_validity {
            fault(
                most < certificate.validity,
                format!(
                    "certificate.max-validity: {most} is less than certificate.validity, {}",
                    certificate.validity
                ),
            );
        }
        fault(
            certificate.min_remaining >= certificate.validity,
            format!(
                "certificate.min-remaining: {} leaves no certificate acceptable",
                certificate.min_remaining
            ),
        );
        if let Err(unworkable) = self.lead_times().check(certificate.validity) {
            fault(true, format!("lead-time: {unworkable}"));
        }
        for (name, lapse) in [
            ("probe.every", self.probe.every),
            ("retire.every", self.retire.every),
            ("retry.first", self.retry.first),
            ("exchange.remind-every", self.exchange.remind_every),
            ("activation.confirm-within", self.activation.confirm_within),
        ] {
            fault(
                lapse < Lapse::seconds(1),
                format!("{name}: at least one second is needed, or we flood the other side"),
            );
        }
        fault(
            self.gates.acknowledgement == GateRule::NotRequired && self.gates.probe == GateRule::NotRequired,
            "gates: at least one of acknowledgement and probe has to be required, or nothing guards the cut-over".to_owned(),
        );
        faults
    }

    fn lead_times(&self) -> LeadTimes {
        let RawLeadTimes {
            issuance,
            delivery,
            partner_answer,
            change_window,
            soak,
            margin,
        } = self.lead_time;
        LeadTimes {
            issuance,
            delivery,
            partner_answer,
            change_window,
            soak,
            margin,
        }
    }

    fn into_policy(self) -> Policy {
        let lead_time = self.lead_times();
        let allowed = if self.key.allowed.is_empty() {
            vec![self.key.algorithm]
        } else {
            self.key.allowed
        };
        Policy {
            name: self.name,
            description: self.description,
            key: KeyRules {
                algorithm: self.key.algorithm,
                allowed,
            },
            certificate: CertificateRules {
                validity: self.certificate.validity,
                max_validity: self
                    .certificate
                    .max_validity
                    .unwrap_or(self.certificate.validity),
                min_remaining: self.certificate.min_remaining,
            },
            gates: Gates {
                acknowledgement: self.gates.acknowledgement,
                probe: self.gates.probe,
            },
            lead_time,
            exchange: ExchangeRules {
                respond_within: self.exchange.respond_within,
                remind_every: self.exchange.remind_every,
                reminders: self.exchange.reminders,
                code_lifetime: self.exchange.code_lifetime,
            },
            probe: ProbeRules {
                every: self.probe.every,
                controls: self.probe.controls,
                verbs: self.probe.verbs,
            },
            activation: ActivationRules {
                canary: self.activation.canary,
                drain: self.activation.drain,
                confirm_within: self.activation.confirm_within,
                soak: self.lead_time.soak,
            },
            retire: RetireRules {
                proof: self.retire.proof,
                every: self.retire.every,
            },
            retry: RetryRules {
                first: self.retry.first,
                most: self.retry.most,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../policies/jira-connector.toml");

    #[test]
    fn the_shipped_policy_for_the_jira_connector_reads() {
        let policy = Policy::from_toml("jira-connector", GOOD).unwrap();
        assert_eq!(policy.gates.acknowledgement, GateRule::Required);
        assert!(policy.lead_time.total() < policy.certificate.validity);
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let text = GOOD
            .replace("name = \"jira-connector\"", "name = \"another\"")
            .replace(
                "acknowledgement = \"required\"",
                "acknowledgement = \"not-required\"",
            )
            .replace("probe = \"required\"", "probe = \"not-required\"");
        let faults = Policy::from_toml("jira-connector", &text)
            .unwrap_err()
            .faults;
        assert_eq!(faults.len(), 2, "{faults:?}");
    }

    #[test]
    fn an_unknown_word_is_refused_with_line_and_column() {
        let faults = Policy::from_toml("jira-connector", "name = \"jira-connector\"\ntypo = 1\n")
            .unwrap_err();
        assert!(faults.to_string().contains("line 2, column 1"), "{faults}");
    }

    #[test]
    fn lead_times_longer_than_the_lifetime_are_refused_with_the_arithmetic() {
        let short = GOOD
            .replace("validity = \"397d\"", "validity = \"30d\"")
            .replace("max-validity = \"398d\"", "max-validity = \"30d\"");
        let faults = Policy::from_toml("jira-connector", &short)
            .unwrap_err()
            .to_string();
        assert!(faults.contains("partner-answer"), "{faults}");
    }

    #[test]
    fn waiting_doubles_and_is_bounded() {
        let retry = RetryRules {
            first: Lapse::seconds(10),
            most: Lapse::seconds(60),
        };
        let delays: Vec<_> = [1, 2, 3, 4, 400].map(|n| retry.delay(n)).to_vec();
        assert_eq!(delays, [10, 20, 40, 60, 60].map(Lapse::seconds));
    }
}
