//! What a text states: fingerprints, codes, destinations, a refusal. Found wherever they stand, since
//! people copy lines into sentences and mail programs break them.

use super::code::{self, OneTimeCode};
use crate::model::{CodeHash, Destination, Fingerprint, one_line};

/// The statements of a text, in order, without repetitions.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Statement {
    /// SHA-256 fingerprints, however spelled.
    pub fingerprints: Vec<Fingerprint>,
    /// One-time codes, hashed at once.
    pub codes: Vec<CodeHash>,
    /// Texts of the form `partner/test` and `partner/production`.
    pub destinations: Vec<Destination>,
    /// Whether a line begins with ACCEPT: to mention a certificate, or to ask about it, is not to accept it.
    pub acceptance: bool,
    /// The line that begins with REFUSED or REJECT, bounded.
    pub refusal: Option<String>,
}

impl Statement {
    /// Reads a text from which quotations have been taken away.
    pub(super) fn read(text: &str) -> Self {
        let mut statement = Self {
            acceptance: text.lines().any(accepts),
            refusal: text.lines().find_map(refusal),
            ..Self::default()
        };
        for fingerprint in fingerprints(text) {
            push_new(&mut statement.fingerprints, fingerprint);
        }
        for code in codes(text) {
            push_new(&mut statement.codes, code);
        }
        for word in text.split(|c: char| c.is_whitespace() || "<>()[],;\"'`*".contains(c)) {
            let word = word.trim_matches(|c: char| ".:!?".contains(c));
            if let Ok(destination) = word.to_lowercase().parse() {
                push_new(&mut statement.destinations, destination);
            }
        }
        statement
    }
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, item: T) {
    // A mail of nothing but fingerprints must not cost quadratic time.
    const MOST: usize = 64;
    if list.len() < MOST && !list.contains(&item) {
        list.push(item);
    }
}

fn accepts(line: &str) -> bool {
    after_word(line, &["ACCEPT", "ACCEPTED", "ACCEPTS"]).is_some()
}

fn refusal(line: &str) -> Option<String> {
    let words = [
        "REFUSED", "REFUSE", "REJECT", "REJECTED", "DECLINE", "DECLINED",
    ];
    let reason = after_word(line, &words)?;
    Some(one_line(reason.trim_start_matches([':', ' ', '-'])))
}

/// What follows one of these words at the beginning of a line, whatever its case and decoration.
fn after_word<'a>(line: &'a str, words: &[&str]) -> Option<&'a str> {
    let line = line.trim_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '\u{feff}'));
    let end = line
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    let found = words.iter().any(|w| w.eq_ignore_ascii_case(word));
    // `Accept-Language: en` is a word of its own.
    (found && !rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.')))
        .then_some(rest)
}

/// Runs of hexadecimal words, joined by the separators of the usual spellings, that make exactly 64 digits.
fn fingerprints(text: &str) -> Vec<Fingerprint> {
    let mut found = Vec::new();
    let mut run: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find(|c: char| c.is_alphanumeric()) {
        let (between, word) = rest.split_at(begin);
        let end = word
            .find(|c: char| !c.is_alphanumeric())
            .unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        if !between.chars().all(is_separator) {
            run.clear();
        }
        if word.bytes().all(|b| b.is_ascii_hexdigit()) {
            run.push(word);
            // Not longer than what could still become one: a word has at least one digit.
            if run.len() > 64 {
                run.remove(0);
            }
            found.extend(ending_here(&run));
        } else {
            run.clear();
        }
        rest = after;
    }
    found
}

fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, ':' | '-' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2010}'..='\u{2015}' | '\u{feff}')
}

/// The last words of a run, if they make 64 digits together.
fn ending_here(run: &[&str]) -> Option<Fingerprint> {
    let mut digits = 0;
    for (i, word) in run.iter().enumerate().rev() {
        digits += word.len();
        match digits {
            0..64 => {}
            64 => return run[i..].concat().parse().ok(),
            _ => return None,
        }
    }
    None
}

