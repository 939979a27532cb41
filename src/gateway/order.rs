//! What is to be installed, and where.

use jiff::Timestamp;

use crate::model::{CertificateFacts, GatewayProduct, PinType, one_line};

/// The methods that the connector uses.
pub(super) const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];

/// Everything that a sheet is made from.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// What stands in front of Jira.
    pub product: GatewayProduct,
    /// What it compares.
    pub pin: PinType,
    /// The host name under which it is called.
    pub host: &'a str,
    /// The generation that is to be trusted.
    pub new: &'a CertificateFacts,
    /// The one that is presented today and stays trusted for now.
    pub present: Option<&'a CertificateFacts>,
    /// What the gateway verifies the chain with.
    pub anchors: Anchors<'a>,
    /// Whether OAuth 1.0a is used, which has paths of its own.
    pub oauth: bool,
    /// Until when both generations stay trusted at the longest; unknown when nothing is said.
    pub until: Option<Timestamp>,
}

/// The certificates at which the chain may end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Anchors<'a> {
    /// A file of ours holds all of them, those of the present generation included.
    All {
        /// Its name.
        file: &'a str,
    },
    /// A file of ours holds those of the new generation; what is installed already stays beside them.
    New {
        /// Its name.
        file: &'a str,
    },
    /// The partner's own authority issued the certificate, and the partner has it.
    Theirs {
        /// The issuer as RFC 4514 text.
        issuer: &'a str,
    },
}

/// What cannot be written into a configuration.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// A name that could say something else there.
    #[error("`{name}` cannot be written into a gateway's configuration: it is not a host name")]
    Name {
        /// The name, made fit to be shown.
        name: String,
    },
    /// Nothing to compare, so that everybody of the authority would come in.
    #[error(
        "{product} would admit by authority and name, but the {which} certificate `{subject}` bears no {wanted} \
         that can be compared: pin the certificate, or issue one with such a name"
    )]
    NoName {
        /// Where.
        product: GatewayProduct,
        /// `new` or `present`.
        which: &'static str,
        /// Its subject.
        subject: String,
        /// What is missing.
        wanted: &'static str,
    },
}

impl<'a> Order<'a> {
    /// The new generation and, beside it, the present one.
    pub(super) fn both(&self) -> impl Iterator<Item = (&'static str, &'a CertificateFacts)> {
        std::iter::once(("new", self.new)).chain(self.present.map(|p| ("present", p)))
    }

    /// A line for each generation.
    pub(super) fn each(&self, line: impl Fn(&str, &CertificateFacts) -> String) -> String {
        self.both()
            .map(|(which, certificate)| line(which, certificate))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// The generations' words with something between them.
    pub(super) fn list(&self, between: &str, word: impl Fn(&CertificateFacts) -> String) -> String {
        self.both()
            .map(|(_, certificate)| word(certificate))
            .collect::<Vec<_>>()
            .join(between)
    }

    /// The new certificate is its own authority.
    pub(super) fn self_signed(&self) -> bool {
        self.new.self_issued
    }

    /// It is, and says of itself that it is no authority.
    pub(super) fn self_signed_leaf(&self) -> bool {
        self.new.self_issued && !self.new.is_ca
    }

    /// The very certificates are compared, not their authority and name.
    pub(super) fn pinned(&self) -> bool {
        self.pin == PinType::Certificate
    }

    /// Names of the certificates as this product compares them, each once.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.both().flat_map(|(_, c)| self.names_of(c)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn names_of(&self, certificate: &CertificateFacts) -> Vec<String> {
        if self.by_common_name() {
            common_name(&certificate.subject).into_iter().collect()
        } else {
            certificate.dns_names.clone()
        }
    }

    /// Whether it sees the subject only, and no subjectAltName.
    fn by_common_name(&self) -> bool {
        use GatewayProduct as P;
        matches!(
            self.product,
            P::ApigeeEdge
                | P::AwsAlb
                | P::AwsApiGateway
                | P::AzureApplicationGateway
                | P::Cloudflare
                | P::F5
                | P::Haproxy
                | P::Iis
                | P::Nginx
        )
    }

    /// Whether names are written into its configuration.
    fn compares_names(&self) -> bool {
        match self.product {
            GatewayProduct::Kong => true,
            // It compares certificates only, and the rest is said in prose.
            GatewayProduct::Traefik | GatewayProduct::Other => false,
            _ => !self.pinned(),
        }
    }

