//! A probe's report as text: a line or two for each tier, so that a healthy endpoint fits a screen of 80 by 24.

use std::{fmt::Write, io::IsTerminal};

use anstyle::{AnsiColor, Style};

use crate::{
    model::{Finding, Outcome, ProbeReport, Stretch, Verdict},
    service::ProbeHistoryView,
};

/// The columns of the smallest terminal that people have.
const WIDTH: usize = 80;
/// Where the words begin that say what was seen.
const INDENT: usize = 18;

/// Whether results may be coloured: at a terminal, unless somebody asked for none.
pub(in crate::cli) fn colours() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !unwanted && std::io::stdout().is_terminal()
}

/// The report, coloured or not.
pub(in crate::cli) fn report(report: &ProbeReport, colour: bool) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, report, colour);
    out
}

pub(super) fn probe(out: &mut String, report: &ProbeReport) -> std::fmt::Result {
    write(out, report, false)
}

fn write(out: &mut String, report: &ProbeReport, colour: bool) -> std::fmt::Result {
    let paint = |style: AnsiColor| {
        if colour {
            Style::new().fg_color(Some(style.into())).bold()
        } else {
            Style::new()
        }
    };
    let style = paint(match report.verdict {
        Verdict::Accepted => AnsiColor::Green,
        Verdict::Rejected | Verdict::Unreachable => AnsiColor::Red,
        Verdict::Inconclusive => AnsiColor::Yellow,
    });
    writeln!(
        out,
        "{style}{}{style:#} at tier {}  {}",
        report.verdict, report.tier, report.url
    )?;
    if let Some(fingerprint) = &report.presented {
        writeln!(out, "presented  {fingerprint}")?;
    }
    writeln!(
        out,
        "probe id   {} (in User-Agent and X-Request-ID)\n",
        report.probe_id
    )?;
    if report.findings.is_empty() {
        wrapped(out, 0, &report.summary)?;
    }
    for finding in &report.findings {
        let style = paint(match finding.outcome {
            Outcome::Good => AnsiColor::Green,
            Outcome::Mind | Outcome::Unknown => AnsiColor::Yellow,
            Outcome::Bad => AnsiColor::Red,
        });
        let outcome = format!("{:<4}", finding.outcome);
        write!(out, "{style}{outcome}{style:#} {:<12} ", finding.check)?;
        wrapped(out, INDENT, &finding.seen)?;
        further(out, finding)?;
    }
    if report.addresses.len() > 1 {
        writeln!(out)?;
        for address in &report.addresses {
            write!(out, "{:<17} ", address.address.to_string())?;
            wrapped(
                out,
                INDENT,
                &format!("{}: {}", address.verdict, address.explanation),
            )?;
        }
    }
    if let Some(remedy) = &report.remedy {
        let owner = report
            .owner
            .map_or_else(|| "somebody".to_owned(), |role| role.to_string());
        write!(out, "\nto mend           ")?;
        wrapped(out, INDENT, &format!("{owner}: {remedy}"))?;
    }
    Ok(())
}

fn further(out: &mut String, finding: &Finding) -> std::fmt::Result {
    let indent = " ".repeat(INDENT);
    if let Some(doubt) = &finding.doubt {
        write!(out, "{indent}")?;
        wrapped(out, INDENT, &format!("({}: {doubt})", finding.sureness))?;
    }
    if let (Some(owner), Some(remedy)) = (finding.owner, &finding.remedy) {
        write!(out, "{indent}")?;
        wrapped(out, INDENT, &format!("{owner}: {remedy}"))?;
    }
    Ok(())
}

