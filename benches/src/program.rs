//! What the program itself costs, as cron and the service manager meet it: started as a process, from the first
//! instruction to the answer.

// What is written here is to be read by the program right away, and thrown away after.
#![allow(clippy::disallowed_methods)]

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::POLICY;

/// How long anything may take before the measurement is given up.
const LIMIT: Duration = Duration::from_secs(120);

/// Writes a configuration beside the store of a populated home, in which so many partners trust an identity each.
pub fn configure(home: &Path, partners: usize) {
    let anchors = home.join("anchors.pem");
    let authority = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    std::fs::write(&anchors, parameters.self_signed(&authority).unwrap().pem()).unwrap();
    let mut text = String::from(
        "[store]\npath = \"store\"\nkey-file = \"store.key\"\n[ops]\nname = \"Ops\"\nreply-to = \"ops@align.example\"\n\
         [issuer.ca]\nkind = \"local-ca\"\napproved-domains = [\"align.example\"]\n[policies]\ndirectory = \"policies\"\n",
    );
    for number in 0..partners {
        let identity = crate::name(number);
        text += &format!(
            "[partner.partner-{number}]\ntitle = \"Partner {number}\"\n\
             [[partner.partner-{number}.contact]]\nname = \"Security\"\nemail = \"sec@partner-{number}.example\"\nrole = \"jira-sec\"\n\
             [partner.partner-{number}.production]\nidentity = \"{identity}\"\nendpoint = \"https://jira.partner-{number}.example\"\n\
             anchors = \"anchors.pem\"\ngateway = \"nginx\"\n"
        );
    }
    std::fs::write(home.join("countersign.toml"), text).unwrap();
    let policies = home.join("policies");
    std::fs::create_dir_all(&policies).unwrap();
    // As shipped, under the name that the populated identities bear.
    let shipped = include_str!("../../policies/jira-connector.toml");
    let ours = shipped.replace("\"jira-connector\"", &format!("\"{POLICY}\""));
    std::fs::write(policies.join(format!("{POLICY}.toml")), ours).unwrap();
}

fn command(program: &Path, home: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .arg("--config")
        .arg(home.join("countersign.toml"))
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Milliseconds from the start of a command to its end, the best of several; and what it printed last.
fn run(program: &Path, home: &Path, words: &[&str], times: usize) -> (f64, String) {
    let mut best = f64::MAX;
    let mut printed = String::new();
    for _ in 0..times {
        let began = Instant::now();
        let output = command(program, home, words).output().unwrap();
        best = best.min(began.elapsed().as_secs_f64() * 1e3);
        assert!(
            output.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        printed = String::from_utf8(output.stdout).unwrap();
    }
    (best, printed)
}

/// A daemon that has answered once.
struct Daemon {
    child: Child,
    ready_ms: f64,
}

impl Daemon {
    fn start(program: &Path, home: &Path) -> Self {
        let socket = home.join("run/control.sock");
        let began = Instant::now();
        let child = command(program, home, &["daemon"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !answers(&socket) {
            assert!(began.elapsed() < LIMIT, "the daemon does not answer");
            std::thread::sleep(Duration::from_micros(200));
        }
        Self {
            child,
            ready_ms: began.elapsed().as_secs_f64() * 1e3,
        }
    }

    /// In KiB.
    fn memory(&self, field: &str) -> u64 {
        crate::memory_of(&self.child.id().to_string(), field)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether one identity can be asked for: the store is open then.
fn answers(socket: &Path) -> bool {
    let Ok(mut stream) = UnixStream::connect(socket) else {
        return false;
    };
    let request = format!(
        "GET /v1/identities/{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        crate::name(0)
    );
    let mut answer = String::new();
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

/// `renew` with nothing due, a daemon that starts, and what starting the program costs at all.
pub fn measure(program: &Path, home: &Path, partners: usize) -> serde_json::Value {
    configure(home, partners);
    let (start, _) = run(program, home, &["--version"], 20);
    let (check, _) = run(program, home, &["config", "check"], 5);
    let (renew, printed) = run(program, home, &["renew", "--json"], 10);
    let mut ready = f64::MAX;
    let mut memory = Vec::new();
    for _ in 0..5 {
        let daemon = Daemon::start(program, home);
        ready = ready.min(daemon.ready_ms);
        // What it does on its own right after the start is over soon; its memory then is what it keeps.
        std::thread::sleep(Duration::from_secs(2));
        memory.push((
            daemon.memory("VmRSS"),
            daemon.memory("RssAnon"),
            daemon.memory("RssFile"),
            daemon.memory("VmHWM"),
        ));
    }
    json!({
        "partners": partners, "version_ms": start, "config_check_ms": check, "renew_ms": renew,
        "renew_printed": serde_json::from_str::<serde_json::Value>(&printed).unwrap(),
        "daemon_ready_ms": ready,
        "daemon_rss_anon_file_peak_kib": memory.iter().min(),
    })
}
