//! What the pack renders is loaded by the product and judged by the probe: current and next are accepted, whoever
//! else the same authority certified is refused, the four methods pass and no other, and without its lines the old
//! certificate is refused.

use std::net::SocketAddr;
use std::process::Command;

use countersign::gateway::{Anchors, Bundle, Order, Sheet, sheet};
use countersign::model::{
    CertificateFacts, GatewayProduct as Product, PinType, ProbeReport, Verdict,
};
use countersign::pki::inspect;
use countersign::probe::{ClientIdentity, ProbeRequest, Prober as _, TlsParity, TlsProber};
use countersign_peers::whole::{self, Server};
use countersign_peers::{Authority, Identity, JiraStandIn, Purpose, Request};
use zeroize::Zeroizing;

const HOST: &str = "gateway.test";
/// Both sides' authorities, both generations, and whoever else their authorities certified.
struct World {
    servers: Authority,
    server: Identity,
    present: Generation,
    next: Generation,
    /// Another name, a name that begins or ends like ours, ours as a part of another value.
    strangers: Vec<Identity>,
    jira: JiraStandIn,
}

struct Generation {
    identity: Identity,
    /// PEM of its issuers, root last.
    authorities: Vec<String>,
}

/// Where the generations come from.
#[derive(Clone, Copy)]
enum Origin {
    /// One authority below one root.
    OneAuthority,
    /// The authority changed from one to the next.
    TwoAuthorities,
    /// Nobody but themselves vouches for them.
    Themselves,
}

impl World {
    fn new(from: Origin) -> Self {
        let servers = Authority::root("server root");
        let root = Authority::root("client root");
        let issuing = root.intermediate("client issuing");
        let certified = |name: &str| Generation {
            identity: issuing.client(name),
            authorities: vec![issuing.pem(), root.pem()],
        };
        let mut strangers = vec![
            issuing.client("stranger.test"),
            issuing.client("now.vendor.test.stranger.test"),
            issuing.client("x-now.vendor.test"),
            issuing.client_of("stranger.test", "x,CN=now.vendor.test"),
        ];
        let (present, next) = match from {
            Origin::OneAuthority => (certified("now.vendor.test"), certified("next.vendor.test")),
            Origin::TwoAuthorities => {
                let old = Authority::root("old client root");
                strangers.push(old.client("stranger.test"));
                let present = Generation {
                    identity: old.client("now.vendor.test"),
                    authorities: vec![old.pem()],
                };
                (present, certified("next.vendor.test"))
            }
            Origin::Themselves => {
                let client = |name: &str| Request::new(Purpose::Client, name).self_signed();
                let own = |name: &str| {
                    let identity = client(name);
                    Generation {
                        authorities: vec![identity.certificate_pem()],
                        identity,
                    }
                };
                strangers.push(client("now.vendor.test"));
                (own("now.vendor.test"), own("next.vendor.test"))
            }
        };
        Self {
            server: servers.server(HOST),
            servers,
            present,
            next,
            strangers,
            jira: JiraStandIn::start(),
        }
    }

    fn sheet(&self, product: Product, pin: PinType, both: bool, oauth: bool) -> Sheet {
        let (new, present) = (facts(&self.next.identity), facts(&self.present.identity));
        sheet(&Order {
            product,
            pin,
            host: HOST,
            new: &new,
            present: both.then_some(&present),
            anchors: Anchors::All {
                file: "clients.pem",
            },
            oauth,
            until: None,
        })
        .unwrap()
    }

    /// Starts the product under what the sheet says.
    fn start(&self, sheet: &Sheet, both: bool) -> Server {
        let (config, files) = self.frame(sheet, both);
        let files: Vec<_> = files.iter().map(|(n, t)| (*n, t.as_str())).collect();
        match sheet.product {
            Product::Nginx => whole::nginx(&config, &files),
            Product::Haproxy => whole::haproxy(&config, &files),
            Product::Apache => whole::apache(&config, &files),
            Product::Caddy => whole::caddy(&config, &files),
            Product::Envoy => whole::envoy(&config, &files),
            Product::Traefik => whole::traefik(HOST, &config, &files),
            other => panic!("{other} does not run here"),
        }
    }

