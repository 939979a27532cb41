//! What we showed, and what we can see of it ourselves: a gateway that refuses it often says less than that.

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;

use crate::pki;

/// The chain that was sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Shown {
    /// A fault of the leaf that nobody need tell us; `None` when we see none.
    pub(super) unfit: Option<Unfit>,
    /// How many certificates were sent above the leaf.
    pub(super) above: usize,
    /// Who issued the last certificate that was sent; `None` when it issued itself.
    pub(super) issuer: Option<String>,
}

/// Why every gateway that looks must refuse a leaf (RFC 5280 §6.1.3, §4.2.1.12).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unfit {
    /// Its period is over.
    Expired,
    /// Its period has not begun.
    NotYetValid,
    /// It names purposes, and clientAuth is not among them.
    NotForClients,
}

impl Unfit {
    /// To follow "the certificate".
    pub(super) fn clause(self) -> &'static str {
        match self {
            Self::Expired => "has expired",
            Self::NotYetValid => "is not yet valid",
            Self::NotForClients => "is not for clients (its extended key usage lacks clientAuth)",
        }
    }
}

impl Shown {
    /// Reads the chain; `None` when the leaf cannot be read, for then nothing can be said.
    pub(super) fn read(chain: &[CertificateDer<'_>], at: Timestamp) -> Option<Self> {
        let leaf = pki::inspect(chain.first()?).ok()?;
        let last = pki::inspect(chain.last()?).ok()?;
        let unfit = if leaf.validity.is_over(at) {
            Some(Unfit::Expired)
        } else if !leaf.validity.contains(at) {
            Some(Unfit::NotYetValid)
        } else if !leaf.allows_client_auth() {
            Some(Unfit::NotForClients)
        } else {
            None
        };
        Some(Self {
            unfit,
            above: chain.len() - 1,
            issuer: (!last.self_issued).then_some(last.issuer),
        })
    }

    /// What can be added to a refusal, as a clause.
    pub(super) fn clause(&self) -> String {
        if let Some(unfit) = self.unfit {
            return format!("by our own look it {}", unfit.clause());
        }
        match (&self.issuer, self.above) {
            (None, 0) => "it is self-signed".to_owned(),
            (None, _) => "it was sent with its chain up to a root".to_owned(),
            (Some(issuer), 0) => format!("it was sent alone, and is issued by `{issuer}`"),
            (Some(issuer), above) => format!(
                "it was sent with {} above it, of which the last is issued by `{issuer}`",
                if above == 1 {
                    "one certificate".to_owned()
                } else {
                    format!("{above} certificates")
                }
            ),
        }
    }
}