/// When something changed, place by place.
pub(super) fn history(out: &mut String, view: &ProbeHistoryView) -> std::fmt::Result {
    for place in &view.destinations {
        writeln!(out, "{} at {}", view.identity, place.destination)?;
        if place.stretches.is_empty() {
            writeln!(out, "  no probe yet")?;
        }
        let mut before: Option<&Stretch> = None;
        for stretch in &place.stretches {
            writeln!(
                out,
                "  {:.0} to {:.0}  {} at tier {}{}, generation {}, {} probes",
                stretch.first,
                stretch.last,
                stretch.verdict,
                stretch.tier,
                if stretch.proven || stretch.verdict != Verdict::Accepted {
                    ""
                } else {
                    ", but not proven"
                },
                stretch.generation,
                stretch.probes
            )?;
            let issuer = stretch.issuer.as_deref().unwrap_or("nobody seen");
            match before {
                Some(earlier) if earlier.issuer != stretch.issuer => {
                    writeln!(out, "    the server's issuer changed to {issuer}")?;
                }
                Some(earlier) if earlier.server != stretch.server => {
                    writeln!(out, "    the server has another certificate of {issuer}")?;
                }
                _ => {}
            }
            if stretch.verdict != Verdict::Accepted || !stretch.proven {
                write!(out, "    ")?;
                wrapped(out, 4, &stretch.summary)?;
            }
            before = Some(stretch);
        }
    }
    Ok(())
}

/// A paragraph of its own below a line.
pub(in crate::cli) fn indented(out: &mut String, indent: usize, text: &str) {
    out.push_str(&" ".repeat(indent));
    // Writing to a string cannot fail.
    let _ = wrapped(out, indent, text);
}

/// Breaks between words; what stands before on the first line is as long as the indent.
fn wrapped(out: &mut String, indent: usize, text: &str) -> std::fmt::Result {
    let mut column = indent;
    let mut first = true;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if first {
            first = false;
        } else if column + 1 + length > WIDTH {
            write!(out, "\n{}", " ".repeat(indent))?;
            column = indent;
        } else {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    writeln!(out)
}

/// What is different between two reports of one watch, a clause each.
pub(in crate::cli) fn changes(before: &ProbeReport, now: &ProbeReport) -> Vec<String> {
    let mut found = Vec::new();
    if (before.verdict, before.tier) != (now.verdict, now.tier) {
        found.push(format!(
            "{} at tier {} became {} at tier {}",
            before.verdict, before.tier, now.verdict, now.tier
        ));
    }
    for finding in &now.findings {
        let earlier = before.findings.iter().find(|f| f.check == finding.check);
        if let Some(earlier) = earlier
            && earlier.outcome != finding.outcome
        {
            found.push(format!(
                "{}: {} became {}: {}",
                finding.check, earlier.outcome, finding.outcome, finding.seen
            ));
        }
    }
    for address in &now.addresses {
        let earlier = before
            .addresses
            .iter()
            .find(|a| a.address == address.address);
        match earlier {
            None => found.push(format!("a new address: {}", address.address)),
            Some(earlier) => {
                let issuer = |a: &crate::model::AddressEvidence| {
                    a.server_chain
                        .last()
                        .map(|c| c.issuer.clone())
                        .unwrap_or_default()
                };
                if !earlier.server_chain.is_empty()
                    && !address.server_chain.is_empty()
                    && issuer(earlier) != issuer(address)
                {
                    found.push(format!(
                        "{}: the server's certificate was issued by {} and is now by {}",
                        address.address,
                        issuer(earlier),
                        issuer(address)
                    ));
                } else if earlier.server_chain.first().map(|c| c.fingerprint)
                    != address.server_chain.first().map(|c| c.fingerprint)
                    && !earlier.server_chain.is_empty()
                    && !address.server_chain.is_empty()
                {
                    found.push(format!(
                        "{}: the server has another certificate",
                        address.address
                    ));
                }
            }
        }
    }
    for address in &before.addresses {
        if !now.addresses.iter().any(|a| a.address == address.address) {
            found.push(format!("an address is gone: {}", address.address));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_broken_between_words_and_stays_within_the_screen() {
        let mut out = " ".repeat(INDENT);
        wrapped(&mut out, INDENT, &"word ".repeat(60)).unwrap();
        assert!(out.lines().count() > 4);
        assert!(out.lines().all(|line| line.len() <= WIDTH), "{out}");
        assert!(
            out.lines()
                .all(|line| line.starts_with(&" ".repeat(INDENT)))
        );
    }
}