    /// Puts another sheet in force while the product serves; one that cannot do that is started anew.
    async fn replace(&self, server: Server, sheet: &Sheet, both: bool) -> Server {
        let (config, files) = self.frame(sheet, both);
        let files: Vec<_> = files.iter().map(|(n, t)| (*n, t.as_str())).collect();
        if !server.reload(&config, &files) {
            return self.start(sheet, both);
        }
        let old = &self.present.identity;
        let give_up = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
        // Products differ in how long they hold on to what they had.
        while self
            .probe(server.addr(), old, TlsParity::Tls12Only)
            .await
            .verdict
            != Verdict::Rejected
        {
            assert!(
                tokio::time::Instant::now() < give_up,
                "{}: {}",
                sheet.product,
                server.log()
            );
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        server
    }

    /// The smallest frame that the product needs around the sheet, and the files.
    fn frame(&self, sheet: &Sheet, both: bool) -> (String, Vec<(&'static str, String)>) {
        let generations: Vec<&Generation> = match both {
            true => vec![&self.next, &self.present],
            false => vec![&self.next],
        };
        let clients = generations
            .iter()
            .map(|generation| match sheet.bundle {
                Bundle::Authorities => generation.authorities.concat(),
                Bundle::Certificates => generation.identity.certificate_pem(),
            })
            .collect();
        let anchor = |generation: &Generation| generation.authorities.last().unwrap().clone();
        let mut files = vec![
            ("clients.pem", clients),
            ("server.pem", self.server.bundle_pem()),
            ("anchor-new.pem", anchor(&self.next)),
        ];
        if both {
            files.push(("anchor-present.pem", anchor(&self.present)));
        }
        if let Some(pins) = sheet.file("pins") {
            files.push(("pins", pins.to_owned()));
        }
        let jira = self.jira.addr();
        let config = match sheet.product {
            Product::Nginx => nginx(sheet, jira),
            Product::Haproxy => haproxy(sheet, jira),
            Product::Apache => apache(sheet, jira),
            Product::Caddy => caddy(sheet, jira),
            Product::Envoy => envoy(sheet, jira),
            Product::Traefik => traefik(sheet, jira),
            other => panic!("{other} does not run here"),
        };
        (config, files)
    }

    /// As the connector speaks today, and with what is newer.
    async fn probes(&self, at: SocketAddr, presented: &Identity) -> [ProbeReport; 2] {
        [
            self.probe(at, presented, TlsParity::Tls12Only).await,
            self.probe(at, presented, TlsParity::Tls12And13).await,
        ]
    }

    async fn probe(&self, at: SocketAddr, presented: &Identity, tls: TlsParity) -> ProbeReport {
        let request = ProbeRequest {
            probe_id: "probe-1".to_owned(),
            at: "2026-11-25T00:00:00Z".parse().unwrap(),
            url: format!("https://{HOST}"),
            anchors: &[self.servers.der()],
            resolve: &[at],
            tls,
            presented: Some(ClientIdentity {
                chain: presented.chain_der(),
                key_pkcs8: Zeroizing::new(presented.key_der()),
                fingerprint: presented.sha256_lower().parse().unwrap(),
            }),
            controls: true,
            verbs: true,
            gateway: Product::Other,
        };
        TlsProber::default().probe(&request).await
    }

    /// The status of one request by curl, an implementation that shares nothing with ours.
    fn curl(&self, at: SocketAddr, presented: &Identity, method: &str, path: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--output", "/dev/null"])
            .args(["--write-out", "%{http_code}", "--request", method])
            .arg("--cert")
            .arg(file("client.pem", &presented.bundle_pem()))
            .arg("--cacert")
            .arg(file("ca.pem", &self.servers.pem()))
            .arg("--resolve")
            .arg(format!("{HOST}:{}:127.0.0.1", at.port()))
            .arg(format!("https://{HOST}:{}{path}", at.port()))
            .output()
            .expect("these tests need curl; run scripts/test, or: apt-get install -y curl");
        String::from_utf8(output.stdout).unwrap()
    }
}

fn facts(identity: &Identity) -> CertificateFacts {
    inspect(&identity.chain_der()[0]).unwrap()
}

fn lines<'a>(sheet: &'a Sheet, file: &str) -> &'a str {
    sheet.file(file).unwrap_or_else(|| panic!("{sheet:#?}"))
}

fn indented(text: &str, by: usize) -> String {
    let blanks = " ".repeat(by);
    let lines: Vec<_> = text.lines().map(|line| format!("{blanks}{line}")).collect();
    lines.join("\n")
}

fn nginx(sheet: &Sheet, jira: SocketAddr) -> String {
    format!(
        "events {{}}\nhttp {{\naccess_log off;\n\
         client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n\
         uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n\
         upstream jira {{ server {jira}; }}\n{}\n\
         server {{\nlisten 127.0.0.1:@PORT@ ssl;\nssl_protocols TLSv1.2 TLSv1.3;\nssl_certificate server.pem;\n\
         ssl_certificate_key server.pem;\n{}\n}}\n}}\n",
        lines(sheet, "countersign-map.conf"),
        lines(sheet, "countersign-server.conf").replace("/etc/nginx/countersign", "@DIR@"),
    )
}

