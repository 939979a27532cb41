//! A probe's report as a page to attach to a ticket: one file that loads nothing and runs nothing, whatever the
//! other side wrote into its certificates and headers.

use std::fmt::{self, Display, Write};

use jiff::Timestamp;

use crate::model::{AddressEvidence, Outcome, Printable, ProbeReport};

/// No source of anything but the style below; a viewer that honours it could not even load a picture.
const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
<meta name=\"viewport\" content=\"width=device-width\">\n\
<style>body{font:15px/1.45 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222;overflow-wrap:anywhere}\
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccc;padding:.4em .6em;text-align:left;vertical-align:top}\
.ok{color:#06662c}.mind,.unknown{color:#7a5200}.bad{color:#a40014;font-weight:bold}\
p.remedy{border-left:4px solid #a40014;padding-left:.8em}</style>\n";

/// The page.
pub(in crate::cli) fn page(report: &ProbeReport) -> String {
    let mut out = String::from(HEAD);
    // Writing to a string cannot fail.
    let _ = body(&mut out, report);
    out
}

fn body(out: &mut String, report: &ProbeReport) -> fmt::Result {
    writeln!(
        out,
        "<title>Probe of {url}: {verdict}</title>\n</head>\n<body>\n<h1>{verdict} at tier {tier}</h1>\n<p>{summary}</p>",
        url = text(&report.url),
        verdict = text(report.verdict),
        tier = text(report.tier),
        summary = text(&report.summary),
    )?;
    if let (Some(owner), Some(remedy)) = (report.owner, &report.remedy) {
        writeln!(
            out,
            "<p class=\"remedy\"><b>{}</b>: {}</p>",
            text(owner),
            text(remedy)
        )?;
    }
    writeln!(out, "<table>")?;
    row(out, "Endpoint", &report.url)?;
    row(out, "Time", format!("{:.0}", report.at))?;
    row(
        out,
        "Probe id, in User-Agent and X-Request-ID of every request",
        &report.probe_id,
    )?;
    match &report.presented {
        Some(fingerprint) => row(out, "Presented, SHA-256", fingerprint)?,
        None => row(out, "Presented", "nothing")?,
    }
    writeln!(
        out,
        "</table>\n<h2>Checks</h2>\n<table>\n<tr><th>Check<th>Result<th>Seen</tr>"
    )?;
    for finding in &report.findings {
        let (class, word) = match finding.outcome {
            Outcome::Good => ("ok", "as it should be"),
            Outcome::Mind => ("mind", "to be looked at"),
            Outcome::Unknown => ("unknown", "not known"),
            Outcome::Bad => ("bad", "not as it should be"),
        };
        write!(
            out,
            "<tr><td>{}<td class=\"{class}\">{word}<td>{}",
            text(finding.check),
            text(&finding.seen)
        )?;
        if let Some(doubt) = &finding.doubt {
            write!(
                out,
                "<br><i>{}: {}</i>",
                text(finding.sureness),
                text(doubt)
            )?;
        }
        if let (Some(owner), Some(remedy)) = (finding.owner, &finding.remedy) {
            write!(out, "<br><b>{}</b>: {}", text(owner), text(remedy))?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</table>")?;
    for address in &report.addresses {
        one_address(out, address, report.at)?;
    }
    if !report.controls.is_empty() || !report.verbs.is_empty() {
        writeln!(out, "<h2>Controls and methods</h2>\n<table>")?;
        for control in &report.controls {
            row(
                out,
                control.control,
                format!("{}: {}", control.verdict, control.explanation),
            )?;
        }
        for verb in &report.verbs {
            row(out, &verb.method, &verb.explanation)?;
        }
        writeln!(out, "</table>")?;
    }
    writeln!(
        out,
        "<p>Made by countersign {}.</p>\n</body>\n</html>",
        env!("CARGO_PKG_VERSION")
    )
}

fn one_address(out: &mut String, address: &AddressEvidence, at: Timestamp) -> fmt::Result {
    writeln!(
        out,
        "<h2>{}: {}</h2>\n<p>{}</p>\n<table>",
        text(address.address),
        text(address.verdict),
        text(&address.explanation)
    )?;
    if let (Some(version), Some(suite)) = (&address.tls_version, &address.cipher_suite) {
        row(out, "TLS", format!("{version}, {suite}"))?;
    }
    for certificate in &address.server_chain {
        let until = certificate.validity.not_after();
        let days = until.duration_since(at).as_hours().div_euclid(24);
        row(
            out,
            "Server certificate",
            format!(
                "{}; issued by {}; until {until:.0} ({days} days); SHA-256 {}",
                certificate.subject, certificate.issuer, certificate.fingerprint
            ),
        )?;
    }
    if let Some(asked) = address.certificate_requested {
        row(
            out,
            "Certificate asked for",
            if asked {
                format!("yes, {} authorities named", address.authority_hints)
            } else {
                "no".to_owned()
            },
        )?;
    }
    if let Some(alert) = &address.alert {
        row(out, "Alert", alert)?;
    }
    if let Some(status) = address.http_status {
        row(out, "Status", status)?;
    }
    for (name, value) in &address.headers {
        row(out, format!("Header {name}"), value)?;
    }
    writeln!(out, "</table>")
}

fn row(out: &mut String, name: impl Display, value: impl Display) -> fmt::Result {
    writeln!(
        out,
        "<tr><th>{}<td><code>{}</code></tr>",
        text(name),
        text(value)
    )
}

/// As text in HTML, quotes included, on one line and without what a terminal or a reader of right-to-left would obey.
fn text(value: impl Display) -> String {
    let value = value.to_string();
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // One by one, for as a whole it would be cut: remedies are longer than foreign text may be.
            c => out.push_str(&Printable(c.encode_utf8(&mut [0; 4])).to_string()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Check, Finding, Tier, Verdict};

    #[test]
    fn nothing_foreign_is_markup_and_nothing_is_loaded() {
        let hostile = "<script>alert('1')</script>\u{202e}\"onload=x&<img src=//evil.example>";
        let report = ProbeReport {
            probe_id: hostile.to_owned(),
            at: Timestamp::UNIX_EPOCH,
            url: hostile.to_owned(),
            presented: None,
            verdict: Verdict::Rejected,
            tier: Tier::Gateway,
            summary: hostile.to_owned(),
            owner: Some(crate::model::Role::JiraSec),
            remedy: Some(format!("{} the end", "word ".repeat(90))),
            addresses: vec![AddressEvidence {
                address: "192.0.2.1:443".parse().unwrap(),
                verdict: Verdict::Rejected,
                tier: Tier::Gateway,
                tls_version: Some(hostile.to_owned()),
                cipher_suite: Some(hostile.to_owned()),
                server_chain: Vec::new(),
                certificate_requested: Some(true),
                authority_hints: 1,
                authority_hints_name_ours: None,
                alert: Some(hostile.to_owned()),
                http_status: Some(403),
                headers: [(hostile.to_owned(), hostile.to_owned())].into(),
                explanation: hostile.to_owned(),
                other_chain: None,
            }],
            controls: Vec::new(),
            verbs: Vec::new(),
            findings: vec![
                Finding::good(Check::Answer, hostile).mend(crate::model::Role::Ops, hostile),
            ],
        };
        let page = page(&report);
        let written = page.strip_prefix(HEAD).unwrap();
        assert!(
            !written.contains("<script") && !written.contains("<img"),
            "{page}"
        );
        assert!(
            !page.contains('\u{202e}') && !written.contains("\"onload"),
            "{page}"
        );
        assert!(
            written.contains("&lt;script&gt;") && written.contains("the end"),
            "{page}"
        );
    }
}
