//! The little of MIME (RFC 2045, 2046, 1847) on which a signature depends byte for byte.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Line ends as they are on the wire: a signature is over CRLF (RFC 8551 §3.1.1), mail filters hand over LF.
pub(in crate::exchange) fn canonical(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    let mut last = 0;
    for &byte in bytes {
        if byte == b'\n' && last != b'\r' {
            out.push(b'\r');
        }
        out.push(byte);
        last = byte;
    }
    out
}

/// The parts of a multipart body, exactly as they stand between the delimiters. The CRLF before a
/// delimiter belongs to the delimiter (RFC 2046 §5.1.1): to count it in would break every signature.
pub(in crate::exchange) fn parts<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut begin = None;
    let mut position = 0;
    while position < body.len() {
        let end = body[position..]
            .windows(2)
            .position(|w| w == b"\r\n")
            .map_or(body.len(), |i| position + i);
        let next = (end + 2).min(body.len());
        if let Some(closing) = delimiter(&body[position..end], boundary) {
            if let Some(begin) = begin {
                parts.push(&body[begin..position.saturating_sub(2).max(begin)]);
            }
            begin = (!closing).then_some(next);
            if closing {
                break;
            }
        }
        position = next;
    }
    parts
}

/// Whether a line is a delimiter of this boundary, and if so whether it is the closing one.
fn delimiter(line: &[u8], boundary: &str) -> Option<bool> {
    let rest = line
        .strip_prefix(b"--")?
        .strip_prefix(boundary.as_bytes())?;
    match rest.trim_ascii_end() {
        b"" => Some(false),
        b"--" => Some(true),
        _ => None,
    }
}

/// Base64 in lines of 76 with CRLF (RFC 2045 §6.8).
pub(in crate::exchange) fn base64_lines(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let mut out = String::with_capacity(text.len() + text.len() / 38 + 2);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        // ASCII, therefore any position is a boundary.
        let (line, more) = rest.split_at(rest.len().min(76));
        out.push_str(line);
        out.push_str("\r\n");
        rest = more;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_end_before_a_delimiter_is_not_of_the_part() {
        let body =
            b"preamble\r\n--b\r\nA: 1\r\n\r\ntext\r\n\r\n--b \r\nB\r\n--b--\r\n--b\r\nepilogue";
        assert_eq!(
            parts(body, "b"),
            [b"A: 1\r\n\r\ntext\r\n".as_slice(), b"B".as_slice()]
        );
    }

    #[test]
    fn a_longer_boundary_is_another_boundary() {
        let body = b"--b\r\nx\r\n--bc\r\ny\r\n--b--\r\n";
        assert_eq!(parts(body, "b"), [b"x\r\n--bc\r\ny".as_slice()]);
    }

    #[test]
    fn an_empty_part_is_empty() {
        assert_eq!(parts(b"--b\r\n\r\n--b--", "b"), [b"".as_slice()]);
        assert_eq!(parts(b"--b\r\n--b--", "b"), [b"".as_slice()]);
    }

    #[test]
    fn line_feeds_become_line_ends_once() {
        assert_eq!(canonical(b"a\nb\r\nc\n\n"), b"a\r\nb\r\nc\r\n\r\n");
    }
}
