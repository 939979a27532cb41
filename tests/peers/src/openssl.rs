//! `openssl` as a judge: what foreign software says of what we make.
//!
//! Each function runs the command once, on files that are removed afterwards. `Ok` is
//! the judgement "good"; `Err` holds what OpenSSL said instead.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::process::{find_program, run, write_file};

/// One run of `openssl`, with its files.
struct Judge {
    directory: TempDir,
    command: Command,
}

impl Judge {
    fn new(arguments: &[&str]) -> Self {
        let mut command = Command::new(find_program("openssl", "openssl"));
        command.args(arguments);
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        Self { directory, command }
    }

    /// Adds `option`, if any, and a file with this content.
    fn file(mut self, option: &str, content: impl AsRef<[u8]>) -> Self {
        let count = self.command.get_args().count();
        let path: PathBuf = self.directory.path().join(format!("argument-{count}"));
        write_file(&path, content);
        if !option.is_empty() {
            self.command.arg(option);
        }
        self.command.arg(path);
        self
    }

    fn judge(mut self) -> Result<Vec<u8>, String> {
        run(&mut self.command, b"")
    }

    fn text(self) -> Result<String, String> {
        self.judge()
            .map(|output| String::from_utf8_lossy(&output).into_owned())
    }

    /// For subcommands whose exit status does not tell the verdict but whose words do.
    fn says(mut self, verdict: &str) -> Result<(), String> {
        // `run` returns only one of the outputs, and the verdict is on standard error.
        let output = self.command.output().expect("openssl can be run");
        let words = String::from_utf8_lossy(&output.stderr);
        if output.status.success() && words.contains(verdict) {
            Ok(())
        } else {
            Err(format!("{}: {words}", output.status))
        }
    }
}

/// Verifies a signed mail (S/MIME, RFC 8551), whole as it was sent or received, whose
/// signer is certified by `anchors` (PEM). Returns the signed content.
pub fn cms_verify(mail: &[u8], anchors: &str) -> Result<Vec<u8>, String> {
    Judge::new(&["cms", "-verify", "-inform", "SMIME"])
        .file("-in", mail)
        .file("-CAfile", anchors)
        .judge()
}

/// As [`cms_verify`], whatever the signer's certificate may be used for.
pub fn cms_verify_any_purpose(mail: &[u8], anchors: &str) -> Result<Vec<u8>, String> {
    Judge::new(&["cms", "-verify", "-inform", "SMIME", "-purpose", "any"])
        .file("-in", mail)
        .file("-CAfile", anchors)
        .judge()
}

/// Decrypts an enveloped mail (S/MIME, RFC 8551) with the recipient's certificate and key
/// (PEM). Returns the content, which may be a signed message.
pub fn cms_decrypt(mail: &[u8], certificate: &str, key: &str) -> Result<Vec<u8>, String> {
    Judge::new(&["cms", "-decrypt", "-inform", "SMIME"])
        .file("-in", mail)
        .file("-recip", certificate)
        .file("-inkey", key)
        .judge()
}

/// Verifies a client's chain as strictly as OpenSSL can (RFC 5280 §6, clientAuth). All
/// PEM; `intermediates` may be empty.
pub fn verify_client_chain(root: &str, intermediates: &str, leaf: &str) -> Result<String, String> {
    let mut judge =
        Judge::new(&["verify", "-x509_strict", "-purpose", "sslclient"]).file("-CAfile", root);
    if !intermediates.is_empty() {
        judge = judge.file("-untrusted", intermediates);
    }
    judge.file("", leaf).text()
}

/// Verifies the proof of possession of a certification request (PKCS#10, RFC 2986, PEM)
/// and returns the request as text.
pub fn req_verify(request: &str) -> Result<String, String> {
    Judge::new(&["req", "-verify", "-noout"])
        .file("-in", request)
        .says("verify OK")?;
    Judge::new(&["req", "-noout", "-text"])
        .file("-in", request)
        .text()
}

/// Verifies the signature of a revocation list (RFC 5280 §5, PEM) by its issuer's
/// certificate (PEM) and returns the list as text.
pub fn crl_verify(list: &str, issuer: &str) -> Result<String, String> {
    Judge::new(&["crl", "-noout"])
        .file("-in", list)
        .file("-CAfile", issuer)
        .says("verify OK")?;
    Judge::new(&["crl", "-noout", "-text"])
        .file("-in", list)
        .text()
}

/// Reads a private key (PKCS#8, RFC 5958, PEM; encrypted when a passphrase is given),
/// checks it and returns its public key (PEM).
pub fn pkcs8_read(key: &str, passphrase: Option<&str>) -> Result<String, String> {
    let mut judge = Judge::new(&["pkey", "-check", "-pubout"]).file("-in", key);
    // An empty passphrase where none is meant: OpenSSL must not ask the terminal.
    let passphrase = passphrase.unwrap_or_default();
    let path = judge.directory.path().join("passphrase");
    write_file(&path, format!("{passphrase}\n"));
    judge
        .command
        .arg("-passin")
        .arg(format!("file:{}", path.display()));
    let answer = judge.text()?;
    // "Key is valid" comes first.
    match answer.find("-----BEGIN PUBLIC KEY") {
        Some(start) => Ok(answer[start..].to_owned()),
        None => Err(answer),
    }
}

/// A certificate (PEM) as text.
pub fn certificate_text(certificate: &str) -> Result<String, String> {
    Judge::new(&["x509", "-noout", "-text"])
        .file("-in", certificate)
        .text()
}

/// A new RSA private key in PEM: `form` is `pkcs1` (RFC 8017) or `pkcs8` (RFC 5958).
pub fn rsa_key(bits: u32, form: &str) -> String {
    let bits = bits.to_string();
    let mut arguments = vec!["genrsa"];
    match form {
        "pkcs1" => arguments.push("-traditional"),
        "pkcs8" => {}
        other => panic!("{other} is no form of a key"),
    }
    arguments.push(&bits);
    Judge::new(&arguments)
        .text()
        .expect("openssl can make a key")
}

/// A new RSA private key, PKCS#8 in PEM, encrypted under `passphrase`.
pub fn encrypted_rsa_key(passphrase: &str) -> String {
    let key = rsa_key(2048, "pkcs8");
    let mut judge = Judge::new(&["pkcs8", "-topk8", "-passout"]);
    judge.command.arg(format!("pass:{passphrase}"));
    judge
        .file("-in", key)
        .text()
        .expect("openssl can encrypt a key")
}

/// The public half of a private key, both in PEM.
pub fn public_key(key: &str) -> String {
    Judge::new(&["pkey", "-pubout"])
        .file("-in", key)
        .text()
        .expect("openssl can read the key")
}

/// Verifies a signature (PKCS#1 v1.5 with SHA-1) over `message` by the public half of `key`.
pub fn sha1_verify(key: &str, message: &[u8], signature: &[u8]) -> Result<String, String> {
    Judge::new(&["dgst", "-sha1"])
        .file("-verify", public_key(key))
        .file("-signature", signature)
        .file("", message)
        .text()
}
