//! `audit`: showing, judging and reading out the log of who did what.
//!
//! An export is judged with nothing but the file: no store, no configuration, no network.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use serde::Serialize;

use super::{
    Exit, Output,
    args::{AuditCommand, AuditVerify},
    connect, render,
};
use crate::{
    records::audit::{Chain, LogKey, SignedHead},
    service::{AuditFilter, AuditReply, AuditRequest, AuditVerdict, Reply, Request, ServiceError},
};

/// No entry is longer, in bytes.
const LONGEST: u64 = 1 << 20;

/// Does what an `audit` command says.
pub(super) async fn run(
    output: Output,
    path: &Path,
    command: AuditCommand,
) -> Result<Exit, ServiceError> {
    match command {
        AuditCommand::Show(show) => {
            let filter = AuditFilter {
                identity: show.identity,
                since: show.since,
                action: show.action,
                before: show.before,
                limit: show.limit,
            };
            let store = connect::reach(output.terminal, path).await?;
            let reply = ask(&store, AuditRequest::Show(filter)).await?;
            output.print(&Reply::Audit(reply.clone()), || {
                render::audit::entries(&reply)
            })?;
            Ok(Exit::Done)
        }
        AuditCommand::Verify(AuditVerify { file: None, .. }) => {
            let store = connect::reach(output.terminal, path).await?;
            match ask(&store, AuditRequest::Verify).await? {
                AuditReply::Verified(verdict) => told(output, &verdict),
                _ => Err(misunderstood()),
            }
        }
        AuditCommand::Verify(AuditVerify {
            file: Some(file),
            key,
            since,
        }) => {
            let mut chain = Chain::new();
            if let Some(key) = &key {
                chain = chain.trusting(trusted(key)?.id());
            }
            if let Some(since) = &since {
                chain = chain.since(last_head(since)?);
            }
            let verdict = judged(chain, &file)?;
            if let (None, None, Some(named)) = (&key, &verdict.fault, &verdict.key) {
                output.terminal.hint(&format!(
                    "the key {named} is the one that the file itself names: compare it with `countersign audit key`, or give that with --key"
                ));
            }
            told(output, &verdict)
        }
        AuditCommand::Export { file } => export(output, path, &file).await,
        AuditCommand::Key => {
            let store = connect::reach(output.terminal, path).await?;
            let AuditReply::Head { signed, .. } = ask(&store, AuditRequest::Key).await? else {
                return Err(misunderstood());
            };
            let key = LogKey::from_pem(&signed.public_key).map(|key| key.id().to_string());
            let object = serde_json::json!({
                "schema": 1, "key": key, "public_key": signed.public_key,
            });
            output.print(&object, || signed.public_key.clone())?;
            Ok(Exit::Done)
        }
    }
}

async fn ask(store: &connect::Reach, request: AuditRequest) -> Result<AuditReply, ServiceError> {
    match store.ask(Request::Audit(request)).await? {
        Reply::Audit(reply) => Ok(reply),
        _ => Err(misunderstood()),
    }
}

fn misunderstood() -> ServiceError {
    ServiceError::failed("the daemon's answer is not understood; is it of another version?")
}

fn told(output: Output, verdict: &AuditVerdict) -> Result<Exit, ServiceError> {
    output.print(verdict, || render::audit::verdict(verdict))?;
    Ok(match verdict.fault {
        None => Exit::Done,
        Some(_) => Exit::No,
    })
}

// === Reading out ===

#[derive(Serialize)]
struct Exported<'a> {
    schema: u32,
    file: &'a Path,
    entries: u64,
    key: Option<String>,
}

async fn export(output: Output, path: &Path, file: &Path) -> Result<Exit, ServiceError> {
    let to_stdout = file == Path::new("-");
    // Before anything is told: an export that cannot be written is none.
    let mut target: Box<dyn Write> = if to_stdout {
        Box::new(io::stdout())
    } else {
        Box::new(create(file)?)
    };
    let written = write(output, path, &mut target).await;
    let written = match written {
        Ok(written) => written,
        Err(error) => {
            if !to_stdout {
                // Half a log is worse than none; that it is left behind is not worth another error.
                let _ = std::fs::remove_file(file);
            }
            return Err(error);
        }
    };
    if to_stdout {
        return Ok(Exit::Done);
    }
    drop(target);
    File::open(file)
        .and_then(|file| file.sync_all())
        .map_err(|error| cannot("write", file, &error))?;
    let (entries, key) = written;
    let exported = Exported {
        schema: 1,
        file,
        entries,
        key,
    };
    output.print(&exported, || {
        format!(
            "wrote {entries} entries and a signed head to {}\n",
            file.display()
        )
    })?;
    Ok(Exit::Done)
}

