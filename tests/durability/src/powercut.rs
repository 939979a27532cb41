//! Cuts the power at every step of a recording, in every way, and counts what becomes of it.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;
use std::thread;

use countersign_store::EngineKind;

use crate::disk::{Disk, Image, Loss};
use crate::judge::{Bench, Known, STORE, Verdict};
use crate::record::{RecordError, Recording, Step, record};

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
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Steps of the recording: writes, syncs, names, acknowledgements.
    pub steps: usize,
    /// Moments that were cut at.
    pub moments: usize,
    /// Different images judged.
    pub cuts: u64,
    /// How many of each sort.
    pub sound: u64,
    /// Cut while the store was made.
    pub not_made_yet: u64,
    /// Damage found.
    pub found: u64,
    /// Did not open.
    pub did_not_open: u64,
    /// Lost without a word.
    pub lost: u64,
    /// Panics.
    pub panicked: u64,
    /// Wrong plaintext.
    pub wrong: u64,
    /// By the kind of loss: images judged, and those that went badly.
    pub by_loss: BTreeMap<Loss, (u64, u64)>,
    /// What was said, and how often, for everything that went badly.
    pub reasons: BTreeMap<String, u64>,
}

impl Tally {
    fn count(&mut self, loss: Loss, verdict: Verdict) {
        self.cuts += 1;
        let row = self.by_loss.entry(loss).or_default();
        row.0 += 1;
        let (count, reason) = match verdict {
            Verdict::Sound => (&mut self.sound, None),
            Verdict::NotMadeYet => (&mut self.not_made_yet, None),
            Verdict::Found(reason) => (&mut self.found, Some(reason)),
            Verdict::DidNotOpen(reason) => (&mut self.did_not_open, Some(reason)),
            Verdict::Lost(reason) => (&mut self.lost, Some(reason)),
            Verdict::Panicked(reason) => (&mut self.panicked, Some(reason)),
            Verdict::Wrong(reason) => (&mut self.wrong, Some(reason)),
        };
        *count += 1;
        if let Some(reason) = reason {
            row.1 += 1;
            *self.reasons.entry(blur(&reason)).or_default() += 1;
        }
    }
}

/// A reason without the numbers and paths that make each one different.
fn blur(reason: &str) -> String {
    let words = reason.split(' ').map(|word| {
        if word.contains('/') || word.chars().any(|c| c.is_ascii_digit()) {
            "…"
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ").chars().take(160).collect()
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} steps, cut at {} moments, {} different images: {} sound, {} not made yet, {} lost, {} did not open, \
             {} damaged and found, {} panics, {} wrong",
            self.steps,
            self.moments,
            self.cuts,
            self.sound,
            self.not_made_yet,
            self.lost,
            self.did_not_open,
            self.found,
            self.panicked,
            self.wrong,
        )?;
        for (loss, (images, bad)) in &self.by_loss {
            writeln!(f, "  {loss:?}: {bad} of {images}")?;
        }
        for (reason, count) in &self.reasons {
            writeln!(f, "  {count} x {reason}")?;
        }
        Ok(())
    }
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
    let recording = record(&mut command, root)?;
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
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let tally = Mutex::new(Tally::default());
    let (sender, receiver) = sync_channel::<(Image, Loss, Known)>(2 * workers);
    let receiver = Mutex::new(receiver);
    let benches: Vec<_> = (0..workers)
        .map(|_| Bench::new(engine, key))
        .collect::<Result<_, _>>()?;
    thread::scope(|scope| {
        let judges: Vec<_> = benches
            .iter()
            .map(|bench| {
                scope.spawn(|| -> std::io::Result<()> {
                    loop {
                        let next = lock(&receiver).recv();
                        let Ok((image, loss, known)) = next else {
                            return Ok(());
                        };
                        let verdict = bench.judge(&image, known)?;
                        lock(&tally).count(loss, verdict);
                    }
                })
            })
            .collect();
        let moments = send_images(recording, extent, |image| sender.send(image).is_ok());
        drop(sender);
        let mut tally = lock(&tally);
        tally.steps = recording.steps.len();
        tally.moments = moments;
        drop(tally);
        judges
            .into_iter()
            .try_for_each(|judge| judge.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    Ok(tally.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
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

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
