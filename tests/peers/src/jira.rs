//! A Jira behind whatever gateway is under test: it speaks HTTP/1.1 without TLS and knows nobody.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::standin;

/// A running stand-in. It answers each request on a connection of its own, from the table that all gateways share.
pub struct JiraStandIn {
    address: SocketAddr,
    answered: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
}

impl JiraStandIn {
    /// Starts it on a free port of 127.0.0.1.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let answered = Arc::new(AtomicUsize::new(0));
        let over = Arc::new(AtomicBool::new(false));
        let (counter, ended) = (Arc::clone(&answered), Arc::clone(&over));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let counter = Arc::clone(&counter);
                thread::spawn(move || {
                    // A gateway that goes away in the middle has had enough.
                    if let Some(number) = stream.ok().and_then(|stream| answer(stream).ok()) {
                        counter.fetch_add(number, Ordering::Relaxed);
                    }
                });
            }
        });
        Self {
            address,
            answered,
            over,
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// How many requests came through to it.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }
}

impl Drop for JiraStandIn {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the thread, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

fn answer(stream: TcpStream) -> std::io::Result<usize> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(0);
    }
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        let line = line.to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        chunked |= line.starts_with("transfer-encoding:") && line.contains("chunked");
    }
    if chunked {
        // The last chunk is empty, and the probe sends no trailers.
        let mut line = String::new();
        while reader.read_line(&mut line)? > 0 && line.trim_end() != "0" {
            line.clear();
        }
        reader.read_line(&mut line)?;
    } else {
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
    }
    let (status, body) = reply(&first);
    let mut stream = reader.into_inner();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nX-AREQUESTID: 600x1x1\r\nX-ANODEID: {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        standin::NODE,
        body.len()
    )?;
    Ok(1)
}

fn reply(request: &str) -> (&'static str, &'static str) {
    let mut words = request.split_whitespace();
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let path = path.split('?').next().unwrap_or(path);
    if (method, path) == ("GET", "/rest/api/2/serverInfo") {
        ("200 OK", standin::SERVER_INFO)
    } else if path.starts_with("/rest/") {
        (
            "401 Unauthorized\r\nX-Seraph-LoginReason: OUT",
            standin::UNAUTHENTICATED,
        )
    } else {
        ("404 Not Found", standin::NOT_FOUND)
    }
}
