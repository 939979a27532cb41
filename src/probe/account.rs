//! The account at Jira: one attempt, and what Jira says of it. Jira locks an account by CAPTCHA after a few
//! failures, so nothing here is ever tried twice.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::Method;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    classify::{Answer, classify},
    conclude::conclude,
    http::{Call, Private},
    observation::{Conversation, Ending, Presented, Reply},
};
use crate::model::{Check, Finding, Outcome, Role, Sureness, one_line};

/// What is shown to Jira itself, behind the gateway.
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    tag = "method"
)]
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
}

/// A text that describes no account. It repeats nothing of the text, for that may be the password.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "it describes no account (line {line}): `method` is \"basic\" or \"cookie\" with `user` and `password`, or \"token\" with `token`"
)]
pub struct AccountFault {
    /// Where.
    pub line: usize,
}

impl Account {
    /// Reads TOML.
    pub fn from_toml(text: &str) -> Result<Self, AccountFault> {
        toml::from_str(text).map_err(|error: toml::de::Error| AccountFault {
            line: error.span().map_or(1, |span| {
                text.get(..span.start)
                    .map_or(1, |before| before.matches('\n').count() + 1)
            }),
        })
    }

    fn method(&self) -> &'static str {
        match self {
            Self::Basic { .. } => "basic",
            Self::Token { .. } => "token",
            Self::Cookie { .. } => "cookie",
        }
    }

    /// The one attempt.
    pub(super) fn call(&self, base: &str) -> (Call, Private) {
        let get = |authorization| {
            (
                Call {
                    method: Method::GET,
                    path: format!("{base}/rest/api/2/myself"),
                    json: None,
                },
                Private {
                    authorization: Some(authorization),
                    json: None,
                },
            )
        };
        match self {
            Self::Basic { user, password } => {
                let pair = Zeroizing::new(format!("{user}:{}", password.as_str()));
                let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
                get(Zeroizing::new(format!("Basic {}", encoded.as_str())))
            }
            Self::Token { token } => get(Zeroizing::new(format!("Bearer {}", token.as_str()))),
            Self::Cookie { user, password } => {
                let quoted = |text: &str| Zeroizing::new(serde_json::Value::from(text).to_string());
                let (user, password) = (quoted(user), quoted(password));
                (
                    Call {
                        method: Method::POST,
                        path: format!("{base}/rest/auth/1/session"),
                        json: None,
                    },
                    Private {
                        authorization: None,
                        json: Some(Zeroizing::new(format!(
                            "{{\"username\":{},\"password\":{}}}",
                            user.as_str(),
                            password.as_str()
                        ))),
                    },
                )
            }
        }
    }

    /// What Jira said of it.
    pub(super) fn judge(&self, seen: &Conversation) -> Finding {
        let method = self.method();
        let Ending::Answered(reply) = &seen.ending else {
            let why = conclude(seen, Presented::Ours).explanation;
            return Finding::good(Check::Account, format!("{method}: {why}"))
                .outcome(Outcome::Unknown);
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Outcome, status, headers, words.
    type Case<'a> = (Outcome, u16, &'a [(&'a str, &'a str)], &'a str);

    fn seen(status: u16, headers: &[(&str, &str)]) -> Conversation {
        Conversation::ended(Ending::Answered(Reply {
            status,
            headers: headers
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
            body: String::new(),
        }))
    }

    fn token() -> Account {
        Account::from_toml("method = \"token\"\ntoken = \"hush\"").unwrap()
    }

    #[test]
    fn jiras_words_decide_before_its_status() {
        let id = ("x-arequestid", "1x1x1");
        let cases: &[Case] = &[
            (
                Outcome::Good,
                200,
                &[id, ("x-seraph-loginreason", "OK")],
                "logged in",
            ),
            (
                Outcome::Bad,
                200,
                &[id, ("x-seraph-loginreason", "AUTHENTICATION_DENIED")],
                "CAPTCHA",
            ),
            (
                Outcome::Bad,
                401,
                &[id, ("x-seraph-loginreason", "AUTHENTICATED_FAILED")],
                "does not take",
            ),
            (
                Outcome::Bad,
                403,
                &[(
                    "x-authentication-denied-reason",
                    "CAPTCHA_CHALLENGE; login-url=https://j/login",
                )],
                "CAPTCHA",
            ),
            (
                Outcome::Unknown,
                200,
                &[id, ("x-ausername", "anonymous")],
                "nothing of the credentials",
            ),
            (Outcome::Unknown, 500, &[id], "nothing of the credentials"),
            (
                Outcome::Bad,
                401,
                &[("www-authenticate", "Basic realm=gw")],
                "the gateway, not Jira",
            ),
        ];
        for (outcome, status, headers, words) in cases {
            let finding = token().judge(&seen(*status, headers));
            assert_eq!(finding.outcome, *outcome, "{finding:?}");
            assert!(finding.seen.contains(words), "{finding:?}");
        }
    }

    #[test]
    fn a_secret_is_neither_debugged_nor_in_the_fault_of_its_file() {
        assert!(!format!("{:?}", token()).contains("hush"));
        for text in [
            "method = \"token\"\ntoken = 12345678",
            "method = \"basic\"\nuser = \"align\"\npassword = \"hush",
            "method = \"basic\"\npasword = \"hush\"",
            "hush",
        ] {
            let fault = Account::from_toml(text).unwrap_err();
            let said = format!("{fault} {fault:?}");
            assert!(
                !said.contains("hush") && !said.contains("12345678"),
                "{said}"
            );
        }
    }

    #[test]
    fn a_password_with_quotes_stays_one_string() {
        let account = Account::Cookie {
            user: "align".to_owned(),
            password: Zeroizing::new("a\"b\\".to_owned()),
        };
        let (call, private) = account.call("/jira");
        assert_eq!(call.path, "/jira/rest/auth/1/session");
        let json: serde_json::Value = serde_json::from_str(&private.json.unwrap()).unwrap();
        assert_eq!(json["password"], "a\"b\\");
    }
}
