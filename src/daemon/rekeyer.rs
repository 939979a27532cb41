//! Seals everything anew while the daemon goes on, when the master key is being replaced.

use std::{sync::Arc, time::Duration};

use tracing::{error, info};

use crate::service::{RekeyState, Service};

/// After a failure of our own, such as a full disk.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

pub(super) async fn run(service: Arc<Service>) {
    loop {
        if !service.is_rekeying() {
            service.rekey_begun().await;
            continue;
        }
        let at_work = service.clone();
        // One stretch; others may have their turn at the store before the next.
        match tokio::task::spawn_blocking(move || at_work.rekey_step()).await {
            Ok(Ok(view)) => match view.state {
                RekeyState::UnderWay => {}
                RekeyState::Finished => {
                    info!(records = view.total, "the master key has been replaced");
                }
                RekeyState::Obstructed => {
                    error!("the master key is replaced but for what is damaged");
                }
            },
            Ok(Err(refusal)) => {
                error!("the master key could not be replaced any further: {refusal}");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
            Err(panic) => {
                error!("replacing the master key failed: {panic}");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
}
