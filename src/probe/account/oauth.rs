//! A request signed by RSA-SHA1 (RFC 5849 §3.4), as application links of Jira want it. What is signed is made of its
//! arguments alone: nonce and time are given.

use std::fmt;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rsa::PrivateKey;
use sha1::Sha1;
use zeroize::Zeroizing;

use crate::probe::dial::Target;

/// RFC 5849 §3.6: letters, digits and these four stay as they are.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// An application link that lets us in: who we are to it, for whom we speak, and what we sign with.
pub struct Link {
    consumer_key: String,
    token: Zeroizing<String>,
    // It wipes itself; in one place, so that moving the account leaves no copy behind.
    key: Box<PrivateKey>,
}

/// When a request is signed, and what makes it the only one of its kind (RFC 5849 §3.3).
#[derive(Clone, Debug)]
pub(in crate::probe) struct Moment {
    /// Seconds since 1970.
    pub(in crate::probe) timestamp: i64,
    /// Never used twice.
    pub(in crate::probe) nonce: String,
}

impl Moment {
    /// With a random nonce.
    pub(in crate::probe) fn at(time: Timestamp) -> Self {
        let mut random = [0; 12];
        // A nonce need not be secret, only new: where the source fails, the time is new enough for the one attempt.
        if SystemRandom::new().fill(&mut random).is_err() {
            random.copy_from_slice(&time.as_nanosecond().to_be_bytes()[4..]);
        }
        Self {
            timestamp: time.as_second(),
            nonce: hex::encode(random),
        }
    }

    /// The time.
    pub(in crate::probe) fn time(&self) -> Timestamp {
        Timestamp::from_second(self.timestamp).unwrap_or_default()
    }
}

/// A signature, and what it was made over.
pub(super) struct Signed {
    /// The value of `Authorization`.
    pub(super) authorization: Zeroizing<String>,
    /// The signature base string. The token is in it.
    pub(super) base: Zeroizing<String>,
}

impl Link {
    pub(super) fn new(consumer_key: String, token: Zeroizing<String>, key: PrivateKey) -> Self {
        Self {
            consumer_key,
            token,
            key: Box::new(key),
        }
    }

    /// Consumer key, token and private key.
    pub(super) fn parts(&self) -> (&str, &str, &PrivateKey) {
        (&self.consumer_key, &self.token, &self.key)
    }

    /// Signs a request without query and body.
    pub(super) fn sign(
        &self,
        method: &str,
        url: &str,
        moment: &Moment,
    ) -> Result<Signed, rsa::Error> {
        let timestamp = moment.timestamp.to_string();
        let parameters = [
            ("oauth_consumer_key", self.consumer_key.as_str()),
            ("oauth_nonce", &moment.nonce),
            ("oauth_signature_method", "RSA-SHA1"),
            ("oauth_timestamp", &timestamp),
            ("oauth_token", &self.token),
            ("oauth_version", "1.0"),
        ];
        let base = base_string(method, url, &parameters);
        // Blinded: the crate is taken with its source of randomness.
        let signature = STANDARD.encode(self.key.pkcs1v15_sign::<Sha1>(base.as_bytes())?);
        let mut authorization = Zeroizing::new(String::with_capacity(1024));
        authorization.push_str("OAuth ");
        for (name, value) in parameters {
            push_parameter(&mut authorization, name, value);
            authorization.push_str(", ");
        }
        push_parameter(&mut authorization, "oauth_signature", &signature);
        Ok(Signed {
            authorization,
            base,
        })
    }
}

fn push_parameter(to: &mut String, name: &str, value: &str) {
    to.push_str(name);
    to.push_str("=\"");
    to.extend(utf8_percent_encode(value, ENCODED));
    to.push('"');
}

fn encoded(text: &str) -> Zeroizing<String> {
    Zeroizing::new(utf8_percent_encode(text, ENCODED).to_string())
}

/// The base string URI of RFC 5849 §3.4.1.2: the port only where it is not the usual one.
pub(super) fn url(target: &Target, path: &str) -> String {
    let host = target.host.to_ascii_lowercase();
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host
    };
    match target.port {
        443 => format!("https://{host}{path}"),
        port => format!("https://{host}:{port}{path}"),
    }
}

/// The signature base string of RFC 5849 §3.4.1.1. The parameters are all of the request's, in any order, decoded.
pub(super) fn base_string(
    method: &str,
    url: &str,
    parameters: &[(&str, &str)],
) -> Zeroizing<String> {
    let mut pairs: Vec<_> = parameters
        .iter()
        .map(|(name, value)| (encoded(name), encoded(value)))
        .collect();
    pairs.sort_by(|(a, b), (c, d)| (a.as_str(), b.as_str()).cmp(&(c.as_str(), d.as_str())));
    let mut normalized = Zeroizing::new(String::with_capacity(1024));
    for (name, value) in &pairs {
        if !normalized.is_empty() {
            normalized.push('&');
        }
        normalized.push_str(name);
        normalized.push('=');
        normalized.push_str(value);
    }
    Zeroizing::new(format!(
        "{}&{}&{}",
        method.to_ascii_uppercase(),
        utf8_percent_encode(url, ENCODED),
        encoded(&normalized).as_str()
    ))
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("consumer_key", &self.consumer_key)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_string_is_that_of_the_standards_example() {
        // RFC 5849 §3.4.1.1, with the parameters of §3.4.1.3.1 as they are after decoding.
        let parameters = [
            ("b5", "=%3D"),
            ("a3", "a"),
            ("c@", ""),
            ("a2", "r b"),
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
            ("c2", ""),
            ("a3", "2 q"),
        ];
        let base = base_string("post", "http://example.com/request", &parameters);
        assert_eq!(
            base.as_str(),
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D\
             %26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1\
             %26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
        );
    }

    #[test]
    fn the_address_that_is_signed_is_in_lower_case_and_without_the_usual_port() {
        let of = |base: &str| url(&Target::parse(base).unwrap(), "/rest/api/2/myself");
        for base in [
            "https://Jira.ACME.example",
            "https://jira.acme.example:443/",
        ] {
            assert_eq!(of(base), "https://jira.acme.example/rest/api/2/myself");
        }
        assert_eq!(
            of("https://jira.example:8443"),
            "https://jira.example:8443/rest/api/2/myself"
        );
        assert_eq!(
            of("https://[2001:DB8::1]:8443"),
            "https://[2001:db8::1]:8443/rest/api/2/myself"
        );
    }

    #[test]
    fn every_moment_has_a_nonce_of_its_own() {
        let (one, other) = (
            Moment::at(Timestamp::UNIX_EPOCH),
            Moment::at(Timestamp::UNIX_EPOCH),
        );
        assert_ne!(one.nonce, other.nonce);
        assert_eq!(one.nonce.len(), 24);
    }
}
