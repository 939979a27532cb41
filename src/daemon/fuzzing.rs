//! A way in for the fuzz targets (`fuzz/`): frames are read as if a peer had sent them over the control socket.

use std::io::Cursor;

use super::keyring::{read_frame, read_request};
use crate::{records::Unlock, service::BackupRequest};

/// Reads these bytes as a conversation about secrets, and as the beginning of one about a backup.
pub async fn conversations(bytes: &[u8]) {
    if let Ok((_, secrets)) = read_request(&mut Cursor::new(bytes)).await {
        for secret in &secrets {
            let _ = Unlock::decode(secret, None);
        }
    }
    if let Ok(head) = read_frame(&mut Cursor::new(bytes)).await {
        let _ = serde_json::from_slice::<BackupRequest>(&head);
    }
}
