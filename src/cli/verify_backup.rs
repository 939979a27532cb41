//! `store backup verify`: a backup is read to its end, and what is in it is said as it is read once more.

use std::{
    io::{self, Write},
    path::Path,
};

use serde::Serialize;

use super::{
    Exit, Output,
    args::OpenBackup,
    backup,
    streamed::{Broken, Listed},
};
use crate::{
    model::{GenerationNumber, IdentityName, KeyId, KeyState},
    records::{self, Overview, survey},
    service::{BackupView, ServiceError},
};

#[derive(Serialize)]
struct Verified<'a, L> {
    file: &'a Path,
    #[serde(flatten)]
    backup: BackupView,
    last_event: Option<jiff::Timestamp>,
    letters: u64,
    identities: &'a L,
}

#[derive(Serialize)]
struct IdentityHeld {
    identity: IdentityName,
    current: Option<GenerationNumber>,
    rotation: Option<GenerationNumber>,
    generations: Vec<GenerationHeld>,
}

#[derive(Serialize)]
struct GenerationHeld {
    generation: GenerationNumber,
    key_id: KeyId,
    key_state: KeyState,
    key_present: bool,
}

impl From<records::IdentityHeld> for IdentityHeld {
    fn from(found: records::IdentityHeld) -> Self {
        Self {
            identity: found.name,
            current: found.held.slots.current,
            rotation: found.held.rotation,
            generations: found
                .generations
                .into_iter()
                .map(|(generation, held)| GenerationHeld {
                    generation,
                    key_id: held.key_id,
                    key_state: held.state,
                    key_present: held.present,
                })
                .collect(),
        }
    }
}

pub(super) fn run(output: Output, file: &Path, opening: &OpenBackup) -> Result<Exit, ServiceError> {
    let identity = backup::identity(output, opening)?;
    let input = backup::open(file)?;
    // What comes through a pipe comes but once: then the list is kept in memory.
    let comes_again = input
        .get_ref()
        .metadata()
        .is_ok_and(|found| found.is_file());
    if comes_again {
        let found = survey(input, &identity).map_err(|error| backup::unsound(file, &error))?;
        let identities = found.identities().map(|identity| {
            let identity = identity.map_err(|error| backup::unsound(file, &error))?;
            Ok(identity.into())
        });
        print(output, file, &found.overview, identities)
    } else {
        let found =
            records::inspect(input, &identity).map_err(|error| backup::unsound(file, &error))?;
        let identities = found.identities().map(|identity| Ok(identity.into()));
        print(output, file, &found.overview(), identities)
    }
}

fn print(
    output: Output,
    file: &Path,
    overview: &Overview,
    identities: impl Iterator<Item = Result<IdentityHeld, ServiceError>>,
) -> Result<Exit, ServiceError> {
    let view = BackupView::new(&overview.head, &overview.manifest);
    output.terminal.stream(|out| {
        if !output.json {
            return text(file, overview, &view, identities, out);
        }
        let identities = Listed::new(identities);
        let found = Verified {
            file,
            backup: view,
            last_event: overview.last_event,
            letters: overview.letters,
            identities: &identities,
        };
        identities.written(serde_json::to_writer_pretty(&mut *out, &found))?;
        Ok(writeln!(out)?)
    })?;
    Ok(Exit::Done)
}

fn text(
    file: &Path,
    overview: &Overview,
    view: &BackupView,
    identities: impl Iterator<Item = Result<IdentityHeld, ServiceError>>,
    out: &mut dyn Write,
) -> Result<(), Broken> {
    writeln!(
        out,
        "{} is whole: {} records and {} events of store {}, as of {}",
        file.display(),
        view.records,
        view.events,
        view.lineage,
        view.taken_at
    )?;
    if let Some(last) = overview.last_event {
        writeln!(out, "the last event in it is of {last}")?;
    }
    for identity in identities {
        tell(&identity.map_err(Broken::Source)?, out)?;
    }
    Ok(())
}

fn tell(identity: &IdentityHeld, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "\n{}", identity.identity)?;
    if let Some(generation) = identity.rotation {
        write!(
            out,
            " (a rotation to generation {generation} is in progress)"
        )?;
    }
    writeln!(out)?;
    for generation in &identity.generations {
        let current = if identity.current == Some(generation.generation) {
            ", current"
        } else {
            ""
        };
        let key = if generation.key_present {
            ""
        } else {
            ", without its key"
        };
        writeln!(
            out,
            "  generation {}  {}{current}{key}",
            generation.generation, generation.key_state
        )?;
    }
    Ok(())
}
