//! What a full probe costs, against nginx on loopback, with `openssl s_client` as the yardstick.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use countersign::{
    model::{GatewayProduct, ProbeReport},
    probe::{ClientIdentity, Further, ProbeLimits, ProbeRequest, TlsParity, TlsProber},
};
use countersign_peers::{
    Authority, Identity,
    whole::{self, Server},
};
use serde_json::{Value, json};

use crate::now;

const HOST: &str = "gateway.test";

/// A gateway that answers as Jira does to whom is not logged in, at every address of 127/8.
pub struct Scene {
    authority: Authority,
    clients: Authority,
    ours: Identity,
    gateway: Server,
}

impl Default for Scene {
    fn default() -> Self {
        let (authority, clients) = (
            Authority::root("server root"),
            Authority::root("client root"),
        );
        let config = r#"
worker_processes 1;
events { worker_connections 8192; }
http {
  client_body_temp_path @DIR@/body;
  proxy_temp_path @DIR@/proxy;
  fastcgi_temp_path @DIR@/fastcgi;
  uwsgi_temp_path @DIR@/uwsgi;
  scgi_temp_path @DIR@/scgi;
  access_log off;
  server {
    listen 0.0.0.0:@PORT@ ssl backlog=8192;
    ssl_certificate @DIR@/server.pem;
    ssl_certificate_key @DIR@/server.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_client_certificate @DIR@/clients.pem;
    ssl_verify_client on;
    client_max_body_size 1m;
    default_type application/json;
    location / {
      add_header X-AREQUESTID 1x1x1 always;
      return 401 '{"errorMessages":["You are not logged in"],"errors":{}}';
    }
  }
}
"#;
        let server = authority.server(HOST).bundle_pem();
        let files = [
            ("server.pem", server.as_str()),
            ("clients.pem", &clients.pem()),
        ];
        Self {
            gateway: whole::nginx(config, &files),
            ours: clients.client("connector.align.example"),
            clients,
            authority,
        }
    }
}

