//! When rotations are looked at: when something changed, when one of them wants to be woken, and now and then.
//!
//! An activation carries no payload. Each rotation is driven in a task of its own, so that a partner whose
//! gateway hangs holds up nobody else.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tokio::{sync::Semaphore, task::JoinSet};
use tracing::{error, info};

use crate::{
    model::IdentityName,
    service::{Advanced, Service, ServiceError},
};

/// Rotations that are driven at once.
const CONCURRENCY: usize = 16;

/// The longest sleep: a clock that was set, or a machine that was suspended, is noticed by then.
const NOW_AND_THEN: Duration = Duration::from_secs(60);

/// The shortest, so that a wrong instant cannot make us spin.
const SHORTEST: Duration = Duration::from_millis(100);

/// After a failure of our own, such as a full disk.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

pub(super) async fn run(service: Arc<Service>) {
    let places = Arc::new(Semaphore::new(CONCURRENCY));
    let mut driven: JoinSet<(IdentityName, Result<Advanced, ServiceError>)> = JoinSet::new();
    // When each rotation that is not being driven wants to be looked at again.
    let mut wakes: BTreeMap<IdentityName, Timestamp> = BTreeMap::new();
    let mut busy: BTreeSet<IdentityName> = BTreeSet::new();
    // Those that are being driven, and have to be looked at once more when they are done.
    let mut again: BTreeSet<IdentityName> = BTreeSet::new();
    let mut look_at_all = true;
    // At most one task, which ends with this one.
    let mut delivering: JoinSet<()> = JoinSet::new();
    loop {
        let now = service.clock().now();
        let mut sleep = NOW_AND_THEN;
        while delivering.try_join_next().is_some() {}
        if look_at_all && delivering.is_empty() {
            let service = service.clone();
            delivering.spawn(async move { service.deliver_missing(service.itself()).await });
        }
        if look_at_all {
            service.sign_log_when_due();
        }
        match due(&service, &wakes, look_at_all, now) {
            Ok(due) => {
                for identity in due {
                    if busy.contains(&identity) {
                        // What changed may have come too late for the decision that is being made.
                        again.insert(identity);
                        continue;
                    }
                    busy.insert(identity.clone());
                    wakes.remove(&identity);
                    let (service, places) = (service.clone(), places.clone());
                    driven.spawn(async move {
                        let _place = places.acquire_owned().await;
                        let advanced = service.advance(service.itself(), &identity).await;
                        (identity, advanced)
                    });
                }
                look_at_all = false;
            }
            Err(error) => {
                error!("could not look for what is due: {error}");
                sleep = AFTER_FAILURE;
            }
        }
        if let Some(earliest) = wakes.values().min() {
            let until = Duration::try_from(earliest.duration_since(now)).unwrap_or_default();
            sleep = sleep.min(until).max(SHORTEST);
        }
        tokio::select! {
            Some(ended) = driven.join_next() => {
                match ended {
                    Ok((identity, Ok(advanced))) => {
                        busy.remove(&identity);
                        let wake = if again.remove(&identity) { Some(now) } else { advanced.wake_at() };
                        match wake {
                            Some(wake) => { wakes.insert(identity, wake); }
                            None => { wakes.remove(&identity); }
                        }
                    }
                    Ok((identity, Err(error))) => {
                        error!(%identity, "its rotation stopped: {error}");
                        busy.remove(&identity);
                        let later = service.clock().now().saturating_add(AFTER_FAILURE);
                        wakes.insert(identity, later.unwrap_or(Timestamp::MAX));
                    }
                    Err(panic) => {
                        // Which one it was is not told; all are looked at again.
                        error!("driving a rotation failed: {panic}");
                        busy.clear();
                        look_at_all = true;
                    }
                }
            }
            () = service.changed() => look_at_all = true,
            () = tokio::time::sleep(sleep) => {
                if sleep == NOW_AND_THEN { look_at_all = true; }
            }
        }
    }
}

/// What is to be looked at now. Rotations whose lead times say so are begun here.
fn due(
    service: &Service,
    wakes: &BTreeMap<IdentityName, Timestamp>,
    all: bool,
    now: Timestamp,
) -> Result<Vec<IdentityName>, ServiceError> {
    if all {
        for identity in service.begin_due(service.itself())? {
            info!(%identity, "its rotation begins: the lead times say that it is time");
        }
        return service.rotating();
    }
    Ok(wakes
        .iter()
        .filter(|(_, wake)| **wake <= now)
        .map(|(identity, _)| identity.clone())
        .collect())
}
