//! Foreign text made safe to show: certificate names, mail headers and server replies may carry
//! escape sequences, bidirectional overrides and megabytes.

use std::fmt;

/// How many characters of a foreign text are ever shown.
const SHOWN: usize = 200;

/// Shows a foreign text on one line: control, format and bidirectional characters escaped, length bounded.
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shown, c) in self.0.chars().enumerate() {
            if shown == SHOWN {
                return f.write_str("…");
            }
            if c.is_control() || is_invisible(c) {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

/// A foreign text as an owned, bounded, single line: what records and reports keep.
pub fn one_line(text: &str) -> String {
    Printable(text.trim()).to_string()
}

fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_overrides_never_reach_the_terminal() {
        let hostile = "a\u{1b}[31mb\u{202e}c\r\nd";
        assert_eq!(one_line(hostile), "a\\u{1b}[31mb\\u{202e}c\\u{d}\\u{a}d");
    }

    #[test]
    fn a_huge_text_is_cut() {
        assert_eq!(one_line(&"x".repeat(100_000)).chars().count(), SHOWN + 1);
    }
}
