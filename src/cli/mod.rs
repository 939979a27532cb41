//! The top layer: arguments in, results out.

mod account;
mod args;
mod audit;
mod backup;
mod connect;
mod exit;
mod gateway;
mod generate;
mod hardening;
mod hint;
mod inspect;
mod key_files;
mod keyring;
mod migrate;
mod offline;
mod probe;
mod probe_all;
mod rekey;
mod render;
mod requests;
mod restore;
mod serve;
mod slots;
mod streamed;
mod terminal;
mod token;
mod unlock;
mod verify_backup;

use std::{path::Path, sync::Arc};

use clap::Parser;
use serde::Serialize;

pub use args::Arguments;
use args::{Command, ConfigCommand, PolicyCommand, ProbeArguments, ProbeQuestion, StoreCommand};
pub use exit::Exit;
use terminal::Terminal;

use crate::{
    demo::{self, DemoOptions, Narrator},
    service::{Reply, Request, ServiceError, Standing},
};

/// Reads the arguments of the process and does what they say.
pub fn main() -> Exit {
    // Keys live in this process: neither a core dump nor another process of ours may read them.
    let hardened = hardening::harden();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let exit = if error.use_stderr() {
                Exit::Error
            } else {
                Exit::Done
            };
            // A reader who has gone away has had enough.
            let _ = error.print();
            return exit;
        }
    };
    let terminal = Terminal::new();
    let config = arguments.config.clone();
    for warning in &hardened.refused {
        terminal.warning(warning);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal.error(&ServiceError::failed(format!(
                "the program cannot start: {error}"
            )));
            return Exit::Error;
        }
    };
    match runtime.block_on(run(terminal, arguments, hardened.locked)) {
        Ok(exit) => exit,
        Err(mut error) => {
            error.hint = error.hint.map(|hint| hint::with_config(&hint, &config));
            terminal.error(&error);
            Exit::from(&error)
        }
    }
}

async fn run(terminal: Terminal, arguments: Arguments, locked: bool) -> Result<Exit, ServiceError> {
    let Arguments {
        config,
        json,
        command,
    } = arguments;
    let output = Output { terminal, json };
    match command {
        Command::Store(StoreCommand::Init(init)) => offline::init_store(output, &config, &init),
        Command::Store(StoreCommand::Verify) => offline::verify_store(output, &config),
        Command::Store(StoreCommand::Backup(arguments)) => {
            backup::run(output, &config, arguments).await
        }
        Command::Store(StoreCommand::Restore(arguments)) => {
            restore::run(output, &config, arguments).await
        }
        Command::Store(StoreCommand::Migrate) => migrate::run(output, &config).await,
        Command::Store(StoreCommand::AcceptRollback(arguments)) => {
            restore::accept_rollback(output, &config, arguments).await
        }
        Command::Store(StoreCommand::Unlock(secret)) => {
            keyring::unlock(output, &config, &secret).await
        }
        Command::Store(StoreCommand::Seal) => keyring::seal(output, &config).await,
        Command::Store(StoreCommand::Slot(slot)) => slots::run(output, &config, slot).await,
        Command::Store(StoreCommand::Rekey) => rekey::run(output, &config).await,
        Command::Config(ConfigCommand::Check) => offline::check_config(output, &config),
        Command::Policy(PolicyCommand::Check { file }) => offline::check_policy(output, &file),
        Command::Policy(PolicyCommand::Explain { policy }) => {
            offline::explain_policy(output, &config, &policy)
        }
        Command::Inspect(wanted) => inspect::inspect(output, &wanted),
        Command::Completions { shell } => {
            generate::completions(terminal, shell).map(|()| Exit::Done)
        }
        Command::Man { directory } => generate::man_pages(&directory).map(|()| Exit::Done),
        Command::Daemon => serve::daemon(terminal, &config, locked).await,
        Command::Demo { concurrency } => tell_the_story(output, concurrency).await,
        Command::Probe(ProbeArguments {
            question:
                Some(ProbeQuestion::History {
                    identity: Some(identity),
                    options,
                }),
            ..
        }) => {
            if let Some(option) = options.beyond_a_place() {
                return Err(ServiceError::failed(format!(
                    "{option} is of a probe, and a history was asked for"
                ))
                .hint(format!("countersign probe history {identity}")));
            }
            let request = Request::ProbeHistory {
                destination: options.place(),
                identity,
            };
            answer(output, &config, request).await
        }
        Command::Probe(ProbeArguments {
            all: true, at_once, ..
        }) => probe_all::run(output, &config, at_once.into()).await,
        Command::Probe(ProbeArguments {
            question: Some(ProbeQuestion::History { options, .. }),
            ..
        }) => probe::run(output, &config, Some(probe::called_history()), &options).await,
        Command::Probe(ProbeArguments {
            target, options, ..
        }) => probe::run(output, &config, target, &options).await,
        Command::Audit(command) => audit::run(output, &config, command).await,
        Command::Gateway(command) => gateway::run(output, &config, command).await,
        command => {
            let request = requests::from_command(command, output)?;
            answer(output, &config, request).await
        }
    }
}

/// How results are printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    terminal: Terminal,
    json: bool,
}

impl Output {
    /// Prints a result: the object itself, or a text about it.
    fn print(
        self,
        object: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), ServiceError> {
        let text = if self.json {
            serde_json::to_string_pretty(object)
                .map_err(|error| ServiceError::from_error(&error))?
        } else {
            text()
        };
        self.terminal.result(&text)
    }
}

async fn answer(output: Output, config: &Path, request: Request) -> Result<Exit, ServiceError> {
    let (clock, by_itself) = (
        crate::service::system_clock(),
        matches!(request, Request::Renew),
    );
    let reply = connect::ask(output.terminal, config, request).await?;
    let exit = match &reply {
        Reply::Standing(view) if view.standing == Standing::Sealed => Exit::Locked,
        Reply::Renewed(view) if !view.failed.is_empty() => Exit::No,
        Reply::Renewed(view) if !view.in_progress.is_empty() => Exit::Waiting,
        _ => Exit::Done,
    };
    output.print(&reply, || render::text(&reply, clock.now()))?;
    if let (false, Some(hint)) = (by_itself || output.json, render::next_step(&reply)) {
        output.terminal.hint(&hint::with_config(&hint, config));
    }
    Ok(exit)
}

async fn tell_the_story(output: Output, concurrency: u16) -> Result<Exit, ServiceError> {
    let narrator: Arc<dyn Narrator> = Arc::new(ToStderr {
        silent: output.json,
        terminal: output.terminal,
    });
    let summary = demo::run(DemoOptions { concurrency }, narrator)
        .await
        .map_err(|error| ServiceError::from_error(&error))?;
    output.print(&summary, || summary.text())?;
    Ok(if summary.requests.failed == 0 {
        Exit::Done
    } else {
        Exit::No
    })
}

/// The story is told beside the result, not in it.
struct ToStderr {
    silent: bool,
    terminal: Terminal,
}

impl Narrator for ToStderr {
    fn say(&self, line: &str) {
        if !self.silent {
            self.terminal.progress(line);
        }
    }
}
