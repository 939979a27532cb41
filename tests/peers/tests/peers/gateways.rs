//! nginx, HAProxy and OpenSSL as gateways.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use countersign_peers::{
    Apache, Clients, Gateway, Haproxy, Hitch, JiraStandIn, Nginx, OpensslServer, Purpose, Request,
    Stunnel, TlsVersions, Upstream, Validity,
};

use crate::tools::{curl, status};
use crate::world::{SERVER_INFO, world};

#[test]
fn nginx_takes_both_pinned_generations_and_no_third() {
    let world = world();
    let [old, new, third] = ["old", "new", "third"].map(|name| world.clients.client(name));
    let nginx = Nginx::start(world.pinned(&[old.sha1_lower(), new.sha1_lower()]));
    assert_eq!(world.get(nginx.addr(), &old), 200);
    assert_eq!(world.get(nginx.addr(), &new), 200);
    assert_eq!(world.get(nginx.addr(), &third), 403);

    let log = nginx.await_log(|log| log.len() == 3);
    let seen: Vec<_> = log
        .iter()
        .map(|entry| (entry.fingerprint.clone(), entry.status))
        .collect();
    assert_eq!(
        seen,
        [
            (old.sha1_lower(), 200),
            (new.sha1_lower(), 200),
            (third.sha1_lower(), 403)
        ]
    );
    assert_eq!(
        (log[0].method.as_str(), log[0].uri.as_str()),
        ("GET", SERVER_INFO)
    );
    assert!(
        log.iter()
            .all(|entry| entry.protocol == "TLSv1.3" && !entry.resumed)
    );
    assert!(log[0].connection != log[1].connection && log[0].time_ms <= log[2].time_ms);
}

#[test]
fn a_pin_that_is_removed_is_refused_as_soon_as_nginx_was_told() {
    let world = world();
    let [old, new] = ["old", "new"].map(|name| world.clients.client(name));
    let mut nginx = Nginx::start(world.pinned(&[old.sha1_lower(), new.sha1_lower()]));
    for _ in 0..3 {
        nginx.set_pins(&[&new.sha1_lower()]);
        assert_eq!(
            (world.get(nginx.addr(), &old), world.get(nginx.addr(), &new)),
            (403, 200)
        );
        nginx.set_pins(&[&old.sha1_lower()]);
        assert_eq!(
            (world.get(nginx.addr(), &old), world.get(nginx.addr(), &new)),
            (200, 403)
        );
    }
}

#[test]
#[should_panic(expected = "nginx refuses its configuration")]
fn nginx_tells_when_it_refuses_a_configuration() {
    let world = world();
    let mut nginx = Nginx::start(world.anchored());
    nginx.reload(Gateway::new(
        &world.server,
        Clients::Anchored("no certificate".to_owned()),
    ));
}

#[test]
fn nginx_with_anchors_refuses_bad_certificates_after_the_handshake() {
    let world = world();
    let nginx = Nginx::start(world.anchored());
    assert_eq!(world.get(nginx.addr(), &world.clients.client("good")), 200);
    let request = Request::new(Purpose::Client, "client");
    for bad in [
        world
            .clients
            .issue(&Request::new(Purpose::Server, "client")),
        world.clients.issue(&Request {
            validity: Validity::Expired,
            ..request.clone()
        }),
        world.clients.issue(&Request {
            validity: Validity::NotYet,
            ..request.clone()
        }),
        request.self_signed(),
    ] {
        assert_eq!(world.get(nginx.addr(), &bad), 400);
    }
    let nobody = curl(nginx.addr(), &world.servers.pem(), None, SERVER_INFO, &[]);
    assert!(
        nobody
            .expect("the handshake succeeds")
            .contains("No required SSL certificate")
    );
}

#[test]
fn nginx_takes_a_chain_through_an_intermediate_and_an_rsa_key() {
    let world = world();
    let nginx = Nginx::start(world.anchored());
    let issuing = world.clients.intermediate("Client issuing CA");
    let request = Request {
        algorithm: countersign_peers::Algorithm::Rsa2048,
        ..Request::new(Purpose::Client, "client")
    };
    assert_eq!(world.get(nginx.addr(), &issuing.issue(&request)), 200);
}

