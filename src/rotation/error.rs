//! What stops a driver, as opposed to what fails in a step.

use crate::{
    model::{
        IdentityName, Role,
        rotation::{Failure, FailureKind},
    },
    records::RecordsError,
};

/// Why a driver stopped. A failing step does not: it is a fact like others.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriveError {
    /// What cannot be remembered is not done.
    #[error("the rotation of {identity} stops here, since it cannot be written down")]
    Records {
        /// Whose.
        identity: IdentityName,
        /// Why not.
        #[source]
        source: RecordsError,
    },
}

/// How a step ends when it does not succeed.
#[derive(Debug)]
pub(super) enum StepError {
    /// Noted as a fact; tried again, or shown to a person.
    Failed(Failure),
    /// Stops the driver.
    Records(RecordsError),
}

impl From<RecordsError> for StepError {
    fn from(error: RecordsError) -> Self {
        Self::Records(error)
    }
}

impl StepError {
    /// Somebody has to change something first.
    pub(super) fn permanent(
        message: impl Into<String>,
        remedy: impl Into<String>,
        owner: Role,
    ) -> Self {
        Self::Failed(Failure {
            kind: FailureKind::Permanent,
            message: message.into(),
            remedy: remedy.into(),
            owner,
        })
    }

    /// Of an error with its causes.
    pub(super) fn from_error(
        error: &dyn std::error::Error,
        transient: bool,
        remedy: impl Into<String>,
    ) -> Self {
        let kind = if transient {
            FailureKind::Transient
        } else {
            FailureKind::Permanent
        };
        Self::Failed(Failure {
            kind,
            message: chain(error),
            remedy: remedy.into(),
            owner: Role::Ops,
        })
    }
}

/// An error and its causes on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
