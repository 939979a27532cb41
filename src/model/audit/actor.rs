//! Who acts: what the kernel says of a process, and beside it, kept apart, what the process says of itself.

use serde::{Deserialize, Serialize};

use super::Line;

/// How an actor reached us.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActorKind {
    /// The program by itself: a daemon at its own pace.
    Itself,
    /// Whoever ran the command, which opened the store itself.
    Command,
    /// A process at the control socket, as the kernel names it (`SO_PEERCRED`).
    Peer,
}

/// Who acts.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Actor {
    /// How they reached us.
    pub by: ActorKind,
    /// The user, from the kernel.
    pub uid: u32,
    /// The group, from the kernel.
    pub gid: u32,
    /// The process, from the kernel; it may have ended, and its number may have been given away since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// The login name that belongs to the uid on this machine, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Line>,
    /// What nobody vouches for.
    #[serde(default, skip_serializing_if = "Claims::are_none")]
    pub claims: Claims,
}

/// What a process says of itself: noted, never believed.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// The name of the program; any process can take any name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Line>,
    /// Who called `sudo`, by its account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sudo_uid: Option<u32>,
}

impl Claims {
    fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Who acts, and in answer to which request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Author {
    /// Who.
    pub actor: Actor,
    /// The request that is being carried out; `None` for what the program does by itself.
    pub request: Option<&'static str>,
}

impl Author {
    /// Somebody, before they have asked for anything.
    pub fn new(actor: Actor) -> Self {
        Self {
            actor,
            request: None,
        }
    }

    /// The same, in answer to a request.
    pub fn on(self, request: &'static str) -> Self {
        Self {
            request: Some(request),
            ..self
        }
    }
}
