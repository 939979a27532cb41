//! From a request's URI to the server to dial and the request line to send (RFC 9112 section 3.2.1).

use std::fmt;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{HOST, HeaderValue};
use hyper::http::uri::{Scheme, Uri};
use rustls::pki_types::ServerName;

use super::Error;

/// A server: where to connect, and the name that its certificate must have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Target {
    host: String,
    port: u16,
    name: ServerName<'static>,
}

/// Where requests go that are only a path, and what is put in front of it.
#[derive(Debug, Clone)]
pub(super) struct Base {
    target: Target,
    prefix: String,
}

impl Base {
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        let uri: Uri = url.parse().map_err(|_| Error::target(url))?;
        let target = Target::parse(&uri)?;
        Ok(Self {
            target,
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl Target {
    fn parse(uri: &Uri) -> Result<Self, Error> {
        let refused = || Error::target(&uri.to_string());
        let authority = uri
            .authority()
            .filter(|authority| !authority.as_str().contains('@'))
            .ok_or_else(refused)?;
        if uri.scheme() != Some(&Scheme::HTTPS) {
            return Err(refused());
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_ascii_lowercase();
        let name = ServerName::try_from(host.clone()).map_err(|_| refused())?;
        Ok(Self {
            host,
            port: authority.port_u16().unwrap_or(443),
            name,
        })
    }

    /// Takes the server out of the request, which becomes one in origin-form with a Host field.
    pub(super) fn of(
        mut request: Request<Full<Bytes>>,
        base: Option<&Base>,
    ) -> Result<(Self, Request<Full<Bytes>>), Error> {
        let uri = request.uri();
        let refused = || Error::target(&uri.to_string());
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let (target, path) = match base {
            Some(base) if uri.authority().is_none() && uri.scheme().is_none() => {
                (base.target.clone(), format!("{}{path}", base.prefix))
            }
            _ => (Self::parse(uri)?, path.to_owned()),
        };
        let origin_form: Uri = path.parse().map_err(|_| refused())?;
        let host = HeaderValue::try_from(target.host_field()).map_err(|_| refused())?;
        *request.uri_mut() = origin_form;
        request.headers_mut().entry(HOST).or_insert(host);
        Ok((target, request))
    }

    pub(super) fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    pub(super) fn name(&self) -> ServerName<'static> {
        self.name.clone()
    }

    fn host_field(&self) -> String {
        let shown = self.to_string();
        shown
            .strip_suffix(":443")
            .map(ToOwned::to_owned)
            .unwrap_or(shown)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uri: &str, base: Option<&str>) -> Result<(String, String, String), Error> {
        let base = base.map(|base| Base::parse(base).unwrap());
        let (target, request) = Target::of(
            Request::get(uri).body(Full::default()).unwrap(),
            base.as_ref(),
        )?;
        let host = request.headers()[HOST].to_str().unwrap().to_owned();
        Ok((target.to_string(), host, request.uri().to_string()))
    }

    fn parts(server: &str, host: &str, uri: &str) -> (String, String, String) {
        (server.to_owned(), host.to_owned(), uri.to_owned())
    }

    #[test]
    fn an_absolute_uri_names_its_server_and_is_sent_in_origin_form() {
        let found = of("https://Jira.example/rest/api/2/myself?a=b", None).unwrap();
        assert_eq!(
            found,
            parts("jira.example:443", "jira.example", "/rest/api/2/myself?a=b")
        );
        let found = of("https://[::1]:8443", Some("https://elsewhere.example")).unwrap();
        assert_eq!(found, parts("[::1]:8443", "[::1]:8443", "/"));
    }

    #[test]
    fn a_path_goes_under_the_base() {
        let found = of("/rest/api", Some("https://jira.example:8443/jira/")).unwrap();
        assert_eq!(
            found,
            parts("jira.example:8443", "jira.example:8443", "/jira/rest/api")
        );
    }

    #[test]
    fn nothing_is_sent_in_the_clear_or_to_nobody() {
        for uri in [
            "http://jira.example/",
            "/rest",
            "https://user@jira.example/",
        ] {
            assert!(matches!(of(uri, None), Err(Error::Target { .. })), "{uri}");
        }
    }
}
