//! Exit codes: one meaning each, the same for every command.

use std::process::ExitCode;

use crate::service::{ErrorKind, ServiceError};

/// How the program ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// Done, or yes.
    Done,
    /// A well-formed no: refused, rejected, something failed that will be tried again.
    No,
    /// The arguments, the configuration or the surroundings are at fault.
    Error,
    /// The store is locked, or another process holds it.
    Locked,
    /// Waiting for a partner, an operator or an instant.
    Waiting,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::No => 1,
            Self::Error => 2,
            Self::Locked => 3,
            Self::Waiting => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl From<&ServiceError> for Exit {
    fn from(error: &ServiceError) -> Self {
        match error.kind {
            ErrorKind::Refused => Self::No,
            ErrorKind::Failed => Self::Error,
            ErrorKind::Locked => Self::Locked,
        }
    }
}

/// Printed in the help of every command that scripts may call.
pub(super) const HELP: &str = "\
Exit codes:
  0  done, or yes
  1  a well-formed no: refused, rejected, or a step failed and will be tried again
  2  error in the arguments, the configuration or the surroundings
  3  the store is locked, or another process holds it
  4  waiting for a partner, an operator or an instant";
