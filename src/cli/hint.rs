//! Hints run as printed: the commands in them ask the configuration that the person asked.

use std::path::Path;

use crate::config::DEFAULT_PATH;

/// The name of the program, as hints write it before a command.
const PROGRAM: &str = "countersign ";

/// The same hint, its commands with `--config` where it was given.
pub(super) fn with_config(hint: &str, config: &Path) -> String {
    if config == Path::new(DEFAULT_PATH) {
        return hint.to_owned();
    }
    let mut out = String::with_capacity(hint.len());
    let mut rest = hint;
    while let Some(at) = rest.find(PROGRAM) {
        let (before, command) = rest.split_at(at);
        let so_far = [out.as_str(), before].concat();
        out.push_str(before);
        out.push_str(PROGRAM);
        // A command begins a hint, a quotation or an alternative; a sentence may mention the program.
        if so_far.is_empty() || so_far.ends_with('`') || so_far.ends_with(", or ") {
            out.push_str(&format!("--config {} ", quoted(config)));
        }
        rest = &command[PROGRAM.len()..];
    }
    out + rest
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%:,".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_in_hints_ask_the_same_configuration() {
        let hint = "`countersign status` tells; countersign is young";
        assert_eq!(with_config(hint, Path::new("countersign.toml")), hint);
        assert_eq!(
            with_config(hint, Path::new("a/b.toml")),
            "`countersign --config a/b.toml status` tells; countersign is young"
        );
        assert_eq!(
            with_config(
                "countersign signer create, or countersign signer import",
                Path::new("it's")
            ),
            r"countersign --config 'it'\''s' signer create, or countersign --config 'it'\''s' signer import"
        );
    }
}
