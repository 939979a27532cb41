//! A stand-in for Jira: it answers like one as far as a connector and a probe can tell, and keeps nothing.
//!
//! Jira's own authentication is left out: what is shown here ends at the gate in front of it. So a call of the
//! connector is answered to anybody who got past the gate.

use std::sync::atomic::{AtomicU64, Ordering};

use http_body_util::Full;
use hyper::{
    Method, Response, StatusCode,
    body::Bytes,
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
};
use serde_json::{Value, json};

/// Jira behind the gateway.
pub(super) struct Jira {
    base: String,
    requests: AtomicU64,
}

impl Jira {
    /// One that believes to be reached at this URL.
    pub(super) fn new(base: String) -> Self {
        Self {
            base,
            requests: AtomicU64::new(0),
        }
    }

    /// Answers a request that the gateway let through. Bodies are of no interest.
    pub(super) fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        let (status, body) = self.resource(method, path);
        let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, constant("application/json;charset=UTF-8"));
        // Minute of the day, request, and how many are under way: the form in which Jira's access log has it.
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        if let Ok(id) = HeaderValue::try_from(format!("1x{number}x1")) {
            headers.insert("x-arequestid", id);
        }
        headers.insert("x-anodeid", constant("demo1"));
        let reason = match status {
            StatusCode::UNAUTHORIZED => "AUTHENTICATED_FAILED",
            _ => "OK",
        };
        headers.insert("x-seraph-loginreason", constant(reason));
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, constant("GET, POST, PUT, DELETE"));
        }
        response
    }

    fn resource(&self, method: &Method, path: &str) -> (StatusCode, Value) {
        let issue = json!({"id": "10001", "key": "DEMO-1", "fields": {"summary": "Keep calling"}});
        let failed = |text: &str| json!({"errorMessages": [text], "errors": {}});
        match (method.as_str(), path) {
            ("GET", "/rest/api/2/serverInfo") => (
                StatusCode::OK,
                json!({"baseUrl": self.base, "version": "9.12.0", "deploymentType": "Server", "serverTitle": "Demo"}),
            ),
            ("GET", "/rest/api/2/myself") => (
                StatusCode::OK,
                json!({"name": "align-proxy", "active": true}),
            ),
            ("GET", "/rest/api/2/search") => (
                StatusCode::OK,
                json!({"startAt": 0, "maxResults": 1, "total": 1, "issues": [issue]}),
            ),
            ("GET" | "PUT", "/rest/api/2/issue/DEMO-1") => (StatusCode::OK, issue),
            ("POST", "/rest/api/2/issue/DEMO-1/comment") => {
                (StatusCode::CREATED, json!({"id": "10100"}))
            }
            ("GET" | "POST" | "PUT" | "DELETE", path) if path.starts_with("/rest/auth/") => (
                StatusCode::UNAUTHORIZED,
                failed("You are not authenticated."),
            ),
            ("GET" | "POST" | "PUT" | "DELETE", _) => {
                (StatusCode::NOT_FOUND, failed("Issue Does Not Exist"))
            }
            _ => (
                StatusCode::METHOD_NOT_ALLOWED,
                failed("HTTP 405 Method Not Allowed"),
            ),
        }
    }
}

fn constant(text: &'static str) -> HeaderValue {
    HeaderValue::from_static(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jira() -> Jira {
        Jira::new("https://localhost:1".to_owned())
    }

    #[test]
    fn every_answer_bears_the_headers_by_which_jira_is_known() {
        for (method, path) in [
            (Method::GET, "/rest/api/2/serverInfo"),
            (Method::DELETE, "/rest/api/2/issue/NONE-0"),
            (Method::PATCH, "/rest/api/2/issue/DEMO-1"),
        ] {
            let answer = jira().answer(&method, path);
            for header in ["x-arequestid", "x-anodeid", "x-seraph-loginreason"] {
                assert!(
                    answer.headers().contains_key(header),
                    "{method} {path} {header}"
                );
            }
        }
    }

    #[test]
    fn a_method_on_an_impossible_issue_changes_nothing_and_is_answered_by_jira() {
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let answer = jira().answer(&method, "/rest/api/2/issue/NONE-0");
            assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        }
    }
}
