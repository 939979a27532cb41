//! The real prober: every address side by side, and at each one conversation after the other's verdict.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hyper::Method;
use rustls::sign::CertifiedKey;

use super::{
    account::{Account, Moment},
    conclude::{Conclusion, conclude},
    controls,
    converse::Setting,
    crowd::side_by_side,
    dial::{self, Target},
    http::{Call, Envelope},
    observation::{Conversation, Ending, Presented, Unusable},
    other_chain::{self, Other, Tried},
    remedy::Matter,
    report::{self, Visit},
    request::{ProbeRequest, Prober},
    tls::{self, Stance},
    verbs,
};
use crate::model::{Control, ControlEvidence, Finding, ProbeReport, Tier, Verdict};

/// How long a probe waits, and how much it reads. The times hold for each conversation.
#[derive(Clone, Copy, Debug)]
pub struct ProbeLimits {
    /// For DNS, and for a TCP connection.
    pub connect: Duration,
    /// For the handshake.
    pub handshake: Duration,
    /// For the request and its answer.
    pub response: Duration,
    /// How many bytes of an answer's body are read.
    pub body: usize,
    /// How many addresses behind a name are visited.
    pub addresses: usize,
}

impl Default for ProbeLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            response: Duration::from_secs(20),
            body: 64 * 1024,
            addresses: 8,
        }
    }
}

/// Probes over the network, by rustls and hyper.
#[derive(Clone, Copy, Debug, Default)]
pub struct TlsProber {
    limits: ProbeLimits,
}

impl TlsProber {
    /// A prober with these limits.
    pub fn new(limits: ProbeLimits) -> Self {
        Self { limits }
    }
}

/// What a person may ask beyond what a rotation asks.
#[derive(Debug, Default)]
pub struct Further {
    /// Whether to send a large request, which a gateway that asks late cannot take.
    pub large_body: bool,
    /// Certificates (DER) that may belong above ours: where a refusal may be for want of one, or because of one, it is
    /// tried once with another chain. `None`: not tried.
    pub spare: Option<Vec<Vec<u8>>>,
    /// The account at Jira to log in with: once, at one address.
    pub account: Option<Account>,
}

impl Prober for TlsProber {
    async fn probe(&self, request: &ProbeRequest<'_>) -> ProbeReport {
        self.examine(request, Further::default()).await
    }
}

impl TlsProber {
    /// A probe that asks further.
    pub async fn examine(&self, request: &ProbeRequest<'_>, further: Further) -> ProbeReport {
        let plan = match Plan::new(request, self.limits) {
            Ok(plan) => Arc::new(Plan {
                large: further.large_body,
                other: request
                    .presented
                    .as_ref()
                    .and_then(|presented| Other::of(presented, further.spare.as_deref()?)),
                ..plan
            }),
            Err(why) => {
                let seen = Conversation::ended(Ending::Unusable(why));
                return report::nobody(request, &conclude(&seen, Presented::Ours));
            }
        };
        let mut addresses = if request.resolve.is_empty() {
            match dial::resolve(&plan.setting.target, self.limits.connect).await {
                Ok(addresses) => addresses,
                Err(why) => return report::nobody(request, &unresolved(&plan, &why)),
            }
        } else {
            request.resolve.to_vec()
        };
        let left_out = addresses.len().saturating_sub(self.limits.addresses);
        addresses.truncate(self.limits.addresses);
        let mut visits = visit_all(&plan, addresses).await;
        // A name or a password goes only to who has been seen to be Jira, at every address; and only once, for a
        // few failures lock an account.
        let accepted = |visit: &Visit| visit.conclusion.verdict == Verdict::Accepted;
        if let Some(account) = &further.account
            && visits.iter().all(accepted)
            && let Some(first) = visits.first_mut()
        {
            let moment = Moment::at(request.at);
            first.account = Some(plan.log_in(first.address, account, &moment).await);
        }
        report::report(request, visits, left_out)
    }
}

fn unresolved(plan: &Plan, why: &str) -> Conclusion {
    Conclusion {
        verdict: Verdict::Unreachable,
        tier: Tier::Dns,
        explanation: format!(
            "the name `{}` does not resolve: {why}",
            crate::model::one_line(&plan.setting.target.host)
        ),
        matter: Some(Matter::Name),
    }
}

/// Side by side; in the order of the addresses.
async fn visit_all(plan: &Arc<Plan>, addresses: Vec<SocketAddr>) -> Vec<Visit> {
    let mut visits = Vec::new();
    let visit = |(position, address)| {
        let plan = plan.clone();
        async move { (position, plan.visit(address).await) }
    };
    side_by_side(
        addresses.len(),
        addresses.into_iter().enumerate(),
        visit,
        |visit| visits.push(visit),
    )
    .await;
    visits.sort_by_key(|(position, _)| *position);
    visits.into_iter().map(|(_, visit)| visit).collect()
}

