//! What came from outside, and what is only claimed of it.

use std::fmt::{Result, Write};

use jiff::Timestamp;

use super::when;
use crate::{
    model::KeyOrigin,
    service::{AdoptedView, GenerationView, IdentityView},
};

/// The rules that the certificate breaks.
pub(super) fn warnings(out: &mut String, view: &AdoptedView) -> Result {
    for warning in &view.warnings {
        writeln!(out, "mind          {warning}")?;
    }
    Ok(())
}

/// Where an adopted generation is said to be trusted.
pub(super) fn claims(out: &mut String, view: &IdentityView, now: Timestamp) -> Result {
    for (destination, proven) in &view.claims {
        match proven {
            Some(at) => writeln!(
                out,
                "claimed       trusted at {destination}; a probe has proven it {}",
                when(*at, now)
            )?,
            None => writeln!(out, "claimed       trusted at {destination}, not proven")?,
        }
    }
    Ok(())
}

/// That a key was not made here.
pub(super) fn origin(out: &mut String, generation: &GenerationView, now: Timestamp) -> Result {
    if generation.origin == KeyOrigin::Made || generation.destroyed_at.is_some() {
        return Ok(());
    }
    writeln!(
        out,
        "  origin      adopted {}: the key lay outside of the store, and copies of it may exist; a rotation is advised",
        when(generation.created_at, now)
    )
}

/// Proof first, then a key of our own.
pub(super) fn next_step(view: &AdoptedView) -> String {
    let identity = &view.identity.identity;
    match view.claimed.first() {
        Some(destination) => format!(
            "countersign probe {identity} --destination {destination}; then `countersign rotation start {identity}`, and destroy the files that it came from"
        ),
        None => format!(
            "name {identity} in an environment of countersign.toml; then `countersign rotation start {identity}`, and destroy the files that it came from"
        ),
    }
}