    /// Beginnings of the paths that are let through.
    pub(super) fn paths(&self) -> &'static [&'static str] {
        match self.oauth {
            true => &["/rest/", "/plugins/servlet/oauth/"],
            false => &["/rest/"],
        }
    }

    /// The paths in a sentence.
    pub(super) fn paths_in_words(&self) -> String {
        let paths: Vec<_> = self.paths().iter().map(|p| format!("{p}**")).collect();
        paths.join(" and ")
    }

    /// What goes into the gateway's file of authorities, in words.
    pub(super) fn anchors_in_words(&self) -> String {
        let why = match self.self_signed() {
            true => "a self-signed certificate is its own authority",
            false => "authorities up to the root; the certificate itself is no anchor",
        };
        match self.anchors {
            Anchors::All { file } => format!("{file} ({why})"),
            Anchors::New { file } if self.present.is_some() => {
                format!("{file} ({why}), added to what is there, which stays")
            }
            Anchors::New { file } => format!("{file} ({why})"),
            Anchors::Theirs { issuer } => {
                format!("the certificates of {} and its root", one_line(issuer))
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), Unfit> {
        fit(self.host)?;
        if !self.compares_names() {
            return Ok(());
        }
        for (which, certificate) in self.both() {
            let names = self.names_of(certificate);
            names.iter().try_for_each(|name| fit(name))?;
            if names.is_empty() {
                return Err(Unfit::NoName {
                    product: self.product,
                    which,
                    subject: one_line(&certificate.subject),
                    wanted: match self.by_common_name() {
                        true => "common name",
                        false => "dNSName",
                    },
                });
            }
        }
        Ok(())
    }
}

/// The host of an endpoint, as certificates and virtual hosts name it.
pub fn host_of(endpoint: &str) -> &str {
    let rest = endpoint.strip_prefix("https://").unwrap_or(endpoint);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    match authority.rsplit_once(':') {
        // The last colon of a bare IPv6 address is no port's.
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    }
}

/// The value of the only common name in an RFC 4514 text.
fn common_name(subject: &str) -> Option<String> {
    let (mut parts, mut part, mut escaped) = (Vec::new(), String::new(), false);
    for c in subject.chars() {
        match c {
            ',' | '+' if !escaped => parts.push(std::mem::take(&mut part)),
            c => part.push(c),
        }
        escaped = c == '\\' && !escaped;
    }
    parts.push(part);
    let mut names = parts
        .iter()
        .filter_map(|part| part.trim_start().strip_prefix("CN="));
    match (names.next(), names.next()) {
        (Some(name), None) => Some(name.to_owned()),
        _ => None,
    }
}

fn fit(name: &str) -> Result<(), Unfit> {
    is_host_name(name).then_some(()).ok_or_else(|| Unfit::Name {
        name: one_line(name),
    })
}

/// Letters, digits and hyphens between dots, perhaps with a wildcard in front; or an address.
fn is_host_name(name: &str) -> bool {
    let bare = name.strip_prefix("*.").unwrap_or(name);
    let bracketed = bare.strip_prefix('[').and_then(|b| b.strip_suffix(']'));
    if bracketed.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok()) {
        return true;
    }
    !bare.is_empty()
        && bare.len() <= 253
        && bare.split('.').all(|label| {
            !label.is_empty()
                && label
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_an_endpoint_has_no_port_and_no_path() {
        for (endpoint, host) in [
            ("https://jira.example:8443/jira", "jira.example"),
            ("https://jira.example", "jira.example"),
            ("https://[2001:db8::1]:443/", "[2001:db8::1]"),
            ("https://[2001:db8::1]", "[2001:db8::1]"),
        ] {
            assert_eq!(host_of(endpoint), host);
        }
    }

    #[test]
    fn a_common_name_is_read_past_escapes_and_only_when_there_is_one() {
        for (subject, wanted) in [
            ("CN=a.example,O=Acme", Some("a.example")),
            ("O=Acme\\, CN\\=b,CN=a.example", Some("a.example")),
            ("O=x\\,CN=b,CN=a.example", Some("a.example")),
            ("CN=a+CN=b", None),
            ("O=Acme", None),
        ] {
            assert_eq!(common_name(subject).as_deref(), wanted, "{subject}");
        }
    }
}
