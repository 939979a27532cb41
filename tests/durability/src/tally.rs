//! Many cases, judged side by side and counted.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::image::Image;
use crate::judge::{Bench, Judge, Known, Verdict};

/// One case for the judge.
pub struct Case {
    /// What is found on the disk.
    pub image: Image,
    /// Under what it is counted.
    pub kind: String,
    /// What must be there.
    pub known: Known,
}

/// Judges every case that `produce` sends, on all processors.
///
/// # Errors
/// When there is no room for images.
pub fn judge_all<T>(
    judge: &Judge,
    produce: impl FnOnce(&mut dyn FnMut(Case) -> bool) -> T,
) -> std::io::Result<(Tally, T)> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let tally = Mutex::new(Tally::default());
    let (sender, receiver) = sync_channel::<Case>(2 * workers);
    let receiver = Mutex::new(receiver);
    let benches: Vec<_> = (0..workers)
        .map(|_| Bench::new())
        .collect::<Result<_, _>>()?;
    let produced = thread::scope(|scope| {
        let judges: Vec<_> = benches
            .iter()
            .map(|bench| {
                scope.spawn(|| -> std::io::Result<()> {
                    loop {
                        let next = lock(&receiver).recv();
                        let Ok(Case { image, kind, known }) = next else {
                            return Ok(());
                        };
                        let verdict = bench.judge(judge, &image, known)?;
                        lock(&tally).count(kind, verdict);
                    }
                })
            })
            .collect();
        let produced = produce(&mut |case| sender.send(case).is_ok());
        drop(sender);
        for judge in judges {
            judge
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        std::io::Result::Ok(produced)
    })?;
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok((tally, produced))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Steps of the recording: writes, syncs, names, acknowledgements.
    pub steps: usize,
    /// Moments that were cut at.
    pub moments: usize,
    /// Different images judged.
    pub images: u64,
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
    /// By kind: images judged, and those that were not sound.
    pub by_kind: BTreeMap<String, (u64, u64)>,
    /// What was said, and how often, for everything that went badly.
    pub reasons: BTreeMap<String, u64>,
}

impl Tally {
    fn count(&mut self, kind: String, verdict: Verdict) {
        self.images += 1;
        let row = self.by_kind.entry(kind).or_default();
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
    words
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(160)
        .collect()
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps > 0 {
            writeln!(f, "{} steps, cut at {} moments", self.steps, self.moments)?;
        }
        writeln!(
            f,
            "{} images: {} sound, {} not made yet, {} lost, {} did not open, {} damage found, {} panics, {} wrong",
            self.images,
            self.sound,
            self.not_made_yet,
            self.lost,
            self.did_not_open,
            self.found,
            self.panicked,
            self.wrong,
        )?;
        for (kind, (images, bad)) in &self.by_kind {
            writeln!(f, "  {kind}: {bad} of {images}")?;
        }
        for (reason, count) in &self.reasons {
            writeln!(f, "  {count} x {reason}")?;
        }
        Ok(())
    }
}
