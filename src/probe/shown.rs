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

#[cfg(test)]
mod tests {
    use countersign_peers::{Authority, Identity, Purpose, Request, Validity};

    use super::*;

    fn shown(identity: &Identity) -> Shown {
        let chain: Vec<_> = identity
            .chain_der()
            .into_iter()
            .map(CertificateDer::from)
            .collect();
        let at = "2026-11-25T00:00:00Z".parse().unwrap();
        Shown::read(&chain, at).unwrap()
    }

    #[test]
    fn what_everybody_can_see_of_a_leaf_is_seen() {
        let root = Authority::root("root");
        let seen = |purpose, validity| {
            let mut request = Request::new(purpose, "connector.test");
            request.validity = validity;
            shown(&root.issue(&request)).unfit
        };
        assert_eq!(seen(Purpose::Client, Validity::Valid), None);
        assert_eq!(seen(Purpose::ClientAndServer, Validity::Valid), None);
        assert_eq!(seen(Purpose::Unstated, Validity::Valid), None);
        for (purpose, validity, unfit) in [
            (Purpose::Server, Validity::Valid, Unfit::NotForClients),
            (Purpose::Client, Validity::Expired, Unfit::Expired),
            (Purpose::Client, Validity::NotYet, Unfit::NotYetValid),
        ] {
            assert_eq!(seen(purpose, validity), Some(unfit));
        }
    }

    #[test]
    fn the_chain_is_told_by_what_stands_above_it() {
        let root = Authority::root("root");
        let issuing = root.intermediate("issuing CA");
        let clause = |identity: &Identity| shown(identity).clause();
        let whole = issuing.client("connector.test");
        assert!(
            clause(&whole)
                .contains("one certificate above it, of which the last is issued by `CN=root`")
        );
        let alone = whole.without_intermediates();
        assert!(clause(&alone).contains("sent alone, and is issued by `CN=issuing CA`"));
        let own = Request::new(Purpose::Client, "connector.test").self_signed();
        assert_eq!(clause(&own), "it is self-signed");
    }

    #[test]
    fn what_cannot_be_read_is_not_spoken_of() {
        let junk = [CertificateDer::from(b"junk".to_vec())];
        assert_eq!(Shown::read(&junk, Timestamp::UNIX_EPOCH), None);
        assert_eq!(Shown::read(&[], Timestamp::UNIX_EPOCH), None);
    }
}
