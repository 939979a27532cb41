//! A way in for the fuzz targets (`fuzz/`): bytes are read and judged as if a gateway had sent them.

use std::{sync::Arc, time::Duration};

use hyper::Method;

use super::{
    ProbeLimits, ProbeRequest, TlsParity, classify,
    conclude::conclude,
    converse::Setting,
    dial::Target,
    http::{self, Call, Envelope, Private},
    observation::{Conversation, Ending, Presented},
    tls::{Record, Stance},
};

const PRESENTED: [Presented; 3] = [Presented::Ours, Presented::Stranger, Presented::Nothing];

fn limits() -> ProbeLimits {
    ProbeLimits {
        response: Duration::from_secs(2),
        handshake: Duration::from_secs(2),
        ..ProbeLimits::default()
    }
}

fn call() -> Call {
    Call {
        method: Method::GET,
        path: "/rest/api/2/myself".to_owned(),
        json: None,
    }
}

/// A client that trusts this anchor (DER).
pub struct Client(Vec<Setting>);

impl Client {
    /// Offers TLS 1.2 as the Jira connector does, and everything.
    pub fn new(request: &ProbeRequest<'_>) -> Self {
        let settings = [TlsParity::Tls12Only, TlsParity::Tls12And13].map(|tls| Setting {
            target: Target::parse("https://gateway.example").expect("it is a URL"),
            stance: Stance::new(&ProbeRequest {
                tls,
                ..request.clone()
            })
            .expect("it has an anchor"),
            envelope: Envelope::new("gateway.example", "probe"),
            limits: limits(),
        });
        Self(settings.into())
    }

    /// Takes these bytes for what the server says, from its first record on, and says what they mean.
    pub async fn shaken(&self, bytes: &[u8]) {
        for setting in &self.0 {
            let record = Arc::new(Record::default());
            let config = setting.stance.config(None, &record).expect("it is one");
            let server = std::io::Cursor::new(bytes.to_vec());
            let stream = tokio::io::join(server, tokio::io::sink());
            let private = Private::default();
            let conversation = setting
                .over(stream, config, &record, &call(), &private)
                .await;
            for presented in PRESENTED {
                let _ = conclude(&conversation, presented);
            }
        }
    }
}

/// Reads these bytes as the answer to a request, and says what they mean.
pub async fn answered(bytes: Vec<u8>) {
    let stream = tokio::io::join(std::io::Cursor::new(bytes), tokio::io::sink());
    let ending = http::ask(
        stream,
        &Envelope::new("gateway.example", "probe"),
        &call(),
        limits(),
    )
    .await;
    if let Ending::Answered(reply) = &ending {
        let _ = classify::classify(reply);
    }
    for presented in PRESENTED {
        let _ = conclude(
            &Conversation {
                handshake_done: true,
                server_verified: true,
                ..Conversation::ended(ending.clone())
            },
            presented,
        );
    }
}
