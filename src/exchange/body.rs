//! The text of a letter.
//!
//! It begins with a line above which people write: whatever stands below it in a reply is our own letter,
//! however the mail program quotes. It bears no link, so that no robot can answer it.

use der::pem::LineEnding;
use jiff::Timestamp;

use super::{
    LetterFacts,
    instructions::{install, overlap},
    page::Page,
};
use crate::{
    gateway::spelling,
    model::{CertificateFacts, LetterKind, one_line},
};

/// Where our letter begins inside a reply.
pub(super) const ANSWER_ABOVE: &str = "#-- please answer above this line --#";

/// A certificate as PEM (RFC 7468), CRLF line ends.
pub(super) fn pem(der: &[u8]) -> Result<String, der::pem::Error> {
    der::pem::encode_string("CERTIFICATE", LineEnding::CRLF, der)
}

/// The subject line: ASCII, since it is made of names.
pub(super) fn subject(facts: &LetterFacts) -> String {
    let what = format!(
        "client certificate {} generation {} for {}",
        facts.identity, facts.generation, facts.destination
    );
    match facts.kind {
        LetterKind::Offer => format!("Please install: {what}"),
        LetterKind::Reminder => format!("Reminder {}, please install: {what}", facts.ordinal),
        LetterKind::Withdrawal => format!("Withdrawn: {what}"),
        LetterKind::RemovalNotice => format!(
            "Please remove the predecessor of {} generation {} at {}",
            facts.identity, facts.generation, facts.destination
        ),
    }
}

