//! oauthlib as a judge: whether a server takes a request that is signed by OAuth 1.0a.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::run;

/// What a server knows of a client whose requests it verifies.
#[derive(Clone, Debug)]
pub struct OauthClient {
    /// Its consumer key.
    pub consumer_key: String,
    /// The access token that it was given.
    pub token: String,
    /// The public key of its application link, PEM.
    pub public_key: String,
}

impl OauthClient {
    /// Judges a request by RSA-SHA1, with its clock and every rule of RFC 5849 that oauthlib has: `Err` holds what it
    /// does not take, as a word of the OAuth problem reporting extension.
    pub fn judge(&self, method: &str, url: &str, authorization: &str) -> Result<(), String> {
        let program = installation().join("bin/python");
        assert!(
            program.is_file(),
            "{} is missing; run scripts/test, which installs oauthlib",
            program.display()
        );
        let output = run(
            Command::new(program).args(["-c", VERIFIER]).args([
                method,
                url,
                authorization,
                &self.consumer_key,
                &self.token,
            ]),
            self.public_key.as_bytes(),
        )
        .unwrap_or_else(|error| panic!("oauthlib has no answer: {error}"));
        match String::from_utf8_lossy(&output).trim() {
            "taken" => Ok(()),
            problem => Err(problem.to_owned()),
        }
    }
}

/// Where `scripts/test` installs oauthlib.
fn installation() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/oauthlib")
}

const VERIFIER: &str = include_str!("oauthlib.py");
