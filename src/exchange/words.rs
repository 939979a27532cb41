//! What a person wrote themselves: the text of a reply without what it quotes.
//!
//! Our own letter bears fingerprint and code, and every mail program quotes it below the answer. So what cannot
//! be told from a quotation is taken for one: an acknowledgement lost this way is asked for again, one that was
//! never given would be believed.

use std::borrow::Cow;

use mail_parser::decoders::html::html_to_text;

use super::body::ANSWER_ABOVE;

/// The lines outside every quotation.
pub(super) fn own_words(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let marker = folded(ANSWER_ABOVE);
    let mut own = String::new();
    for (i, line) in lines.iter().enumerate() {
        if is_quoted(line) {
            continue;
        }
        if folded(line).contains(&marker) || is_separator(line) || begins_quotation(&lines[i..]) {
            break;
        }
        own.push_str(line);
        own.push('\n');
    }
    own
}

/// HTML as text, quotations left out.
pub(super) fn html_words(html: &str) -> String {
    html_to_text(&without_blockquotes(html))
}

fn is_quoted(line: &str) -> bool {
    line.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
        .starts_with(['>', '＞'])
}

/// Letters and digits only: decoration and white space do not survive mail programs.
fn folded(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// `-----Original Message-----` in several languages, or Outlook's rule of underscores.
fn is_separator(line: &str) -> bool {
    const WORDS: [&str; 9] = [
        "message",
        "nachricht",
        "mensaje",
        "messaggio",
        "bericht",
        "mensagem",
        "e-mail",
        "courriel",
        "meddelande",
    ];
    let line = line.trim();
    if line.len() >= 20 && line.chars().all(|c| c == '_') {
        return true;
    }
    let inner = line.trim_matches('-').to_lowercase();
    line.starts_with("---") && line.ends_with("---") && WORDS.iter().any(|w| inner.contains(w))
}

/// An attribution (`On … wrote:`) or a block of headers (`From: … Sent: …`), with which what follows is
/// somebody else's. An attribution before `>` lines is none of ours to judge: those are left out anyway,
/// and the answer may stand below them.
fn begins_quotation(lines: &[&str]) -> bool {
    is_header_block(lines) || is_attribution(lines)
}

fn is_attribution(lines: &[&str]) -> bool {
    const VERBS: [&str; 8] = [
        "wrote",
        "schrieb",
        "écrit",
        "escribió",
        "scritto",
        "schreef",
        "escreveu",
        "skrev",
    ];
    const OPENINGS: [&str; 9] = [
        "on ",
        "am ",
        "le ",
        "el ",
        "il ",
        "op ",
        "em ",
        "den ",
        "il giorno ",
    ];
    let first = lines[0].trim().to_lowercase();
    if !OPENINGS.iter().any(|o| first.starts_with(o)) {
        return false;
    }
    // Mail programs break the line before the verb.
    let mut joined = String::new();
    for (i, line) in lines.iter().take(3).enumerate() {
        joined.push_str(&line.trim().to_lowercase());
        joined.push(' ');
        if joined.trim_end().ends_with(':') {
            let quoted = lines[i + 1..]
                .iter()
                .find(|l| !l.trim().is_empty())
                .is_some_and(|l| is_quoted(l));
            return VERBS.iter().any(|v| joined.contains(v)) && !quoted;
        }
    }
    false
}

fn is_header_block(lines: &[&str]) -> bool {
    const FROM: [&str; 8] = ["from", "von", "de", "da", "van", "från", "fra", "od"];
    const OTHERS: [&str; 22] = [
        "sent",
        "date",
        "to",
        "subject",
        "cc",
        "gesendet",
        "datum",
        "an",
        "betreff",
        "envoyé",
        "à",
        "objet",
        "enviado",
        "fecha",
        "para",
        "asunto",
        "inviato",
        "data",
        "a",
        "oggetto",
        "verzonden",
        "aan",
    ];
    let name = |line: &str| -> Option<String> {
        let (name, _) = line.split_once(':')?;
        let name = name.trim_matches(|c: char| c == '*' || c.is_whitespace());
        Some(name.to_lowercase())
    };
    let is = |line: &str, names: &[&str]| name(line).is_some_and(|n| names.contains(&n.as_str()));
    is(lines[0], &FROM)
        && lines[1..]
            .iter()
            .take(4)
            .filter(|line| is(line, &OTHERS))
            .count()
            >= 2
}

/// Drops `<blockquote>…</blockquote>`, nested too; one that never ends takes the rest along. Tags that
/// begin a line in a browser do so in the text as well.
fn without_blockquotes(html: &str) -> Cow<'_, str> {
    const BLOCKS: [&str; 9] = ["div", "p", "tr", "li", "table", "hr", "pre", "h1", "h2"];
    let mut out = String::with_capacity(html.len());
    let (mut depth, mut rest) = (0_u32, html);
    while let Some(open) = rest.find('<') {
        let (text, tag) = rest.split_at(open);
        if depth == 0 {
            out.push_str(text);
        }
        let closing = tag[1..].starts_with('/');
        let name: String = tag[1..]
            .trim_start_matches('/')
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_ascii_lowercase();
        let end = tag.find('>').map_or(tag.len(), |i| i + 1);
        match (name.as_str(), closing) {
            ("blockquote", false) => depth += 1,
            ("blockquote", true) => depth = depth.saturating_sub(1),
            (block, _) if depth == 0 => {
                if BLOCKS.contains(&block) {
                    out.push_str("<br>");
                }
                out.push_str(&tag[..end]);
            }
            _ => {}
        }
        rest = &tag[end..];
    }
    if depth == 0 {
        out.push_str(rest);
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn kept(text: &str) -> bool {
        own_words(text).contains("OWN") && !own_words(text).contains("QUOTED")
    }

    #[test]
    fn what_mail_programs_quote_is_not_somebodys_own_words() {
        for reply in [
            "OWN\n\n> QUOTED\n>> QUOTED",
            "On Tue, 24 Nov 2026, Ops wrote:\n> QUOTED\n\nOWN",
            "OWN\n\nOn Tue, 24 Nov 2026 at 08:00, Vendor Operations\n<ops@vendor.example> wrote:\n\nQUOTED",
            "OWN\n\nAm 24.11.2026 um 08:00 schrieb Ops:\n\nQUOTED",
            "OWN\n\nLe mar. 24 nov. 2026 à 08:00, Ops <o@v.example> a écrit :\nQUOTED",
            "OWN\n-----Original Message-----\nFrom: Ops\nQUOTED",
            "OWN\n-----Ursprüngliche Nachricht-----\nQUOTED",
            "OWN\n________________________________\nFrom: Ops\nQUOTED",
            "OWN\n\nFrom: Ops <ops@v.example>\nSent: Tuesday\nTo: Sec\nSubject: x\n\nQUOTED",
            "OWN\n\n*Von:* Ops\n*Gesendet:* Dienstag\n*An:* Sec\nQUOTED",
            "OWN\n#-- please answer above this line --#\nQUOTED",
            "OWN\n  # -- Please answer ABOVE this line -- #\nQUOTED",
        ] {
            assert!(kept(reply), "{reply}");
        }
    }

    #[test]
    fn a_banner_or_a_signature_does_not_end_somebodys_own_words() {
        for reply in [
            "[EXTERNAL] This mail is from outside.\n\nOWN",
            "----- CAUTION: EXTERNAL SENDER -----\nOWN",
            "From our side:\n\nOWN",
            "On Monday we installed it:\nOWN",
        ] {
            assert!(kept(reply), "{reply}");
        }
    }

    #[test]
    fn html_loses_its_quotations_and_keeps_its_lines() {
        let html = "<html><head><style>p{}</style></head><body><div>ACCEPT&nbsp;acme/test</div><div>OWN</div>\
                    <blockquote class=x>QUOTED<BLOCKQUOTE>QUOTED</BLOCKQUOTE>QUOTED</blockquote><p>after";
        let text = html_words(html);
        assert!(
            text.contains("OWN\n") && text.contains("after") && !text.contains("QUOTED"),
            "{text}"
        );
        assert!(text.contains("acme/test\n"), "{text}");
        assert!(!html_words("OWN<blockquote>QUOTED").contains("QUOTED"));
    }
}
