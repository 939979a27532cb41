//! A way in for the fuzz targets (`fuzz/`): an answer is read and judged as if a gateway had sent it.

use std::time::Duration;

use hyper::Method;

use super::{
    ProbeLimits, classify,
    conclude::conclude,
    http::{self, Call, Envelope},
    observation::{Conversation, Ending, Presented},
};

/// Reads these bytes as the answer to a request, and says what they mean.
pub async fn answered(bytes: Vec<u8>) {
    let call = Call {
        method: Method::GET,
        path: "/rest/api/2/myself".to_owned(),
        json: None,
    };
    let limits = ProbeLimits {
        response: Duration::from_secs(2),
        ..ProbeLimits::default()
    };
    let stream = tokio::io::join(std::io::Cursor::new(bytes), tokio::io::sink());
    let ending = http::ask(
        stream,
        &Envelope::new("gateway.example", "probe"),
        &call,
        limits,
    )
    .await;
    if let Ending::Answered(reply) = &ending {
        let _ = classify::classify(reply);
    }
    for presented in [Presented::Ours, Presented::Stranger, Presented::Nothing] {
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
