//! When gateways resume sessions, which is when they go on seeing an old identity.

use std::net::SocketAddr;

use countersign_peers::{Gateway, Haproxy, Nginx};

use crate::tools::{python, write};
use crate::world::world;

/// Asks twice, the second time with the session of the first; prints whether it was
/// resumed.
const RESUME: &str = r"
import socket, ssl, sys
version, port, anchors, identity = sys.argv[1:]
context = ssl.create_default_context(cafile=anchors)
context.load_cert_chain(identity)
context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
session = None
for _ in range(2):
    with socket.create_connection(('127.0.0.1', int(port)), timeout=20) as tcp:
        with context.wrap_socket(tcp, server_hostname='localhost', session=session) as tls:
            tls.sendall(b'GET /rest/api/2/serverInfo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
            while tls.recv(65536):
                pass
            session, reused = tls.session, tls.session_reused
print(reused)
";

#[test]
fn sessions_are_resumed_by_cache_or_ticket_and_not_when_both_are_off() {
    let world = world();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = |name: &str, content: &str| {
        let path = directory.path().join(name);
        write(&path, content);
        path.to_str().expect("a temporary path is text").to_owned()
    };
    let anchors = file("anchors.pem", &world.servers.pem());
    let identity = file("identity.pem", &world.clients.client("client").bundle_pem());
    let resumes = |addr: SocketAddr, version: &str| {
        let port = addr.port().to_string();
        python(RESUME, &[version, &port, &anchors, &identity]) == "True"
    };
    for (session_cache, session_tickets) in [(true, false), (false, true), (false, false)] {
        let gateway = Gateway {
            session_cache,
            session_tickets,
            ..world.anchored()
        };
        let nginx = Nginx::start(gateway.clone());
        let haproxy = Haproxy::start(&gateway);
        for version in ["TLSv1_2", "TLSv1_3"] {
            let expected = session_cache || session_tickets;
            let case = format!("{version}, cache {session_cache}, tickets {session_tickets}");
            assert_eq!(resumes(nginx.addr(), version), expected, "nginx, {case}");
            assert_eq!(
                resumes(haproxy.addr(), version),
                expected,
                "haproxy, {case}"
            );
        }
        let log = nginx.await_log(|log| log.len() == 4);
        let resumed: Vec<_> = log.iter().map(|entry| entry.resumed).collect();
        let expected = session_cache || session_tickets;
        assert_eq!(resumed, [false, expected, false, expected]);
    }
}
