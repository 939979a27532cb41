//! What stands behind a gateway, in the test's own process: HTTP/1.1 without TLS, one answer a connection.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A running server on a free port of 127.0.0.1.
pub struct Backend {
    addr: SocketAddr,
    over: Arc<AtomicBool>,
}

impl Backend {
    /// Answers each request, given its method and its path without the query, with these bytes, and closes.
    pub fn answering(answer: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> Self {
        Self::hearing(move |heard| answer(&heard.method, &heard.path))
    }

    /// Answers each request, given what it says, with these bytes, and closes.
    pub fn hearing(answer: impl Fn(&Heard) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let addr = listener.local_addr().expect("it is bound");
        let over = Arc::new(AtomicBool::new(false));
        let (answer, ended) = (Arc::new(answer), Arc::clone(&over));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let answer = Arc::clone(&answer);
                // A gateway that goes away in the middle has had enough.
                thread::spawn(move || serve(stream.ok()?, &*answer));
            }
        });
        Self { addr, over }
    }

    /// A page on which people log in, with 200 to whatever is asked: single sign-on before Jira.
    pub fn login_page() -> Self {
        Self::answering(|_, _| {
            let page =
                "<!DOCTYPE html><html><body><form action=\"/login\">Log in</form></body></html>";
            answer("200 OK", "Content-Type: text/html\r\n", page)
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the thread, which then sees that it is over.
        let _ = TcpStream::connect(self.addr);
    }
}

/// What a request says, as far as tests want to know.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// The method.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The value of `Host`.
    pub host: String,
    /// The value of `Authorization`.
    pub authorization: Option<String>,
}

/// An answer after which the connection is closed; each of `headers` ends its line.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn serve(stream: TcpStream, answer: &dyn Fn(&Heard) -> String) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut words = first.split_whitespace();
    let (method, path) = (words.next()?, words.next()?);
    let mut heard = Heard {
        method: method.to_owned(),
        path: path.split('?').next().unwrap_or(path).to_owned(),
        ..Heard::default()
    };
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let value = || {
            line.split_once(':')
                .map(|(_, value)| value.trim().to_owned())
        };
        match line.trim_end().to_ascii_lowercase().split_once(':') {
            None => break,
            Some(("authorization", _)) => heard.authorization = value(),
            Some(("host", _)) => heard.host = value()?,
            Some(("content-length", value)) => length = value.trim().parse().ok()?,
            Some(("transfer-encoding", value)) => chunked = value.contains("chunked"),
            Some(_) => {}
        }
    }
    // What is left unread when a connection is closed resets it.
    if chunked {
        // The last chunk is empty, and the probe sends no trailers.
        let mut line = String::new();
        while reader.read_line(&mut line).ok()? > 0 && line.trim_end() != "0" {
            line.clear();
        }
        reader.read_line(&mut line).ok()?;
    } else {
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink()).ok()?;
    }
    let answer = answer(&heard);
    reader.into_inner().write_all(answer.as_bytes()).ok()
}
