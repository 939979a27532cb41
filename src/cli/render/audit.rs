//! The audit log as text: one line for each entry, with everything that it says and nothing in full length.

use std::fmt::Write;

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    model::Printable,
    service::{AuditReply, AuditVerdict},
};

/// What stands in columns of its own, or says nothing to people.
const ELSEWHERE: [&str; 10] = [
    "schema",
    "sequence",
    "previous",
    "at",
    "who",
    "request",
    "action",
    "public_key",
    "signature",
    "head",
];

/// Entries, oldest first.
pub(in crate::cli) fn entries(reply: &AuditReply) -> String {
    let AuditReply::Entries(page) = reply else {
        return String::new();
    };
    let mut out = String::new();
    if let Some(before) = page.before {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "(older ones: --before {before})");
    }
    for entry in &page.entries {
        let _ = line(&mut out, entry);
    }
    if page.entries.is_empty() {
        let _ = writeln!(out, "none of {} entries", page.total);
    }
    out
}

fn line(out: &mut String, entry: &Value) -> std::fmt::Result {
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    // To the second: the JSON has it all.
    let at = text("at").parse().map_or_else(
        |_| text("at").to_owned(),
        |at: Timestamp| format!("{at:.0}"),
    );
    write!(
        out,
        "{:>6}  {at}  {:<28}  {}",
        entry["sequence"].as_u64().unwrap_or_default(),
        who(entry),
        text("action")
    )?;
    for (name, value) in entry.as_object().into_iter().flatten() {
        if !ELSEWHERE.contains(&name.as_str()) {
            pair(out, name, value)?;
        }
    }
    writeln!(out)
}

/// `olga (1001) rotation-waive`: the kernel's word and the machine's, and what was asked for.
fn who(entry: &Value) -> String {
    let who = &entry["who"];
    let uid = who["uid"].as_u64().unwrap_or_default();
    let name = who["login"].as_str().unwrap_or("uid");
    let itself = who["by"] == "itself";
    match entry["request"].as_str() {
        Some(request) => format!("{} ({uid}) {request}", Printable(name)),
        None if itself => "countersign".to_owned(),
        None => format!("{} ({uid})", Printable(name)),
    }
}

fn pair(out: &mut String, name: &str, value: &Value) -> std::fmt::Result {
    match value {
        Value::Null => Ok(()),
        Value::Object(inner) => {
            for (inner_name, value) in inner {
                pair(out, &format!("{name}.{inner_name}"), value)?;
            }
            Ok(())
        }
        Value::Array(all) => {
            let all: Vec<String> = all.iter().map(word).collect();
            write!(out, " {name}=[{}]", all.join(", "))
        }
        value => write!(out, " {name}={}", word(value)),
    }
}

fn word(value: &Value) -> String {
    match value {
        // A digest is told apart by its first digits; whoever compares takes the JSON.
        Value::String(text) if is_digest(text) => format!("{}…", &text[..12]),
        Value::String(text) if text.contains([' ', '"', '=']) || text.is_empty() => {
            format!("\"{}\"", Printable(text))
        }
        Value::String(text) => Printable(text).to_string(),
        Value::Object(inner) => inner
            .iter()
            .map(|(name, value)| format!("{name} {}", word(value)))
            .collect::<Vec<_>>()
            .join(" "),
        other => Printable(&other.to_string()).to_string(),
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// What was found.
pub(in crate::cli) fn verdict(verdict: &AuditVerdict) -> String {
    let mut out = format!(
        "good    {} entries, each of which follows on the one before; {} of them are true checkpoints\n",
        verdict.entries, verdict.checkpoints
    );
    if let Some(key) = &verdict.key {
        out.push_str(&format!("key     {key}\n"));
    }
    match (&verdict.fault, verdict.signed) {
        (Some(fault), _) => out.push_str(&format!("wrong   {fault}\n")),
        (None, Some(at)) => out.push_str(&format!("signed  {at:.0}, over all of it\n")),
        (None, None) => {}
    }
    out
}
