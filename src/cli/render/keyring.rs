//! Slots and the master key, as text.

use std::fmt::Write;

use jiff::Timestamp;

use super::when;
use crate::{
    model::Printable,
    service::{KeyringReply, RekeyState, RekeyView, SlotChanged, SlotView, SlotsView},
};

/// A reply about the store's secrets as text.
pub(in crate::cli) fn keyring(reply: &KeyringReply, now: Timestamp) -> String {
    match reply {
        KeyringReply::Unlocked { already: true, .. } => "the store is open already".to_owned(),
        KeyringReply::Unlocked { .. } => "the store is open, and the daemon serves".to_owned(),
        KeyringReply::Sealed { already: true, .. } => "the store is sealed already".to_owned(),
        KeyringReply::Sealed { .. } => "the store is closed, and the daemon is sealed".to_owned(),
        KeyringReply::Slots(view) => {
            let mut out = String::new();
            // Writing to a string cannot fail.
            let _ = slots(&mut out, view, now);
            out
        }
        KeyringReply::Slot { change, slot, .. } => {
            let change = match change {
                SlotChanged::Added => "opens the store from now on",
                SlotChanged::Changed => "has been sealed anew",
                SlotChanged::Removed => "opens the store no more",
            };
            format!("slot {} ({}) {change}", slot.id, slot_in_words(slot))
        }
        KeyringReply::Rekey(view) => rekey(view),
    }
}

/// A slot in a few words: its kind, and what people call it.
pub(in crate::cli) fn slot_in_words(slot: &SlotView) -> String {
    let kind = slot.kind.as_deref().unwrap_or("damaged");
    if slot.label.is_empty() {
        kind.to_owned()
    } else {
        format!("{kind}, {}", Printable(&slot.label))
    }
}

fn slots(out: &mut String, view: &SlotsView, now: Timestamp) -> std::fmt::Result {
    let label = |slot: &SlotView| {
        if slot.label.is_empty() {
            "-".to_owned()
        } else {
            Printable(&slot.label).to_string()
        }
    };
    let width = view.slots.iter().map(|slot| label(slot).chars().count());
    let width = width.max().unwrap_or(0).max(5);
    writeln!(
        out,
        "{:>4}  {:<10}  {:width$}  {:<30}  SINCE",
        "SLOT", "KIND", "LABEL", "COST OF A GUESS"
    )?;
    for slot in &view.slots {
        let cost = match (&slot.kind, slot.cost) {
            (None, _) => "-".to_owned(),
            (Some(_), Some(cost)) => format!(
                "{} MiB, {} passes, {} lanes",
                cost.memory_kib / 1024,
                cost.iterations,
                cost.lanes
            ),
            (Some(_), None) => "cannot be guessed".to_owned(),
        };
        let since = slot
            .since
            .map_or_else(|| "-".to_owned(), |at| when(at, now));
        writeln!(
            out,
            "{:>4}  {:<10}  {:width$}  {cost:<30}  {since}",
            slot.id,
            slot.kind.as_deref().unwrap_or("damaged"),
            label(slot)
        )?;
    }
    for slot in &view.slots {
        if let Some(token) = &slot.token {
            writeln!(
                out,
                "slot {}: key {} on token {}, serial {}",
                slot.id,
                Printable(&token.key),
                Printable(&token.token),
                Printable(&token.serial)
            )?;
        }
        if let Some(caution) = &slot.caution {
            writeln!(out, "slot {}: {caution}", slot.id)?;
        }
    }
    if !view.verified {
        writeln!(
            out,
            "this is what the header states; it is verified when the store is open"
        )?;
    }
    Ok(())
}

fn rekey(view: &RekeyView) -> String {
    let RekeyView {
        state,
        epoch,
        done,
        total,
        damage,
        ..
    } = view;
    match state {
        RekeyState::Finished => {
            format!(
                "everything ({total} records and events) is sealed under master key {epoch}; the one before is gone"
            )
        }
        RekeyState::UnderWay => format!("{done} of {total} are sealed under master key {epoch}"),
        RekeyState::Obstructed => {
            let mut text = format!(
                "sealed under master key {epoch}, but for what is damaged; the one before is kept for it\n"
            );
            for line in damage {
                let _ = writeln!(text, "damaged: {line}");
            }
            text
        }
    }
}
