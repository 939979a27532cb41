//! The probe against a server in this process that misbehaves as no configuration of a real one can.

mod answers;
mod chains;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use countersign_peers::{Algorithm, Authority, Purpose, Request};
use rustls::{
    DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use super::{ClientIdentity, ProbeLimits, ProbeRequest, Prober as _, TlsParity, TlsProber};
use crate::model::{
    GatewayProduct, ProbeReport, Role, Tier,
    Verdict::{self, Accepted, Inconclusive, Rejected, Unreachable},
};

/// What the server does with each connection.
#[derive(Clone, Copy)]
enum Script {
    /// Nothing, on an open connection.
    Silence,
    /// Reads the ClientHello and resets.
    ResetAfterHello,
    /// Answers in the clear.
    Plain,
    /// Asks for a certificate, takes any, reads the request and answers with these bytes.
    Answer(&'static str),
    /// Asks for a certificate, takes any, reads the request and closes.
    CloseAfterRequest,
    /// As `CloseAfterRequest`, but never answers and never closes.
    SilenceAfterRequest,
    /// As `Answer`, with bytes that are made up.
    Made(fn() -> Vec<u8>),
    /// Answers without end.
    Endless,
    /// Answers with these bytes, and then neither goes on nor closes.
    Stalled(&'static str),
    /// Answers, but takes signatures by RSA keys only.
    RsaOnly(&'static str),
    /// Answers, but takes nothing that was sent above a leaf.
    LeafOnly(&'static str),
}

async fn run(script: Script) -> (SocketAddr, Vec<u8>) {
    let root = Authority::root("server root");
    let mut request = Request::new(Purpose::Server, "gateway.test");
    request.algorithm = Algorithm::EcdsaP256;
    let server = root.issue(&request);
    let schemes = match script {
        Script::RsaOnly(_) => vec![SignatureScheme::RSA_PSS_SHA256],
        _ => vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::RSA_PSS_SHA256,
        ],
    };
    let chain = server
        .chain_der()
        .into_iter()
        .map(CertificateDer::from)
        .collect();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_client_cert_verifier(Arc::new(Anybody {
            schemes,
            alone: matches!(script, Script::LeafOnly(_)),
        }))
        .with_single_cert(chain, PrivateKeyDer::Pkcs8(server.key_der().into()))
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(play(script, tcp, acceptor.clone()));
        }
    });
    (address, root.der())
}

async fn play(script: Script, mut tcp: TcpStream, acceptor: TlsAcceptor) {
    let mut buffer = [0; 4096];
    match script {
        Script::Silence => std::future::pending().await,
        Script::ResetAfterHello => {
            // Closing with unread bytes in the receive buffer resets.
            let _ = tcp.read(&mut buffer[..1]).await;
            return;
        }
        Script::Plain => {
            let _ = tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let _ = tcp.read(&mut buffer).await;
            return;
        }
        _ => {}
    }
    let Ok(mut tls) = acceptor.accept(tcp).await else {
        return;
    };
    let _ = tls.read(&mut buffer).await;
    match script {
        Script::Answer(bytes) | Script::RsaOnly(bytes) | Script::LeafOnly(bytes) => {
            let _ = tls.write_all(bytes.as_bytes()).await;
            let _ = tls.shutdown().await;
        }
        Script::Made(bytes) => {
            let _ = tls.write_all(&bytes()).await;
            let _ = tls.shutdown().await;
        }
        Script::SilenceAfterRequest => std::future::pending().await,
        Script::Endless => {
            let head = "HTTP/1.1 200 OK\r\nX-ANODEID: node1\r\nTransfer-Encoding: chunked\r\n\r\n";
            let _ = tls.write_all(head.as_bytes()).await;
            let chunk = format!("1000\r\n{}\r\n", "a".repeat(0x1000));
            while tls.write_all(chunk.as_bytes()).await.is_ok() {}
        }
        Script::Stalled(head) => {
            let _ = tls.write_all(head.as_bytes()).await;
            let _ = tls.flush().await;
            std::future::pending::<()>().await;
        }
        _ => {}
    }
}

async fn probe(script: Script) -> ProbeReport {
    let (address, root) = run(script).await;
    let client = Authority::root("client root").client("connector.test");
    let request = ProbeRequest {
        probe_id: "probe-1".to_owned(),
        at: "2026-11-24T00:00:00Z".parse().unwrap(),
        url: "https://gateway.test".to_owned(),
        anchors: &[root],
        resolve: &[address],
        tls: TlsParity::Tls12Only,
        presented: Some(ClientIdentity {
            chain: client.chain_der(),
            key_pkcs8: Zeroizing::new(client.key_der()),
            fingerprint: client.sha256_lower().parse().unwrap(),
        }),
        controls: false,
        verbs: true,
        gateway: GatewayProduct::Other,
    };
    let limits = ProbeLimits {
        handshake: Duration::from_millis(700),
        response: Duration::from_millis(700),
        ..ProbeLimits::default()
    };
    TlsProber::new(limits).probe(&request).await
}

#[track_caller]
fn assert_seen(report: &ProbeReport, verdict: Verdict, tier: Tier, words: &str) {
    assert_eq!(
        (report.verdict, report.tier),
        (verdict, tier),
        "{report:#?}"
    );
    assert!(report.summary.contains(words), "{report:#?}");
}

#[tokio::test]
async fn a_connection_without_tls_is_unreachable_whatever_it_does() {
    let report = probe(Script::Silence).await;
    assert_seen(&report, Unreachable, Tier::Tls, "nothing came back");
    let report = probe(Script::ResetAfterHello).await;
    assert_seen(
        &report,
        Unreachable,
        Tier::Tls,
        "right after our ClientHello",
    );
    let report = probe(Script::Plain).await;
    assert_seen(&report, Unreachable, Tier::Tls, "does not speak TLS");
}

#[tokio::test]
async fn a_connection_closed_after_our_certificate_is_a_refusal_of_lower_certainty() {
    let report = probe(Script::CloseAfterRequest).await;
    assert_seen(&report, Rejected, Tier::ClientCertificate, "most likely");
}

#[tokio::test]
async fn silence_after_the_request_proves_nothing() {
    let report = probe(Script::SilenceAfterRequest).await;
    assert_seen(
        &report,
        Inconclusive,
        Tier::ClientCertificate,
        "no answer to the request",
    );
}

#[tokio::test]
async fn what_is_not_http_proves_nothing() {
    let report = probe(Script::Answer("SSH-2.0-OpenSSH_9.2\r\n")).await;
    assert_seen(
        &report,
        Inconclusive,
        Tier::ClientCertificate,
        "read as HTTP/1.1",
    );
}

#[tokio::test]
async fn a_login_page_with_200_is_not_jira() {
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html><form>Log in</form>";
    let report = probe(Script::Answer(page)).await;
    assert_seen(&report, Inconclusive, Tier::Gateway, "page for people");
    assert_eq!(report.owner, Some(Role::JiraMgr));
}

#[tokio::test]
async fn a_second_authentication_at_the_gateway_is_named() {
    let challenge = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"gw\"\r\nContent-Length: 0\r\n\r\n";
    let report = probe(Script::Answer(challenge)).await;
    assert_seen(
        &report,
        Inconclusive,
        Tier::Gateway,
        "second authentication",
    );
    assert!(report.summary.contains("Basic realm"), "{report:#?}");
}

#[tokio::test]
async fn an_endless_answer_is_cut_and_judged_by_its_beginning() {
    let report = probe(Script::Endless).await;
    assert_seen(&report, Accepted, Tier::Jira, "Jira answered");
}

#[tokio::test]
async fn an_answer_that_stalls_in_its_body_is_judged_by_its_head() {
    let head = "HTTP/1.1 200 OK\r\nX-ANODEID: node1\r\nContent-Length: 900\r\n\r\n{";
    let report = probe(Script::Stalled(head)).await;
    assert_seen(&report, Accepted, Tier::Jira, "Jira answered");
}

#[tokio::test]
async fn a_key_of_a_kind_that_is_not_taken_is_never_a_refusal_of_the_certificate() {
    let forbidden = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    let report = probe(Script::RsaOnly(forbidden)).await;
    assert_seen(
        &report,
        Inconclusive,
        Tier::ClientCertificate,
        "none was sent",
    );
    assert_eq!(report.owner, Some(Role::Ops));
}

#[tokio::test]
async fn headers_of_the_answer_are_bounded_and_inert() {
    let hostile = "HTTP/1.1 403 Forbidden\r\nServer: a\u{1b}[31mb\r\nLocation: https://idp.example/x?SAMLRequest=secret\r\nContent-Length: 0\r\n\r\n";
    let report = probe(Script::Answer(hostile)).await;
    let text = format!("{:?}", report.addresses);
    assert!(
        !text.contains('\u{1b}') && !text.contains("secret"),
        "{text}"
    );
}

#[derive(Debug)]
struct Anybody {
    schemes: Vec<SignatureScheme>,
    /// Whether a leaf has to come alone.
    alone: bool,
}

impl ClientCertVerifier for Anybody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        if self.alone && !above.is_empty() {
            return Err(rustls::CertificateError::UnknownIssuer.into());
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_inconclusive_and_says_why() {
    let anchors = [Authority::root("server root").der()];
    let request = ProbeRequest {
        probe_id: "probe-1".to_owned(),
        at: "2026-11-24T00:00:00Z".parse().unwrap(),
        url: "https://gateway.test".to_owned(),
        anchors: &anchors,
        resolve: &[],
        tls: TlsParity::Tls12And13,
        presented: None,
        controls: true,
        verbs: true,
        gateway: GatewayProduct::Other,
    };
    let prober = TlsProber::default();

    let mut broken = request.clone();
    broken.anchors = &[];
    let report = prober.probe(&broken).await;
    assert_seen(&report, Inconclusive, Tier::Dns, "no trust anchors");

    let junk = [anchors[0].clone(), b"junk".to_vec()];
    let mut broken = request.clone();
    broken.anchors = &junk;
    let report = prober.probe(&broken).await;
    assert_seen(
        &report,
        Inconclusive,
        Tier::Dns,
        "anchor 2 is no certificate",
    );

    let mut broken = request.clone();
    broken.url = "https://user:secret@gateway.test".to_owned();
    let report = prober.probe(&broken).await;
    assert_seen(&report, Inconclusive, Tier::Dns, "user or a password");
    assert!(!format!("{report:?}").contains("secret"));

    let root = Authority::root("client root");
    let (one, other) = (root.client("one.test"), root.client("other.test"));
    let mut broken = request.clone();
    broken.presented = Some(ClientIdentity {
        chain: one.chain_der(),
        key_pkcs8: Zeroizing::new(other.key_der()),
        fingerprint: one.sha256_lower().parse().unwrap(),
    });
    let report = prober.probe(&broken).await;
    assert_seen(&report, Inconclusive, Tier::Dns, "does not belong");
    assert_eq!(report.owner, Some(Role::Ops));
}

#[tokio::test]
async fn a_name_without_an_address_is_unreachable_at_dns() {
    let anchors = [Authority::root("server root").der()];
    let request = ProbeRequest {
        probe_id: "probe-1".to_owned(),
        at: "2026-11-24T00:00:00Z".parse().unwrap(),
        // RFC 6761 §6.4: never resolves.
        url: "https://gateway.invalid".to_owned(),
        anchors: &anchors,
        resolve: &[],
        tls: TlsParity::Tls12And13,
        presented: None,
        controls: true,
        verbs: true,
        gateway: GatewayProduct::Other,
    };
    let report = TlsProber::default().probe(&request).await;
    assert_seen(&report, Unreachable, Tier::Dns, "does not resolve");
}
