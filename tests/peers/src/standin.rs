//! What the Jira stand-in answers, in one table for every gateway.
//!
//! It knows no accounts: like Jira, it tells its version to everybody, asks whoever comes
//! for authentication, and marks each answer with the headers of the Jira tier.

/// The body of `GET /rest/api/2/serverInfo`.
pub(crate) const SERVER_INFO: &str = r#"{"baseUrl":"https://jira.test","version":"9.12.0","versionNumbers":[9,12,0],"deploymentType":"Server","buildNumber":9120000,"serverTitle":"Jira"}"#;

/// The body of an answer to somebody who is not logged in.
pub(crate) const UNAUTHENTICATED: &str =
    r#"{"errorMessages":["You are not authenticated."],"errors":{}}"#;

/// The body of an answer about something that does not exist.
pub(crate) const NOT_FOUND: &str = r#"{"errorMessages":["Not found."],"errors":{}}"#;

/// The node of the cluster that answers (`X-ANODEID`).
pub(crate) const NODE: &str = "node1";

/// A whole answer to `GET /rest/api/2/serverInfo`, for a server that sends files as they are.
pub(crate) fn server_info() -> String {
    format!(
        "HTTP/1.1 200 OK\r\nX-AREQUESTID: 600x1x1\r\nX-ANODEID: {NODE}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{SERVER_INFO}",
        SERVER_INFO.len()
    )
}
