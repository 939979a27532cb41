//! What to install, on a terminal or in a file.

use std::fmt::{self, Write};

use crate::{
    gateway::Sheet,
    model::PinType,
    service::{CandidateView, GatewayList, GatewayView},
};

const WIDTH: usize = 78;

/// The sheet, with the certificates that it speaks of.
pub(in crate::cli) fn gateway(view: &GatewayView) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut out, view);
    out
}

fn write_all(out: &mut String, view: &GatewayView) -> fmt::Result {
    let sheet = &view.sheet;
    let place = match &view.destination {
        Some(destination) => format!("{destination} ({})", view.host),
        None => view.host.clone(),
    };
    writeln!(out, "What to install at {}, for {place}", sheet.product)?;
    let compares = match view.pin {
        PinType::Certificate => "the very certificate",
        PinType::Authority => "our authority and our name",
    };
    writeln!(out, "It compares {compares}.\n")?;
    candidate(out, "new", &view.new)?;
    if let Some(present) = &view.present {
        candidate(out, "present", present)?;
    }
    steps(out, sheet)?;
    writeln!(out)?;
    wrapped(out, "", "", &sheet.rule)?;
    if let Some(overlap) = &sheet.overlap {
        writeln!(out)?;
        wrapped(out, "", "", overlap)?;
    }
    if !sheet.limits.is_empty() {
        writeln!(
            out,
            "\nWhat {} cannot do, or does otherwise:",
            sheet.product
        )?;
        for limit in &sheet.limits {
            wrapped(out, "  - ", "    ", limit)?;
        }
    }
    writeln!(out)?;
    wrapped(out, "", "", sheet.tried.in_words())
}

fn candidate(out: &mut String, which: &str, view: &CandidateView) -> fmt::Result {
    let generation = view
        .generation
        .map_or_else(String::new, |number| format!(", generation {number}"));
    writeln!(
        out,
        "{which}: {}{generation}, until {}",
        view.subject,
        view.not_after.strftime("%Y-%m-%d")
    )?;
    writeln!(out, "  SHA-256 {}", view.fingerprint)?;
    writeln!(out, "  {}: {}\n", view.spelling.name, view.spelling.text)
}

fn steps(out: &mut String, sheet: &Sheet) -> fmt::Result {
    for (at, step) in sheet.steps.iter().enumerate() {
        let mark = format!("{:>2}. ", at + 1);
        wrapped(out, &mark, "    ", &step.what)?;
        if let Some(lines) = &step.lines {
            writeln!(out)?;
            for line in lines.lines() {
                writeln!(out, "{}", format!("      {line}").trim_end())?;
            }
            writeln!(out)?;
        }
    }
    Ok(())
}

/// Broken between words.
fn wrapped(out: &mut String, first: &str, others: &str, text: &str) -> fmt::Result {
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(out, "{line}")?;
            line = others.to_owned();
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    writeln!(out, "{line}")
}

/// A table.
pub(in crate::cli) fn gateway_list(list: &GatewayList) -> String {
    let mut out = String::new();
    for entry in &list.products {
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{:<26} {:<28} {}",
            entry.name,
            entry.title,
            entry.tried.in_short()
        );
    }
    out
}