#[test]
fn only_the_allowed_methods_reach_jira_through_nginx_and_haproxy() {
    let world = world();
    let client = world.clients.client("client");
    let gateway = Gateway {
        methods: vec!["GET", "PUT"],
        ..world.anchored()
    };
    let nginx = Nginx::start(gateway.clone());
    let haproxy = Haproxy::start(&gateway);
    for addr in [nginx.addr(), haproxy.addr()] {
        for (method, expected) in [("GET", 401), ("PUT", 401), ("POST", 403), ("DELETE", 403)] {
            let arguments = ["-X", method, "-H", "X-Request-ID: probe-7"];
            let path = "/rest/api/2/issue/NONE-0";
            let answer = curl(addr, &world.servers.pem(), Some(&client), path, &arguments);
            let answer = answer.expect("the handshake succeeds").to_lowercase();
            assert_eq!(status(&answer), expected, "{method}: {answer}");
            assert_eq!(
                answer.contains("x-anodeid: node1"),
                expected == 401,
                "{answer}"
            );
            assert_eq!(
                answer.contains("x-seraph-loginreason"),
                expected == 401,
                "{answer}"
            );
        }
    }
    let log = nginx.await_log(|log| log.len() == 4);
    assert!(log.iter().all(|entry| entry.request_id == "probe-7"));
}

#[test]
fn the_stand_in_tells_its_version_to_everybody() {
    let world = world();
    let client = world.clients.client("client");
    let nginx = Nginx::start(world.anchored());
    let haproxy = Haproxy::start(&world.anchored());
    for addr in [nginx.addr(), haproxy.addr()] {
        let answer = curl(addr, &world.servers.pem(), Some(&client), SERVER_INFO, &[]);
        let answer = answer.expect("the client is welcome");
        assert!(answer.contains(r#""deploymentType":"Server""#), "{answer}");
        assert!(
            answer.to_lowercase().contains("x-arequestid: 600x"),
            "{answer}"
        );
    }
}

#[test]
fn a_gateway_speaks_only_the_versions_it_was_given() {
    let world = world();
    let client = world.clients.client("client");
    let ask = |addr, arguments: &[&str]| {
        curl(
            addr,
            &world.servers.pem(),
            Some(&client),
            SERVER_INFO,
            arguments,
        )
        .is_ok()
    };
    for (tls, old, new) in [
        (TlsVersions::Tls12, true, false),
        (TlsVersions::Tls13, false, true),
        (TlsVersions::Both, true, true),
    ] {
        let gateway = Gateway {
            tls,
            ..world.anchored()
        };
        let nginx = Nginx::start(gateway.clone());
        let haproxy = Haproxy::start(&gateway);
        for addr in [nginx.addr(), haproxy.addr()] {
            assert_eq!(ask(addr, &["--tls-max", "1.2"]), old, "{tls:?}");
            assert_eq!(ask(addr, &["--tlsv1.3"]), new, "{tls:?}");
        }
    }
}

#[test]
fn haproxy_takes_pinned_generations_and_says_whom_it_saw() {
    let world = world();
    let [old, new, third] = ["old", "new", "third"].map(|name| world.clients.client(name));
    let pins = vec![old.sha256_upper(), new.sha256_upper()];
    let anchors = world.clients.pem();
    for clients in [
        Clients::Pinned(pins.clone()),
        Clients::AnchoredAndPinned {
            anchors,
            pins: pins.clone(),
        },
    ] {
        let haproxy = Haproxy::start(&Gateway::new(&world.server, clients));
        for (identity, expected) in [(&old, 200), (&new, 200), (&third, 403)] {
            let anchors = world.servers.pem();
            let answer = curl(haproxy.addr(), &anchors, Some(identity), SERVER_INFO, &[]);
            let answer = answer.expect("the handshake succeeds").to_uppercase();
            assert_eq!(status(&answer), expected);
            let echo = format!("X-PEER-FINGERPRINT: {}", identity.sha256_upper());
            assert!(answer.contains(&echo), "{answer}");
            assert!(answer.contains("X-PEER-RESUMED: 0"), "{answer}");
        }
    }
}

#[test]
fn haproxy_and_openssl_refuse_a_stranger_by_an_alert() {
    let world = world();
    let good = world.clients.client("good");
    let bad = Request::new(Purpose::Client, "stranger").self_signed();
    for tls in [TlsVersions::Tls12, TlsVersions::Tls13] {
        let gateway = Gateway {
            tls,
            ..world.anchored()
        };
        let haproxy = Haproxy::start(&gateway);
        let openssl = OpensslServer::start(&gateway);
        for addr in [haproxy.addr(), openssl.addr()] {
            assert_eq!(world.get(addr, &good), 200);
            let refusal = curl(addr, &world.servers.pem(), Some(&bad), SERVER_INFO, &[]);
            let refusal = refusal.expect_err("a stranger is refused");
            assert!(refusal.contains("alert"), "{refusal}");
        }
    }
}

#[test]
fn requests_are_forwarded_to_a_server_of_ones_own() {
    let world = world();
    let client = world.clients.client("client");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let upstream = Upstream::At(listener.local_addr().expect("it is bound"));
    let server = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().expect("the gateway connects");
            let mut request = BufReader::new(&stream).lines().map_while(Result::ok);
            request
                .find(|line| line.is_empty())
                .expect("a request ends");
            let answer = "HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream
                .write_all(answer.as_bytes())
                .expect("the gateway listens");
        }
    });
    let gateway = Gateway {
        upstream,
        ..world.anchored()
    };
    let nginx = Nginx::start(gateway.clone());
    let haproxy = Haproxy::start(&gateway);
    for addr in [nginx.addr(), haproxy.addr()] {
        assert_eq!(world.get(addr, &client), 418);
    }
    server.join().expect("both requests came");
}