impl Scene {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.gateway.addr()
    }

    /// A probe with everything that a person gets; it must find nothing wrong.
    pub async fn probe(
        &self,
        address: SocketAddr,
        tls: TlsParity,
        everything: bool,
    ) -> ProbeReport {
        let request = ProbeRequest {
            probe_id: "probe-1".to_owned(),
            at: now(),
            url: format!("https://{HOST}"),
            anchors: &[self.authority.der()],
            resolve: &[address],
            tls,
            presented: Some(ClientIdentity {
                chain: self.ours.chain_der(),
                key_pkcs8: self.ours.key_der().into(),
                fingerprint: self.ours.sha256_lower().parse().unwrap(),
            }),
            controls: everything,
            verbs: everything,
            gateway: GatewayProduct::Nginx,
        };
        let further = Further {
            spare: None,
            large_body: everything,
            account: None,
        };
        let report = TlsProber::new(ProbeLimits::default())
            .examine(&request, further)
            .await;
        assert!(report.is_healthy(), "{report:#?}");
        report
    }

    /// The files that `openssl s_client`, and the program, want.
    pub fn write_files(&self, directory: &Path) {
        for (name, text) in [
            ("ours.pem", self.ours.bundle_pem()),
            ("anchors.pem", self.authority.pem()),
        ] {
            write(&directory.join(name), &text);
        }
    }

    /// One handshake and one request by `openssl s_client`.
    pub fn s_client(&self, directory: &Path) {
        let mut client = Command::new("openssl")
            .args([
                "s_client",
                "-quiet",
                "-tls1_2",
                "-verify_return_error",
                "-servername",
                HOST,
            ])
            .args([
                "-cert",
                "ours.pem",
                "-key",
                "ours.pem",
                "-CAfile",
                "anchors.pem",
                "-connect",
            ])
            .arg(self.address().to_string())
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = client.stdin.take().unwrap();
        stdin
            .write_all(b"GET /rest/api/2/serverInfo HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        client
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut answer)
            .unwrap();
        assert!(answer.contains("not logged in"), "{answer}");
        client.wait().unwrap();
    }

    /// A home in whose configuration so many partners trust an identity each, at an address of its own.
    pub fn configure(&self, program: &Path, home: &Path, partners: usize) {
        self.write_files(home);
        let mut text = String::from(
            "[store]\npath = \"store\"\nkey-file = \"store.key\"\n[ops]\nname = \"Ops\"\n\
             [issuer.ca]\nkind = \"local-ca\"\napproved-domains = [\"align.example\"]\n",
        );
        for number in 0..partners {
            let address = nth(number, self.address().port());
            text += &format!(
                "[partner.partner-{number}]\ntitle = \"Partner {number}\"\n\
                 [[partner.partner-{number}.contact]]\nname = \"Security\"\nemail = \"sec@partner-{number}.example\"\nrole = \"jira-sec\"\n\
                 [partner.partner-{number}.production]\nidentity = \"jira-{number}\"\nendpoint = \"https://{HOST}:{}\"\n\
                 anchors = \"anchors.pem\"\ngateway = \"nginx\"\nresolve = [\"{address}\"]\n",
                address.port(),
            );
        }
        write(&home.join("countersign.toml"), &text);
        let succeed = |words: &[&str]| {
            let made = run(program, home, words);
            assert!(
                made.status.success(),
                "{words:?}: {}",
                String::from_utf8_lossy(&made.stderr)
            );
        };
        succeed(&["store", "init"]);
        succeed(&["issuer", "create", "ca", "--common-name", "Align"]);
        for number in 0..partners {
            let (name, file) = (format!("jira-{number}"), format!("{number}.pem"));
            let identity = self.clients.client("connector.align.example");
            write(&home.join(&file), &identity.bundle_pem());
            let policy = ["--policy", "jira-connector", "--by", "measure"];
            succeed(
                &[
                    &["identity", "adopt", &name, &file, "--issuer", "ca"][..],
                    &policy,
                ]
                .concat(),
            );
        }
    }
}