/// The whole text, certificates included.
pub(super) fn text(facts: &LetterFacts) -> Result<String, der::pem::Error> {
    let mut page = Page::default();
    page.line(ANSWER_ABOVE);
    page.blank();
    let names: Vec<String> = facts.to.iter().map(|c| one_line(&c.name)).collect();
    page.prose(&format!("Dear {},", names.join(", ")));
    page.blank();
    match facts.kind {
        LetterKind::Offer | LetterKind::Reminder => offer(&mut page, facts)?,
        LetterKind::Withdrawal => withdrawal(&mut page, facts),
        LetterKind::RemovalNotice => removal(&mut page, facts),
    }
    page.blank();
    page.prose(
        "There is no link in this letter, and we never ask for private keys or passwords. If you doubt \
         that we wrote it, call us under the number that you have on file, not under one from a mail.",
    );
    page.blank();
    page.line(&one_line(&facts.from.name));
    if let Some(organization) = &facts.from.organization {
        page.line(&one_line(organization));
    }
    page.line(facts.from.email.as_str());
    Ok(page.into_text())
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn whereabouts(page: &mut Page, facts: &LetterFacts) {
    page.heading("Where");
    page.entry("Environment", &facts.destination.to_string());
    page.entry("Jira", &facts.endpoint);
    page.entry("Gateway", &facts.gateway.to_string());
    page.entry(
        "Identity",
        &format!("{}, generation {}", facts.identity, facts.generation),
    );
}

fn describe(page: &mut Page, facts: &LetterFacts, certificate: &CertificateFacts) {
    page.entry("Subject", &certificate.subject);
    page.entry("Issuer", &certificate.issuer);
    page.entry("Serial", &certificate.serial.to_string());
    page.entry("Valid from", &moment(certificate.validity.not_before()));
    page.entry("Valid until", &moment(certificate.validity.not_after()));
    page.entry("SHA-256", "");
    halves(page, &certificate.fingerprint.colon_upper(), ':');
    page.entry("To read out", "");
    halves(page, &certificate.fingerprint.grouped(), ' ');
    let spelling = spelling(facts.gateway, certificate);
    page.line(&format!("   For {}, {}:", facts.gateway, spelling.name));
    page.line(&format!("      {}", spelling.text));
}

/// A fingerprint on two lines, broken at a separator.
fn halves(page: &mut Page, text: &str, separator: char) {
    let middle = text.len() / 2;
    let (first, second) = text.split_at(middle + text[middle..].find(separator).unwrap_or(0));
    page.line(&format!("      {first}"));
    page.line(&format!("      {}", second.trim_start_matches(separator)));
}

fn offer(page: &mut Page, facts: &LetterFacts) -> Result<(), der::pem::Error> {
    if facts.kind == LetterKind::Reminder {
        page.prose(&format!(
            "This is reminder {}: we have no answer yet to our letter about the certificate below.",
            facts.ordinal
        ));
        page.blank();
    }
    let who = facts
        .from
        .organization
        .as_deref()
        .unwrap_or(&facts.from.name);
    page.prose(&format!(
        "{} calls the Jira of {} over mutual TLS. Please trust the client certificate below at your \
         gateway{}.",
        one_line(who),
        one_line(&facts.partner_title),
        match facts.previous {
            Some(_) => ", beside the one that is in use today",
            None => "",
        }
    ));
    whereabouts(page, facts);
    page.heading("The new certificate");
    describe(page, facts, &facts.leaf);
    if let Some(previous) = &facts.previous {
        page.heading("The present certificate, which stays trusted");
        describe(page, facts, previous);
    }
    page.heading(&format!("What to do at {}", facts.gateway));
    install(page, facts);
    if let Some(overlap) = overlap(facts) {
        page.heading("How long both must be trusted");
        page.prose(&format!(
            "From {} on. {overlap}",
            moment(facts.overlap.since)
        ));
    }
    answer(page, facts);
    page.heading("The certificate as text (PEM)");
    page.prose(&format!(
        "The same is attached as {}. Whatever reaches you, its SHA-256 must be the one above.",
        facts.pem_name()
    ));
    for der in &facts.chain {
        page.blank();
        for line in pem(der)?.lines() {
            page.line(line);
        }
    }
    Ok(())
}

/// The lines that make a reply an acknowledgement; `evaluate` looks for what stands in them.
fn answer(page: &mut Page, facts: &LetterFacts) {
    page.heading("How to answer");
    page.prose(&format!(
        "Please answer when {} trusted at {}{}. Copy these lines to the top of your reply, above the \
         quotation:",
        if facts.previous.is_some() { "both are" } else { "it is" },
        facts.destination,
        match facts.respond_by {
            Some(by) => format!(", by {}", moment(by)),
            None => String::new(),
        }
    ));
    page.blank();
    page.verbatim(&format!(
        "ACCEPT {}\n{}",
        facts.destination, facts.leaf.fingerprint
    ));
    if let Some(code) = &facts.code {
        page.verbatim(&format!("CODE {code}"));
    }
    page.blank();
    page.prose(
        "A reply signed with the S/MIME certificate that we have on file for you needs no code. Or call us, \
         and we read the fingerprint to each other. If you cannot or will not install it, reply with a line \
         that begins with REFUSED: and says why. Quoted lines do not count, because an automatic reply \
         quotes them too; every environment needs its own answer.",
    );
}

fn withdrawal(page: &mut Page, facts: &LetterFacts) {
    page.prose(
        "We withdraw the certificate below. Please do not install it, or remove it if you have. Our \
         earlier letter about it no longer stands, and an answer to it no longer counts.",
    );
    whereabouts(page, facts);
    page.heading("The withdrawn certificate");
    describe(page, facts, &facts.leaf);
    if let Some(previous) = &facts.previous {
        page.heading("What stays in use");
        describe(page, facts, previous);
    }
}

fn removal(page: &mut Page, facts: &LetterFacts) {
    page.prose(&format!(
        "We no longer use the older of the two client certificates at {}. Please remove it from your \
         gateway; the newer one stays. We shall try the old one until it is refused, and then destroy \
         its key. No answer is needed.",
        facts.destination
    ));
    whereabouts(page, facts);
    if let Some(previous) = &facts.previous {
        page.heading("Please remove");
        describe(page, facts, previous);
    }
    page.heading("Stays trusted");
    describe(page, facts, &facts.leaf);
}
