//! What is said where: results to stdout, everything else to stderr, questions to the terminal.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use zeroize::Zeroizing;

use super::streamed::Broken;
use crate::service::ServiceError;

/// The two streams, and whether they may be coloured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terminal {
    colour: bool,
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

impl Terminal {
    /// Colours only where a terminal is there and nobody asked for none (`NO_COLOR`).
    pub(super) fn new() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            colour: !unwanted && io::stderr().is_terminal(),
        }
    }

    /// A result. A reader who has gone away has had enough; a full disk is another matter.
    pub(super) fn result(self, text: &str) -> Result<(), ServiceError> {
        let end: &[u8] = if text.ends_with('\n') { b"" } else { b"\n" };
        self.stream(|out| {
            out.write_all(text.as_bytes())?;
            Ok(out.write_all(end)?)
        })
    }

    /// A result, piece by piece.
    pub(super) fn stream(
        self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), Broken>,
    ) -> Result<(), ServiceError> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        match write(&mut out).and_then(|()| Ok(out.flush()?)) {
            Err(Broken::Source(error)) => Err(error),
            Err(Broken::Output(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(ServiceError::failed(format!(
                    "the result could not be written to standard output: {error}"
                ))
                .hint("what was asked for is done; ask again with a `show` command"))
            }
            _ => Ok(()),
        }
    }

    /// An error with its next step.
    pub(super) fn error(self, error: &ServiceError) {
        self.say("error", AnsiColor::Red, &error.message);
        if let Some(hint) = &error.hint {
            self.hint(hint);
        }
    }

    /// A next step.
    pub(super) fn hint(self, text: &str) {
        self.say("hint", AnsiColor::Cyan, text);
    }

    /// Something to mind.
    pub(super) fn warning(self, text: &str) {
        self.say("warning", AnsiColor::Yellow, text);
    }

    /// Something that happens.
    pub(super) fn progress(self, text: &str) {
        let _ = writeln!(io::stderr(), "{text}");
    }

    fn say(self, word: &str, colour: AnsiColor, text: &str) {
        let style = if self.colour {
            Style::new().fg_color(Some(colour.into())).bold()
        } else {
            Style::new()
        };
        let _ = writeln!(io::stderr(), "countersign: {style}{word}:{style:#} {text}");
    }

    /// Asks a person whether something is to be done; only an answer that says yes is one.
    pub(super) fn confirm(self, question: &str) -> Result<bool, ServiceError> {
        if !io::stdin().is_terminal() {
            return Err(ServiceError::failed("there is no terminal to ask at")
                .hint("say --yes, when nobody is to be asked"));
        }
        let _ = write!(io::stderr(), "{question} [y/N] ");
        let mut answer = String::new();
        io::stdin()
            .read_line(&mut answer)
            .map_err(|error| ServiceError::failed(format!("no answer could be read: {error}")))?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    /// Asks a person for a passphrase, at the terminal and nowhere else.
    pub(super) fn passphrase(self, prompt: &str) -> Result<Zeroizing<String>, ServiceError> {
        rpassword::prompt_password(prompt)
            .map(Zeroizing::new)
            .map_err(|error| {
                ServiceError::locked(format!(
                    "there is no terminal to ask for the passphrase at: {error}"
                ))
                .hint(
                    "name a passphrase-file, credential or key-file in [store] of countersign.toml",
                )
            })
    }

    /// Asks a person for the PIN of a token, at the terminal and nowhere else.
    pub(super) fn pin(self) -> Result<Zeroizing<String>, ServiceError> {
        rpassword::prompt_password("PIN of the token: ")
            .map(Zeroizing::new)
            .map_err(|error| {
                ServiceError::locked(format!(
                    "there is no terminal to ask for the PIN of the token at: {error}"
                ))
                .hint("--pin-file FILE, or pin-file or pin-credential in [store.token] of countersign.toml")
            })
    }

    /// Asks for a new passphrase, twice.
    pub(super) fn new_passphrase(self) -> Result<Zeroizing<String>, ServiceError> {
        self.new_passphrase_for("the store")
    }

    /// The same for something else than the store.
    pub(super) fn new_passphrase_for(self, what: &str) -> Result<Zeroizing<String>, ServiceError> {
        let first = self.passphrase(&format!("new passphrase for {what}: "))?;
        if first.chars().count() < SHORTEST_PASSPHRASE {
            return Err(ServiceError::failed(format!(
                "the passphrase is shorter than {SHORTEST_PASSPHRASE} characters"
            ))
            .hint("take five or six words at random"));
        }
        if *first != *self.passphrase("the same again: ")? {
            return Err(
                ServiceError::failed("the two passphrases differ").hint("run the command again")
            );
        }
        Ok(first)
    }
}

/// Whoever steals the store can try as long as they like.
const SHORTEST_PASSPHRASE: usize = 12;
