//! A store that several machines share: where it is, and who leads.

use std::path::Path;

use countersign_store::{Database, Error, Leader, Leadership, Store, Unlock};

use super::{Records, RecordsError};

impl Records {
    /// Sees to it that a store's directory says what the configuration says: that the store lies in this
    /// database, or in the directory itself.
    pub fn settle(directory: &Path, database: Option<&Database>) -> Result<(), RecordsError> {
        match database {
            Some(database) => Ok(database.name_in(directory)?),
            None if Database::is_named_in(directory) => Err(RecordsError::Elsewhere {
                directory: directory.to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// Who leads the shared store of a directory, if anybody does.
    pub fn leader(directory: &Path) -> Result<Option<Leader>, RecordsError> {
        Ok(Store::leader(directory)?)
    }

    /// Whether this secret opens the shared store of a directory, whoever leads it.
    pub fn try_secret(directory: &Path, unlock: &Unlock) -> Result<(), RecordsError> {
        Ok(Store::try_secret(directory, unlock)?)
    }

    /// Whether we still lead, if the store is one that machines share.
    pub fn leadership(&self) -> Option<Leadership> {
        self.store().leadership()
    }

    /// Refuses to go on when we do not lead any more: to be asked before anything is done to the world outside.
    pub fn still_ours(&self) -> Result<(), RecordsError> {
        match self.leadership().map(|leadership| leadership.standing()) {
            Some(Err(ended)) => Err(Error::LeadershipLost { ended }.into()),
            Some(Ok(())) | None => Ok(()),
        }
    }
}

impl RecordsError {
    /// The machine that leads, if that is what stands in the way.
    pub fn leader(&self) -> Option<&Leader> {
        match self {
            Self::Store(Error::Led { leader }) => Some(leader),
            _ => None,
        }
    }

    /// Whether it may go away by itself, such as a database that is being started anew.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_passing())
    }
}
