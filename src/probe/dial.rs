//! Names and connections: from a URL to a TCP stream, each fault told apart.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use hyper::Uri;
use rustls::pki_types::ServerName;
use tokio::{net::TcpStream, time::timeout};

use super::observation::{Ending, Unusable};
use crate::model::one_line;

/// A base URL, taken apart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Target {
    /// The host, an address without brackets.
    pub(super) host: String,
    /// The port; 443 when the URL names none.
    pub(super) port: u16,
    /// What stands in `Host` (RFC 9110 §7.2).
    pub(super) authority: String,
    /// The path without a slash at its end.
    pub(super) base: String,
    /// What the server's certificate must name.
    pub(super) name: ServerName<'static>,
}

impl Target {
    /// Takes `https` only, without user, query or fragment.
    pub(super) fn parse(url: &str) -> Result<Self, Unusable> {
        // What stands before an `@` may be a password.
        let shown = url.rsplit_once('@').map_or(url, |(_, rest)| rest);
        let fault = |why: &str| Unusable::Url(format!("`{}` {why}", one_line(shown)));
        // `Uri` drops a fragment silently.
        if url.contains('#') {
            return Err(fault("bears a fragment"));
        }
        let uri: Uri = url.parse().map_err(|_| fault("is no URL"))?;
        if uri.scheme_str() != Some("https") {
            return Err(fault("does not begin with https://"));
        }
        if uri.query().is_some() {
            return Err(fault("bears a query"));
        }
        let authority = uri.authority().ok_or_else(|| fault("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(fault("bears a user or a password"));
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| fault("names a host that no certificate can name"))?;
        Ok(Self {
            host: host.to_owned(),
            port: authority.port_u16().unwrap_or(443),
            authority: authority.as_str().to_owned(),
            base: uri.path().trim_end_matches('/').to_owned(),
            name,
        })
    }
}

/// The addresses behind a name, each once, in the resolver's order.
pub(super) async fn resolve(target: &Target, limit: Duration) -> Result<Vec<SocketAddr>, String> {
    if let Ok(address) = target.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, target.port)]);
    }
    let found = timeout(
        limit,
        tokio::net::lookup_host((target.host.as_str(), target.port)),
    )
    .await
    .map_err(|_| format!("no answer from DNS within {limit:?}"))?
    .map_err(|e| one_line(&e.to_string()))?;
    let mut addresses = Vec::new();
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err("the name has no addresses".to_owned());
    }
    Ok(addresses)
}

/// Connects, or says how that failed.
pub(super) async fn connect(address: SocketAddr, limit: Duration) -> Result<TcpStream, Ending> {
    let stream = timeout(limit, TcpStream::connect(address))
        .await
        .map_err(|_| Ending::ConnectTimedOut(limit))?
        .map_err(|e| match e.kind() {
            io::ErrorKind::ConnectionRefused => Ending::Refused,
            io::ErrorKind::TimedOut => Ending::ConnectTimedOut(limit),
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                Ending::NoRoute(e.to_string())
            }
            // EADDRNOTAVAIL: we have no address of this family to dial from.
            io::ErrorKind::AddrNotAvailable => Ending::NoRoute(e.to_string()),
            _ => Ending::ConnectFailed(e.to_string()),
        })?;
    // Without it small records wait for acknowledgements; a probe works all the same.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_taken_apart() {
        let target = Target::parse("https://Jira.acme.example:8443/jira/").unwrap();
        assert_eq!(target.host, "Jira.acme.example");
        assert_eq!(
            (target.port, target.base.as_str(), target.authority.as_str()),
            (8443, "/jira", "Jira.acme.example:8443")
        );
        let target = Target::parse("https://[::1]").unwrap();
        assert_eq!(
            (target.host.as_str(), target.port, target.base.as_str()),
            ("::1", 443, "")
        );
    }

    #[test]
    fn a_url_that_is_not_plainly_https_is_refused() {
        for url in [
            "http://jira.example",
            "jira.example",
            "https://",
            "https://user:secret@jira.example",
            "https://jira.example/?a=b",
            "https://jira.example/#top",
            "https://ji ra.example",
            "",
        ] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_not_repeated() {
        let fault = Target::parse("https://user:secret@jira.example").unwrap_err();
        assert!(!format!("{fault:?}").contains("secret"), "{fault:?}");
    }
}
