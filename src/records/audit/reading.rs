//! The log as it was written.

use super::STREAM;
use crate::records::{Records, RecordsError};

/// An entry, byte for byte.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogLine {
    /// Its number.
    pub sequence: u64,
    /// One JSON object without line ends.
    pub text: String,
}

impl Records {
    /// At most `limit` entries of the audit log after this number, in order.
    pub fn log_page(&self, after: u64, limit: u64) -> Result<Vec<LogLine>, RecordsError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let page = self.store().journal_page(STREAM, after, limit)?;
        Ok(page
            .into_iter()
            .map(|entry| LogLine {
                sequence: entry.sequence,
                text: String::from_utf8_lossy(&entry.bytes).into_owned(),
            })
            .collect())
    }

    /// How many entries the audit log has.
    pub fn log_entries(&self) -> Result<u64, RecordsError> {
        let mut guard = self.log.state();
        Ok(super::State::known(&mut guard, self)?.map_or(0, super::State::entries))
    }
}
