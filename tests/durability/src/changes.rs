//! A store whose slots and master key are changed: what opens it after each change, and nothing else.
//!
//! Each change is one step of a fixed script, so that who judges a store that was cut off needs nothing but the
//! number of the last acknowledged step. A change is whole or did not happen; whichever it is, a secret that was
//! known before or is known after it opens the store.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use countersign_store::{
    EngineKind, Error, InitOptions, KdfCost, KeyFile, Passphrase, ResealState, SlotOptions, Store,
    Unlock,
};

use crate::judge::{Known, STORE, Verdict, chain};
use crate::workload::{self, Contents};

/// The secrets that there are: three key files, and a passphrase.
const SECRETS: [&str; 4] = ["first", "second", "third", "words"];

/// How many pieces are sealed anew at once.
const PIECES: usize = 5;

/// One step of the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    /// The store is made, and opens with the first secret.
    Init,
    /// The next transaction of the workload.
    Transact,
    /// One more secret opens the store.
    Add(&'static str),
    /// A slot gets another secret.
    Change(u32, &'static str, &'static str),
    /// A slot opens the store no more.
    Remove(u32, &'static str),
    /// There is a new master key, and the old one goes on being needed.
    BeginRekey,
    /// Some of what there is, or all that is left, is sealed anew.
    Reseal(bool),
    /// The old master key is gone.
    EndRekey,
    /// Closed, and opened again with this secret.
    Reopen(&'static str),
}

use Deed::{Add, BeginRekey, Change, EndRekey, Init, Remove, Reopen, Reseal, Transact};

const SCRIPT: [Deed; 24] = [
    Init,
    Transact,
    Add("second"),
    Transact,
    Change(1, "first", "third"),
    Transact,
    Remove(2, "second"),
    Add("words"),
    BeginRekey,
    Reseal(false),
    Transact,
    Reopen("words"),
    Reseal(false),
    Add("first"),
    Reseal(true),
    EndRekey,
    Change(3, "words", "second"),
    Transact,
    BeginRekey,
    Remove(1, "third"),
    Reseal(true),
    EndRekey,
    Reopen("second"),
    Transact,
];

/// What is there after a number of steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct After {
    transactions: u64,
    opens: BTreeSet<&'static str>,
}

fn after(steps: usize) -> After {
    let mut after = After::default();
    for deed in &SCRIPT[..steps.min(SCRIPT.len())] {
        match *deed {
            Init => drop(after.opens.insert("first")),
            Transact => after.transactions += 1,
            Add(secret) => drop(after.opens.insert(secret)),
            Change(_, old, new) => {
                after.opens.remove(old);
                after.opens.insert(new);
            }
            Remove(_, secret) => drop(after.opens.remove(secret)),
            BeginRekey | Reseal(_) | EndRekey | Reopen(_) => {}
        }
    }
    after
}

/// The secrets, in a directory that the power cut does not reach.
#[derive(Clone, Debug)]
pub struct Secrets(PathBuf);

impl Secrets {
    /// Makes them.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn generate(dir: &Path) -> Result<Self, Error> {
        for secret in SECRETS.iter().filter(|secret| **secret != "words") {
            KeyFile::generate(&dir.join(secret))?;
        }
        Ok(Self(dir.to_owned()))
    }

    /// Those that lie in a directory.
    #[must_use]
    pub fn in_dir(dir: &Path) -> Self {
        Self(dir.to_owned())
    }

    fn get(&self, secret: &str) -> Result<Unlock, Error> {
        Ok(match secret {
            "words" => Unlock::Passphrase(Passphrase::new("battery staple".to_owned().into())),
            file => Unlock::KeyFile(KeyFile::read(&self.0.join(file))?),
        })
    }
}

