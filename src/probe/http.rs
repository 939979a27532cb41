//! One request over a finished handshake, and its answer or what came instead.

use std::{
    collections::BTreeMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{self, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, timeout, timeout_at},
};
use zeroize::Zeroizing;

use super::{
    observation::{Ending, Reply, Stage},
    prober::ProbeLimits,
    tls,
};
use crate::model::one_line;

/// What is asked of the endpoint.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// The method.
    pub(super) method: Method,
    /// Path, absolute.
    pub(super) path: String,
    /// JSON to send along.
    pub(super) json: Option<&'static str>,
}

/// What goes along with a call and is seen by nobody else: it is neither printed nor kept.
#[derive(Default)]
pub(super) struct Private {
    /// The value of `Authorization`.
    pub(super) authorization: Option<Zeroizing<String>>,
    /// JSON instead of the call's.
    pub(super) json: Option<Zeroizing<String>>,
}

/// What stands in every request of a probe.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    /// The value of `Host`.
    pub(super) authority: String,
    /// The probe's id, fit for a header.
    pub(super) id: String,
}

impl Envelope {
    pub(super) fn new(authority: &str, probe_id: &str) -> Self {
        let id = probe_id
            .chars()
            .take(64)
            .map(|c| match c {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' => c,
                _ => '-',
            })
            .collect();
        Self {
            authority: authority.to_owned(),
            id,
        }
    }

    fn request(
        &self,
        call: &Call,
        private: &Private,
    ) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(&call.path)
            .header(header::HOST, &self.authority)
            .header(
                header::USER_AGENT,
                format!(
                    "countersign/{} (probe {})",
                    env!("CARGO_PKG_VERSION"),
                    self.id
                ),
            )
            .header("x-request-id", &self.id)
            .header(header::ACCEPT, "application/json")
            .header(header::CONNECTION, "close");
        if call.json.is_some() || private.json.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(value) = &private.authorization {
            let mut value = HeaderValue::from_str(value)?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        request.body(Full::new(match &private.json {
            // Owned by the bytes, and wiped with them.
            Some(json) => Bytes::from_owner(Wiped(json.clone())),
            None => Bytes::from_static(call.json.unwrap_or_default().as_bytes()),
        }))
    }
}

/// A body that is wiped after it was sent.
struct Wiped(Zeroizing<String>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Asks without anything private.
#[cfg(any(test, fuzzing))]
pub(super) async fn ask<S>(
    stream: S,
    envelope: &Envelope,
    call: &Call,
    limits: ProbeLimits,
) -> Ending
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    ask_privately(stream, envelope, call, &Private::default(), limits).await
}

/// Writes the request and reads the answer: waits so long for its head, and as long again for its body, of
/// which a part is enough.
pub(super) async fn ask_privately<S>(
    stream: S,
    envelope: &Envelope,
    call: &Call,
    private: &Private,
    limits: ProbeLimits,
) -> Ending
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = match envelope.request(call, private) {
        Ok(request) => request,
        Err(e) => return Ending::Unusable(super::observation::Unusable::Url(e.to_string())),
    };
    let end = ReadEnd::default();
    let witness = Witness {
        stream,
        end: end.clone(),
        deaf: false,
    };
    let (mut sender, connection) =
        match http1::Builder::new().handshake(TokioIo::new(witness)).await {
            Ok(halves) => halves,
            Err(e) => return end.or_not_http(&e),
        };
    let exchange = async {
        match timeout(limits.response, sender.send_request(request)).await {
            Ok(Ok(response)) => Ending::Answered(reply(response, limits).await),
            Ok(Err(e)) => end.or_not_http(&e),
            Err(_) => Ending::TimedOut {
                stage: Stage::Answer,
                after: limits.response,
            },
        }
    };
    tokio::pin!(exchange, connection);
    let mut running = true;
    loop {
        // The connection is driven here and nowhere else, so dropping this future ends it.
        tokio::select! {
            ending = &mut exchange => return ending,
            _ = &mut connection, if running => running = false,
        }
    }
}

