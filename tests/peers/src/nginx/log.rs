//! What nginx writes about its clients and its workers.

use std::collections::HashSet;

use serde_json::Value;

/// Every value is a JSON string, because nginx writes `-` or nothing where it has none.
pub(super) const FORMAT: &str = r#"log_format entries escape=json '{"time":"$msec","method":"$request_method","uri":"$request_uri","status":"$status","fingerprint":"$ssl_client_fingerprint","protocol":"$ssl_protocol","reused":"$ssl_session_reused","connection":"$connection","request_id":"$http_x_request_id"}';"#;

/// One request, as the gateway saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// When the answer was written, in milliseconds since the epoch.
    pub time_ms: u64,
    /// The method, as in `GET`.
    pub method: String,
    /// Path and query as received.
    pub uri: String,
    /// The status answered.
    pub status: u16,
    /// SHA-1 of the client's certificate in lower-case hex; empty when it presented none.
    pub fingerprint: String,
    /// `TLSv1.2` or `TLSv1.3`.
    pub protocol: String,
    /// Whether the session of the connection was a resumed one.
    pub resumed: bool,
    /// nginx's number of the connection: equal numbers are one connection.
    pub connection: u64,
    /// The client's `X-Request-ID`; empty when it sent none.
    pub request_id: String,
}

/// Reads the log; a last line that is still being written is left for the next time.
pub(super) fn parse(log: &str) -> Vec<LogEntry> {
    let complete = log.rfind('\n').map_or("", |end| &log[..end]);
    complete
        .lines()
        .map(|line| {
            entry(line).unwrap_or_else(|| panic!("nginx wrote an unreadable log line: {line}"))
        })
        .collect()
}

fn entry(line: &str) -> Option<LogEntry> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
    Some(LogEntry {
        // Seconds with three decimals: without the point they are milliseconds.
        time_ms: text("time")?.replace('.', "").parse().ok()?,
        method: text("method")?,
        uri: text("uri")?,
        status: text("status")?.parse().ok()?,
        fingerprint: text("fingerprint")?,
        protocol: text("protocol")?,
        resumed: text("reused")? == "r",
        connection: text("connection")?.parse().ok()?,
        request_id: text("request_id")?,
    })
}

/// The workers that were started and have not begun to stop.
pub(super) fn running_workers(error_log: &str) -> HashSet<u32> {
    let stopping = stopping_workers(error_log);
    error_log
        .lines()
        .filter_map(|line| {
            line.split_once("start worker process ")?
                .1
                .trim()
                .parse()
                .ok()
        })
        .filter(|worker| !stopping.contains(worker))
        .collect()
}

/// The workers that have closed, or are about to close, their listening sockets. They
/// say so themselves, in lines that begin `2026/01/01 00:00:00 [notice] PID#PID:`.
pub(super) fn stopping_workers(error_log: &str) -> HashSet<u32> {
    error_log
        .lines()
        .filter_map(|line| line.strip_suffix("gracefully shutting down"))
        .filter_map(|head| head.split_once("] ")?.1.split_once('#')?.0.parse().ok())
        .collect()
}
