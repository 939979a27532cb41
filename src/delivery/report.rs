//! What connectors say of themselves, and when it amounts to "in use, and the old one gone".

use std::{path::Path, time::Duration};

use countersign_connector::protocol::Report;
use jiff::Timestamp;

use super::{error::DeliveryError, handover::Handover};
use crate::model::{AppliedBy, ConnectorName, ConnectorReport, Fingerprint, one_line};

/// Between two looks at a report file.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// No report file is larger than this many bytes.
const LARGEST: u64 = 64 * 1024;

/// A report as evidence: whose, and when it was heard.
pub(super) fn heard(connector: &ConnectorName, report: &Report, at: Timestamp) -> ConnectorReport {
    ConnectorReport {
        connector: connector.clone(),
        presenting: report
            .presenting
            .map(|presented| Fingerprint::from_digest(*presented.as_bytes())),
        handshakes: report.handshakes_current,
        open: report.open_current as u64,
        open_previous: report.open_previous as u64,
        requests: report.requests,
        failed: report.failed,
        fault: report.fault.as_deref().map(one_line),
        at,
    }
}

/// The certificate was presented in a handshake of its own, and no connection presents an earlier one.
pub(super) fn in_use(report: &ConnectorReport, fingerprint: &Fingerprint) -> bool {
    report.presenting == Some(*fingerprint) && report.handshakes > 0 && report.open_previous == 0
}

/// What is missing for [`in_use`], in a sentence.
pub(super) fn missing(report: Option<&ConnectorReport>, fingerprint: &Fingerprint) -> String {
    let Some(report) = report else {
        return "it has not reported at all".to_owned();
    };
    if let Some(fault) = &report.fault {
        return format!("it reports: {fault}");
    }
    match report.presenting {
        Some(presented) if presented != *fingerprint => {
            format!("it presents {}", presented.short())
        }
        None => "it presents nothing".to_owned(),
        Some(_) if report.handshakes == 0 => {
            "it has it, but has made no connection with it".to_owned()
        }
        Some(_) => format!(
            "{} of its connections still present an earlier one",
            report.open_previous
        ),
    }
}

/// Waits until the report file of a reader says that the handover is in use.
pub(super) async fn await_in_use(
    connector: &ConnectorName,
    path: &Path,
    handover: &Handover,
) -> Result<AppliedBy, DeliveryError> {
    let deadline = tokio::time::Instant::now() + handover.confirm_within.unsigned();
    loop {
        let report = read(connector, path);
        if let Some(report) = report
            .as_ref()
            .filter(|report| in_use(report, &handover.fingerprint))
        {
            return Ok(AppliedBy::Reported {
                report: report.clone(),
            });
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(DeliveryError::NotSeenInUse {
                connector: connector.clone(),
                limit: handover.confirm_within,
                seen: missing(report.as_ref(), &handover.fingerprint),
            });
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The last whole report in the file. One that cannot be read is the same as none: it is not seen, so not fine.
fn read(connector: &ConnectorName, path: &Path) -> Option<ConnectorReport> {
    let written = std::fs::metadata(path).ok()?;
    if written.len() > LARGEST {
        return None;
    }
    let at = Timestamp::try_from(written.modified().ok()?).ok()?;
    let report: Report = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    Some(heard(connector, &report, at))
}