/// Plays the script on a store in `dir`, and says after each step how many are durable.
///
/// # Errors
/// Those of the store.
pub fn play(
    dir: &Path,
    secrets: &Secrets,
    engine: EngineKind,
    mut say: impl FnMut(usize),
) -> Result<(), Error> {
    let options = InitOptions {
        engine,
        kdf: KdfCost::throwaway(),
        ..InitOptions::default()
    };
    let cheap = SlotOptions {
        kdf: KdfCost::throwaway(),
        ..SlotOptions::default()
    };
    let mut store = Store::init(dir, &secrets.get("first")?, &options)?;
    let mut transactions = 0;
    say(1);
    for (number, deed) in SCRIPT.iter().enumerate().skip(1) {
        match *deed {
            Init => {}
            Transact => {
                transactions += 1;
                workload::transact(&store, transactions)?;
            }
            Add(secret) => drop(store.add_slot(&secrets.get(secret)?, &cheap)?),
            Change(id, _, secret) => store.change_slot(id, &secrets.get(secret)?, &cheap)?,
            Remove(id, _) => store.remove_slot(id)?,
            BeginRekey => store.begin_rekey()?,
            Reseal(false) => drop(store.rekey_step(PIECES)?),
            Reseal(true) => reseal(&store)?,
            EndRekey => store.end_rekey()?,
            Reopen(secret) => {
                drop(store);
                store = Store::open(dir, &secrets.get(secret)?)?;
            }
        }
        say(number + 1);
    }
    Ok(())
}

fn reseal(store: &Store) -> Result<(), Error> {
    while store.rekey_step(PIECES)?.state == ResealState::UnderWay {}
    Ok(())
}

/// Looks at what is left of the store of the script.
pub fn judge(secrets: Secrets) -> impl Fn(&Path, Known) -> Verdict {
    move |root, known| {
        let dir = root.join(STORE);
        match known {
            Known::Nothing => match made_or_not(&dir, &secrets) {
                Ok(verdict) => verdict,
                Err(error) => Verdict::DidNotOpen(chain(&error)),
            },
            Known::Acknowledged(steps) => {
                let steps = usize::try_from(steps).unwrap_or(usize::MAX);
                let possible = [after(steps), after(steps + 1)];
                look(&dir, &secrets, &possible)
                    .unwrap_or_else(|error| Verdict::DidNotOpen(chain(&error)))
            }
        }
    }
}

/// Nobody was told of it yet.
fn made_or_not(dir: &Path, secrets: &Secrets) -> Result<Verdict, Error> {
    match Store::open(dir, &secrets.get("first")?) {
        Ok(store) => {
            drop(store);
            look(dir, secrets, &[after(1)])
        }
        Err(Error::NotFound { .. } | Error::Incomplete { .. }) => Ok(Verdict::NotMadeYet),
        Err(error) => Err(error),
    }
}

fn look(dir: &Path, secrets: &Secrets, possible: &[After]) -> Result<Verdict, Error> {
    let mut found = After::default();
    let mut last = None;
    for secret in SECRETS {
        match Store::open(dir, &secrets.get(secret)?) {
            Ok(store) => {
                let contents = Contents::read(&store)?;
                found.opens.insert(secret);
                found.transactions = contents.transactions();
                if contents != Contents::after(found.transactions) {
                    return Ok(Verdict::Lost(format!("{secret} opens what is not whole")));
                }
            }
            Err(error) => last = Some(error),
        }
    }
    match last {
        Some(error) if found.opens.is_empty() => return Err(error),
        _ => {}
    }
    if !possible.contains(&found) {
        return Ok(Verdict::Lost(format!("{found:?} is none of {possible:?}")));
    }
    // It must also be able to go on, and to end what was begun.
    let Some(secret) = found.opens.first() else {
        return Ok(Verdict::DidNotOpen("nothing opens it".to_owned()));
    };
    let store = Store::open(dir, &secrets.get(secret)?)?;
    workload::transact(&store, found.transactions + 1)?;
    if !store.is_rekeying() {
        store.begin_rekey()?;
    }
    reseal(&store)?;
    store.end_rekey()?;
    if let Some(damage) = store.verify()?.damage.first() {
        return Ok(Verdict::Found(format!("after going on: {damage}")));
    }
    drop(store);
    for secret in &found.opens {
        let store = Store::open(dir, &secrets.get(secret)?)?;
        if Contents::read(&store)? != Contents::after(found.transactions + 1) {
            return Ok(Verdict::Lost(format!("{secret} opens less after a rekey")));
        }
    }
    Ok(Verdict::Sound)
}
