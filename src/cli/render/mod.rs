//! Replies as text for people: tables that line up, times as "in 12 days (2026-12-05)".

mod adopted;
pub(super) mod audit;
mod gateway;
mod inspect;
mod keyring;
mod probe;
mod probe_page;

mod standing;

pub(super) use gateway::{gateway, gateway_list};
pub(super) use inspect::inspection;
pub(super) use probe::{changes as probe_changes, colours, indented, report as probe_report};
pub(super) use probe_page::page as probe_page;

pub(super) use keyring::{keyring, slot_in_words};

use std::fmt::Write;

use jiff::Timestamp;

use crate::{
    model::{Lapse, Printable},
    rotation::{Due, Next},
    service::{ConnectorView, IdentityView, InboxView, RenewView, Reply, RotationView, StatusView},
};

/// A reply as text. `now` is the reader's.
pub(super) fn text(reply: &Reply, now: Timestamp) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = match reply {
        Reply::Audit(reply) => write!(out, "{}", audit::entries(reply)),
        Reply::Status(view) => status(&mut out, view, now),
        Reply::Standing(view) => standing::standing(&mut out, view, now),
        Reply::Identities { identities, .. } => identity_table(&mut out, identities, now),
        Reply::Identity(view) => identity(&mut out, view, now),
        Reply::Adopted(view) => {
            adopted::warnings(&mut out, view).and_then(|()| identity(&mut out, &view.identity, now))
        }
        Reply::Rotation(view) => rotation(&mut out, view, now),
        Reply::Renewed(view) => renewed(&mut out, view, now),
        Reply::Received(view) => writeln!(out, "{}", view.judgement),
        Reply::Inbox { mails, .. } => inbox(&mut out, mails, now),
        Reply::Pem(view) => write!(out, "{}", view.pem),
        Reply::ProbeHistory(view) => probe::history(&mut out, view),
        Reply::Gateway(view) => write!(out, "{}", gateway(view)),
        Reply::Probe { report, .. } => probe::probe(&mut out, report),
    };
    out
}

/// What to do next, when the reply leaves something to do.
pub(super) fn next_step(reply: &Reply) -> Option<String> {
    match reply {
        Reply::Identities {
            next: Some(next), ..
        } => Some(format!(
            "there are more: `countersign identity list --after {next}`"
        )),
        Reply::Rotation(view) => match &view.next.as_ref()?.next {
            Next::Run { .. } | Next::Rescope => Some(
                "the daemon goes on by itself; without one, run `countersign renew`".to_owned(),
            ),
            _ => None,
        },
        Reply::Adopted(view) => Some(adopted::next_step(view)),
        Reply::Identity(view) => match &view.rotation.as_ref()?.next.as_ref()?.next {
            Next::Run { .. } => Some(
                "the daemon offers it to the partner; without one, run `countersign renew`"
                    .to_owned(),
            ),
            Next::AwaitOperator { answers, .. } => answers.first().cloned(),
            _ => None,
        },
        _ => None,
    }
}

fn status(out: &mut String, view: &StatusView, now: Timestamp) -> std::fmt::Result {
    match view.daemon_since {
        Some(since) => writeln!(
            out,
            "daemon      runs {}, engine {}{}",
            how_long(since, now),
            view.engine,
            view.term
                .map_or(String::new(), |term| format!(", leads in term {term}"))
        )?,
        None => writeln!(out, "daemon      not running, engine {}", view.engine)?,
    }
    for fault in &view.faults {
        writeln!(out, "fault       {fault}")?;
    }
    writeln!(out)?;
    let totals = view.totals;
    if totals.identities > view.identities.len() as u64 {
        writeln!(
            out,
            "{} identities, {} with a rotation in progress, {} due; the most pressing are:\n",
            totals.identities, totals.under_way, totals.due
        )?;
    }
    identity_table(out, &view.identities, now)?;
    if !view.connectors.is_empty() {
        writeln!(out)?;
        for connector in &view.connectors {
            connector_line(out, connector, now)?;
        }
    }
    Ok(())
}

