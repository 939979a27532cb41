//! Plain text for mail: short lines, CRLF, nothing that a mail server would touch.

use crate::model::one_line;

/// Prose is broken here; mail programs quote without breaking again.
const WIDTH: usize = 72;

/// A text that grows line by line.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// A line as it is, without trailing blanks: servers may strip them, and the signature would break.
    pub(super) fn line(&mut self, text: &str) {
        self.0.push_str(text.trim_end());
        self.0.push_str("\r\n");
    }

    pub(super) fn blank(&mut self) {
        self.line("");
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.blank();
        self.line(&text.to_uppercase());
        self.blank();
    }

    /// A paragraph, broken between words.
    pub(super) fn prose(&mut self, text: &str) {
        self.wrapped("", "", text);
    }

    /// A numbered or marked item, hanging.
    pub(super) fn item(&mut self, mark: &str, text: &str) {
        self.wrapped(&format!("{mark:<3}"), "   ", text);
    }

    /// `label   value`, where the value may be foreign and long.
    pub(super) fn entry(&mut self, label: &str, value: &str) {
        self.wrapped(
            &format!("   {label:<13}"),
            &" ".repeat(16),
            &one_line(value),
        );
    }

    /// Lines to be copied as they are.
    pub(super) fn verbatim(&mut self, text: &str) {
        for line in text.lines() {
            self.line(&format!("   {line}"));
        }
    }

    fn wrapped(&mut self, first: &str, others: &str, text: &str) {
        let mut line = first.to_owned();
        let mut empty = true;
        for word in text.split_whitespace() {
            let length = line.chars().count() + 1 + word.chars().count();
            // mbox writers turn a leading `From ` into `>From `.
            let breaks = length > WIDTH && !(others.is_empty() && word == "From");
            if !empty && breaks {
                self.line(&line);
                line = others.to_owned();
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        self.line(&line);
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_short_lined_and_has_no_trailing_blanks() {
        let mut page = Page::default();
        page.prose(&"From here on word ".repeat(40));
        page.item("1.", &"word ".repeat(40));
        page.entry("Subject", "CN=a\r\nBcc: x@y");
        let text = page.into_text();
        for line in text.split("\r\n") {
            assert!(
                line.len() <= WIDTH + 5 && line == line.trim_end(),
                "{line:?}"
            );
            assert!(!line.contains('\n') && !line.contains('\r'));
        }
        assert_eq!(text.matches("\r\nFrom ").count(), 0);
    }
}
