//! What stands behind a gateway, in the test's own process: HTTP/1.1 without TLS, one answer a connection.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use crate::standin;

/// A server for as long as the process runs.
#[derive(Clone, Copy, Debug)]
pub struct Backend {
    addr: SocketAddr,
}

impl Backend {
    /// Jira, as it answers to whom is not logged in.
    pub fn jira() -> Self {
        Self::answering(jira)
    }

    /// A page on which people log in, with 200 to whatever is asked: single sign-on before Jira.
    pub fn login_page() -> Self {
        Self::answering(|_, _| {
            let page =
                "<!DOCTYPE html><html><body><form action=\"/login\">Log in</form></body></html>";
            answer("200 OK", "Content-Type: text/html\r\n", page)
        })
    }

    /// Answers each request, given its method and path, with these bytes, and closes.
    pub fn answering(answer: fn(&str, &str) -> String) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port can be had");
        let addr = listener.local_addr().expect("it has an address");
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || serve(stream, answer));
            }
        });
        Self { addr }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// A client that breaks off gets no answer, and nobody is told.
fn serve(stream: TcpStream, answer: fn(&str, &str) -> String) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut words = first.split_whitespace();
    let (method, path) = (words.next()?, words.next()?);
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim().to_ascii_lowercase();
        match line.split_once(':') {
            None => break,
            Some(("content-length", value)) => length = value.trim().parse().ok()?,
            Some(("transfer-encoding", _)) => chunked = true,
            Some(_) => {}
        }
    }
    // What is left unread when a connection is closed resets it.
    if chunked {
        let mut line = String::new();
        while line != "0\r\n" {
            line.clear();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
        }
        reader.read_line(&mut line).ok()?;
    } else {
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink()).ok()?;
    }
    writer.write_all(answer(method, path).as_bytes()).ok()
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn jira(method: &str, path: &str) -> String {
    let marks = format!(
        "X-AREQUESTID: 600x1x1\r\nX-ANODEID: {}\r\nContent-Type: application/json\r\n",
        standin::NODE
    );
    if method == "GET" && path == "/rest/api/2/serverInfo" {
        answer("200 OK", &marks, standin::SERVER_INFO)
    } else if path.starts_with("/rest/") {
        let marks = marks + "X-Seraph-LoginReason: OUT\r\n";
        answer("401 Unauthorized", &marks, standin::UNAUTHENTICATED)
    } else {
        answer("404 Not Found", &marks, standin::NOT_FOUND)
    }
}