fn identity_table(
    out: &mut String,
    identities: &[IdentityView],
    now: Timestamp,
) -> std::fmt::Result {
    if identities.is_empty() {
        return writeln!(out, "no identities; `countersign identity add` makes one");
    }
    let width = identities
        .iter()
        .map(|i| i.identity.as_str().len())
        .max()
        .unwrap_or(0)
        .max(8);
    writeln!(
        out,
        "{:width$}  {:>7}  {:<32}  NEXT",
        "IDENTITY", "CURRENT", "EXPIRES"
    )?;
    for view in identities {
        let current = view.slots.current;
        let certificate = view
            .generations
            .iter()
            .find(|g| Some(g.generation) == current)
            .and_then(|g| g.certificate.as_ref());
        let expires =
            certificate.map_or_else(|| "-".to_owned(), |c| when(c.validity.not_after(), now));
        let number = current.map_or_else(|| "-".to_owned(), |number| number.to_string());
        writeln!(
            out,
            "{:width$}  {number:>7}  {expires:<32}  {}",
            view.identity.as_str(),
            what_next(view, now)
        )?;
    }
    Ok(())
}

fn what_next(view: &IdentityView, now: Timestamp) -> String {
    if let Some(rotation) = &view.rotation {
        let next = rotation
            .next
            .as_ref()
            .map(|decision| sentence(&decision.next, now))
            .unwrap_or_default();
        return format!("{}: {next}", rotation.phase);
    }
    match view.due {
        Due::Never => "nothing in force".to_owned(),
        Due::InProgress => "a rotation is in progress".to_owned(),
        Due::At { begins } => format!("rotation begins {}", when(begins, now)),
        Due::Now { since } => format!("rotation due {}", how_long(since, now)),
    }
}

fn connector_line(out: &mut String, view: &ConnectorView, now: Timestamp) -> std::fmt::Result {
    write!(
        out,
        "connector {} ({}, {}): ",
        view.connector, view.destination, view.delivery
    )?;
    match (&view.report, view.connections) {
        (Some(report), connections) => {
            let presents = match (report.presenting, view.wanted) {
                (Some(presented), Some(wanted)) if presented == wanted => {
                    format!("presents {}", presented.short())
                }
                (Some(presented), Some(wanted)) => {
                    format!(
                        "is behind: presents {}, should present {}",
                        presented.short(),
                        wanted.short()
                    )
                }
                (Some(presented), None) => format!("presents {}", presented.short()),
                (None, _) => "presents nothing".to_owned(),
            };
            let gone = if connections == Some(0) {
                ", not connected now"
            } else {
                ""
            };
            writeln!(
                out,
                "{presents}, {} requests, {} failed, heard {}{gone}",
                report.requests,
                report.failed,
                when(report.at, now)
            )?;
            if let Some(fault) = &report.fault {
                writeln!(out, "  fault: {fault}")?;
            }
            Ok(())
        }
        (None, Some(0)) => writeln!(out, "not connected"),
        (None, Some(_)) => writeln!(out, "connected, has not reported yet"),
        (None, None) if view.delivery == "socket" => {
            writeln!(out, "not connected, since no daemon runs")
        }
        (None, None) => writeln!(out, "reached by files"),
    }
}