/// Keeps the head and the beginning of the body; a body that breaks off is kept as far as it came.
async fn reply(response: Response<Incoming>, limits: ProbeLimits) -> Reply {
    let deadline = Instant::now() + limits.response;
    let (head, mut incoming) = response.into_parts();
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in &head.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        headers
            .entry(name.as_str().to_owned())
            .and_modify(|all| {
                all.push_str(", ");
                all.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    let mut body = Vec::new();
    while body.len() < limits.body {
        let Ok(Some(Ok(frame))) = timeout_at(deadline, incoming.frame()).await else {
            break;
        };
        if let Some(data) = frame.data_ref() {
            body.extend_from_slice(&data[..data.len().min(limits.body - body.len())]);
        }
    }
    Reply {
        status: head.status.as_u16(),
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    }
}

/// How reading ended, once it has, and how it began.
#[derive(Clone, Debug, Default)]
struct ReadEnd(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    ending: Option<Ending>,
    beginning: Vec<u8>,
}

impl ReadEnd {
    fn with<T>(&self, f: impl FnOnce(&mut Heard) -> T) -> T {
        // Nothing panics while the lock is held.
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, ending: Ending) {
        self.with(|heard| {
            heard.ending.get_or_insert(ending);
        });
    }

    fn begin(&self, bytes: &[u8]) {
        self.with(|heard| {
            let missing = HTTP2_FRAME_HEADER.saturating_sub(heard.beginning.len());
            heard.beginning.extend(bytes.iter().take(missing));
        });
    }

    fn or_not_http(&self, error: &hyper::Error) -> Ending {
        self.with(|heard| {
            heard.ending.take().unwrap_or_else(|| {
                Ending::NotHttp(if is_http2_settings(&heard.beginning) {
                    "it is HTTP/2, which was not negotiated".to_owned()
                } else {
                    one_line(&error.to_string())
                })
            })
        })
    }
}

/// Length, type, flags and stream of a frame (RFC 9113 §4.1).
const HTTP2_FRAME_HEADER: usize = 9;

/// A server that speaks HTTP/2 begins with a SETTINGS frame on stream 0 (RFC 9113 §3.4).
fn is_http2_settings(beginning: &[u8]) -> bool {
    matches!(beginning, [_, _, _, 4, 0, 0, 0, 0, 0])
}

/// Notes how reading ends, and goes on reading after writing has failed.
///
/// In TLS 1.3 our certificate is judged after our side of the handshake is done (RFC 8446 §4.4.2.4): the
/// alert may lie in the receive buffer while the rest of the request meets a closed connection.
struct Witness<S> {
    stream: S,
    end: ReadEnd,
    /// The other side does not listen any more.
    deaf: bool,
}

impl<S: AsyncRead + Unpin> AsyncRead for Witness<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buf);
        match &outcome {
            Poll::Ready(Err(e)) => self.end.note(tls::ending(e, Stage::Answer)),
            Poll::Ready(Ok(())) if buf.filled().len() == before => self.end.note(Ending::Cut {
                reset: false,
                stage: Stage::Answer,
            }),
            Poll::Ready(Ok(())) => self.end.begin(&buf.filled()[before..]),
            Poll::Pending => {}
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> Witness<S> {
    fn forgiving<T>(&mut self, outcome: Poll<io::Result<T>>, instead: T) -> Poll<io::Result<T>> {
        match outcome {
            Poll::Ready(Err(_)) => {
                self.deaf = true;
                Poll::Ready(Ok(instead))
            }
            outcome => outcome,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Witness<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.deaf {
            return Poll::Ready(Ok(buf.len()));
        }
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.forgiving(outcome, buf.len())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.deaf {
            return Poll::Ready(Ok(()));
        }
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.forgiving(outcome, ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.deaf {
            return Poll::Ready(Ok(()));
        }
        let outcome = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.forgiving(outcome, ())
    }
}

#[cfg(test)]
mod tests {
    use hyper::Method;

    use super::*;

    /// Takes nothing any more, but an alert can still be read from it.
    struct Shut;

    impl AsyncRead for Shut {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let alert = rustls::Error::AlertReceived(rustls::AlertDescription::UnknownCA);
            Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, alert)))
        }
    }

    impl AsyncWrite for Shut {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn an_alert_is_read_even_when_the_request_could_not_be_written() {
        let call = Call {
            method: Method::GET,
            path: "/".to_owned(),
            json: None,
        };
        let envelope = Envelope::new("gateway.test", "p");
        let ending = ask(Shut, &envelope, &call, ProbeLimits::default()).await;
        let stage = Stage::Answer;
        assert_eq!(ending, Ending::Alert { code: 48, stage });
    }

    #[test]
    fn a_probes_id_cannot_inject_a_header() {
        let envelope = Envelope::new("gateway.test", "p\r\nX-Evil: 1");
        assert_eq!(envelope.id, "p--X-Evil--1");
    }
}
