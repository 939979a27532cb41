//! Cuts the power at every step of a recording, in every way, and counts what becomes of it.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

use countersign_store::{BackupIdentity, BackupRecipients, EngineKind, KeyFile, Store, Unlock};

use crate::backups::{self, BACKUP, Draft};
use crate::changes::{self, Secrets};
use crate::disk::{Disk, Loss};
use crate::image::Image;
use crate::judge::{Judge, Known, STORE, of_the_workload};
use crate::moves::{self, Held};
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
    run_command(&mut command, root, &of_the_workload(engine, key), extent)
}

/// Cuts while slots and the master key are changed.
///
/// # Errors
/// When nothing can be recorded, or there is no room.
pub fn changes(program: &Path, engine: EngineKind, extent: Extent) -> Result<Tally, CutError> {
    let home = Home::new()?;
    let secrets = Secrets::generate(home.dir.path())?;
    let mut command = Command::new(program);
    command.arg("change").arg(home.root.join(STORE));
    command.arg(home.dir.path()).arg(engine.to_string());
    let judge = changes::judge(secrets);
    Ok(run_command(&mut command, &home.root, &judge, extent)?)
}

/// Cuts while the store of format 1 in `store`, which opens with the key file, is migrated in a copy.
///
/// # Errors
/// When nothing can be recorded, or there is no room.
pub fn migration(
    program: &Path,
    store: &Path,
    key: &Path,
    extent: Extent,
) -> Result<Tally, CutError> {
    let home = Home::new()?;
    let at = home.root.join(STORE);
    std::fs::create_dir(&at)?;
    Image::load(store)?.write(&at)?;
    let held = Held::in_format_1(&at, &Unlock::KeyFile(KeyFile::read(key)?))?;
    let mut command = Command::new(program);
    command.arg("migrate").arg(&at).arg(key);
    let judge = moves::of_a_migration(key, held);
    Ok(run_command(&mut command, &home.root, &judge, extent)?)
}

/// Cuts while a store is made of what another one holds, and put in the place of a third, if that is there.
///
/// # Errors
/// When nothing can be recorded, or there is no room.
pub fn restore(
    program: &Path,
    engine: EngineKind,
    over: bool,
    extent: Extent,
) -> Result<Tally, CutError> {
    let home = Home::new()?;
    let key = home.dir.path().join("key");
    let unlock = Unlock::KeyFile(KeyFile::generate(&key)?);
    let (source, at) = (home.dir.path().join("source"), home.root.join(STORE));
    let new = moves::fill(&source, &unlock, engine, 6)?;
    let old = over
        .then(|| moves::fill(&at, &unlock, engine, 3))
        .transpose()?;
    let mut command = Command::new(program);
    command.arg("restore").arg(at).arg(&key);
    command.arg(engine.to_string()).arg(source);
    let judge = moves::of_a_restore(&key, engine, old, new);
    Ok(run_command(&mut command, &home.root, &judge, extent)?)
}

/// How many transactions of the workload are in a store of which a backup is taken: so many that the backup is
/// written in several pieces.
const BACKED_UP: u64 = 120;

/// Cuts while a backup is written.
///
/// # Errors
/// When nothing can be recorded, or there is no room.
pub fn backup(
    program: &Path,
    engine: EngineKind,
    draft: Draft,
    extent: Extent,
) -> Result<Tally, CutError> {
    let home = Home::new()?;
    let (key, source) = (home.dir.path().join("key"), home.dir.path().join("source"));
    let unlock = Unlock::KeyFile(KeyFile::generate(&key)?);
    moves::fill(&source, &unlock, engine, BACKED_UP)?;
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public();
    let recipients = BackupRecipients::Recipients(vec![recipient.clone()]);
    let store = Store::open(&source, &unlock)?;
    let whole = backups::take(&store, &home.dir.path().join(BACKUP), &recipients, draft)?;
    drop(store);
    let mut command = Command::new(program);
    command.arg("backup").arg(source).arg(&key);
    command.arg(recipient.to_string());
    command.arg(home.root.join(BACKUP));
    command.arg(format!("{draft:?}"));
    let judge = backups::judge(BackupIdentity::Keys(vec![identity]), whole);
    Ok(run_command(&mut command, &home.root, &judge, extent)?)
}

/// Why there was no cut.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each text says it")]
pub enum CutError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("cannot make the store that is to be worked on")]
    Store(#[from] countersign_store::Error),
    #[error("cannot take the backup that the others are compared with")]
    Backup(#[from] backups::BackupsError),
    #[error("cannot handle its files")]
    Io(#[from] std::io::Error),
}

/// A directory with what the power cut does not reach, and one in it that it does.
struct Home {
    dir: tempfile::TempDir,
    root: std::path::PathBuf,
}

impl Home {
    fn new() -> std::io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let root = dir.path().join("root");
        std::fs::create_dir(&root)?;
        Ok(Self { dir, root })
    }
}

/// Records a command that works in `root`, and says a number each time that something is durable; then cuts.
///
/// # Errors
/// When nothing can be recorded, or there is no room for images.
pub fn run_command(
    command: &mut Command,
    root: &Path,
    judge: &Judge,
    extent: Extent,
) -> Result<Tally, RecordError> {
    let mut recording = record(command, root)?;
    if let Some(name) = extent.unsynced {
        recording.forget_syncs_of(name);
    }
    cut_everywhere(&recording, judge, extent).map_err(|source| RecordError::Io {
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
    judge: &Judge,
    extent: Extent,
) -> std::io::Result<Tally> {
    let (mut tally, moments) = judge_all(judge, |send| {
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
