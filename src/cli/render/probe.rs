//! A probe's report as text.

use std::fmt::Write;

use crate::model::{ProbeReport, Verdict};

pub(super) fn probe(out: &mut String, report: &ProbeReport) -> std::fmt::Result {
    writeln!(
        out,
        "{} at tier {}: {}",
        report.verdict, report.tier, report.summary
    )?;
    writeln!(
        out,
        "probe id      {} (in User-Agent and X-Request-ID)",
        report.probe_id
    )?;
    if let Some(remedy) = &report.remedy {
        let owner = report
            .owner
            .map_or_else(|| "somebody".to_owned(), |role| role.to_string());
        writeln!(out, "to mend       {owner}: {remedy}")?;
    }
    for address in &report.addresses {
        writeln!(
            out,
            "\n{}  {} at tier {}",
            address.address, address.verdict, address.tier
        )?;
        if let (Some(version), Some(suite)) = (&address.tls_version, &address.cipher_suite) {
            writeln!(out, "  TLS         {version}, {suite}")?;
        }
        for certificate in &address.server_chain {
            writeln!(
                out,
                "  server      {} until {:.0}",
                certificate.subject,
                certificate.validity.not_after()
            )?;
        }
        match address.certificate_requested {
            Some(true) => {
                writeln!(
                    out,
                    "  client      certificate requested, {} authorities named",
                    address.authority_hints
                )?;
            }
            Some(false) => writeln!(out, "  client      no certificate requested")?,
            None => {}
        }
        if let Some(alert) = &address.alert {
            writeln!(out, "  alert       {alert}")?;
        }
        if let Some(status) = address.http_status {
            writeln!(out, "  status      {status}")?;
        }
        for (name, value) in &address.headers {
            writeln!(out, "  header      {name}: {value}")?;
        }
        writeln!(out, "  {}", address.explanation)?;
    }
    if !report.controls.is_empty() || !report.verbs.is_empty() {
        writeln!(out)?;
    }
    for control in &report.controls {
        let fine = if control.verdict == Verdict::Rejected {
            "as it should be"
        } else {
            "NOT as it should be"
        };
        writeln!(
            out,
            "control       {}: {}, {fine}: {}",
            control.control, control.verdict, control.explanation
        )?;
    }
    for verb in &report.verbs {
        let passed = match verb.passed {
            Some(true) => "passes",
            Some(false) => "BLOCKED",
            None => "not known",
        };
        let status = verb
            .status
            .map(|status| format!(" ({status})"))
            .unwrap_or_default();
        writeln!(
            out,
            "method        {:<6} {passed}{status}: {}",
            verb.method, verb.explanation
        )?;
    }
    Ok(())
}
