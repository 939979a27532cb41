//! Names for certificates and requests. A name that would be refused later, by an issuer, a gateway or a
//! reader of the standard, is refused here.

use rcgen::{DistinguishedName, DnType, SanType};

use crate::model::{EmailAddress, SubjectRequest, one_line};

/// ub-common-name and ub-organization-name (RFC 5280 appendix A.1), in characters.
const LONGEST_ATTRIBUTE: usize = 64;

/// The most dNSName entries of one certificate.
const MOST_NAMES: usize = 100;

/// A subject that no certificate can have.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubjectError {
    /// An attribute is empty.
    #[error("the {attribute} is empty")]
    Empty {
        /// Which.
        attribute: &'static str,
    },
    /// Not a host name (RFC 1123 §2.1), nor one with `*` for its first label.
    #[error(
        "`{name}` is no host name: use labels of letters, digits and `-` between dots (`xn--` for others), at most with `*.` in front"
    )]
    NoHostName {
        /// What was given.
        name: String,
    },
    /// Gateways compare subjectAltName; a certificate that only has a common name matches nothing.
    #[error(
        "the certificate would have no host name: give one, or make the common name one, like `align.example.com`"
    )]
    NoNames,
    /// An attribute is longer than the standard allows.
    #[error(
        "the {attribute} has {found} characters, more than the {limit} of RFC 5280; shorten it, long host names may stand in the list of host names alone"
    )]
    TooLong {
        /// Which.
        attribute: &'static str,
        /// How long it is.
        found: usize,
        /// What is allowed.
        limit: usize,
    },
    /// Too many host names.
    #[error("{found} host names were given; at most {limit} go into one certificate")]
    TooManyNames {
        /// How many there are.
        found: usize,
        /// What is allowed.
        limit: usize,
    },
    /// An attribute with control or invisible characters, or spaces at an end.
    #[error("the {attribute} `{text}` has control or invisible characters, or a space at its end")]
    Unprintable {
        /// Which.
        attribute: &'static str,
        /// What was given, made printable.
        text: String,
    },
}

/// The organisation, if any, then the common name, as UTF8String (RFC 5280 §4.1.2.4).
pub(super) fn distinguished_name(
    common_name: &str,
    organization: Option<&str>,
) -> Result<DistinguishedName, SubjectError> {
    let mut name = DistinguishedName::new();
    if let Some(organization) = organization {
        name.push(
            DnType::OrganizationName,
            attribute("organisation", organization)?,
        );
    }
    name.push(DnType::CommonName, attribute("common name", common_name)?);
    Ok(name)
}

fn attribute<'a>(attribute: &'static str, text: &'a str) -> Result<&'a str, SubjectError> {
    let found = text.chars().count();
    if found == 0 {
        return Err(SubjectError::Empty { attribute });
    }
    if found > LONGEST_ATTRIBUTE {
        return Err(SubjectError::TooLong {
            attribute,
            found,
            limit: LONGEST_ATTRIBUTE,
        });
    }
    if one_line(text) != text {
        return Err(SubjectError::Unprintable {
            attribute,
            text: one_line(text),
        });
    }
    Ok(text)
}

/// The dNSName entries: the common name when it is a host name, then the others, each once. Never none.
pub(super) fn host_names(subject: &SubjectRequest) -> Result<Vec<SanType>, SubjectError> {
    let mut names: Vec<&str> = Vec::new();
    let common_name = Some(subject.common_name.as_str()).filter(|name| is_host_name(name));
    for name in common_name
        .into_iter()
        .chain(subject.dns_names.iter().map(String::as_str))
    {
        if !is_host_name(name) {
            return Err(SubjectError::NoHostName {
                name: one_line(name),
            });
        }
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return Err(SubjectError::NoNames);
    }
    if names.len() > MOST_NAMES {
        return Err(SubjectError::TooManyNames {
            found: names.len(),
            limit: MOST_NAMES,
        });
    }
    names
        .into_iter()
        .map(|name| {
            name.try_into()
                .map(SanType::DnsName)
                .map_err(|_| SubjectError::NoHostName {
                    name: one_line(name),
                })
        })
        .collect()
}

/// The one rfc822Name entry of a certificate that signs mail.
pub(super) fn mailbox(address: &EmailAddress) -> Result<SanType, SubjectError> {
    address
        .as_str()
        .try_into()
        .map(SanType::Rfc822Name)
        .map_err(|_| SubjectError::Unprintable {
            attribute: "e-mail address",
            text: one_line(address.as_str()),
        })
}

/// Two labels at least: a common name of one word is a title, not a host.
fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let host = name.strip_prefix("*.").unwrap_or(name);
    name.len() <= 253 && host.contains('.') && host.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(common_name: &str, dns_names: &[&str]) -> SubjectRequest {
        SubjectRequest {
            common_name: common_name.to_owned(),
            organization: None,
            dns_names: dns_names.iter().map(|n| (*n).to_owned()).collect(),
        }
    }

    fn names(subject: &SubjectRequest) -> Vec<String> {
        host_names(subject)
            .unwrap()
            .into_iter()
            .map(|san| match san {
                SanType::DnsName(name) => name.as_str().to_owned(),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_common_name_that_is_a_host_name_comes_first_and_once() {
        let subject = subject("a.example.com", &["b.example.com", "A.example.com"]);
        assert_eq!(names(&subject), ["a.example.com", "b.example.com"]);
    }

    #[test]
    fn a_common_name_that_is_a_title_is_no_host_name() {
        let subject = subject("Jira connector", &["*.example.com"]);
        assert_eq!(names(&subject), ["*.example.com"]);
    }

    #[test]
    fn a_certificate_without_a_host_name_is_refused() {
        let refused = host_names(&subject("Jira connector", &[]));
        assert!(matches!(refused, Err(SubjectError::NoNames)));
    }

    #[test]
    fn what_is_no_host_name_is_refused() {
        for bad in [
            "",
            "a b.c",
            "ä.example",
            "a..b",
            "-a.b",
            "a.b-",
            "a.*.b",
            "**.b",
            "a_b.c",
            "x",
            ".a.b",
            "a.b.",
            &format!("{}.b", "a".repeat(64)),
        ] {
            let refused = host_names(&subject("a.example", &[bad]));
            assert!(
                matches!(refused, Err(SubjectError::NoHostName { .. })),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn an_attribute_that_no_reader_would_take_is_refused() {
        let long = "x".repeat(LONGEST_ATTRIBUTE + 1);
        for bad in ["", " a", "a\nb", "a\u{202e}b", long.as_str()] {
            assert!(distinguished_name(bad, None).is_err(), "{bad:?}");
            assert!(distinguished_name("a", Some(bad)).is_err(), "{bad:?}");
        }
        assert!(distinguished_name("Überwachung", Some("Acme")).is_ok());
    }
}
