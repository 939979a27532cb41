//! `probe --all`: every place in the configuration with what is in use there, a line each.

use std::{path::Path, sync::Arc};

use serde::Serialize;

use super::{Exit, Output, connect, render};
use crate::{
    model::{Destination, IdentityName, Outcome, ProbeReport, Verdict},
    probe::side_by_side,
    service::{GenerationSlot, Reply, Request, ServiceError},
};

/// What became of one place. One of the two last is there.
#[derive(Debug, Serialize)]
pub(super) struct Place {
    identity: IdentityName,
    destination: Destination,
    /// What was found.
    report: Option<Box<ProbeReport>>,
    /// Why nothing could be asked: nothing is in use, or somebody is at it.
    error: Option<ServiceError>,
}

/// `--json`.
#[derive(Serialize)]
struct Places<'a> {
    schema: u32,
    places: &'a [Place],
}

pub(super) async fn run(
    output: Output,
    config: &Path,
    at_once: usize,
) -> Result<Exit, ServiceError> {
    let wanted: Vec<(IdentityName, Destination)> = connect::configuration(config)?
        .places()
        .map(|(identity, destination)| (identity.clone(), destination))
        .collect();
    let count = wanted.len();
    if count == 0 {
        return Err(
            ServiceError::failed(format!("{} names no partner", config.display()))
                .hint("docs/configuration.md shows a [partner.NAME] with its environments"),
        );
    }
    let store = Arc::new(connect::reach(output.terminal, config).await?);
    let ask = |(identity, destination): (IdentityName, Destination)| {
        let store = store.clone();
        async move { one(&store, identity, destination).await }
    };
    let mut places = Vec::with_capacity(count);
    side_by_side(at_once, wanted, ask, |place| {
        places.push(place);
        let place = places.last().map(Place::headline).unwrap_or_default();
        output
            .terminal
            .progress(&format!("{}/{count} {place}", places.len()));
    })
    .await;
    places.sort_by(|a, b| (&a.destination, &a.identity).cmp(&(&b.destination, &b.identity)));
    let object = Places {
        schema: 1,
        places: &places,
    };
    output.print(&object, || text(&places))?;
    let healthy = places.iter().all(Place::is_healthy);
    Ok(if healthy { Exit::Done } else { Exit::No })
}

async fn one(store: &connect::Reach, identity: IdentityName, destination: Destination) -> Place {
    let request = Request::Probe {
        identity: identity.clone(),
        destination: destination.clone(),
        generation: GenerationSlot::Current,
    };
    let (report, error) = match store.ask(request).await {
        Ok(Reply::Probe { report, .. }) => (Some(report), None),
        Ok(_) => (
            None,
            Some(ServiceError::failed(
                "a probe was answered with something else",
            )),
        ),
        Err(error) => (None, Some(error)),
    };
    Place {
        identity,
        destination,
        report,
        error,
    }
}

impl Place {
    fn is_healthy(&self) -> bool {
        self.report
            .as_ref()
            .is_some_and(|report| report.is_healthy())
    }

    /// The verdict, and where.
    fn headline(&self) -> String {
        let verdict = match &self.report {
            Some(report) if report.verdict == Verdict::Accepted && !self.is_healthy() => {
                "accepted, but".to_owned()
            }
            Some(report) => report.verdict.to_string(),
            None => "not probed".to_owned(),
        };
        format!("{verdict:<13} {} with {}", self.destination, self.identity)
    }

    /// What is to be known of a place that is not as it should be.
    fn trouble(&self) -> Option<String> {
        if let Some(error) = &self.error {
            return Some(error.message.clone());
        }
        let report = self.report.as_ref().filter(|r| !r.is_healthy())?;
        if report.verdict != Verdict::Accepted {
            return Some(report.summary.clone());
        }
        let bad = report.findings.iter().find(|f| f.outcome == Outcome::Bad);
        Some(bad.map_or_else(
            || {
                format!(
                    "not proven: `countersign probe {} --destination {}` shows by what",
                    self.identity, self.destination
                )
            },
            |finding| format!("{}: {}", finding.check, finding.seen),
        ))
    }
}

fn text(places: &[Place]) -> String {
    let mut out = String::new();
    for place in places {
        out += &place.headline();
        out.push('\n');
        if let Some(trouble) = place.trouble() {
            render::indented(&mut out, 14, &trouble);
        }
    }
    let healthy = places.iter().filter(|place| place.is_healthy()).count();
    out += &format!(
        "{healthy} of {} places are as they should be\n",
        places.len()
    );
    out
}