fn haproxy(sheet: &Sheet, jira: SocketAddr) -> String {
    format!(
        "defaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
         frontend gateway\n  bind 127.0.0.1:@PORT@ ssl crt @DIR@/server.pem \
         ca-file @DIR@/clients.pem verify required\n  default_backend jira\n{}\n\
         backend jira\n  server jira {jira}\n",
        indented(
            &lines(sheet, "countersign-frontend.cfg").replace("/etc/haproxy/jira", "@DIR@"),
            2
        )
    )
}

fn apache(sheet: &Sheet, jira: SocketAddr) -> String {
    let modules: Vec<_> = [
        "mpm_event",
        "ssl",
        "authz_core",
        "proxy",
        "proxy_http",
        "socache_shmcb",
    ]
    .iter()
    .map(|name| format!("LoadModule {name}_module @MODULES@/mod_{name}.so"))
    .collect();
    format!(
        "{}\nServerName {HOST}\nPidFile @DIR@/httpd.pid\nErrorLog @DIR@/error.log\n\
         Listen 127.0.0.1:@PORT@\n<VirtualHost *>\nSSLEngine on\nSSLCertificateFile @DIR@/server.pem\n\
         {}\nProxyPass / http://{jira}/\n</VirtualHost>\n",
        modules.join("\n"),
        lines(sheet, "countersign.conf").replace("/etc/apache2/countersign", "@DIR@"),
    )
}

fn caddy(sheet: &Sheet, jira: SocketAddr) -> String {
    format!(
        "{{\n  admin off\n  auto_https off\n  servers {{\n    protocols h1 h2\n  }}\n}}\nhttps://{HOST}:@PORT@ {{\n  bind 127.0.0.1\n  \
         tls @DIR@/server.pem @DIR@/server.pem {{\n{}\n  }}\n{}\n}}\n",
        indented(
            &lines(sheet, "countersign-tls.caddy").replace("/etc/caddy/countersign", "@DIR@"),
            4
        ),
        indented(
            &lines(sheet, "countersign-site.caddy").replace("jira:8080", &jira.to_string()),
            2
        ),
    )
}

fn envoy(sheet: &Sheet, jira: SocketAddr) -> String {
    let tls = lines(sheet, "countersign-tls.yaml").replace("/etc/envoy/countersign", "@DIR@");
    // The product's own certificate stands beside ours under the same key.
    let (before, after) = tls.split_once("common_tls_context:\n").unwrap();
    let tls = format!(
        "{before}common_tls_context:\n  tls_certificates:\n  - certificate_chain: {{ filename: @DIR@/server.pem }}\n    \
         private_key: {{ filename: @DIR@/server.pem }}\n{after}"
    );
    format!(
        "static_resources:\n  listeners:\n  - address:\n      \
           socket_address: {{ address: 127.0.0.1, port_value: @PORT@ }}\n    \
         filter_chains:\n    - transport_socket:\n        name: tls\n        typed_config:\n          \
           \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext\n{}\n      \
         filters:\n      - name: http\n        typed_config:\n          \
           \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager\n          \
           stat_prefix: gateway\n          \
           http_filters:\n          - name: router\n            typed_config:\n              \
             \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router\n          \
           route_config:\n            virtual_hosts:\n            - name: jira\n              \
             domains: [\"*\"]\n              routes:\n{}\n  \
         clusters:\n  - name: jira\n    type: STATIC\n    load_assignment:\n      cluster_name: jira\n      \
           endpoints:\n      - lb_endpoints:\n        - endpoint:\n            address:\n              \
             socket_address: {{ address: {}, port_value: {} }}\n",
        indented(&tls, 10),
        indented(lines(sheet, "countersign-routes.yaml"), 14),
        jira.ip(),
        jira.port()
    )
}

fn traefik(sheet: &Sheet, jira: SocketAddr) -> String {
    let ours = lines(sheet, "countersign.yaml").replace("/etc/traefik/countersign", "@DIR@");
    let ours = ours
        .replace(
            "tls:\n  options:",
            "tls:\n  certificates:\n  - { certFile: \"@DIR@/server.pem\", keyFile: \"@DIR@/server.pem\" }\n  options:",
        );
    format!(
        "{ours}\n  services:\n    jira:\n      loadBalancer:\n        servers: [{{ url: \"http://{jira}\" }}]\n"
    )
}

#[track_caller]
fn assert_in(reports: &[ProbeReport], what: &str) {
    for report in reports {
        assert_accepted(report, what);
    }
    let versions: Vec<_> = reports
        .iter()
        .map(|report| report.addresses[0].tls_version.as_deref())
        .collect();
    assert_eq!(versions, [Some("TLSv1.2"), Some("TLSv1.3")], "{what}");
}