/// For us alone, as the program wants it.
#[allow(
    clippy::disallowed_methods,
    reason = "read right away, and thrown away after"
)]
fn write(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn run(program: &Path, home: &Path, words: &[&str]) -> std::process::Output {
    let program = program.canonicalize().unwrap();
    Command::new(program)
        .args(words)
        .current_dir(home)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// An address of its own for each.
fn nth(number: usize, port: u16) -> SocketAddr {
    let number = u32::try_from(number).unwrap();
    let first = u32::from(Ipv4Addr::new(127, 1, 0, 1));
    SocketAddr::new(IpAddr::V4(Ipv4Addr::from(first + number)), port)
}

/// Seconds of processor that this process has used, and those of its children that it has waited for.
fn processor() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The name of the program, in parentheses, may hold anything.
    let fields: Vec<f64> = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .skip(11)
        .take(4)
        .map(|ticks| ticks.parse::<f64>().unwrap() / 100.0)
        .collect();
    (fields[0] + fields[1], fields[2] + fields[3])
}

/// Listens, and hands everything on to `to` after `delay`, in both directions. The first bytes of a connection wait for
/// the round trip, too, in which a connection over such a line would have been made.
fn distant(to: SocketAddr, delay: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    thread::spawn(move || {
        for near in listener.incoming() {
            let (near, far) = (near.unwrap(), TcpStream::connect(to).unwrap());
            let (back, forth) = (far.try_clone().unwrap(), near.try_clone().unwrap());
            hand_on(near, far, delay, delay * 2);
            hand_on(back, forth, delay, Duration::ZERO);
        }
    });
    at
}

fn hand_on(mut from: TcpStream, mut to: TcpStream, delay: Duration, more_at_first: Duration) {
    let _ = to.set_nodelay(true);
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut piece = vec![0; 64 * 1024];
        let opened = Instant::now() + more_at_first;
        while let Ok(length @ 1..) = from.read(&mut piece) {
            let due = Instant::now().max(opened) + delay;
            if sender.send((due, piece[..length].to_vec())).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        for (due, piece) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&piece).is_err() {
                return;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
}

/// Everything, as one JSON object; `program` is the binary that users run.
pub fn measure(program: &Path) -> Value {
    let scene = Scene::default();
    let directory = tempfile::tempdir().unwrap();
    scene.write_files(directory.path());
    json!({
        "one_core": one_core(&scene, directory.path()),
        "round_trips": round_trips(&scene),
        "a_thousand_places": many(&scene, program, 1_000),
    })
}

/// Full probes and runs of s_client for a second of processor of the side that asks, in turns, so that both meet the
/// same machine. The gateway's share is not counted on either side.
fn one_core(scene: &Scene, directory: &Path) -> Value {
    const ROUNDS: usize = 5;
    const PROBES: usize = 100;
    const RUNS: usize = 50;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (mut ours, mut theirs) = (0.0, 0.0);
    for _ in 0..ROUNDS {
        let before = processor();
        runtime.block_on(async {
            for _ in 0..PROBES {
                scene
                    .probe(scene.address(), TlsParity::Tls12Only, true)
                    .await;
            }
        });
        let between = processor();
        for _ in 0..RUNS {
            scene.s_client(directory);
        }
        ours += between.0 - before.0;
        theirs += processor().1 - between.1;
    }
    let probes = (ROUNDS * PROBES) as f64 / ours;
    let runs = (ROUNDS * RUNS) as f64 / theirs;
    json!({
        "full_probes_per_second": probes, "s_client_runs_per_second": runs, "ratio": probes / runs,
        "handshakes_of_a_full_probe": 8,
    })
}

/// How many round trips a probe waits, by the difference that a longer line makes.
fn round_trips(scene: &Scene) -> Value {
    const DELAY: Duration = Duration::from_millis(50);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let far = distant(scene.address(), DELAY);
    let near = distant(scene.address(), Duration::ZERO);
    let best = |at: SocketAddr, tls, everything| {
        (0..5)
            .map(|_| {
                let began = Instant::now();
                runtime.block_on(scene.probe(at, tls, everything));
                began.elapsed()
            })
            .min()
            .unwrap()
    };
    let of = |tls, everything| {
        let waited = best(far, tls, everything).saturating_sub(best(near, tls, everything));
        waited.as_secs_f64() / (DELAY * 2).as_secs_f64()
    };
    json!({
        "tls_1_2": { "one_conversation": of(TlsParity::Tls12Only, false), "full_probe": of(TlsParity::Tls12Only, true) },
        "tls_1_3": { "one_conversation": of(TlsParity::Tls12And13, false), "full_probe": of(TlsParity::Tls12And13, true) },
    })
}

/// `probe --all` by the program, with so many places.
fn many(scene: &Scene, program: &Path, places: usize) -> Value {
    let home = tempfile::tempdir().unwrap();
    scene.configure(program, home.path(), places);
    let mut found = serde_json::Map::new();
    for at_once in ["1", "8", "64"] {
        let began = Instant::now();
        let said = run(
            program,
            home.path(),
            &["--json", "probe", "--all", "--at-once", at_once],
        );
        let seconds = began.elapsed().as_secs_f64();
        let object: Value = serde_json::from_slice(&said.stdout).unwrap();
        let healthy = object["places"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|place| place["report"]["verdict"] == "accepted")
            .count();
        assert!(said.status.success() && healthy == places, "{object:#}");
        found.insert(
            format!("at_once_{at_once}"),
            json!({ "seconds": seconds, "places_per_second": places as f64 / seconds }),
        );
    }
    Value::Object(found)
}
