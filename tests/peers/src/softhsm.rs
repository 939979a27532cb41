//! SoftHSM: PKCS#11 tokens in a directory, with OpenSC's tool as the hand that makes keys on them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::process::{find_program, read_lossy, run, write_file};

/// Of the security officers of all tokens here.
const SO_PIN: &str = "87654321";

/// A reader with tokens in it.
#[derive(Debug)]
pub struct SoftHsm {
    directory: TempDir,
}

impl SoftHsm {
    /// A reader without a token.
    pub fn new() -> Self {
        let hsm = Self {
            directory: tempfile::tempdir().expect("a temporary directory can be made"),
        };
        fs::create_dir(hsm.tokens()).expect("a directory can be made");
        let text = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            hsm.tokens().display()
        );
        write_file(&hsm.directory.path().join("conf"), text);
        hsm
    }

    /// What a process needs in its environment to see these tokens, through [`module`](Self::module) or
    /// [`spy`](Self::spy).
    pub fn environment(&self) -> Vec<(String, String)> {
        let text = |path: PathBuf| path.display().to_string();
        let directory = self.directory.path();
        [
            ("SOFTHSM2_CONF", text(directory.join("conf"))),
            ("PKCS11SPY", text(Self::module())),
            ("PKCS11SPY_OUTPUT", text(directory.join("calls"))),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// The library that speaks with the tokens.
    pub fn module() -> PathBuf {
        library("libsofthsm2.so", "softhsm2")
    }

    /// The library that does the same, and writes down each call (see [`calls`](Self::calls)).
    pub fn spy() -> PathBuf {
        library("pkcs11-spy.so", "opensc-pkcs11")
    }

    /// How often a function was called through the spy.
    pub fn calls(&self, function: &str) -> usize {
        let calls = read_lossy(&self.directory.path().join("calls"));
        let named = format!(": {function}");
        calls.lines().filter(|line| line.ends_with(&named)).count()
    }

    /// Makes a token.
    pub fn make_token(&self, label: &str, pin: &str) {
        let mut command = Command::new(find_program("softhsm2-util", "softhsm2"));
        command.args(["--init-token", "--free", "--label", label]);
        command.args(["--pin", pin, "--so-pin", SO_PIN]);
        self.ask(&mut command);
    }

    /// Makes a key on P-256 on a token.
    pub fn make_key(&self, token: &str, pin: &str, key: &str, id: &str) {
        self.tool(&["--token-label", token, "--login", "--pin", pin])
            .and(&["--keypairgen", "--key-type", "EC:prime256v1"])
            .and(&["--usage-derive", "--label", key, "--id", id])
            .run();
    }

    /// Takes a key from a token.
    pub fn delete_key(&self, token: &str, pin: &str, id: &str) {
        self.tool(&["--token-label", token, "--login", "--pin", pin])
            .and(&["--delete-object", "--type", "privkey", "--id", id])
            .run();
    }

    /// The public half of a key, as the token shows it to everybody: uncompressed, in hexadecimal.
    pub fn public_point(&self, token: &str) -> String {
        let shown = self
            .tool(&["--token-label", token])
            .and(&["--list-objects", "--type", "pubkey"])
            .run();
        let line = shown.lines().find(|line| line.contains("EC_POINT:"));
        let der = line.and_then(|line| line.split_whitespace().last());
        // An OCTET STRING of 65 bytes.
        let point = der.and_then(|der| der.strip_prefix("0441"));
        point.expect("a public key has a point").to_owned()
    }

    /// What the tokens say of themselves, flags included.
    pub fn state(&self) -> String {
        self.tool(&["--list-token-slots"]).run()
    }

    /// The serial number of the only token.
    pub fn serial(&self) -> String {
        let state = self.state();
        let line = state.lines().find(|line| line.contains("serial num"));
        let serial = line.and_then(|line| line.split_whitespace().last());
        serial.expect("a token has a serial number").to_owned()
    }

    /// Pulls all tokens out.
    pub fn pull_out(&self) {
        self.rename(&self.tokens(), &self.aside());
        fs::create_dir(self.tokens()).expect("a directory can be made");
    }

    /// Plugs them in again.
    pub fn plug_in(&self) {
        fs::remove_dir_all(self.tokens()).expect("a directory can be removed");
        self.rename(&self.aside(), &self.tokens());
    }

    fn rename(&self, from: &Path, to: &Path) {
        fs::rename(from, to).expect("a directory can be renamed");
    }

    fn tokens(&self) -> PathBuf {
        self.directory.path().join("tokens")
    }

    fn aside(&self) -> PathBuf {
        self.directory.path().join("aside")
    }

    fn tool(&self, arguments: &[&str]) -> Tool<'_> {
        let mut command = Command::new(find_program("pkcs11-tool", "opensc"));
        command.arg("--module").arg(Self::module()).args(arguments);
        Tool { hsm: self, command }
    }

    fn ask(&self, command: &mut Command) -> String {
        command.envs(self.environment());
        let answer = run(command, b"").unwrap_or_else(|error| panic!("{command:?}: {error}"));
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Default for SoftHsm {
    fn default() -> Self {
        Self::new()
    }
}

/// A run of `pkcs11-tool`, as it is put together.
struct Tool<'a> {
    hsm: &'a SoftHsm,
    command: Command,
}

impl Tool<'_> {
    fn and(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    fn run(mut self) -> String {
        self.hsm.ask(&mut self.command)
    }
}

/// Debian keeps some libraries in a directory of their architecture, and some not.
fn library(name: &str, package: &str) -> PathBuf {
    let mut places: Vec<PathBuf> = vec!["/usr/lib/softhsm".into(), "/usr/lib/pkcs11".into()];
    for entry in fs::read_dir("/usr/lib").into_iter().flatten().flatten() {
        places.push(entry.path());
        places.push(entry.path().join("softhsm"));
        places.push(entry.path().join("pkcs11"));
    }
    places
        .into_iter()
        .map(|place| place.join(name))
        .find(|library| library.is_file())
        .unwrap_or_else(|| {
            panic!("{name} is not installed; run scripts/test, or: apt-get install -y {package}")
        })
}
