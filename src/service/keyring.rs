//! What can be asked about the secrets that open the store.
//!
//! The secrets themselves are not in these values: they travel beside them, in buffers that are wiped, so
//! that nothing that is written as JSON, printed or logged can hold one.

use serde::{Deserialize, Serialize};

/// Something about the store's secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "request")]
pub enum KeyringRequest {
    /// Open the store of a sealed daemon. One secret comes with it: what opens the store.
    Unlock,
    /// Close the store, and wait for a secret.
    Seal,
}

/// The answer. With `--json` it is printed as it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reply")]
pub enum KeyringReply {
    /// The store is open and served.
    Unlocked {
        /// 1.
        schema: u32,
        /// Whether it was open before.
        already: bool,
    },
    /// The store is closed.
    Sealed {
        /// 1.
        schema: u32,
        /// Whether it was closed before.
        already: bool,
    },
}
