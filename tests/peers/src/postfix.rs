//! Postfix as the partner's mail server.

use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::identity::Identity;
use crate::process::{Port, Process, eventually, find_program, read_lossy, run, write_file};

/// How the server protects submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// STARTTLS is offered, and nothing is taken before it (RFC 3207): 530 to `MAIL`.
    StartTlsRequired,
    /// TLS from the first byte (RFC 8314 §3.3).
    Implicit,
    /// No TLS at all: a client with manners does not send here.
    None,
}

/// A private instance of Postfix, which delivers mail to whomever into one mailbox.
///
/// Two recipients are refused whatever their domain: `reject@…` with 550, `later@…` with
/// 450. Nothing ever leaves the machine: there is no service that could send it.
///
/// Postfix drops its privileges itself, so it has to be started by root.
pub struct Postfix {
    // Dropped in this order: the process before the files that it writes.
    process: Process,
    port: Port,
    directory: TempDir,
}

impl Postfix {
    /// Starts Postfix and returns when it answers.
    pub fn start(server: &Identity, tls: SmtpTls) -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "Postfix can be started by root only; run the tests that drive it as root"
        );
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let root = directory.path();
        let port = Port::claim();
        let owner = prepare(root);
        write_file(&root.join("etc/server.pem"), server.bundle_pem());
        write_file(&root.join("etc/main.cf"), main_cf(root, tls, owner));
        write_file(&root.join("etc/master.cf"), master_cf(&port));
        let mut process = Process::spawn(
            // In the foreground, in our process group: what ends the test ends the server.
            Command::new(master_program())
                .arg("-d")
                .arg("-c")
                .arg(root.join("etc")),
            &root.join("master.log"),
        )
        // The services leave by themselves when their master is gone, while a master in
        // our process group stumbles over a polite signal and takes a second over it.
        .ended_by(Signal::KILL);
        process.await_listening(port.addr());
        Self {
            process,
            port,
            directory,
        }
    }

    /// Where it listens for SMTP.
    pub fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    /// The messages delivered so far, in the order of their arrival, as they lie in the
    /// mailbox: LF line ends, and the server's own trace headers on top.
    pub fn messages(&self) -> Vec<Vec<u8>> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(self.directory.path().join("mail/all/new"))
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        // A delivered file is complete: Maildir moves it to `new` when it is.
        files.sort_by_key(|file| {
            std::fs::metadata(file)
                .and_then(|metadata| metadata.modified())
                .ok()
        });
        files
            .iter()
            .map(|file| std::fs::read(file).expect("a message can be read"))
            .collect()
    }

    /// Returns the messages as soon as there are `count` of them; panics with the
    /// server's log when they do not come.
    pub fn wait_for_messages(&self, count: usize) -> Vec<Vec<u8>> {
        eventually(&format!("{count} messages have been delivered"), || {
            Some(self.messages()).filter(|messages| messages.len() >= count)
        })
    }

    /// What Postfix has to say about its work; it may say it a moment later.
    pub fn log(&self) -> String {
        self.process.log() + &read_lossy(&self.directory.path().join("mail.log"))
    }
}

/// Makes the directories as Postfix wants them; returns the user that it works as.
fn prepare(root: &Path) -> u32 {
    let ask = |command: &mut Command| {
        let answer = run(command, b"").unwrap_or_else(|error| panic!("{command:?}: {error}"));
        String::from_utf8_lossy(&answer).trim().to_owned()
    };
    let user = ask(Command::new(postconf()).args(["-dh", "mail_owner"]));
    let owner = ask(Command::new("id").args(["-u", &user]))
        .parse()
        .expect("a user has a number");

    // The services leave root's identity behind and must still reach their directories.
    std::fs::set_permissions(root, PermissionsExt::from_mode(0o755)).expect("it is ours");
    for name in ["etc", "queue", "queue/pid"] {
        std::fs::create_dir(root.join(name)).expect("the directory is new");
    }
    let queues = [
        "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold",
    ];
    let more = [
        "incoming", "maildrop", "private", "public", "saved", "trace",
    ];
    let queues = queues
        .iter()
        .chain(&more)
        .map(|name| format!("queue/{name}"));
    for name in queues.chain(["data", "mail"].map(str::to_owned)) {
        let path = root.join(name);
        std::fs::create_dir(&path).expect("the directory is new");
        chown(&path, Some(owner), None).expect("root may give a directory away");
    }
    owner
}

fn postconf() -> PathBuf {
    find_program("postconf", "postfix")
}

fn master_program() -> PathBuf {
    let directory = run(
        Command::new(postconf()).args(["-dh", "daemon_directory"]),
        b"",
    )
    .expect("Postfix knows where its programs are");
    Path::new(String::from_utf8_lossy(&directory).trim()).join("master")
}

fn main_cf(root: &Path, tls: SmtpTls, owner: u32) -> String {
    let root = root.display();
    let tls = match tls {
        SmtpTls::StartTlsRequired => "smtpd_tls_security_level = encrypt",
        SmtpTls::Implicit => "smtpd_tls_wrappermode = yes",
        SmtpTls::None => "smtpd_tls_security_level = none",
    };
    format!(
        "compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
maillog_file = {root}/mail.log
maillog_file_prefixes = {root}
myhostname = mail.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
{tls}
smtpd_tls_chain_files = {root}/etc/server.pem
smtpd_tls_loglevel = 1
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions =
    check_recipient_access inline:{{ {{reject@ = 550 5.1.1 no such mailbox}}, {{later@ = 450 4.2.0 try again later}} }},
    permit_mynetworks, reject
virtual_mailbox_domains = static:ok
virtual_mailbox_maps = static:all/
virtual_mailbox_base = {root}/mail
virtual_uid_maps = static:{owner}
virtual_gid_maps = static:{owner}
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
message_size_limit = 52428800
"
    )
}

/// The services that receive and deliver, and none that sends.
fn master_cf(port: &Port) -> String {
    format!(
        "{} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
",
        port.addr()
    )
}
