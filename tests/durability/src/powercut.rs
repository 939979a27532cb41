//! Cuts the power at every step of a recording, in every way, and counts what becomes of it.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

use countersign_store::EngineKind;

use crate::disk::{Disk, Image, Loss};
use crate::judge::{Known, STORE};
use crate::record::{RecordError, Recording, Step, record};
use crate::tally::{Case, Tally, judge_all};

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// How many transactions the store is busy with.
    pub transactions: u64,
    /// At most so many moments are cut at, evenly spread; all, if there are fewer.
    pub moments: usize,
    /// How often each random loss is drawn at each moment.
    pub draws: u32,
    /// What all randomness follows from.
    pub seed: u64,
    /// Syncs of files of this name are taken for not having happened: what a program would be that
    /// leaves them out.
    pub unsynced: Option<&'static str>,
}

/// Records `program work …`, which keeps a store busy in `root`/store, then cuts.
///
/// # Errors
/// When nothing can be recorded, or there is no room for images.
pub fn run(
    program: &Path,
    root: &Path,
    key: &Path,
    engine: EngineKind,
    extent: Extent,
) -> Result<Tally, RecordError> {
    let mut command = Command::new(program);
    command
        .arg("work")
        .arg(root.join(STORE))
        .arg(key)
        .arg(engine.to_string())
        .arg(extent.transactions.to_string());
    let mut recording = record(&mut command, root)?;
    if let Some(name) = extent.unsynced {
        recording.forget_syncs_of(name);
    }
    cut_everywhere(&recording, key, engine, extent).map_err(|source| RecordError::Io {
        operation: "judge images of",
        path: root.to_owned(),
        source,
    })
}

/// Cuts at the steps of a recording.
///
/// # Errors
/// When there is no room for images.
pub fn cut_everywhere(
    recording: &Recording,
    key: &Path,
    engine: EngineKind,
    extent: Extent,
) -> std::io::Result<Tally> {
    let (mut tally, moments) = judge_all(engine, key, |send| {
        send_images(recording, extent, |(image, loss, known)| {
            send(Case {
                image,
                kind: format!("{loss:?}"),
                known,
            })
        })
    })?;
    tally.steps = recording.steps.len();
    tally.moments = moments;
    Ok(tally)
}

/// Makes the images, each but once, and returns at how many moments there was a cut.
fn send_images(
    recording: &Recording,
    extent: Extent,
    mut send: impl FnMut((Image, Loss, Known)) -> bool,
) -> usize {
    let mut disk = Disk::new(recording);
    let mut random = fastrand::Rng::with_seed(extent.seed);
    let mut known = Known::Nothing;
    let mut seen = HashSet::new();
    let steps = recording.steps.len().max(1);
    let mut moments = 0;
    for (number, step) in recording.steps.iter().enumerate() {
        disk.take(number, step);
        if let Step::Said(line) = step {
            known = match line.parse() {
                Ok(count) => Known::Acknowledged(count),
                Err(_) => known,
            };
        }
        // One in so many, so that at most as many as wanted are left.
        let wanted = extent.moments.min(steps);
        if number * wanted / steps == (number + 1) * wanted / steps {
            continue;
        }
        moments += 1;
        for loss in Loss::ALL {
            let draws = match loss {
                Loss::Everything | Loss::Nothing | Loss::AllButNames => 1,
                _ if disk.is_clean() => 0,
                _ => extent.draws,
            };
            for _ in 0..draws {
                let image = disk.cut(loss, &mut random);
                if seen.insert((image.digest(), known)) && !send((image, loss, known)) {
                    return moments;
                }
            }
        }
    }
    moments
}