#[test]
fn apache_stunnel_and_hitch_let_in_the_certified_and_refuse_strangers_by_an_alert() {
    let world = world();
    let jira = JiraStandIn::start();
    let gateway = Gateway {
        upstream: Upstream::At(jira.addr()),
        ..world.anchored()
    };
    let (apache, stunnel, hitch) = (
        Apache::start(&gateway),
        Stunnel::start(&gateway),
        Hitch::start(&gateway),
    );
    let good = world.clients.client("good");
    let stranger = Request::new(Purpose::Client, "client").self_signed();
    for addr in [apache.addr(), stunnel.addr(), hitch.addr()] {
        assert_eq!(world.get(addr, &good), 200);
        let refusal = curl(
            addr,
            &world.servers.pem(),
            Some(&stranger),
            SERVER_INFO,
            &[],
        );
        assert!(refusal.is_err(), "{refusal:?}");
    }
}

#[test]
fn a_revoked_certificate_is_refused_and_the_others_are_not() {
    let world = world();
    let (good, revoked) = (
        world.clients.client("good"),
        world.clients.client("revoked"),
    );
    let jira = JiraStandIn::start();
    let gateway = Gateway {
        revocation: Some(world.clients.revocation_list(&[&revoked], Validity::Valid)),
        upstream: Upstream::At(jira.addr()),
        ..world.anchored()
    };
    let nginx = Nginx::start(gateway.clone());
    let (haproxy, apache) = (Haproxy::start(&gateway), Apache::start(&gateway));
    let (stunnel, openssl) = (Stunnel::start(&gateway), OpensslServer::start(&gateway));
    assert_eq!(world.get(nginx.addr(), &revoked), 400);
    assert_eq!(world.get(nginx.addr(), &good), 200);
    for addr in [
        haproxy.addr(),
        apache.addr(),
        stunnel.addr(),
        openssl.addr(),
    ] {
        assert_eq!(world.get(addr, &good), 200);
        let refusal = curl(addr, &world.servers.pem(), Some(&revoked), SERVER_INFO, &[]);
        assert!(refusal.is_err(), "{refusal:?}");
    }
}
