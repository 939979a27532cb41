//! Records and events, sealed together with their names.

use zeroize::Zeroizing;

use super::{VALUE_PREFIX, Vault};
use crate::crypto::Nonce;
use crate::error::{Fault, Result};
use crate::index::Id;

/// A record as it was stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Its id, unique in its collection.
    pub id: String,
    /// How often it was written since it was last absent: 1 for a new one.
    pub version: u64,
    /// Its content.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            id,
            version,
            bytes: _,
        } = self;
        f.debug_struct("Record")
            .field("id", id)
            .field("version", version)
            .finish_non_exhaustive()
    }
}

/// One event of a journal.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number: 1 for the first, without gaps.
    pub sequence: u64,
    /// Its content.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

/// A stored value with what it says of itself.
pub(crate) struct Opened {
    /// Its key in the index.
    pub(crate) name: Vec<u8>,
    pub(crate) version: u64,
    /// The transaction that wrote it.
    pub(crate) transaction: u64,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

pub(crate) fn value_key(id: &Id) -> Vec<u8> {
    [VALUE_PREFIX, id].concat()
}

impl Vault {
    pub(crate) fn seal_value(
        &self,
        id: &Id,
        name: &[u8],
        version: u64,
        transaction: u64,
        bytes: &[u8],
    ) -> Result<(Nonce, Vec<u8>)> {
        let length = 18 + name.len() + bytes.len();
        let mut text = Zeroizing::new(Vec::with_capacity(length));
        text.extend(version.to_be_bytes());
        text.extend(transaction.to_be_bytes());
        text.extend((name.len() as u16).to_be_bytes());
        text.extend(name);
        text.extend(bytes);
        self.seal(|keys| &keys.values, b"value", &value_key(id), &text)
    }

    pub(crate) fn open_value(&self, key: &[u8], value: &[u8]) -> Result<Opened, Fault> {
        let text = self.open(|keys| &keys.values, b"value", key, value)?;
        let split = || -> Option<(u64, u64, &[u8], &[u8])> {
            let (version, rest) = text.split_first_chunk()?;
            let (transaction, rest) = rest.split_first_chunk()?;
            let (length, rest) = rest.split_first_chunk()?;
            let (name, bytes) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
            Some((
                u64::from_be_bytes(*version),
                u64::from_be_bytes(*transaction),
                name,
                bytes,
            ))
        };
        let (version, transaction, name, bytes) = split().ok_or(Fault::Malformed)?;
        Ok(Opened {
            name: name.to_vec(),
            version,
            transaction,
            bytes: Zeroizing::new(bytes.to_vec()),
        })
    }
}
