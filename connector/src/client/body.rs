//! A response's body, which tells the client when it breaks off.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};

use super::Error;
use super::pool::Route;
use crate::usage::Ledger;

/// A response's body as it comes.
#[derive(Debug)]
pub struct Body {
    incoming: Incoming,
    route: Route,
    count: Option<Arc<Ledger>>,
}

impl Body {
    pub(super) const fn new(incoming: Incoming, route: Route) -> Self {
        Self {
            incoming,
            route,
            count: None,
        }
    }

    /// A break is a failed request from here on: the request itself has been counted as answered.
    pub(super) fn counting_into(self, ledger: Arc<Ledger>) -> Self {
        Self {
            count: Some(ledger),
            ..self
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.incoming).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            frame.map_err(|source| {
                if let Some(ledger) = self.count.take() {
                    ledger.request_failed();
                }
                self.route.failure(source)
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
