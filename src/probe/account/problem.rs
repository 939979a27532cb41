//! What Jira's provider of OAuth says of a request that it does not take, whose matter that is, and what helps.
//!
//! Of a signature that it does not take it often says what it would have signed itself. That tells the two causes
//! apart: another key, and an address that the gateway rewrites.

use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use crate::{
    model::{Check, Finding, Outcome, Role, Sureness, one_line},
    probe::observation::Reply,
};

/// One problem (the names are those of the OAuth problem reporting extension).
pub(super) struct Problem {
    name: String,
    /// What Jira signed, or would have. Our token is in it.
    base: Option<Zeroizing<String>>,
}

/// The problem in an answer: in the challenge, or as a form in the body.
pub(super) fn said(reply: &Reply) -> Option<Problem> {
    let challenge = reply
        .header("www-authenticate")
        .filter(|challenge| challenge.contains("oauth_problem"))
        .unwrap_or_default();
    let value = |key: &str| {
        let in_challenge = challenge
            .split([',', ' '])
            .find_map(|part| part.strip_prefix(key)?.strip_prefix('='));
        let in_body = || {
            reply
                .body
                .trim()
                .split('&')
                .find_map(|part| part.strip_prefix(key)?.strip_prefix('='))
        };
        let raw = in_challenge.or_else(in_body)?;
        let decoded = percent_decode_str(raw.trim().trim_matches('"')).decode_utf8_lossy();
        Some(Zeroizing::new(decoded.into_owned()))
    };
    let name = one_line(&value("oauth_problem")?);
    Some(Problem {
        name,
        base: value("oauth_signature_base_string"),
    })
}

impl Problem {
    pub(super) fn finding(&self, reply: &Reply, signed: &str, at: Timestamp) -> Finding {
        let found = |what: &str| {
            let name = &self.name;
            let seen = format!("oauth1: Jira answered {} ({name}): {what}", reply.status);
            Finding::good(Check::Account, seen).outcome(Outcome::Bad)
        };
        match self.name.as_str() {
            "signature_invalid" => self.signature(signed, found),
            "consumer_key_unknown" | "consumer_key_rejected" | "consumer_key_refused" => found(
                "no application link of this Jira has our consumer key",
            )
            .mend(
                Role::JiraMgr,
                "compare the consumer key with that of the application link's incoming authentication, in this Jira",
            ),
            "token_rejected" | "token_expired" | "token_revoked" | "token_used" => found(
                "the access token is not one that it knows, it has expired, or its user has revoked it",
            )
            .mend(
                Role::JiraMgr,
                "log in with the proxy account, authorise the application anew and hand over the new access token; one lasts five years, and is of one Jira alone",
            ),
            "timestamp_refused" => found(&format!(
                "the clocks are too far apart: ours says {at:.0}{}",
                theirs(reply, at)
            ))
            .mend(
                Role::JiraMgr,
                "set the clock of Jira's host by NTP, as ours has to be; compare both with UTC first",
            ),
            "nonce_used" => found("it has seen this very request before: something on the way sends it twice")
                .mend(
                    Role::JiraSec,
                    "have the gateway send a request once, without repeating it at another node",
                ),
            "parameter_absent" | "parameter_rejected" | "version_rejected"
            | "signature_method_rejected" => found("what we said of ourselves did not come through as we said it")
                .mend(
                    Role::JiraSec,
                    "let the header Authorization through to Jira as it is",
                ),
            "user_refused" | "permission_unknown" | "permission_denied"
            | "additional_authorization_required" => found("the account has not allowed the application to speak for it")
                .mend(
                    Role::JiraMgr,
                    "log in with the proxy account, and allow the application in Jira's authorised applications",
                ),
            _ => found("its provider of OAuth does not take the request").mend(
                Role::JiraMgr,
                "look for this word in Jira's log, beside the request's id",
            ),
        }
    }

    fn signature(&self, signed: &str, found: impl Fn(&str) -> Finding) -> Finding {
        const KEY: &str = "put the public key that belongs to our private key into the application link's incoming authentication";
        const ADDRESS: &str = "set proxyName, proxyPort and scheme of Tomcat's connector in Jira's server.xml to the address that the connector calls";
        let Some(base) = &self.base else {
            return found("the signature does not verify there: another public key, or an address that is rewritten on the way")
                .doubted(
                    Sureness::Likely,
                    "Jira does not say what it compared the signature with; its log does",
                )
                .mend(Role::JiraMgr, format!("{KEY}; and {ADDRESS}"));
        };
        if base.as_str() == signed {
            return found("it compared the signature with what we signed, so the public key there is not that of our private key")
                .mend(Role::JiraMgr, KEY);
        }
        let (ours, theirs) = (address(signed), address(base));
        if ours == theirs {
            return found("a parameter was added to the request, or altered, on the way").mend(
                Role::JiraSec,
                "have the gateway add nothing to the query, and leave Authorization as it is",
            );
        }
        let rewritten = found(&format!(
            "we signed `{ours}`, and it was asked for `{theirs}`: the address is rewritten on the way"
        ));
        if path(&ours) == path(&theirs) {
            rewritten.mend(Role::JiraMgr, ADDRESS)
        } else {
            rewritten.mend(
                Role::JiraSec,
                "let the path through as it is: the signature is over the path that the connector calls",
            )
        }
    }
}

/// Method and address of a base string; not the parameters, among which is the token.
fn address(base: &str) -> String {
    let mut parts = base.split('&');
    let (method, url) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    one_line(&format!(
        "{method} {}",
        percent_decode_str(url).decode_utf8_lossy()
    ))
}

/// The path of an address.
fn path(address: &str) -> Option<&str> {
    let (_, after) = address.split_once("://")?;
    after.find('/').map(|start| &after[start..])
}

/// How far their clock is from ours, where their answer says what time it was.
fn theirs(reply: &Reply, at: Timestamp) -> String {
    let date = reply.header("date").and_then(|text| {
        let parsed = jiff::fmt::rfc2822::parse(text).ok()?;
        Some(parsed.timestamp())
    });
    date.map_or_else(String::new, |date| {
        format!(
            ", theirs {date:.0} ({} minutes apart)",
            (date.as_second() - at.as_second()).abs() / 60
        )
    })
}
