use countersign_connector::{Bundle, Client, Tls, reload, tls::Versions};
use hyper::Method;

use super::*;
use crate::{
    demo::tls::ServerAuthority,
    model::{KeyAlgorithm, Lapse, SubjectRequest, Validity},
    pki::{CertificateAuthority, Credentials, PrivateKey, Profile, random_serial},
    service::system_clock,
};

struct World {
    gateway: Gateway,
    authority: ServerAuthority,
}

async fn world() -> World {
    world_at(system_clock()).await
}

async fn world_at(clock: Arc<dyn Clock>) -> World {
    let authority = ServerAuthority::new(system_clock().now()).unwrap();
    let gateway = Gateway::start(authority.server().unwrap(), clock)
        .await
        .unwrap();
    World { gateway, authority }
}

/// A day's certificate, issued for itself or for mail.
fn credentials(profile: &Profile) -> Credentials {
    let subject = SubjectRequest {
        common_name: "jira.vendor.example".into(),
        organization: None,
        dns_names: vec!["jira.vendor.example".into()],
    };
    let now = system_clock().now();
    let lasting = |days| Validity::new(now, Lapse::days(days).after(now)).unwrap();
    let serial = random_serial().unwrap();
    let algorithm = KeyAlgorithm::EcdsaP256;
    let root = CertificateAuthority::create_root("Root", algorithm, lasting(2), &serial).unwrap();
    let key = PrivateKey::generate(algorithm).unwrap();
    let der = root
        .issue(key.public_key(), &subject, lasting(1), &serial, profile)
        .unwrap();
    Credentials::new(vec![der], key).unwrap()
}

/// A clock that is so far ahead.
struct Ahead(Lapse);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        self.0.after(system_clock().now())
    }
}

fn client(world: &World, credentials: &Credentials) -> Client {
    let (mut publisher, subscription) = reload::channel();
    publisher.publish(Bundle::from_pem(credentials.bundle_pem().as_bytes()).unwrap());
    let tls = Tls::new(world.authority.anchor_pem().as_bytes(), Versions::Both).unwrap();
    // Nothing is kept, so that every request is a connection, resumed where it can be.
    Client::builder(tls)
        .base(format!(
            "https://127.0.0.1:{}",
            world.gateway.address().port()
        ))
        .idle(Duration::ZERO, 0)
        .build(subscription)
        .unwrap()
}

async fn get(client: &Client, path: &str) -> u16 {
    let request = Request::builder()
        .method(Method::GET)
        .uri(path)
        .body(Full::default())
        .unwrap();
    client.request(request).await.unwrap().status().as_u16()
}

const SERVER_INFO: &str = "/rest/api/2/serverInfo";

#[tokio::test]
async fn only_a_pinned_certificate_reaches_jira() {
    let world = world().await;
    let ours = credentials(&Profile::Client);
    let client = client(&world, &ours);
    assert_eq!(get(&client, SERVER_INFO).await, 403);
    world.gateway.pins().trust(ours.fingerprint());
    assert_eq!(get(&client, SERVER_INFO).await, 200);
    let stranger = credentials(&Profile::Client);
    assert_eq!(
        get(&self::client(&world, &stranger), SERVER_INFO).await,
        403
    );
    let log = world.gateway.log();
    let seen: Vec<_> = log
        .iter()
        .map(|logged| (logged.client, logged.status))
        .collect();
    let (ours, stranger) = (Some(ours.fingerprint()), Some(stranger.fingerprint()));
    assert_eq!(seen, [(ours, 403), (ours, 200), (stranger, 403)]);
}

#[tokio::test]
async fn a_pin_that_was_taken_away_is_missed_in_a_resumed_session_too() {
    let world = world().await;
    let ours = credentials(&Profile::Client);
    let client = client(&world, &ours);
    world.gateway.pins().trust(ours.fingerprint());
    assert_eq!(get(&client, SERVER_INFO).await, 200);
    assert!(world.gateway.pins().distrust(&ours.fingerprint()));
    assert_eq!(get(&client, SERVER_INFO).await, 403);
    let last = world.gateway.log().pop().unwrap();
    assert!(last.resumed, "{last:?}");
    assert_eq!(last.client, Some(ours.fingerprint()));
}

#[tokio::test]
async fn a_pinned_certificate_that_is_for_mail_or_has_expired_is_refused() {
    let mail = Profile::Email("ops@vendor.example".parse().unwrap());
    for (profile, ahead) in [(mail, Lapse::ZERO), (Profile::Client, Lapse::days(2))] {
        let world = world_at(Arc::new(Ahead(ahead))).await;
        let refused = credentials(&profile);
        world.gateway.pins().trust(refused.fingerprint());
        assert_eq!(get(&client(&world, &refused), SERVER_INFO).await, 400);
    }
}

#[tokio::test]
async fn nothing_but_the_rest_api_is_let_through() {
    let world = world().await;
    let ours = credentials(&Profile::Client);
    world.gateway.pins().trust(ours.fingerprint());
    let client = client(&world, &ours);
    assert_eq!(get(&client, "/status").await, 404);
    assert_eq!(world.gateway.log()[0].refused, Some("404 Not Found"));
}

#[tokio::test]
async fn without_a_certificate_the_handshake_succeeds_and_the_request_is_refused() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let world = world().await;
    let mut roots = rustls::RootCertStore::empty();
    let anchor = pki::pem::certificates_from_pem(world.authority.anchor_pem().as_bytes()).unwrap();
    roots.add(anchor[0].clone().into()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(world.gateway.address()).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap();
    let version = stream.get_ref().1.protocol_version();
    assert_eq!(version, Some(rustls::ProtocolVersion::TLSv1_2));
    let request =
        format!("GET {SERVER_INFO} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("No required SSL certificate was sent"));
    assert!(!answer.to_lowercase().contains("x-arequestid"));
}
