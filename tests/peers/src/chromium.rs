//! Chromium, driven by its own driver (W3C WebDriver): what a page is to people is judged by a browser.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Port, Process, find_program, run};

/// A browser with one window and no network of its own.
pub struct Chromium {
    session: String,
    // Dropped in this order: the driver, which ends the browser, before the browser's files.
    _driver: Process,
    port: Port,
    _directory: TempDir,
}

impl Chromium {
    /// Starts the driver and the browser, with a window of this size in CSS pixels.
    pub fn start(width: u32, height: u32) -> Self {
        let browser = find_program("chromium", "chromium");
        let driver = find_program("chromedriver", "chromium-driver");
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let port = Port::claim();
        let log = directory.path().join("driver.log");
        let mut process = Process::spawn(
            Command::new(driver)
                .arg(format!("--port={}", port.number()))
                .env("HOME", directory.path()),
            &log,
        );
        process.await_listening(port.addr());
        let profile = directory.path().join("profile");
        let arguments = [
            "--headless=new".to_owned(),
            // Tests run as root in containers, where there is no sandbox to be had.
            "--no-sandbox".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-background-networking".to_owned(),
            format!("--window-size={width},{height}"),
            format!("--user-data-dir={}", profile.display()),
        ];
        let options = json!({ "binary": browser, "args": arguments });
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let mut chromium = Self {
            session: String::new(),
            _driver: process,
            port,
            _directory: directory,
        };
        let answer = chromium.call("POST", "/session", &capabilities);
        chromium.session = format!(
            "/session/{}",
            answer["sessionId"].as_str().expect("a session has an id")
        );
        chromium
    }

    /// Opens a file, and returns when it is loaded.
    pub fn open(&self, file: &Path) {
        let url = format!("file://{}", file.display());
        self.command("/url", &json!({ "url": url }));
    }

    /// What an expression of JavaScript comes to on the page.
    pub fn evaluate(&self, expression: &str) -> Value {
        let script = format!("return {expression};");
        self.command("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Everything that the browser found fault with since the last time.
    pub fn console(&self) -> Vec<String> {
        let entries = self.command("/se/log", &json!({ "type": "browser" }));
        let entries = entries.as_array().expect("a log is a list");
        entries
            .iter()
            .map(|entry| entry["message"].to_string())
            .collect()
    }

    fn command(&self, path: &str, body: &Value) -> Value {
        self.call("POST", &format!("{}{path}", self.session), body)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut curl = Command::new(find_program("curl", "curl"));
        curl.args([
            "--silent",
            "--show-error",
            "--request",
            method,
            "--data-binary",
            "@-",
        ])
        .args(["--header", "Content-Type: application/json"])
        .arg(format!("http://{}{path}", self.port.addr()));
        let answer = run(&mut curl, body.to_string().as_bytes())
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let mut answer: Value = serde_json::from_slice(&answer).unwrap_or_else(|error| {
            panic!(
                "{method} {path}: {error}: {}",
                String::from_utf8_lossy(&answer)
            )
        });
        let value = answer["value"].take();
        assert!(value.get("error").is_none(), "{method} {path}: {value:#}");
        value
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // The driver ends without its browser when it is only told to end.
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--max-time", "5", "--request", "DELETE"])
            .arg(format!("http://{}{}", self.port.addr(), self.session));
        let _ = run(&mut curl, b"");
    }
}