fn identity(out: &mut String, view: &IdentityView, now: Timestamp) -> std::fmt::Result {
    writeln!(out, "{} ({})", view.identity, Printable(&view.common_name))?;
    writeln!(out, "issuer        {}", view.issuer)?;
    writeln!(out, "policy        {}", view.policy)?;
    let places: Vec<_> = view.destinations.iter().map(ToString::to_string).collect();
    writeln!(
        out,
        "trusted at    {}",
        if places.is_empty() {
            "no environment names it".to_owned()
        } else {
            places.join(", ")
        }
    )?;
    adopted::claims(out, view, now)?;
    writeln!(out, "next          {}", what_next(view, now))?;
    for generation in &view.generations {
        let slot = match Some(generation.generation) {
            slot if slot == view.slots.current => " (current)",
            slot if slot == view.slots.next => " (next)",
            slot if slot == view.slots.previous => " (previous)",
            _ => "",
        };
        writeln!(out, "\ngeneration {}{slot}", generation.generation)?;
        writeln!(
            out,
            "  key         {}, {}",
            generation.key_algorithm, generation.key_state
        )?;
        adopted::origin(out, generation, now)?;
        if let Some(at) = generation.destroyed_at {
            writeln!(out, "  destroyed   {}", when(at, now))?;
        }
        match &generation.certificate {
            Some(certificate) => {
                writeln!(out, "  subject     {}", Printable(&certificate.subject))?;
                writeln!(out, "  issuer      {}", Printable(&certificate.issuer))?;
                writeln!(
                    out,
                    "  expires     {}",
                    when(certificate.validity.not_after(), now)
                )?;
                writeln!(out, "  SHA-256     {}", certificate.fingerprint)?;
            }
            None => writeln!(out, "  certificate the request waits for its issuer")?,
        }
    }
    Ok(())
}

fn rotation(out: &mut String, view: &RotationView, now: Timestamp) -> std::fmt::Result {
    writeln!(
        out,
        "rotation {} ({}): {}",
        view.rotation, view.reason, view.phase
    )?;
    if let Some(fingerprint) = view.fingerprint {
        writeln!(out, "new           {fingerprint}")?;
    }
    if let Some(not_after) = view.not_after {
        writeln!(out, "expires       {}", when(not_after, now))?;
    }
    match &view.next {
        Some(decision) => {
            writeln!(out, "next          {}", sentence(&decision.next, now))?;
            if let Next::AwaitOperator { answers, .. } = &decision.next {
                for answer in answers {
                    let prompt = if answer.starts_with("countersign ") {
                        "$ "
                    } else {
                        ""
                    };
                    writeln!(out, "              {prompt}{answer}")?;
                }
            }
        }
        None => writeln!(out, "next          nothing; it has ended")?,
    }
    for leg in &view.destinations {
        writeln!(out, "\n{}", leg.destination)?;
        let mut line = |word: &str, at: Option<Timestamp>, more: &str| match at {
            Some(at) => writeln!(out, "  {word:<13}{}{more}", when(at, now)),
            None => writeln!(out, "  {word:<13}not yet"),
        };
        line("offered", leg.offered, "")?;
        let by = leg
            .acknowledged
            .as_ref()
            .map(|(contact, _)| format!(", by {contact}"))
            .unwrap_or_default();
        line(
            "acknowledged",
            leg.acknowledged.as_ref().map(|(_, at)| *at),
            &by,
        )?;
        line("confirmed", leg.confirmed, "")?;
        line("proven", leg.proven, "")?;
        line("activated", leg.activated, "")?;
        line("old gone", leg.retired, "")?;
        if let Some((verdict, summary, at)) = &leg.probe {
            writeln!(
                out,
                "  probe, new   {verdict} {}: {summary}",
                when(*at, now)
            )?;
        }
        if let Some((verdict, summary, at)) = &leg.refusal {
            writeln!(
                out,
                "  probe, old   {verdict} {}: {summary}",
                when(*at, now)
            )?;
        }
        if let Some(next) = view
            .next
            .as_ref()
            .and_then(|decision| decision.destinations.get(&leg.destination))
        {
            writeln!(out, "  next         {}", sentence(next, now))?;
        }
    }
    if !view.connectors.is_empty() {
        writeln!(out)?;
    }
    for (connector, destination, since) in &view.connectors {
        let state = since.map_or_else(
            || "not switched yet".to_owned(),
            |at| format!("presents it {}", how_long(at, now)),
        );
        writeln!(out, "connector {connector} ({destination}): {state}")?;
    }
    if !view.history.is_empty() {
        writeln!(out, "\nhistory")?;
        for event in &view.history {
            writeln!(out, "  {:.0}  {}", event.at, event.fact)?;
        }
    }
    Ok(())
}

