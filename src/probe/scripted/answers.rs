//! Answers that no gateway at hand gives: of filters, of another HTTP, of a size that nobody expects.

use super::*;

const F5_PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n\r\n\
    <html><head><title>Request Rejected</title></head><body>The requested URL was rejected. Please consult with your \
    administrator.<br><br>Your support ID is: 1234567890</body></html>";

#[tokio::test]
async fn a_filters_page_with_200_is_neither_jira_nor_a_login_page() {
    let report = probe(Script::Answer(F5_PAGE)).await;
    assert_seen(&report, Inconclusive, Tier::Gateway, "application firewall");
    assert_eq!(report.owner, Some(Role::JiraSec));
}

#[tokio::test]
async fn an_answer_in_http_2_is_named() {
    // SETTINGS, empty, and GOAWAY with HTTP_1_1_REQUIRED's opposite: nothing that we could ask for.
    let frames = || b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x01".to_vec();
    let report = probe(Script::Made(frames)).await;
    assert_seen(
        &report,
        Inconclusive,
        Tier::ClientCertificate,
        "it is HTTP/2",
    );
}

#[tokio::test]
async fn a_chunked_answer_without_jiras_headers_is_known_by_its_body() {
    let chunked = || {
        let body = r#"{"baseUrl":"https://jira.test","version":"9.12.0"}"#;
        let (one, other) = body.split_at(20);
        let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in [one, other] {
            answer.extend(format!("{:x};name=value\r\n{chunk}\r\n", chunk.len()).bytes());
        }
        answer.extend(b"0\r\nTrailer: x\r\n\r\n");
        answer
    };
    let report = probe(Script::Made(chunked)).await;
    assert_seen(&report, Accepted, Tier::Jira, "strips Jira's headers");
}

#[tokio::test]
async fn a_head_beyond_measure_is_refused_and_named() {
    let many = || {
        let mut head = b"HTTP/1.1 200 OK\r\nX-ANODEID: node1\r\n".to_vec();
        for number in 0..5000 {
            head.extend(format!("X-Filler-{number}: a\r\n").bytes());
        }
        head.extend(b"\r\n");
        head
    };
    let long = || {
        let mut head = b"HTTP/1.1 200 OK\r\nX-ANODEID: node1\r\nX-Filler: ".to_vec();
        head.extend(vec![b'a'; 4 << 20]);
        head.extend(b"\r\n\r\n");
        head
    };
    for script in [Script::Made(many), Script::Made(long)] {
        let report = probe(script).await;
        assert_seen(&report, Inconclusive, Tier::ClientCertificate, "too large");
    }
}
