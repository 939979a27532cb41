//! Watches the configuration and the policies. What cannot be used is shown, and what was in force stays.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tracing::{error, info};

use crate::{
    config::Config,
    service::{FaultSource, Service},
};

/// Editors write in several steps: wait until they have finished.
const SETTLE: Duration = Duration::from_millis(200);

pub(super) struct Watch {
    service: Arc<Service>,
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
    events: mpsc::Receiver<()>,
}

impl Watch {
    pub(super) fn start(service: Arc<Service>) -> notify::Result<Self> {
        // One place is enough: events carry no payload, and one that waits stands for all.
        let (sender, events) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let reading = event.as_ref().is_ok_and(|event| event.kind.is_access());
            if !reading {
                let _ = sender.try_send(());
            }
        })?;
        let mut watch = Self {
            service,
            watcher,
            watched: BTreeSet::new(),
            events,
        };
        watch.follow()?;
        Ok(watch)
    }

    pub(super) async fn run(mut self) {
        let path = self.service.config().path.clone();
        while self.events.recv().await.is_some() {
            tokio::time::sleep(SETTLE).await;
            while self.events.try_recv().is_ok() {}
            match Config::load(&path) {
                Ok(config) if config == *self.service.config() => self
                    .service
                    .set_faults(FaultSource::Configuration, Vec::new()),
                Ok(config) => {
                    if let Err(error) = self.service.reconfigure(config) {
                        error!("{error}; the configuration before it stays in force");
                        let fault = format!("{}: {error}", path.display());
                        self.service
                            .set_faults(FaultSource::Configuration, vec![fault]);
                        continue;
                    }
                    info!(path = %path.display(), "a new configuration is in force");
                    if let Err(fault) = self.follow() {
                        error!("a directory of the configuration cannot be watched: {fault}");
                    }
                }
                Err(faults) => {
                    error!("{faults}; the configuration before it stays in force");
                    let place = faults.path.display().to_string();
                    let named = faults
                        .faults
                        .iter()
                        .map(|fault| format!("{place}: {fault}"));
                    self.service
                        .set_faults(FaultSource::Configuration, named.collect());
                }
            }
        }
    }

    /// Watches directories, not files, since editors put a new file in the place of the old.
    fn follow(&mut self) -> notify::Result<()> {
        for directory in self.service.config().files().directories() {
            if self.watched.insert(directory.clone()) {
                self.watcher.watch(directory, RecursiveMode::NonRecursive)?;
            }
        }
        Ok(())
    }
}