/// What comes next, in a sentence.
pub(super) fn sentence(next: &Next, now: Timestamp) -> String {
    match next {
        Next::Run { step } => format!("{step}, now"),
        Next::Rescope => "take over what the configuration wants reached, now".to_owned(),
        Next::WaitUntil { until, why } => format!("waits ({}): {why}", when(*until, now)),
        Next::AwaitPartner {
            destination,
            what,
            since,
            again,
        } => {
            let again = again
                .map(|at| format!("; looks again {}", when(at, now)))
                .unwrap_or_default();
            format!(
                "waits for {destination} {} to {what}{again}",
                how_long(*since, now)
            )
        }
        Next::AwaitOperator {
            question, since, ..
        } => {
            format!(
                "waits for an operator {}: {question}",
                how_long(*since, now)
            )
        }
        Next::Finished { .. } => "done here".to_owned(),
    }
}

fn renewed(out: &mut String, view: &RenewView, now: Timestamp) -> std::fmt::Result {
    for identity in &view.started {
        writeln!(out, "{identity}: a rotation has begun")?;
    }
    for (identity, phase, decision) in &view.in_progress {
        let next = decision
            .as_ref()
            .map(|decision| sentence(&decision.next, now))
            .unwrap_or_default();
        writeln!(out, "{identity}: {phase}; {next}")?;
    }
    for identity in &view.finished {
        writeln!(out, "{identity}: its rotation has ended")?;
    }
    for (identity, failure) in &view.failed {
        writeln!(out, "{identity}: failed: {failure}")?;
    }
    if view.started.is_empty()
        && view.in_progress.is_empty()
        && view.finished.is_empty()
        && view.failed.is_empty()
    {
        writeln!(out, "nothing is due")?;
    }
    Ok(())
}

fn inbox(out: &mut String, mails: &[InboxView], now: Timestamp) -> std::fmt::Result {
    if mails.is_empty() {
        return writeln!(out, "no mail has come in");
    }
    for mail in mails {
        let from = mail
            .from
            .as_ref()
            .map_or_else(|| "nobody we could name".to_owned(), ToString::to_string);
        let verdict = if mail.accepted { "accepted" } else { "refused" };
        writeln!(
            out,
            "{}  from {from}: {verdict}: {}",
            when(mail.received_at, now),
            mail.judgement
        )?;
    }
    Ok(())
}

/// Since when something lasts, for people: how long, and from a day on the date.
fn how_long(since: Timestamp, now: Timestamp) -> String {
    let far: Lapse = now.duration_since(since).into();
    if far < Lapse::seconds(1) {
        return "since now".to_owned();
    }
    if far < Lapse::days(1) {
        return format!("for {far}");
    }
    format!(
        "for {} (since {})",
        Lapse::days(far.whole_days()),
        since.strftime("%Y-%m-%d")
    )
}

/// An instant for people: how far away, and the date.
fn when(at: Timestamp, now: Timestamp) -> String {
    let (far, tense): (Lapse, fn(&Lapse) -> String) = if at >= now {
        (at.duration_since(now).into(), |far| format!("in {far}"))
    } else {
        (now.duration_since(at).into(), |far| format!("{far} ago"))
    };
    if far < Lapse::seconds(1) {
        return "now".to_owned();
    }
    if far < Lapse::days(1) {
        return tense(&far);
    }
    format!(
        "{} ({})",
        tense(&Lapse::days(far.whole_days())),
        at.strftime("%Y-%m-%d")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_told_by_its_distance_and_its_date() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        assert_eq!(when(Lapse::days(12).after(now), now), "in 12d (2026-12-05)");
        assert_eq!(when(Lapse::seconds(90).before(now), now), "1m 30s ago");
        assert_eq!(when(now, now), "now");
    }

    #[test]
    fn what_lasts_is_told_by_how_long_it_has() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        assert_eq!(how_long(Lapse::seconds(90).before(now), now), "for 1m 30s");
        assert_eq!(
            how_long(Lapse::days(3).before(now), now),
            "for 3d (since 2026-11-20)"
        );
        assert_eq!(how_long(Lapse::days(3).after(now), now), "since now");
    }
}
