//! From arguments to requests: files and standard input are read here, and nothing is decided.

use std::{io::Read, path::Path};

use zeroize::Zeroizing;

use super::{
    Output,
    args::{
        Command, ExchangeCommand, IdentityAdoptArguments, IdentityCommand, IssuerCommand, Person,
        RotationCommand, SignerCommand,
    },
    key_files,
};
use crate::{
    model::{SubjectRequest, rotation::Decision},
    service::{IdentityAdd, IdentityAdopt, Request, ServiceError, Statement},
};

/// No certificate file or mail is larger, in bytes.
const LARGEST: u64 = 10 << 20;

/// What a command asks for.
pub(super) fn from_command(command: Command, output: Output) -> Result<Request, ServiceError> {
    Ok(match command {
        Command::Status => Request::Status,
        Command::Renew => Request::Renew,
        Command::Issuer(IssuerCommand::Create {
            issuer,
            common_name,
        }) => Request::IssuerCreate {
            issuer,
            common_name,
        },
        Command::Issuer(IssuerCommand::Show { issuer }) => Request::IssuerShow { issuer },
        Command::Issuer(IssuerCommand::Crl { issuer }) => Request::IssuerCrl { issuer },
        Command::Signer(SignerCommand::Create { issuer }) => Request::SignerCreate { issuer },
        Command::Signer(SignerCommand::Import { key, chain }) => {
            let key = Zeroizing::new(file(&key)?);
            Request::SignerImport {
                key,
                chain: file(&chain)?,
            }
        }
        Command::Signer(SignerCommand::Show) => Request::SignerShow,
        Command::Identity(IdentityCommand::Add(add)) => {
            if let Some(caution) = add.key.and_then(|algorithm| algorithm.caution()) {
                output.terminal.warning(caution);
            }
            let common_name = add.names.first().cloned().unwrap_or_default();
            Request::IdentityAdd(IdentityAdd {
                identity: add.identity,
                issuer: add.issuer,
                policy: add.policy,
                subject: SubjectRequest {
                    common_name,
                    organization: add.organization,
                    dns_names: add.names,
                },
                key_algorithm: add.key,
            })
        }
        Command::Identity(IdentityCommand::Adopt(adopt)) => adoption(adopt, output)?,
        Command::Identity(IdentityCommand::List { after, limit }) => {
            Request::IdentityList { after, limit }
        }
        Command::Identity(IdentityCommand::Show { identity }) => Request::IdentityShow { identity },
        Command::Identity(IdentityCommand::ExportRequest { identity }) => {
            Request::IdentityRequest { identity }
        }
        Command::Identity(IdentityCommand::ExportCertificate {
            identity,
            generation,
        }) => Request::IdentityCertificate {
            identity,
            generation: generation.into(),
        },
        Command::Identity(IdentityCommand::Reinstate {
            identity,
            person,
            reason,
        }) => Request::IdentityReinstate {
            identity,
            by: name(person),
            reason,
        },
        Command::Identity(IdentityCommand::Import {
            identity,
            file: path,
        }) => Request::IdentityImport {
            identity,
            file: bytes(&path)?,
        },
        Command::Rotation(command) => rotation(command),
        Command::Exchange(ExchangeCommand::Acknowledge {
            identity,
            destination,
            fingerprint,
            contact,
            person,
            verified,
        }) => Request::ExchangeAcknowledge(Statement {
            identity,
            destination,
            fingerprint,
            contact,
            by: name(person),
            verified,
        }),
        Command::Exchange(ExchangeCommand::Receive) => Request::ExchangeReceive {
            mail: standard_input()?,
        },
        Command::Exchange(ExchangeCommand::Status) => Request::ExchangeStatus,
        other => {
            return Err(ServiceError::failed(format!(
                "{other:?} asks nothing of the store"
            )));
        }
    })
}

fn rotation(command: RotationCommand) -> Request {
    match command {
        RotationCommand::Start { identity } => Request::RotationStart { identity },
        RotationCommand::Show { identity } => Request::RotationShow { identity },
        RotationCommand::Waive {
            identity,
            destination,
            gate,
            person,
            reason,
        } => Request::RotationWaive {
            identity,
            destination,
            gate: gate.into(),
            by: name(person),
            reason,
        },
        RotationCommand::Retry { identity, person } => Request::RotationDecide {
            identity,
            decision: Decision::Retry,
            by: name(person),
            reason: String::new(),
        },
        RotationCommand::Abandon {
            identity,
            person,
            reason,
        } => Request::RotationDecide {
            identity,
            decision: Decision::Abandon,
            by: name(person),
            reason,
        },
        RotationCommand::RollBack {
            identity,
            person,
            reason,
        } => Request::RotationDecide {
            identity,
            decision: Decision::RollBack,
            by: name(person),
            reason,
        },
    }
}

/// The one key of the files, with every certificate beside it.
fn adoption(adopt: IdentityAdoptArguments, output: Output) -> Result<Request, ServiceError> {
    let found = key_files::credentials(output.terminal, &adopt.source)?;
    for warning in &found.warnings {
        output.terminal.warning(warning);
    }
    Ok(Request::IdentityAdopt(IdentityAdopt {
        identity: adopt.identity,
        issuer: adopt.issuer,
        policy: adopt.policy,
        key: found.key,
        certificates: found.certificates,
        names: adopt.names,
        key_algorithm: adopt.key,
        from: found.files,
        by: name(adopt.person),
    }))
}

/// Who decides: the name that was given, else the login name.
pub(super) fn name(person: Person) -> String {
    let login = || {
        std::env::var("SUDO_USER")
            .or_else(|_| std::env::var("USER"))
            .unwrap_or_default()
    };
    person.by.unwrap_or_else(login)
}

fn file(path: &Path) -> Result<String, ServiceError> {
    String::from_utf8(bytes(path)?).map_err(|_| {
        ServiceError::failed(format!("{} is no text", path.display())).hint("PEM is wanted")
    })
}

fn bytes(path: &Path) -> Result<Vec<u8>, ServiceError> {
    let failed = |error: std::io::Error| {
        ServiceError::failed(format!("cannot read {}: {error}", path.display()))
    };
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > LARGEST {
        return Err(ServiceError::failed(format!(
            "{} is larger than {LARGEST} bytes",
            path.display()
        )));
    }
    std::fs::read(path).map_err(failed)
}

fn standard_input() -> Result<Vec<u8>, ServiceError> {
    let mut mail = Vec::new();
    std::io::stdin()
        .lock()
        .take(LARGEST + 1)
        .read_to_end(&mut mail)
        .map_err(|error| ServiceError::failed(format!("cannot read standard input: {error}")))?;
    if mail.is_empty() {
        return Err(ServiceError::failed("standard input is empty")
            .hint("countersign exchange receive < mail.eml"));
    }
    Ok(mail)
}
