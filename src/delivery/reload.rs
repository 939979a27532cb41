//! How the reader of a file learns that it changed.

use std::{path::PathBuf, process::Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
};

use super::error::DeliveryError;
use crate::model::{Lapse, one_line};

/// How much of what a reload command prints is kept.
const OUTPUT: usize = 4 * 1024;

/// How a reader of files learns of new ones.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reload {
    /// A program with its arguments; no shell.
    Command {
        /// The program and its arguments; never empty.
        argv: Vec<String>,
        /// When it is killed.
        limit: Lapse,
    },
    /// A signal to the process that a pid file names.
    Signal {
        /// Which.
        signal: ReloadSignal,
        /// The pid file.
        pid_file: PathBuf,
    },
}

/// The signals that reload something by convention.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ReloadSignal {
    /// SIGHUP.
    Hup,
    /// SIGUSR1.
    Usr1,
    /// SIGUSR2.
    Usr2,
}

impl Reload {
    /// Tells the reader. What came of it, in a sentence.
    pub(super) async fn run(&self) -> Result<String, DeliveryError> {
        match self {
            Self::Command { argv, limit } => run_command(argv, *limit).await,
            Self::Signal { signal, pid_file } => send_signal(*signal, pid_file),
        }
    }
}

async fn run_command(argv: &[String], limit: Lapse) -> Result<String, DeliveryError> {
    let (program, arguments) = argv
        .split_first()
        .map_or(("", argv), |(p, rest)| (p.as_str(), rest));
    let mut command = Command::new(program);
    // A group of its own, so that what it started is killed with it.
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    command.kill_on_drop(true);
    let mut child = command.spawn().map_err(DeliveryError::io("run", program))?;
    let pid = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let run = async {
        let (out, err, status) = tokio::join!(tail(stdout), tail(stderr), child.wait());
        (out, err, status)
    };
    let Ok((out, err, status)) = tokio::time::timeout(limit.unsigned(), run).await else {
        if let Some(group) = pid {
            // It may have ended in between: then there is nobody left to kill.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        return Err(DeliveryError::ReloadTimedOut {
            program: one_line(program),
            limit,
        });
    };
    let status = status.map_err(DeliveryError::io("wait for", program))?;
    let output = one_line(&format!(
        "{} {}",
        String::from_utf8_lossy(&out),
        String::from_utf8_lossy(&err)
    ));
    if status.success() {
        Ok(format!("`{}` succeeded: {output}", one_line(program)))
    } else {
        Err(DeliveryError::ReloadFailed {
            program: one_line(program),
            status: status.to_string(),
            output,
        })
    }
}

/// Reads to the end, so that the writer never blocks, and keeps the beginning.
async fn tail(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut stream) = stream else {
        return kept;
    };
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
        let room = OUTPUT.saturating_sub(kept.len()).min(n);
        kept.extend_from_slice(&buffer[..room]);
    }
    kept
}

fn send_signal(signal: ReloadSignal, pid_file: &std::path::Path) -> Result<String, DeliveryError> {
    let failed = |why: String| DeliveryError::SignalFailed {
        pid_file: pid_file.to_owned(),
        why,
    };
    let text = std::fs::read_to_string(pid_file).map_err(|error| failed(error.to_string()))?;
    let pid = text
        .trim()
        .parse()
        .ok()
        .filter(|pid| *pid > 1)
        .and_then(Pid::from_raw)
        .ok_or_else(|| failed(format!("`{}` is no process id", one_line(&text))))?;
    let signal_name = format!("{signal:?}").to_uppercase();
    let signal = match signal {
        ReloadSignal::Hup => Signal::HUP,
        ReloadSignal::Usr1 => Signal::USR1,
        ReloadSignal::Usr2 => Signal::USR2,
    };
    kill_process(pid, signal).map_err(|error| failed(error.to_string()))?;
    Ok(format!(
        "sent {signal_name} to process {}",
        pid.as_raw_nonzero()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(script: &str, limit: Lapse) -> Reload {
        Reload::Command {
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            limit,
        }
    }

    #[tokio::test]
    async fn a_reload_that_fails_is_told_with_its_output() {
        let failed = command("echo no such unit >&2; exit 5", Lapse::seconds(30))
            .run()
            .await
            .unwrap_err();
        assert!(
            matches!(&failed, DeliveryError::ReloadFailed { output, .. } if output.contains("no such unit"))
        );
    }

    #[tokio::test]
    async fn a_reload_that_hangs_is_killed_with_what_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let mark = directory.path().join("mark");
        let script = format!("sh -c 'sleep 3600; touch {}' & wait", mark.display());
        let failed = command(&script, Lapse::seconds(1)).run().await.unwrap_err();
        assert!(matches!(failed, DeliveryError::ReloadTimedOut { .. }));
        assert!(!mark.exists());
    }

    #[tokio::test]
    async fn megabytes_of_output_do_not_block_and_are_cut() {
        let outcome = command("head -c 3000000 /dev/zero | tr '\\0' x", Lapse::seconds(30))
            .run()
            .await
            .unwrap();
        assert!(outcome.len() < OUTPUT);
    }
}