/// Never in the place of another file, and for nobody else's eyes: names are in it.
fn create(file: &Path) -> Result<File, ServiceError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .map_err(|error| cannot("create", file, &error))
}

fn cannot(operation: &str, file: &Path, error: &io::Error) -> ServiceError {
    ServiceError::failed(format!("cannot {operation} {}: {error}", file.display()))
        .hint("name a new file in a directory that you may write to")
}

async fn write(
    output: Output,
    path: &Path,
    target: &mut dyn Write,
) -> Result<(u64, Option<String>), ServiceError> {
    let failed =
        |error: io::Error| ServiceError::failed(format!("the export cannot be written: {error}"));
    let store = connect::reach(output.terminal, path).await?;
    let AuditReply::Head { entries, signed } = ask(&store, AuditRequest::Export).await? else {
        return Err(misunderstood());
    };
    let mut after = 0;
    while after < entries {
        let AuditReply::Lines { lines } = ask(&store, AuditRequest::Lines { after }).await? else {
            return Err(misunderstood());
        };
        if lines.is_empty() {
            return Err(ServiceError::failed(format!(
                "the log ends before its end: entry {} is missing",
                after + 1
            ))
            .hint("countersign audit verify"));
        }
        for line in lines {
            // What was written since belongs to the next export.
            if after < entries {
                writeln!(target, "{line}").map_err(failed)?;
                after += 1;
            }
        }
    }
    let head = serde_json::to_string(&signed).map_err(|error| ServiceError::from_error(&error))?;
    writeln!(target, "{head}").map_err(failed)?;
    target.flush().map_err(failed)?;
    let key = LogKey::from_pem(&signed.public_key).map(|key| key.id().to_string());
    Ok((entries, key))
}

// === Judging an export ===

fn trusted(path: &Path) -> Result<LogKey, ServiceError> {
    let mut pem = String::new();
    open(path)?
        .take(LONGEST)
        .read_to_string(&mut pem)
        .map_err(|error| unreadable(path, &error))?;
    LogKey::from_pem(&pem).ok_or_else(|| {
        ServiceError::failed(format!(
            "{} holds no public key of an audit log in PEM",
            path.display()
        ))
        .hint("countersign audit key")
    })
}

fn open(path: &Path) -> Result<BufReader<File>, ServiceError> {
    File::open(path)
        .map(BufReader::new)
        .map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &io::Error) -> ServiceError {
    ServiceError::failed(format!("cannot read {}: {error}", path.display()))
}

/// A line without its end; `None` at the end of the file. One that has no end, or is too long, is a line as well:
/// it will not be found good.
fn line(from: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let read = from.take(LONGEST).read_until(b'\n', &mut line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Ok((read > 0).then_some(line))
}

/// The head at the end of an export.
fn last_head(path: &Path) -> Result<SignedHead, ServiceError> {
    let mut file = open(path)?;
    let mut last = None;
    while let Some(line) = line(&mut file).map_err(|error| unreadable(path, &error))? {
        last = Some(line);
    }
    last.and_then(|line| serde_json::from_slice(&line).ok())
        .ok_or_else(|| {
            ServiceError::failed(format!(
                "{} does not end with a signed head",
                path.display()
            ))
            .hint("an export of `countersign audit export` is wanted, or its last line")
        })
}

fn judged(mut chain: Chain, path: &Path) -> Result<AuditVerdict, ServiceError> {
    let mut file = open(path)?;
    let mut next = || line(&mut file).map_err(|error| unreadable(path, &error));
    let mut held = next()?;
    while let Some(line) = held {
        held = next()?;
        let closed = match (&held, serde_json::from_slice::<SignedHead>(&line)) {
            // The last line is the head.
            (None, Ok(head)) => chain
                .close(&head)
                .map(|head| head.at)
                .map_err(|fault| fault.to_string()),
            _ => match chain.take(&line) {
                Ok(()) => continue,
                Err(fault) => Err(fault.to_string()),
            },
        };
        return Ok(AuditVerdict::new(&chain, closed));
    }
    let cut = format!(
        "there is no signed head after entry {}: the file was cut",
        chain.entries()
    );
    Ok(AuditVerdict::new(&chain, Err(cut)))
}
