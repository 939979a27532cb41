//! The account at Jira: one attempt, and what Jira says of it. Jira locks an account by CAPTCHA after a few
//! failures, so nothing here is ever tried twice.

mod file;
mod frames;
mod oauth;
mod problem;
#[cfg(test)]
mod tests;

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::Method;
use jiff::Timestamp;
use zeroize::Zeroizing;

pub use self::file::{AccountFault, AccountFile};
use self::oauth::Link;
pub(super) use self::oauth::Moment;
use super::{
    classify::{Answer, classify},
    conclude::conclude,
    dial::Target,
    http::{Call, Private},
    observation::{Conversation, Ending, Presented, Reply},
};
use crate::model::{Check, Finding, Outcome, Role, Sureness, one_line};

/// What is shown to Jira itself, behind the gateway.
pub enum Account {
    /// Name and password in every request (RFC 7617).
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: Zeroizing<String>,
    },
    /// A personal access token (RFC 6750).
    Token {
        /// The token.
        token: Zeroizing<String>,
    },
    /// Name and password once, for a cookie.
    Cookie {
        /// The name.
        user: String,
        /// The password.
        password: Zeroizing<String>,
    },
    /// A signature, as application links want it (RFC 5849).
    Oauth1(Link),
}

/// The one attempt, ready to be sent.
pub(super) struct Attempt {
    pub(super) call: Call,
    pub(super) private: Private,
    /// What was signed, where something was.
    signed: Option<Zeroizing<String>>,
}

impl Account {
    /// The word by which the file calls it.
    pub fn method(&self) -> &'static str {
        match self {
            Self::Basic { .. } => "basic",
            Self::Token { .. } => "token",
            Self::Cookie { .. } => "cookie",
            Self::Oauth1(_) => "oauth1",
        }
    }

    /// The one attempt; an error when the key does not sign.
    pub(super) fn attempt(&self, target: &Target, moment: &Moment) -> Result<Attempt, rsa::Error> {
        let base = &target.base;
        let get = |authorization, signed| Attempt {
            call: Call {
                method: Method::GET,
                path: format!("{base}/rest/api/2/myself"),
                json: None,
            },
            private: Private {
                authorization: Some(authorization),
                json: None,
            },
            signed,
        };
        Ok(match self {
            Self::Basic { user, password } => {
                let pair = Zeroizing::new(format!("{user}:{}", password.as_str()));
                let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
                get(Zeroizing::new(format!("Basic {}", encoded.as_str())), None)
            }
            Self::Token { token } => {
                get(Zeroizing::new(format!("Bearer {}", token.as_str())), None)
            }
            Self::Oauth1(link) => {
                let url = oauth::url(target, &format!("{base}/rest/api/2/myself"));
                let signed = link.sign("GET", &url, moment)?;
                get(signed.authorization, Some(signed.base))
            }
            Self::Cookie { user, password } => {
                let quoted = |text: &str| Zeroizing::new(serde_json::Value::from(text).to_string());
                let (user, password) = (quoted(user), quoted(password));
                Attempt {
                    call: Call {
                        method: Method::POST,
                        path: format!("{base}/rest/auth/1/session"),
                        json: None,
                    },
                    private: Private {
                        authorization: None,
                        json: Some(Zeroizing::new(format!(
                            "{{\"username\":{},\"password\":{}}}",
                            user.as_str(),
                            password.as_str()
                        ))),
                    },
                    signed: None,
                }
            }
        })
    }

    /// What is said where the key did not sign, and nothing was sent.
    pub(super) fn unsigned(&self, why: &rsa::Error) -> Finding {
        let seen = format!(
            "{}: nothing was sent, for the private key does not sign: {why}",
            self.method()
        );
        Finding::good(Check::Account, seen)
            .outcome(Outcome::Bad)
            .mend(
                Role::Ops,
                "give the key that belongs to the public key in Jira's application link",
            )
    }

    /// What Jira said of it. `at` is the time by our clock.
    pub(super) fn judge(&self, attempt: &Attempt, seen: &Conversation, at: Timestamp) -> Finding {
        let method = self.method();
        let Ending::Answered(reply) = &seen.ending else {
            let why = conclude(seen, Presented::Ours).explanation;
            return Finding::good(Check::Account, format!("{method}: {why}"))
                .outcome(Outcome::Unknown);
        };
        // Jira's provider of OAuth says this, also where a gateway strips Jira's headers.
        if let Some(signed) = &attempt.signed
            && let Some(problem) = problem::said(reply)
        {
            return problem.finding(reply, signed, at);
        }
        if matches!(classify(reply), Answer::Jira { .. }) {
            return of_jira(method, reply);
        }
        Finding::good(
            Check::Account,
            format!(
                "{method}: the gateway, not Jira, answered {}: what is in front takes credentials for its own",
                reply.status
            ),
        )
        .outcome(Outcome::Bad)
        .doubted(Sureness::Likely, "the answer bears no header of Jira")
        .mend(
            Role::JiraSec,
            "let Authorization and Cookie through to Jira, and remove the gateway's own authentication from /rest/**",
        )
    }
}

fn of_jira(method: &str, reply: &Reply) -> Finding {
    let header = |name| reply.header(name).map(one_line).unwrap_or_default();
    let (reason, denied) = (
        header("x-seraph-loginreason"),
        header("x-authentication-denied-reason"),
    );
    let status = reply.status;
    let found = |seen: String| Finding::good(Check::Account, format!("{method}: {seen}"));
    // The reason goes before the status: Jira answers 200 to a denied login where the page is public.
    if denied.contains("CAPTCHA") || reason.contains("AUTHENTICATION_DENIED") {
        return found(format!(
            "Jira answered {status} and did not even look at the password: the account is locked by CAPTCHA"
        ))
        .outcome(Outcome::Bad)
        .mend(
            Role::JiraMgr,
            "reset the failed login count of the proxy account, or log in with it once in a browser; then try again once",
        );
    }
    if reason.contains("AUTHENTICATED_FAILED") || matches!(status, 401 | 403) {
        let why = if reason.is_empty() {
            String::new()
        } else {
            format!(" ({reason})")
        };
        return found(format!(
            "Jira answered {status}{why}: it does not take these credentials; nothing more was tried"
        ))
        .outcome(Outcome::Bad)
        .mend(
            Role::JiraMgr,
            "check the proxy account's name, password or token and that this method is allowed; do not try again before, for a few failures lock it",
        );
    }
    if (200..300).contains(&status) && header("x-ausername") != "anonymous" {
        return found(format!("Jira answered {status}: logged in"));
    }
    found(format!(
        "Jira answered {status}, which says nothing of the credentials"
    ))
    .outcome(Outcome::Unknown)
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("method", &self.method())
            .finish_non_exhaustive()
    }
}