/// `CS-` and 26 digits of the code's alphabet, with whatever mail made of the dashes.
fn codes(text: &str) -> Vec<CodeHash> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(['c', 'C']) {
        let Some(digits) = text
            .get(at..at + 2)
            .filter(|head| head.eq_ignore_ascii_case(code::PREFIX.trim_end_matches('-')))
            .map(|_| &text[at + 2..])
        else {
            continue;
        };
        let inside = text[..at].ends_with(|c: char| c.is_alphanumeric());
        if inside || !digits.starts_with(code::is_filler) {
            continue;
        }
        if let Some(end) = end_of_digits(digits) {
            found.extend(OneTimeCode::from_digits(&digits[..end]).map(|c| c.hash()));
        }
    }
    found
}

/// Where the last digit of a code ends; `None` when there are too few, or another follows at once.
fn end_of_digits(text: &str) -> Option<usize> {
    let (mut count, mut filler) = (0, 0);
    for (at, c) in text.char_indices() {
        if count == code::LENGTH {
            return (!c.is_alphanumeric()).then_some(at);
        }
        if code::is_filler(c) {
            filler += 1;
            // A dash, a line break and an indentation.
            if filler > 12 {
                return None;
            }
        } else {
            code::digit(c)?;
            (count, filler) = (count + 1, 0);
        }
    }
    (count == code::LENGTH).then_some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint() -> Fingerprint {
        let mut digest = [0; 32];
        for (i, byte) in digest.iter_mut().enumerate() {
            *byte = 7 * i as u8 + 3;
        }
        Fingerprint::from_digest(digest)
    }

    #[test]
    fn a_fingerprint_is_found_in_every_spelling_and_sentence() {
        let wanted = fingerprint();
        let (colons, groups) = (wanted.colon_upper(), wanted.grouped());
        for text in [
            format!("ACCEPT acme/test {wanted}"),
            format!("ACCEPT acme/test\r\n   {wanted}\r\n"),
            format!("we see a: {colons}."),
            format!("be ad {groups} cafe"),
            format!("SHA-256: {}\n  {}", &colons[..48], &colons[48..]),
            format!("fp=\u{200e}{wanted}"),
            format!("<b>{}</b>", wanted.to_string().to_uppercase()),
        ] {
            // Hexadecimal words beside it make further candidates, which name no offer.
            assert!(
                Statement::read(&text).fingerprints.contains(&wanted),
                "{text}"
            );
        }
    }

    #[test]
    fn a_cut_fingerprint_or_one_inside_a_longer_number_is_none() {
        let digits = fingerprint().to_string();
        for text in [&digits[1..], &format!("{digits}a"), &format!("x{digits}")] {
            assert_eq!(Statement::read(text).fingerprints, [], "{text}");
        }
    }

    #[test]
    fn a_code_is_found_broken_over_lines_and_in_lower_case() {
        let code = OneTimeCode::generate().unwrap();
        let shown = code.to_string();
        for text in [
            format!("CODE {shown}"),
            format!("the code is {}, thanks", shown.to_lowercase()),
            format!("CODE {}\r\n    {}", &shown[..15], &shown[15..]),
            shown.replace('-', "\u{2011}"),
        ] {
            assert_eq!(Statement::read(&text).codes, [code.hash()], "{text}");
        }
        for text in [
            format!("X{shown}"),
            format!("{shown}7"),
            shown[..30].to_owned(),
        ] {
            assert_eq!(Statement::read(&text).codes, [], "{text}");
        }
    }

    #[test]
    fn destinations_and_refusals_are_read_from_lines() {
        let statement = Statement::read("Hello,\n*REFUSED*: no budget for acme/test.\n");
        assert_eq!(statement.destinations, ["acme/test".parse().unwrap()]);
        assert!(statement.refusal.is_some_and(|r| r.contains("no budget")));
        let statement = Statement::read("We refused nothing. ACCEPT Acme/Production!");
        assert_eq!(statement.destinations, ["acme/production".parse().unwrap()]);
        assert_eq!(statement.refusal, None);
    }

    #[test]
    fn an_acceptance_begins_a_line() {
        for text in [
            "ACCEPT acme/test",
            "Hello,\r\n  *Accept* acme/test",
            "accepted: acme/test",
        ] {
            assert!(Statement::read(text).acceptance, "{text}");
        }
        for text in [
            "We cannot ACCEPT acme/test",
            "acceptable for acme/test?",
            "Do not\tACCEPT",
        ] {
            assert!(!Statement::read(text).acceptance, "{text}");
        }
    }
}
