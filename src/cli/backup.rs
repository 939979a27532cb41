//! `store backup`: taken by the daemon when one runs, and by this program when none does; written by this program.

use std::{
    fs::File,
    io::{self, BufReader, IsTerminal, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;
use zeroize::Zeroizing;

use super::{
    Exit, Output,
    args::{BackupCommand, OpenBackup, StoreBackup},
    connect, unlock, verify_backup,
};
use crate::{
    daemon,
    records::{
        BackupFile, BackupIdentity, BackupRecipients, Inspected, Passphrase, RestoreError, inspect,
    },
    service::{self, BackupRequest, BackupTo, BackupView, ServiceError},
};

pub(super) async fn run(
    output: Output,
    config: &Path,
    arguments: StoreBackup,
) -> Result<Exit, ServiceError> {
    match (arguments.command, arguments.file) {
        (Some(BackupCommand::Verify { file, opening }), _) => {
            verify_backup::run(output, &file, &opening)
        }
        (None, Some(file)) => {
            let to = To {
                recipients: arguments.recipients,
                passphrase: arguments.passphrase,
                passphrase_file: arguments.passphrase_file,
            };
            take(output, config, &file, to).await
        }
        (None, None) => Err(ServiceError::failed("no file is named")),
    }
}

struct To {
    recipients: Vec<String>,
    passphrase: bool,
    passphrase_file: Option<PathBuf>,
}

#[derive(Serialize)]
struct Taken<'a> {
    file: &'a Path,
    #[serde(flatten)]
    backup: BackupView,
}

async fn take(output: Output, path: &Path, file: &Path, to: To) -> Result<Exit, ServiceError> {
    let mut sink = Sink::open(output, file)?;
    let passphrase = match (&to.passphrase_file, to.passphrase) {
        (Some(file), _) => Some(unlock::passphrase_file(file)?),
        (None, true) => Some(output.terminal.new_passphrase_for("the backup")?),
        (None, false) => None,
    };
    let name = match file.to_str() {
        Some("-") => "standard output".to_owned(),
        _ => std::path::absolute(file)
            .unwrap_or_else(|_| file.to_owned())
            .display()
            .to_string(),
    };
    let (config, socket) = connect::control_socket(path);
    let backup = if daemon::is_running(&socket).await {
        let to = match passphrase {
            Some(_) => BackupTo::Passphrase,
            None => BackupTo::Recipients {
                names: to.recipients,
            },
        };
        let request = BackupRequest {
            file: name.clone(),
            to,
        };
        let secret = passphrase.map(|text| Zeroizing::new(text.as_bytes().to_vec()));
        daemon::call_backup(
            &socket,
            &service::command(),
            &request,
            secret.as_ref(),
            &mut sink,
        )
        .await
        .map_err(connect::refusal)?
    } else {
        let service = connect::open(output.terminal, config?)?;
        let recipients = match passphrase {
            Some(text) => BackupRecipients::Passphrase(Passphrase::new(text)),
            None => service.backup_recipients(&to.recipients)?,
        };
        service.back_up(service::command(), &name, &mut sink, &recipients)?
    };
    let to_stdout = matches!(sink, Sink::Stdout(_));
    sink.keep(file)?;
    if to_stdout {
        return Ok(Exit::Done);
    }
    let taken = Taken { file, backup };
    output.print(&taken, || {
        format!(
            "{} holds {} records and {} events, as of {}",
            file.display(),
            taken.backup.records,
            taken.backup.events,
            taken.backup.taken_at
        )
    })?;
    if !output.json {
        output.terminal.hint(&format!(
            "countersign store backup verify {} --identity FILE",
            file.display()
        ));
    }
    Ok(Exit::Done)
}

/// Where a backup goes.
enum Sink {
    Stdout(io::Stdout),
    File(BackupFile),
}

impl Sink {
    fn open(output: Output, file: &Path) -> Result<Self, ServiceError> {
        if file == Path::new("-") {
            if io::stdout().is_terminal() {
                return Err(ServiceError::failed("a backup is not for a terminal")
                    .hint("name a file, or redirect standard output"));
            }
            return Ok(Self::Stdout(io::stdout()));
        }
        let begun = BackupFile::begin(file).map_err(|error| unwritable(file, &error))?;
        for path in begun.swept() {
            output.terminal.progress(&format!(
                "removed {}, which a backup left that was killed",
                path.display()
            ));
        }
        Ok(Self::File(begun))
    }

    /// Makes it durable, and gives it its name, if nobody has it.
    fn keep(self, file: &Path) -> Result<(), ServiceError> {
        match self {
            Self::Stdout(mut out) => out.flush(),
            Self::File(begun) => begun.keep(),
        }
        .map_err(|error| unwritable(file, &error))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File(file) => file.flush(),
        }
    }
}

fn unwritable(file: &Path, error: &io::Error) -> ServiceError {
    if error.kind() == io::ErrorKind::AlreadyExists {
        return ServiceError::failed(format!("{} exists, and is not overwritten", file.display()))
            .hint("name another file");
    }
    ServiceError::failed(format!("cannot write {}: {error}", file.display()))
}

/// What opens a backup.
pub(super) fn identity(
    output: Output,
    opening: &OpenBackup,
) -> Result<BackupIdentity, ServiceError> {
    match (&opening.identity, &opening.passphrase_file) {
        (Some(path), _) => {
            let text = unlock::private_text(path, "identity file")?;
            BackupIdentity::parse(&text)
                .map_err(|error| ServiceError::failed(format!("{}: {error}", path.display())))
        }
        (None, Some(path)) => Ok(BackupIdentity::Passphrase(Passphrase::new(
            unlock::passphrase_file(path)?,
        ))),
        (None, None) => Ok(BackupIdentity::Passphrase(Passphrase::new(
            output.terminal.passphrase("passphrase of the backup: ")?,
        ))),
    }
}

/// Reads a backup to its end.
pub(super) fn inspected(file: &Path, identity: &BackupIdentity) -> Result<Inspected, ServiceError> {
    inspect(open(file)?, identity).map_err(|error| unsound(file, &error))
}

/// It is not what it should be, or cannot be read to its end.
pub(super) fn unsound(file: &Path, error: &RestoreError) -> ServiceError {
    let refusal = ServiceError::from_error(error);
    ServiceError::refused(format!("{}: {}", file.display(), refusal.message)).hint(
        "nothing of it is used; take another backup, or look whether the identity is the right one",
    )
}

pub(super) fn open(file: &Path) -> Result<BufReader<File>, ServiceError> {
    File::open(file)
        .map(BufReader::new)
        .map_err(|error| ServiceError::failed(format!("cannot read {}: {error}", file.display())))
}
