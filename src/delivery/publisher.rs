//! The port through which a rotation hands an identity over, and the real thing behind it.

use std::{collections::BTreeMap, future::Future, sync::Arc};

use super::{
    ConnectorHub, Exports, Handover, Sink, error::DeliveryError, exports::Outlet, files, report,
};
use crate::model::{AppliedBy, ConnectorName, Fingerprint, GenerationNumber};

/// Hands identities to connectors. Publishing the same generation twice is harmless.
pub trait Publisher: Send + Sync {
    /// Hands a generation over and waits, for a limited time, until the connector was seen using it.
    fn publish(
        &self,
        connector: &ConnectorName,
        handover: Handover,
    ) -> impl Future<Output = Result<AppliedBy, DeliveryError>> + Send;

    /// Removes what was published of a generation whose key is about to be destroyed.
    fn retract(
        &self,
        connector: &ConnectorName,
        generation: GenerationNumber,
    ) -> impl Future<Output = Result<(), DeliveryError>> + Send;
}

/// The sinks of a configuration.
#[derive(Clone)]
pub struct Sinks {
    /// Where each connector is reached.
    pub sinks: BTreeMap<ConnectorName, Sink>,
    /// Those that hold a connection to us.
    pub hub: Arc<ConnectorHub>,
    /// Who writes down which keys leave as files; the hub has its own.
    pub exports: Arc<dyn Exports>,
}

impl Sinks {
    fn sink(&self, connector: &ConnectorName) -> Result<&Sink, DeliveryError> {
        self.sinks
            .get(connector)
            .ok_or_else(|| DeliveryError::NotConfigured {
                connector: connector.clone(),
            })
    }
}

impl Sinks {
    /// The certificate that lies where a reader of files looks for it; `None` when there is none that can be read.
    pub fn published(&self, connector: &ConnectorName) -> Option<Fingerprint> {
        match self.sinks.get(connector)? {
            Sink::Socket => None,
            Sink::Bundle(sink) => files::published(&sink.path),
            Sink::Directory(sink) => {
                files::published(&sink.path.join("current").join("bundle.pem"))
            }
        }
    }
}

impl Publisher for Sinks {
    async fn publish(
        &self,
        connector: &ConnectorName,
        handover: Handover,
    ) -> Result<AppliedBy, DeliveryError> {
        let outlet = Outlet {
            exports: self.exports.as_ref(),
            connector,
        };
        let file_sink = match self.sink(connector)? {
            Sink::Socket => return self.hub.hand_over(connector, handover).await,
            Sink::Bundle(sink) => {
                files::publish_bundle(sink, &handover, outlet)?;
                sink
            }
            Sink::Directory(sink) => {
                files::publish_directory(sink, &handover, outlet)?;
                sink
            }
        };
        let outcome = match &file_sink.reload {
            Some(reload) => reload.run().await?,
            None => "published; its reader watches the file".to_owned(),
        };
        match &file_sink.report {
            Some(path) => report::await_in_use(connector, path, &handover).await,
            None => Ok(AppliedBy::Reloaded { outcome }),
        }
    }

    async fn retract(
        &self,
        connector: &ConnectorName,
        generation: GenerationNumber,
    ) -> Result<(), DeliveryError> {
        match self.sinks.get(connector) {
            Some(Sink::Directory(sink)) => files::retract_directory(&sink.path, generation),
            // A bundle holds one generation, a socket none, and what is not configured was not published.
            Some(Sink::Bundle(_) | Sink::Socket) | None => Ok(()),
        }
    }
}
