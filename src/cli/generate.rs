//! Completions and man pages, from the same definition as the arguments.

use std::{fs::OpenOptions, io::Write, path::Path};

use clap::CommandFactory;

use super::{Arguments, terminal::Terminal};
use crate::service::ServiceError;

/// Prints the completion script of a shell.
pub(super) fn completions(
    terminal: Terminal,
    shell: clap_complete::Shell,
) -> Result<(), ServiceError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "countersign", &mut script);
    terminal.result(&String::from_utf8_lossy(&script))
}

/// Writes a man page for the program and one for each command.
pub(super) fn man_pages(directory: &Path) -> Result<(), ServiceError> {
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    page(directory, &command, "countersign")
}

fn page(directory: &Path, command: &clap::Command, name: &str) -> Result<(), ServiceError> {
    let path = directory.join(format!("{name}.1"));
    let failed = |error: std::io::Error| {
        ServiceError::failed(format!("cannot write {}: {error}", path.display()))
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone())
        .title(name)
        .render(&mut text)
        .map_err(failed)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .map_err(failed)?;
    file.write_all(&text).map_err(failed)?;
    for inner in command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set())
    {
        page(directory, inner, &format!("{name}-{}", inner.get_name()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent_and_every_command_has_a_page() {
        Arguments::command().debug_assert();
        let directory = tempfile::tempdir().unwrap();
        man_pages(directory.path()).unwrap();
        assert!(
            directory
                .path()
                .join("countersign-rotation-roll-back.1")
                .exists()
        );
    }
}
