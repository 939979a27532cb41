//! The daily probes of current identities. What they find moves nothing: it is logged, and remembered for
//! `probe history`.

use std::{sync::Arc, time::Duration};

use tracing::{error, info, warn};

use crate::{
    model::{Destination, IdentityName, Verdict},
    probe::side_by_side,
    service::Service,
};

/// How often it is looked what is due.
const LOOK: Duration = Duration::from_secs(10 * 60);

/// Places that are probed at once. The rest of what is due waits its turn, the longest ago first.
const CONCURRENCY: usize = 8;

pub(super) async fn run(service: Arc<Service>) {
    // What could not even be tried is tried again with the next look, not at once.
    loop {
        match service.daily_probes_due(service.clock().now()) {
            Ok(due) => probe_all(&service, due).await,
            Err(error) => error!("could not look which probes are due: {error}"),
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn probe_all(service: &Arc<Service>, due: Vec<(IdentityName, Destination)>) {
    let work = |(identity, destination)| one(service.clone(), identity, destination);
    side_by_side(CONCURRENCY, due, work, |()| {}).await;
}

async fn one(service: Arc<Service>, identity: IdentityName, destination: Destination) {
    match service.daily_probe(&identity, &destination).await {
        Ok((report, true)) => warn!(
            %identity, %destination,
            "its daily probe shows something else than the one before: {} at tier {}: {}",
            report.verdict, report.tier, report.summary
        ),
        Ok((report, false)) if report.verdict != Verdict::Accepted => warn!(
            %identity, %destination,
            "its daily probe: {} at tier {}: {}", report.verdict, report.tier, report.summary
        ),
        Ok((report, false)) => {
            info!(%identity, %destination, "its daily probe: {}", report.verdict);
        }
        Err(error) => error!(%identity, %destination, "its daily probe could not be made: {error}"),
    }
}
