//! Who answered: Jira, the gateway in front of it, or something else. Pure; judged by status, headers and the
//! beginning of the body.

use serde_json::Value;

use super::{observation::Reply, signatures};

/// Who answered, and what that is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Answer {
    /// Jira, or something behind the gateway that speaks like it.
    Jira {
        /// By the body only: the gateway strips Jira's headers.
        stripped: bool,
        /// `X-AREQUESTID`: the same value stands in Jira's access log.
        request_id: Option<String>,
    },
    /// The gateway's words about our certificate.
    CertificateRefused {
        /// What was recognised, as a clause.
        said: &'static str,
    },
    /// The gateway forbids, and does not say why.
    Forbidden,
    /// The gateway wants another authentication than the handshake's.
    SecondAuthentication {
        /// What it asks for.
        challenge: String,
    },
    /// A page for people to log in.
    LoginPage,
    /// Sent elsewhere, as single sign-on does.
    Redirected {
        /// Where, without query.
        to: String,
    },
    /// The gateway does not know this path or method, or a filter refuses the request.
    NotRouted {
        /// What was recognised, as a clause.
        said: &'static str,
    },
    /// The gateway let us through, but what is behind it does not answer.
    NothingBehind,
    /// None of these.
    Unknown,
}

/// Headers that only Jira sets, each of which is proof enough.
const JIRA: &[&str] = &[
    "x-arequestid",
    "x-anodeid",
    "x-asessionid",
    "x-seraph-loginreason",
    "x-authentication-denied-reason",
    "atl-traceid",
];

/// Headers worth keeping: who answered, and by what the request can be found in their logs.
const KEPT: &[&str] = &[
    "atl-traceid",
    "cf-ray",
    "content-type",
    "location",
    "retry-after",
    "server",
    "via",
    "www-authenticate",
    "x-amz-apigw-id",
    "x-amzn-errortype",
    "x-amzn-requestid",
    "x-anodeid",
    "x-arequestid",
    "x-asessionid",
    "x-authentication-denied-reason",
    "x-azure-ref",
    "x-envoy-upstream-service-time",
    "x-failure-category",
    "x-powered-by",
    "x-request-id",
    "x-seraph-loginreason",
];

/// Whether a header of this name (in lower case) goes into the evidence.
pub(super) fn is_kept(name: &str) -> bool {
    KEPT.contains(&name)
}

/// Says who answered.
pub(super) fn classify(reply: &Reply) -> Answer {
    if let Some(jira) = jira(reply) {
        return jira;
    }
    if let Some(answer) = signatures::recognise(reply) {
        return answer;
    }
    match reply.status {
        300..=399 => Answer::Redirected {
            to: reply
                .header("location")
                .map_or_else(|| "nowhere".to_owned(), without_query),
        },
        // Pages for people come with 200 and with 401 alike; a challenge is for programs.
        401 | 407 => Answer::SecondAuthentication {
            challenge: reply
                .header("www-authenticate")
                .or_else(|| reply.header("proxy-authenticate"))
                .map_or_else(
                    || format!("status {}", reply.status),
                    crate::model::one_line,
                ),
        },
        403 => Answer::Forbidden,
        404 | 405 | 413 | 501 => Answer::NotRouted {
            said: match reply.status {
                404 => "it knows no such path",
                405 => "it does not let this method through",
                413 => "the body is too large for it",
                _ => "it does not know this method",
            },
        },
        502..=504 | 520..=527 => Answer::NothingBehind,
        200..=299 if is_html(reply) => Answer::LoginPage,
        _ => Answer::Unknown,
    }
}

fn jira(reply: &Reply) -> Option<Answer> {
    let request_id = reply.header("x-arequestid").map(crate::model::one_line);
    let by_header = JIRA.iter().any(|name| reply.headers.contains_key(*name))
        || reply
            .header("www-authenticate")
            .is_some_and(|c| c.trim_start().starts_with("OAuth "));
    (by_header || speaks_like_jira(&reply.body)).then_some(Answer::Jira {
        stripped: !by_header,
        request_id,
    })
}

/// The shape of serverInfo, or of Jira's errors.
fn speaks_like_jira(body: &str) -> bool {
    let Ok(Value::Object(object)) = serde_json::from_str(body) else {
        return false;
    };
    let text = |key| object.get(key).is_some_and(Value::is_string);
    (text("baseUrl") && text("version"))
        || (object.get("errorMessages").is_some_and(Value::is_array)
            && object.get("errors").is_some_and(Value::is_object))
}

fn is_html(reply: &Reply) -> bool {
    reply
        .header("content-type")
        .is_some_and(|t| t.to_ascii_lowercase().contains("html"))
        || reply
            .body
            .trim_start()
            .to_ascii_lowercase()
            .starts_with("<!doctype html")
}

