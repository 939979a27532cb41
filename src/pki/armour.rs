//! Text armour (RFC 7468, and RFC 1421 with its headers): blocks between BEGIN and END lines, with whatever people
//! and programs put around them. Nothing is copied before it is wanted, since some blocks are private keys.

use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::model::one_line;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// One block between markers.
pub(super) struct Block<'a> {
    /// What the markers say, printable and bounded.
    pub(super) label: String,
    /// Where it begins, counted from 1.
    pub(super) line: usize,
    text: &'a str,
}

/// A BEGIN without its END.
pub(super) struct Unterminated {
    pub(super) label: String,
    pub(super) line: usize,
}

impl<'a> Block<'a> {
    /// A header, such as `DEK-Info`.
    pub(super) fn header(&self, name: &str) -> Option<&'a str> {
        self.headers().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            (found.trim() == name).then(|| value.trim())
        })
    }

    /// What it decodes to, in a buffer that never grows and wipes itself.
    pub(super) fn decode(&self) -> Result<Zeroizing<Vec<u8>>, base64::DecodeError> {
        let mut digits = Zeroizing::new(Vec::with_capacity(self.text.len()));
        for line in self
            .text
            .lines()
            .map(unquoted)
            .filter(|line| !is_header(line))
        {
            digits.extend(line.bytes().filter(|b| !b.is_ascii_whitespace()));
        }
        let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(digits.len())]);
        match STANDARD.decode_slice(digits.as_slice(), &mut bytes) {
            Ok(length) => {
                bytes.truncate(length);
                Ok(bytes)
            }
            Err(base64::DecodeSliceError::DecodeError(error)) => Err(error),
            // The estimate is never too small.
            Err(base64::DecodeSliceError::OutputSliceTooSmall) => {
                Err(base64::DecodeError::InvalidLength(digits.len()))
            }
        }
    }

    fn headers(&self) -> impl Iterator<Item = &'a str> {
        self.text
            .lines()
            .map(unquoted)
            .take_while(|line| is_header(line))
    }
}

/// All blocks of a text, in order.
pub(super) fn blocks(text: &str) -> Result<Vec<Block<'_>>, Unterminated> {
    let mut found = Vec::new();
    // The label, the line and where the text begins.
    let mut open: Option<(String, usize, usize)> = None;
    let unterminated = |(label, line, _)| Unterminated { label, line };
    let mut at = 0;
    for (index, whole) in text.split_inclusive('\n').enumerate() {
        let start = at;
        at += whole.len();
        let line = unquoted(whole);
        let label_of = |marker| {
            line.strip_prefix(marker)
                .and_then(|rest| rest.strip_suffix(DASHES))
                .map(one_line)
        };
        if let Some(label) = label_of(BEGIN) {
            if let Some(block) = open {
                return Err(unterminated(block));
            }
            open = Some((label, index + 1, at));
        } else if let Some(label) = label_of(END) {
            match open.take() {
                Some((begun, line, from)) if begun == label => found.push(Block {
                    label,
                    line,
                    text: &text[from..start],
                }),
                Some(block) => return Err(unterminated(block)),
                None => {}
            }
        }
    }
    open.map_or(Ok(found), |block| Err(unterminated(block)))
}

/// A colon is no digit of base64.
fn is_header(line: &str) -> bool {
    line.contains(':')
}

/// The line without what mail programs put before and after it.
fn unquoted(line: &str) -> &str {
    line.trim_start_matches(|c: char| c == '>' || c == '\u{feff}' || c.is_whitespace())
        .trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_quotes_and_marks_do_not_get_into_the_bytes() {
        let text = "\u{feff}Bag Attributes\r\n> -----BEGIN A KEY-----\r\n> Proc-Type: 4,ENCRYPTED\r\n> DEK-Info: X,00\r\n> \r\n> AAEC\r\n> Aw==\r\n> -----END A KEY-----\r\n";
        let blocks = blocks(text).ok().unwrap();
        let [block] = blocks.as_slice() else {
            panic!("{} blocks", blocks.len());
        };
        assert_eq!((block.label.as_str(), block.line), ("A KEY", 2));
        assert_eq!(block.header("DEK-Info"), Some("X,00"));
        assert_eq!(block.decode().unwrap().as_slice(), [0, 1, 2, 3]);
    }

    #[test]
    fn a_block_that_does_not_end_is_named() {
        for text in [
            "-----BEGIN A-----\nAA==\n",
            "-----BEGIN A-----\nAA==\n-----END B-----\n",
            "-----BEGIN A-----\n-----BEGIN A-----\n-----END A-----\n",
        ] {
            let fault = blocks(text).err().unwrap();
            assert_eq!((fault.label.as_str(), fault.line), ("A", 1), "{text}");
        }
    }
}
