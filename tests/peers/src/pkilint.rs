//! pkilint as a judge: the profile of RFC 5280, rule by rule.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::process::write_file;

/// How grave a finding is, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// For those who look into pkilint itself.
    Debug,
    /// Worth knowing.
    Info,
    /// Against a habit.
    Notice,
    /// Against a SHOULD.
    Warning,
    /// Against a MUST.
    Error,
    /// Not even readable.
    Fatal,
}

/// One thing that pkilint has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How grave it is.
    pub severity: Severity,
    /// The rule, as in `pkix.subject_key_identifier_extension_absent`.
    pub code: String,
    /// Where in the document.
    pub node: String,
    /// The details; may be empty.
    pub message: String,
}

/// What pkilint finds in a certificate (PEM or DER) under the profile of RFC 5280.
pub fn lint_certificate(certificate: impl AsRef<[u8]>) -> Vec<Finding> {
    lint("lint_pkix_cert", &["lint"], certificate.as_ref())
}

/// What pkilint finds in a revocation list (PEM or DER) of end entities' certificates
/// under the profile of RFC 5280.
pub fn lint_crl(list: impl AsRef<[u8]>) -> Vec<Finding> {
    lint(
        "lint_crl",
        &["lint", "-t", "CRL", "-p", "PKIX"],
        list.as_ref(),
    )
}

fn lint(program: &str, arguments: &[&str], document: &[u8]) -> Vec<Finding> {
    let program = installation().join("bin").join(program);
    assert!(
        program.is_file(),
        "{} is missing; run scripts/test, which installs pkilint",
        program.display()
    );
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory.path().join("document");
    write_file(&path, document);
    // The exit status is the number of findings.
    let output = Command::new(&program)
        .args(arguments)
        .args(["-s", "ALL", "-f", "JSON"])
        .arg(&path)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", program.display()));
    parse(&output.stdout).unwrap_or_else(|| {
        panic!(
            "{} has no answer: {}{}",
            program.display(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

/// Where `scripts/test` installs pkilint.
fn installation() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/pkilint")
}

/// `{"results": [{"node_path", "finding_descriptions": [{"severity", "code", "message"}]}]}`
fn parse(answer: &[u8]) -> Option<Vec<Finding>> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let mut findings = Vec::new();
    for result in answer.get("results")?.as_array()? {
        let node = result.get("node_path")?.as_str()?;
        for finding in result.get("finding_descriptions")?.as_array()? {
            findings.push(Finding {
                severity: severity(finding.get("severity")?.as_str()?)?,
                code: finding.get("code")?.as_str()?.to_owned(),
                node: node.to_owned(),
                message: finding
                    .get("message")?
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
            });
        }
    }
    Some(findings)
}

fn severity(name: &str) -> Option<Severity> {
    Some(match name {
        "DEBUG" => Severity::Debug,
        "INFO" => Severity::Info,
        "NOTICE" => Severity::Notice,
        "WARNING" => Severity::Warning,
        "ERROR" => Severity::Error,
        "FATAL" => Severity::Fatal,
        _ => return None,
    })
}
