//! What a request may be answered with instead of a reply: for people, and for scripts.

use serde::{Deserialize, Serialize};

use crate::{
    records::RecordsError,
    rotation::{AdoptError, DriveError, ImportError},
};

/// What sort of refusal it is; decides the exit code.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// A well-formed no: the evidence was refused, the gate is shut.
    Refused,
    /// The request, the configuration or the surroundings are at fault.
    Failed,
    /// The store cannot be opened: locked, or held by another process.
    Locked,
}

/// A refusal with its causes and a next step.
#[derive(Clone, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ServiceError {
    /// What sort.
    pub kind: ErrorKind,
    /// What is wrong, causes included, on one line.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether the audit log tells of what was refused, and why, already.
    #[serde(skip)]
    pub(super) told: bool,
}

impl ServiceError {
    /// A well-formed no.
    pub fn refused(message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Refused,
            message: message.into(),
            hint: None,
            told: false,
        }
    }

    /// Something is at fault.
    pub fn failed(message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Failed,
            message: message.into(),
            hint: None,
            told: false,
        }
    }

    /// The store cannot be opened.
    pub fn locked(message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Locked,
            message: message.into(),
            hint: None,
            told: false,
        }
    }

    /// One that the audit log tells of by itself.
    pub(super) fn told(mut self) -> Self {
        self.told = true;
        self
    }

    /// With a next step.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// An error with its causes.
    pub fn from_error(error: &dyn std::error::Error) -> Self {
        Self::failed(chain(error))
    }
}

/// An error and its causes on one line, each said once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

impl From<RecordsError> for ServiceError {
    fn from(error: RecordsError) -> Self {
        if let Some(leader) = error.leader() {
            return Self::locked(chain(&error)).hint(format!("run the command on {leader}"));
        }
        let refused = matches!(
            error,
            RecordsError::IllegalFact { .. }
                | RecordsError::KeyDead { .. }
                | RecordsError::KeyKnown { .. }
        ) || error.is_conflict();
        let message = chain(&error);
        if refused {
            Self::refused(message)
        } else if error.is_locked() {
            Self::locked(message)
        } else {
            Self::failed(message)
        }
    }
}

impl From<DriveError> for ServiceError {
    fn from(error: DriveError) -> Self {
        let DriveError::Records { source, .. } = &error;
        let locked = source.is_locked();
        let error = Self::from_error(&error);
        if locked {
            Self::locked(error.message)
        } else {
            error
        }
    }
}

impl From<AdoptError> for ServiceError {
    fn from(error: AdoptError) -> Self {
        match error {
            AdoptError::Records(error) => error.into(),
            other => Self::refused(chain(&other)),
        }
    }
}

impl From<ImportError> for ServiceError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Records(error) => error.into(),
            other => Self::refused(chain(&other)),
        }
    }
}
