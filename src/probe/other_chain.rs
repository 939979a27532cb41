//! A second conversation with another chain: it tells an intermediate that is missing from an authority that nobody
//! there trusts, which gateways say with the same words. Once, and only where it can tell.

use std::sync::Arc;

use rustls::{pki_types::CertificateDer, sign::CertifiedKey};

use super::{
    conclude::{Conclusion, conclude},
    observation::{Conversation, Ending, Presented},
    remedy::Matter,
    request::ClientIdentity,
    tls,
};
use crate::{
    model::{OtherChain, Tier, Verdict, one_line},
    pki,
};

/// Another chain above the same leaf, ready to be presented.
#[derive(Clone)]
pub(super) struct Other {
    pub(super) key: Arc<CertifiedKey>,
    way: Way,
}

/// How it differs from the first.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Way {
    /// Continued by this one.
    With(String),
    /// Through this one in the place of another.
    Through(String),
    /// The leaf alone.
    Alone,
}

/// What became of it.
#[derive(Clone, Debug)]
pub(super) struct Tried {
    way: Way,
    conclusion: Conclusion,
    let_in: bool,
}

impl Other {
    /// What can be made of what was given beside the chain; `None` when that is nothing else.
    pub(super) fn of(identity: &ClientIdentity, spare: &[Vec<u8>]) -> Option<Self> {
        let chain = pki::other_chain(&identity.chain, spare)?;
        let way = way(&identity.chain, &chain);
        let other = ClientIdentity {
            chain,
            ..identity.clone()
        };
        let key = tls::certified_key(&other).ok()?;
        Some(Self { key, way })
    }

    /// What a second conversation showed.
    pub(super) fn judge(&self, seen: &Conversation) -> Tried {
        let conclusion = conclude(seen, Presented::Ours);
        // Whatever the gateway said once it was in: the certificate was not what it said it about.
        let answered = matches!(seen.ending, Ending::Answered(_)) && seen.shown.is_some();
        let let_in = conclusion.verdict == Verdict::Accepted
            || (answered && conclusion.verdict == Verdict::Inconclusive);
        Tried {
            way: self.way.clone(),
            conclusion,
            let_in,
        }
    }
}

fn way(sent: &[Vec<u8>], other: &[Vec<u8>]) -> Way {
    let first = other.iter().zip(sent).take_while(|(a, b)| a == b).count();
    let Some(der) = other.get(first) else {
        return Way::Alone;
    };
    let name = pki::inspect(&CertificateDer::from(der.as_slice())).map_or_else(
        |_| "another certificate".to_owned(),
        |c| one_line(&c.subject),
    );
    if first == sent.len() {
        Way::With(name)
    } else {
        Way::Through(name)
    }
}

/// Whether a chain could be why the gateway refused: it refused our certificate, we see no fault in the leaf, and
/// what it said fits.
pub(super) fn could_be_why(seen: &Conversation, conclusion: &Conclusion) -> bool {
    let fits = match &seen.ending {
        // handshake_failure, bad_certificate, certificate_unknown and unknown_ca: what gateways say that find no path.
        Ending::Alert { code, .. } => matches!(code, 40 | 42 | 46 | 48),
        Ending::Cut { .. } | Ending::Answered(_) => true,
        _ => false,
    };
    fits && conclusion.verdict == Verdict::Rejected
        && conclusion.tier == Tier::ClientCertificate
        && conclusion.matter == Some(Matter::Trust)
        && seen.shown.as_ref().is_some_and(|s| s.unfit.is_none())
}

impl Tried {
    /// Whether the gateway let the other chain in.
    pub(super) fn let_in(&self) -> bool {
        self.let_in
    }

    /// Why we are no surer, where it was refused as well.
    pub(super) fn doubt(&self) -> Option<&'static str> {
        match self.way {
            _ if self.let_in => None,
            Way::With(_) | Way::Through(_) => Some(
                "refused with the intermediate as well, so its authority is hardly trusted there; the gateway's log names its reason",
            ),
            // It says nothing of intermediates that nobody has given us.
            Way::Alone => None,
        }
    }

    /// The first conversation's conclusion with what the second one adds.
    pub(super) fn added_to(&self, first: &Conclusion) -> Conclusion {
        let how = self.how();
        if !self.let_in {
            let second = match self.conclusion.verdict {
                Verdict::Rejected => "refused as well".to_owned(),
                _ => self.conclusion.explanation.clone(),
            };
            return Conclusion {
                explanation: format!("{}; {how}: {second}", first.explanation),
                ..first.clone()
            };
        }
        Conclusion {
            explanation: format!(
                "refused as it was sent ({}), and {how} it was let in: {}",
                first.explanation, self.conclusion.explanation
            ),
            matter: Some(match self.way {
                Way::With(_) | Way::Through(_) => Matter::Intermediate,
                Way::Alone => Matter::LeafAlone,
            }),
            ..first.clone()
        }
    }

    pub(super) fn evidence(&self) -> OtherChain {
        OtherChain {
            how: self.how(),
            let_in: self.let_in,
            explanation: self.conclusion.explanation.clone(),
        }
    }

    fn how(&self) -> String {
        match &self.way {
            Way::With(name) => format!("sent together with the intermediate `{name}`"),
            Way::Through(name) => {
                format!("sent with `{name}` in place of the other certificate of its issuer")
            }
            Way::Alone => "sent alone".to_owned(),
        }
    }
}
