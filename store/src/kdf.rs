//! Stretching a passphrase: Argon2id (RFC 9106), with the cost recorded in the slot.

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};

use crate::crypto::SecretKey;
use crate::error::{Error, Result};

/// The most that a header may ask for. A header is read before it can be authenticated, so these
/// are what a hostile one could make us spend.
const MOST_MEMORY_KIB: u32 = 1024 * 1024;
const MOST_ITERATIONS: u32 = 32;
const MOST_LANES: u32 = 16;

/// How much work each guess at a passphrase costs: Argon2id's memory, passes and lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawCost", into = "RawCost")]
pub struct KdfCost {
    memory_kib: u32,
    iterations: u32,
    lanes: u32,
}

impl KdfCost {
    /// A cost of one's own.
    ///
    /// # Errors
    /// [`Error::KdfCost`] below what Argon2 defines (8 KiB for each lane, one pass, one lane) and
    /// above what this crate is willing to spend when it reads a header.
    pub fn new(memory_kib: u32, iterations: u32, lanes: u32) -> Result<Self> {
        let in_bounds = (1..=MOST_LANES).contains(&lanes)
            && (8 * lanes..=MOST_MEMORY_KIB).contains(&memory_kib)
            && (1..=MOST_ITERATIONS).contains(&iterations);
        if in_bounds {
            Ok(Self {
                memory_kib,
                iterations,
                lanes,
            })
        } else {
            Err(Error::KdfCost {
                memory_kib,
                iterations,
                lanes,
            })
        }
    }

    /// Memory in KiB.
    #[must_use]
    pub fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    #[must_use]
    pub fn iterations(self) -> u32 {
        self.iterations
    }

    /// Degree of parallelism.
    #[must_use]
    pub fn lanes(self) -> u32 {
        self.lanes
    }

    /// Whether a guess costs less than with the cost that new slots get: in memory, or in memory
    /// times passes.
    #[must_use]
    pub fn is_below_default(self) -> bool {
        let now = Self::default();
        let work = |cost: Self| u64::from(cost.memory_kib) * u64::from(cost.iterations);
        self.memory_kib < now.memory_kib || work(self) < work(now)
    }

    /// The least that Argon2id can do. It protects nothing worth having: for tests, and for stores
    /// that are thrown away with their contents.
    #[must_use]
    pub fn throwaway() -> Self {
        Self {
            memory_kib: 8,
            iterations: 1,
            lanes: 1,
        }
    }

    /// This cost as bytes, to be bound to what it guards.
    pub(crate) fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&self.memory_kib.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.iterations.to_be_bytes());
        bytes[8..].copy_from_slice(&self.lanes.to_be_bytes());
        bytes
    }

    /// Derives a key from a passphrase.
    pub(crate) fn stretch(self, passphrase: &[u8], salt: &[u8]) -> Result<SecretKey> {
        let Self {
            memory_kib,
            iterations,
            lanes,
        } = self;
        let refused = |_| Error::KdfCost {
            memory_kib,
            iterations,
            lanes,
        };
        let params = Params::new(memory_kib, iterations, lanes, Some(SecretKey::BYTES));
        let argon2 = Argon2::new(
            Algorithm::Argon2id,
            Version::V0x13,
            params.map_err(refused)?,
        );
        SecretKey::made(|key| {
            argon2
                .hash_password_into(passphrase, salt, key)
                .map_err(refused)
        })
    }
}

impl Default for KdfCost {
    /// The second recommended option of RFC 9106 section 4.
    fn default() -> Self {
        Self {
            memory_kib: 64 * 1024,
            iterations: 3,
            lanes: 4,
        }
    }
}

impl std::fmt::Display for KdfCost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            memory_kib,
            iterations,
            lanes,
        } = self;
        write!(
            f,
            "Argon2id, {memory_kib} KiB, {iterations} passes, {lanes} lanes"
        )
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCost {
    memory_kib: u32,
    iterations: u32,
    lanes: u32,
}

impl TryFrom<RawCost> for KdfCost {
    type Error = Error;

    fn try_from(raw: RawCost) -> Result<Self> {
        Self::new(raw.memory_kib, raw.iterations, raw.lanes)
    }
}

impl From<KdfCost> for RawCost {
    fn from(
        KdfCost {
            memory_kib,
            iterations,
            lanes,
        }: KdfCost,
    ) -> Self {
        Self {
            memory_kib,
            iterations,
            lanes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_that_would_eat_the_machine_is_refused() {
        for (memory, iterations, lanes) in [
            (u32::MAX, 1, 1),
            (8, u32::MAX, 1),
            (u32::MAX, 1, u32::MAX),
            (8, 0, 1),
            (8, 1, 0),
            (8, 1, 2),
        ] {
            assert!(KdfCost::new(memory, iterations, lanes).is_err());
        }
        let hostile = r#"{"memory_kib":4294967295,"iterations":1,"lanes":1}"#;
        assert!(serde_json::from_str::<KdfCost>(hostile).is_err());
    }

    #[test]
    fn a_cost_is_low_when_a_guess_is_cheaper_than_with_the_default() {
        assert!(KdfCost::throwaway().is_below_default());
        assert!(!KdfCost::default().is_below_default());
        assert!(KdfCost::new(64 * 1024, 2, 4).unwrap().is_below_default());
        assert!(KdfCost::new(32 * 1024, 9, 4).unwrap().is_below_default());
        assert!(!KdfCost::new(256 * 1024, 3, 4).unwrap().is_below_default());
    }

    #[test]
    fn the_default_cost_is_accepted() {
        let KdfCost {
            memory_kib,
            iterations,
            lanes,
        } = KdfCost::default();
        assert_eq!(
            KdfCost::new(memory_kib, iterations, lanes).unwrap(),
            KdfCost::default()
        );
    }
}
