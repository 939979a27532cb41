//! What the daemon is: sealed, following, or serving. Always exactly one of them, and one place that answers for all
//! that are not serving.
//!
//! A daemon takes its sockets before it has a service, so that whoever asks is told how things stand
//! instead of finding nobody. A state that is added here needs a [`StandingView`] and nothing else to be
//! shown by `status` and to refuse everything else.

use std::sync::Arc;

use jiff::Timestamp;

use super::following::Following;
use crate::{
    config::Config,
    records::{TokenPlace, UnknownSecret},
    service::{Reply, Request, Service, ServiceError, Standing, StandingView},
};

/// What the daemon is.
#[derive(Clone)]
pub enum State {
    /// While another machine leads the store that they share.
    Following(Arc<Following>),
    /// Without a secret with which to open the store.
    Sealed(Arc<Sealed>),
    /// With an open store.
    Serving(Arc<Service>),
}

/// A daemon that waits for a secret.
pub struct Sealed {
    /// As it was when the daemon came to be sealed; read anew when the store is opened.
    pub config: Config,
    /// Since when.
    pub since: Timestamp,
    /// Why, in a sentence.
    pub why: String,
    /// What opens the store by its header, which nobody has verified yet: one phrase for each slot.
    pub opens: Vec<String>,
}

impl State {
    /// The service, when there is one.
    pub fn service(&self) -> Option<Arc<Service>> {
        match self {
            Self::Serving(service) => Some(service.clone()),
            Self::Following(_) | Self::Sealed(_) => None,
        }
    }

    /// Where a token is looked for: as our own configuration says, and nobody else. A module that somebody else
    /// names would run in this process.
    pub(super) fn token_place(&self) -> Option<TokenPlace> {
        let token = match self {
            Self::Following(following) => following.config.store.token.clone(),
            Self::Sealed(sealed) => sealed.config.store.token.clone(),
            Self::Serving(service) => service.config().store.token.clone(),
        };
        token.map(|token| token.place)
    }

    /// What `status` says in place of the service; `None` when there is one.
    pub(super) fn standing(&self, daemon_since: Timestamp, now: Timestamp) -> Option<StandingView> {
        match self {
            Self::Serving(_) => None,
            Self::Following(following) => Some(following.view(daemon_since, now)),
            Self::Sealed(sealed) => Some(StandingView {
                schema: 1,
                now,
                daemon_since,
                standing: Standing::Sealed,
                since: sealed.since,
                why: sealed.why.clone(),
                can_move: sealed.opens.clone(),
                command: UNLOCK.to_owned(),
                leader: None,
            }),
        }
    }
}

const UNLOCK: &str = "countersign store unlock";

/// The answer of a daemon that does not serve: how it stands to who asks for that, a refusal to the rest.
pub(super) fn answer_for(view: StandingView, request: &Request) -> Result<Reply, ServiceError> {
    if matches!(request, Request::Status) {
        return Ok(Reply::Standing(view));
    }
    Err(refusal(&view))
}

/// Why a secret that came is not taken.
pub(super) fn unknown_secret(why: UnknownSecret) -> ServiceError {
    let refusal = ServiceError::failed(why.to_string());
    match why {
        UnknownSecret::NoModule => refusal.hint(
            "describe the token in [store.token] of the daemon's countersign.toml, and restart the daemon",
        ),
        _ => refusal.hint("use the countersign of the daemon's version"),
    }
}

/// Why nothing is served.
pub(super) fn refusal(view: &StandingView) -> ServiceError {
    let state = match view.standing {
        Standing::Sealed => "sealed",
        Standing::Following => "following",
    };
    ServiceError::locked(format!("the daemon is {state}: {}", view.why)).hint(view.command.clone())
}