/// A redirect's query may bear tokens.
fn without_query(location: &str) -> String {
    let end = location.find(['?', '#']).unwrap_or(location.len());
    crate::model::one_line(&location[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
        Reply {
            status,
            headers: headers
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    fn kind(answer: &Answer) -> &'static str {
        match answer {
            Answer::Jira {
                stripped: false, ..
            } => "jira",
            Answer::Jira { stripped: true, .. } => "jira, stripped",
            Answer::CertificateRefused { .. } => "refused",
            Answer::Forbidden => "forbidden",
            Answer::SecondAuthentication { .. } => "second authentication",
            Answer::LoginPage => "login page",
            Answer::Redirected { .. } => "redirected",
            Answer::NotRouted { .. } => "not routed",
            Answer::NothingBehind => "nothing behind",
            Answer::Unknown => "unknown",
        }
    }

    #[test]
    fn recorded_answers_tell_who_gave_them() {
        let html = ("content-type", "text/html");
        let nginx = ("server", "nginx/1.22.1");
        let cases: &[(&str, Reply)] = &[
            ("jira", reply(200, &[("x-arequestid", "918x3263561x2")], "")),
            ("jira", reply(401, &[("x-seraph-loginreason", "OUT")], "")),
            (
                "jira",
                reply(
                    401,
                    &[("www-authenticate", "OAuth realm=\"https%3A%2F%2Fjira\"")],
                    "",
                ),
            ),
            (
                "jira",
                reply(404, &[("x-anodeid", "node1"), html], "<html>"),
            ),
            ("jira", reply(503, &[("atl-traceid", "a1b2")], "")),
            (
                "jira, stripped",
                reply(
                    200,
                    &[nginx],
                    r#"{"baseUrl":"https://j","version":"9.12.0"}"#,
                ),
            ),
            (
                "jira, stripped",
                reply(
                    404,
                    &[],
                    r#"{"errorMessages":["Issue Does Not Exist"],"errors":{}}"#,
                ),
            ),
            (
                "refused",
                reply(
                    400,
                    &[html, nginx],
                    "<html><head><title>400 No required SSL certificate was sent</title></head>",
                ),
            ),
            (
                "refused",
                reply(
                    400,
                    &[html, nginx],
                    "<html><head><title>400 The SSL certificate error</title></head>",
                ),
            ),
            ("refused", reply(403, &[], "Invalid client certificate")),
            (
                "refused",
                reply(
                    400,
                    &[("server", "Microsoft-Azure-Application-Gateway/v2")],
                    "",
                ),
            ),
            (
                "refused",
                reply(
                    403,
                    &[("x-amzn-errortype", "ForbiddenException")],
                    r#"{"message":"Forbidden"}"#,
                ),
            ),
            (
                "refused",
                reply(403, &[html], "<h2>HTTP Error 403.16 - Forbidden</h2>"),
            ),
            (
                "refused",
                reply(403, &[("server", "istio-envoy")], "RBAC: access denied"),
            ),
            (
                "refused",
                reply(
                    401,
                    &[],
                    r#"{"message":"TLS certificate failed verification"}"#,
                ),
            ),
            (
                "forbidden",
                reply(
                    403,
                    &[html],
                    "<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.",
                ),
            ),
            (
                "forbidden",
                reply(
                    403,
                    &[html, nginx],
                    "<center><h1>403 Forbidden</h1></center>",
                ),
            ),
            (
                "second authentication",
                reply(401, &[("www-authenticate", "Basic realm=\"gw\"")], ""),
            ),
            (
                "second authentication",
                reply(401, &[("www-authenticate", "Bearer")], ""),
            ),
            (
                "second authentication",
                reply(
                    401,
                    &[],
                    r#"{"statusCode":401,"message":"Access denied due to missing subscription key. Make sure…"}"#,
                ),
            ),
            (
                "second authentication",
                reply(401, &[], r#"{"message":"No API key found in request"}"#),
            ),
            (
                "login page",
                reply(200, &[html], "<html><form action=/login>"),
            ),
            (
                "login page",
                reply(200, &[], "<!DOCTYPE html><title>Sign in</title>"),
            ),
            (
                "redirected",
                reply(
                    302,
                    &[("location", "https://idp.example/saml?SAMLRequest=abc")],
                    "",
                ),
            ),
            (
                "not routed",
                reply(
                    404,
                    &[],
                    r#"{"fault":{"detail":{"errorcode":"messaging.adaptors.http.flow.ApplicationNotFound"}}}"#,
                ),
            ),
            (
                "not routed",
                reply(
                    403,
                    &[("x-amzn-errortype", "MissingAuthenticationTokenException")],
                    r#"{"message":"Missing Authentication Token"}"#,
                ),
            ),
            (
                "not routed",
                reply(
                    200,
                    &[html],
                    "The requested URL was rejected. Your support ID is: 42",
                ),
            ),
            ("not routed", reply(405, &[], "")),
            ("not routed", reply(413, &[html, nginx], "")),
            (
                "nothing behind",
                reply(502, &[html, nginx], "<h1>502 Bad Gateway</h1>"),
            ),
            (
                "nothing behind",
                reply(
                    503,
                    &[("server", "envoy")],
                    "upstream connect error or disconnect/reset before headers",
                ),
            ),
            (
                "nothing behind",
                reply(526, &[("server", "cloudflare")], ""),
            ),
            (
                "unknown",
                reply(200, &[("content-type", "application/json")], "{}"),
            ),
            ("unknown", reply(200, &[], r#"{"version":1,"baseUrl":2}"#)),
            ("unknown", reply(500, &[], "")),
        ];
        for (wanted, reply) in cases {
            assert_eq!(kind(&classify(reply)), *wanted, "{reply:?}");
        }
    }

    #[test]
    fn a_redirects_query_is_not_kept() {
        let answer = classify(&reply(
            302,
            &[("location", "https://idp.example/x?SAMLRequest=abc#f")],
            "",
        ));
        assert_eq!(
            answer,
            Answer::Redirected {
                to: "https://idp.example/x".to_owned()
            }
        );
    }
}