/// A request, validated and ready to be carried out.
struct Plan {
    setting: Setting,
    ours: Option<Arc<CertifiedKey>>,
    stranger: Option<Result<Arc<CertifiedKey>, String>>,
    other: Option<Other>,
    verbs: bool,
    large: bool,
}

impl Plan {
    fn new(request: &ProbeRequest<'_>, limits: ProbeLimits) -> Result<Self, Unusable> {
        let target = Target::parse(&request.url)?;
        let stance = Stance::new(request)?;
        let ours = request
            .presented
            .as_ref()
            .map(tls::certified_key)
            .transpose()?;
        let stranger = request.controls.then(|| {
            let identity = controls::stranger(request.at).map_err(|e| e.to_string())?;
            tls::certified_key(&identity).map_err(|why| format!("{why:?}"))
        });
        Ok(Self {
            setting: Setting {
                envelope: Envelope::new(&target.authority, &request.probe_id),
                target,
                stance,
                limits,
            },
            ours,
            stranger,
            other: None,
            verbs: request.verbs,
            large: false,
        })
    }

    fn server_info(&self) -> Call {
        Call {
            method: Method::GET,
            path: format!("{}/rest/api/2/serverInfo", self.setting.target.base),
            json: None,
        }
    }

    async fn visit(&self, address: SocketAddr) -> Visit {
        let call = self.server_info();
        let seen = self
            .setting
            .converse(address, self.ours.clone(), &call)
            .await;
        let presented = if self.ours.is_some() {
            Presented::Ours
        } else {
            Presented::Nothing
        };
        let conclusion = conclude(&seen, presented);
        // Whom we do not believe we present nothing to, not even a stranger's.
        let controls = seen.server_verified;
        let verbs = self.verbs && conclusion.verdict == Verdict::Accepted;
        let large = self.large && conclusion.verdict == Verdict::Accepted;
        let other = self
            .other
            .as_ref()
            .filter(|_| other_chain::could_be_why(&seen, &conclusion));
        let (other, controls, verbs, large) = tokio::join!(
            async { Some(self.try_other(address, other?, &call).await) },
            async {
                if controls {
                    self.controls(address, &call).await
                } else {
                    Vec::new()
                }
            },
            async {
                if verbs {
                    self.verbs(address, report::stripped(&seen)).await
                } else {
                    Vec::new()
                }
            },
            async {
                if large {
                    let call = verbs::large(&self.setting.target.base);
                    let ours = self.ours.clone();
                    Some(self.setting.converse(address, ours, &call).await)
                } else {
                    None
                }
            }
        );
        Visit {
            address,
            seen,
            conclusion: match &other {
                Some(tried) => tried.added_to(&conclusion),
                None => conclusion,
            },
            controls,
            verbs,
            other,
            large,
            account: None,
        }
    }

    /// Presents another chain to a gateway that was believed a moment ago, and is only presented it if it is again.
    async fn try_other(&self, address: SocketAddr, other: &Other, call: &Call) -> Tried {
        let key = Some(other.key.clone());
        let seen = self.setting.converse(address, key, call).await;
        other.judge(&seen)
    }

    /// Logs in, once.
    async fn log_in(&self, address: SocketAddr, account: &Account, moment: &Moment) -> Finding {
        let attempt = match account.attempt(&self.setting.target, moment) {
            Ok(attempt) => attempt,
            Err(why) => return account.unsigned(&why),
        };
        let ours = self.ours.clone();
        let seen = self
            .setting
            .confide(address, ours, &attempt.call, &attempt.private)
            .await;
        account.judge(&attempt, &seen, moment.time())
    }

    async fn controls(&self, address: SocketAddr, call: &Call) -> Vec<ControlEvidence> {
        let Some(stranger) = &self.stranger else {
            return Vec::new();
        };
        let nothing = async {
            let seen = self.setting.converse(address, None, call).await;
            controls::judge(Control::NoCertificate, &seen)
        };
        let stranger = async {
            match stranger {
                Ok(key) => {
                    let key = Some(key.clone());
                    let seen = self.setting.converse(address, key, call).await;
                    controls::judge(Control::Stranger, &seen)
                }
                Err(why) => ControlEvidence {
                    control: Control::Stranger,
                    verdict: Verdict::Inconclusive,
                    explanation: format!("no throw-away certificate could be made: {why}"),
                },
            }
        };
        let (nothing, stranger) = tokio::join!(nothing, stranger);
        vec![nothing, stranger]
    }

    async fn verbs(&self, address: SocketAddr, stripped: bool) -> Vec<crate::model::VerbEvidence> {
        let calls = verbs::calls(&self.setting.target.base);
        let attempt = async |call: &Call| {
            let ours = self.ours.clone();
            let seen = self.setting.converse(address, ours, call).await;
            verbs::judge(call, &seen, stripped)
        };
        let [get, post, put, delete] = &calls;
        let (get, post, put, delete) =
            tokio::join!(attempt(get), attempt(post), attempt(put), attempt(delete));
        vec![get, post, put, delete]
    }
}
