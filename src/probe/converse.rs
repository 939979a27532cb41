//! One conversation: a connection of its own, a full handshake, one request, one answer.

use std::{net::SocketAddr, sync::Arc};

use rustls::{ClientConfig, sign::CertifiedKey};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    dial::{self, Target},
    http::{self, Call, Envelope, Private},
    observation::{Conversation, Ending, Stage},
    prober::ProbeLimits,
    tls::{self, Record, Stance},
};

/// What all conversations of one probe share.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) target: Target,
    pub(super) stance: Stance,
    pub(super) envelope: Envelope,
    pub(super) limits: ProbeLimits,
}

impl Setting {
    /// Dials, shakes hands presenting `key`, calls, and says what was seen.
    pub(super) async fn converse(
        &self,
        address: SocketAddr,
        key: Option<Arc<CertifiedKey>>,
        call: &Call,
    ) -> Conversation {
        self.confide(address, key, call, &Private::default()).await
    }

    /// The same, with what nobody else may read.
    pub(super) async fn confide(
        &self,
        address: SocketAddr,
        key: Option<Arc<CertifiedKey>>,
        call: &Call,
        private: &Private,
    ) -> Conversation {
        let record = Arc::new(Record::default());
        let config = match self.stance.config(key, &record) {
            Ok(config) => config,
            Err(why) => return Conversation::ended(Ending::Unusable(why)),
        };
        match dial::connect(address, self.limits.connect).await {
            Ok(tcp) => self.over(tcp, config, &record, call, private).await,
            Err(ending) => Conversation::ended(ending),
        }
    }

    /// The conversation over a stream that is there.
    pub(super) async fn over(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        config: ClientConfig,
        record: &Record,
        call: &Call,
        private: &Private,
    ) -> Conversation {
        let connector = TlsConnector::from(Arc::new(config));
        let shaken = timeout(
            self.limits.handshake,
            connector.connect(self.target.name.clone(), stream),
        )
        .await;
        let stream = match shaken {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                let ending = tls::ending(&error, stage(record));
                return seen(record, ending);
            }
            Err(_) => {
                let ending = Ending::TimedOut {
                    stage: stage(record),
                    after: self.limits.handshake,
                };
                return seen(record, ending);
            }
        };
        let session = stream.get_ref().1;
        let tls_version = session.protocol_version().and_then(|v| {
            // rustls writes `TLSv1_2`.
            v.as_str().map(|name| name.replace('_', "."))
        });
        let cipher_suite = session
            .negotiated_cipher_suite()
            .and_then(|s| s.suite().as_str())
            // rustls' own prefix; IANA's names for TLS 1.3 have none.
            .map(|name| name.replacen("TLS13_", "TLS_", 1));
        let ending = http::ask_privately(stream, &self.envelope, call, private, self.limits).await;
        Conversation {
            tls_version,
            cipher_suite,
            handshake_done: true,
            ..seen(record, ending)
        }
    }
}

/// How far a handshake had come that was not finished.
fn stage(record: &Record) -> Stage {
    let seen = record.seen();
    if seen.verified.is_some() || seen.request.is_some() {
        Stage::Handshake
    } else {
        Stage::Hello
    }
}

fn seen(record: &Record, ending: Ending) -> Conversation {
    let seen = record.seen();
    Conversation {
        takes: seen.takes,
        server_chain: seen.chain,
        server_verified: seen.verified == Some(true),
        request: seen.request,
        names_ours: seen.names_ours,
        shown: seen.shown,
        ..Conversation::ended(ending)
    }
}
