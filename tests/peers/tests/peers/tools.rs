//! curl and Python as clients.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use countersign_peers::{Identity, Port};

/// What curl was answered: status line, headers and body; or its complaint.
pub(crate) fn curl(
    addr: SocketAddr,
    anchors: &str,
    identity: Option<&Identity>,
    path: &str,
    arguments: &[&str],
) -> Result<String, String> {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let anchors_path = directory.path().join("anchors.pem");
    write(&anchors_path, anchors);
    let mut command = Command::new("curl");
    command
        .args(["-sS", "-i", "--max-time", "20", "--cacert"])
        .arg(anchors_path);
    if let Some(identity) = identity {
        let path = directory.path().join("identity.pem");
        write(&path, &identity.bundle_pem());
        command.arg("--cert").arg(path);
    }
    let url = format!("https://localhost:{}{path}", addr.port());
    let output = command
        .args(["--resolve", &format!("localhost:{}:127.0.0.1", addr.port())])
        .args(arguments)
        .arg(url)
        .stdin(Stdio::null())
        .output()
        .expect("curl is installed: apt-get install -y curl");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// The status of an answer.
pub(crate) fn status(answer: &str) -> u16 {
    let code = answer
        .split(' ')
        .nth(1)
        .expect("an answer begins with its status line");
    code.parse().expect("a status is a number")
}

/// Runs a Python script with these arguments and returns what it prints.
pub(crate) fn python(script: &str, arguments: &[&str]) -> String {
    let output = Command::new("python3")
        .args(["-c", script])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("python3 is installed: apt-get install -y python3");
    assert!(
        output.status.success(),
        "the script failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub(crate) fn write(path: &Path, content: &str) {
    let mut file = std::fs::File::create(path).expect("the directory is ours");
    file.write_all(content.as_bytes())
        .expect("there is room for a small file");
}

#[test]
fn nobody_listens_on_a_port_that_was_just_claimed_whatever_is_started_meanwhile() {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let started = Command::new("true").status();
                    assert!(started.is_ok_and(|status| status.success()));
                }
            });
        }
        let heard: Vec<_> = (0..500)
            .map(|_| Port::claim())
            .filter(|port| TcpStream::connect(port.addr()).is_ok())
            .collect();
        over.store(true, Ordering::Relaxed);
        assert!(heard.is_empty(), "{heard:?}");
    });
}
