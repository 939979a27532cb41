//! `age` as a judge: what foreign software makes of our backups.

use std::path::Path;
use std::process::Command;

use crate::process::{find_program, run};

/// Makes an identity file, for us alone, and returns its recipient.
pub fn keygen(path: &Path) -> String {
    let mut command = Command::new(find_program("age-keygen", "age"));
    run(command.arg("-o").arg(path), b"").expect("age-keygen makes an identity");
    let mut command = Command::new(find_program("age-keygen", "age"));
    let recipient = run(command.arg("-y").arg(path), b"").expect("age-keygen names its recipient");
    String::from_utf8_lossy(&recipient).trim().to_owned()
}

/// What is encrypted in a file.
pub fn decrypt(identity: &Path, file: &Path) -> Result<Vec<u8>, String> {
    let mut command = Command::new(find_program("age", "age"));
    run(
        command.arg("--decrypt").arg("-i").arg(identity).arg(file),
        b"",
    )
}