#[track_caller]
fn assert_accepted(report: &ProbeReport, what: &str) {
    assert_eq!(report.verdict, Verdict::Accepted, "{what}: {report:#?}");
    assert!(report.proves_acceptance(), "{what}: {report:#?}");
    assert_eq!(report.verbs.len(), 4, "{what}: {report:#?}");
    assert!(
        report.verbs.iter().all(|verb| verb.passed == Some(true)),
        "{what}: {report:#?}"
    );
    assert_eq!(report.controls.len(), 2, "{what}: {report:#?}");
}

#[track_caller]
fn assert_out(reports: &[ProbeReport], what: &str) {
    for report in reports {
        assert_eq!(report.verdict, Verdict::Rejected, "{what}: {report:#?}");
        assert!(report.proves_refusal(), "{what}: {report:#?}");
    }
}

async fn holds(world: World, product: Product, pin: PinType) {
    let sheet = world.sheet(product, pin, true, false);
    let server = world.start(&sheet, true);
    for (who, identity) in [
        ("present", &world.present.identity),
        ("next", &world.next.identity),
    ] {
        let what = format!("{product}, {pin:?}, {who}");
        assert_in(&world.probes(server.addr(), identity).await, &what);
    }
    for (at, stranger) in world.strangers.iter().enumerate() {
        let what = format!("{product}, {pin:?}, stranger {at}");
        assert_out(&world.probes(server.addr(), stranger).await, &what);
    }
    let through = |method, path| {
        let before = world.jira.answered();
        let status = world.curl(server.addr(), &world.next.identity, method, path);
        (status, world.jira.answered() - before)
    };
    assert_eq!(
        through("GET", "/rest/api/2/serverInfo"),
        ("200".into(), 1),
        "{product}"
    );
    for (method, path) in [
        ("PATCH", "/rest/api/2/serverInfo"),
        ("GET", "/secure/admin"),
        ("GET", "/plugins/servlet/oauth/request-token"),
    ] {
        let (status, reached) = through(method, path);
        assert_eq!(
            reached, 0,
            "{product}: {method} {path} came through: {status}"
        );
        assert!(
            status.starts_with('4'),
            "{product}: {method} {path}: {status}"
        );
    }

    let sheet = world.sheet(product, pin, false, true);
    let server = world.replace(server, &sheet, false).await;
    let what = format!("{product}, {pin:?}, after the removal");
    assert_out(
        &world.probes(server.addr(), &world.present.identity).await,
        &what,
    );
    assert_in(
        &world.probes(server.addr(), &world.next.identity).await,
        &what,
    );
    let before = world.jira.answered();
    let path = "/plugins/servlet/oauth/request-token";
    world.curl(server.addr(), &world.next.identity, "POST", path);
    assert_eq!(world.jira.answered() - before, 1, "{product}: {path}");
}

macro_rules! loaded {
    ($($name:ident: $product:ident;)+) => {
        $(mod $name {
            use super::*;

            #[tokio::test]
            async fn rendered_with_pins_admits_both_generations_and_nobody_else() {
                holds(World::new(Origin::OneAuthority), Product::$product, PinType::Certificate).await;
            }

            #[tokio::test]
            async fn rendered_by_name_admits_both_generations_and_nobody_else() {
                holds(World::new(Origin::OneAuthority), Product::$product, PinType::Authority).await;
            }

            #[tokio::test]
            async fn rendered_for_two_authorities_admits_both_and_no_other() {
                let world = World::new(Origin::TwoAuthorities);
                holds(world, Product::$product, PinType::Certificate).await;
            }

            #[tokio::test]
            async fn rendered_for_self_signed_certificates_admits_both_and_no_other() {
                holds(World::new(Origin::Themselves), Product::$product, PinType::Certificate).await;
            }
        })+

        #[test]
        fn every_product_that_is_said_to_be_loaded_is_loaded_here() {
            let tried: &[Product] = &[$(Product::$product),+];
            let world = World::new(Origin::OneAuthority);
            for product in Product::ALL {
                let sheet = world.sheet(product, PinType::Certificate, true, false);
                let said = sheet.tried == countersign::gateway::Tried::Loaded;
                assert_eq!(said, tried.contains(&product), "{product}");
            }
        }
    };
}

loaded! {
    nginx_conf: Nginx;
    haproxy_cfg: Haproxy;
    apache_conf: Apache;
    caddyfile: Caddy;
    envoy_yaml: Envoy;
    traefik_yaml: Traefik;
}
