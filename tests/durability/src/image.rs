//! The files of a directory, as a value.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

/// What is found when the power comes back.
#[derive(Clone, Debug, Default)]
pub struct Image {
    pub(crate) entries: BTreeMap<String, Entry>,
}

/// A file or directory.
#[derive(Clone, Debug)]
pub enum Entry {
    /// Its names.
    Directory(BTreeMap<String, Self>),
    /// Its content.
    File(Vec<u8>),
}

impl Image {
    /// Reads a directory.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn load(path: &Path) -> io::Result<Self> {
        Ok(Self {
            entries: load(path)?,
        })
    }

    /// Puts it into `path`, an existing and empty directory.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        write(&self.entries, path)
    }

    /// Equal images have equal digests; others do not.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        absorb(&self.entries, &mut hasher);
        hasher.finalize().into()
    }

    /// The same with one file changed, under a path that [`files`](Self::files) gave.
    #[must_use]
    pub fn with(&self, path: &str, content: Vec<u8>) -> Self {
        fn put(entries: &mut BTreeMap<String, Entry>, path: &str, content: Vec<u8>) {
            match path.split_once('/') {
                Some((name, rest)) => {
                    if let Some(Entry::Directory(entries)) = entries.get_mut(name) {
                        put(entries, rest, content);
                    }
                }
                None => drop(entries.insert(path.to_owned(), Entry::File(content))),
            }
        }
        let mut changed = self.clone();
        put(&mut changed.entries, path, content);
        changed
    }

    /// Every file with its content, under its path.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.entries, "", &mut files);
        files
    }
}

fn absorb(entries: &BTreeMap<String, Entry>, hasher: &mut Sha256) {
    hasher.update((entries.len() as u64).to_be_bytes());
    for (name, entry) in entries {
        hasher.update((name.len() as u64).to_be_bytes());
        hasher.update(name);
        match entry {
            Entry::Directory(entries) => {
                hasher.update(*b"d");
                absorb(entries, hasher);
            }
            Entry::File(bytes) => {
                hasher.update(*b"f");
                hasher.update((bytes.len() as u64).to_be_bytes());
                hasher.update(bytes);
            }
        }
    }
}

fn collect(entries: &BTreeMap<String, Entry>, at: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for (name, entry) in entries {
        let path = format!("{at}{name}");
        match entry {
            Entry::Directory(entries) => collect(entries, &format!("{path}/"), files),
            Entry::File(bytes) => drop(files.insert(path, bytes.clone())),
        }
    }
}

fn load(path: &Path) -> io::Result<BTreeMap<String, Entry>> {
    let mut entries = BTreeMap::new();
    for found in fs::read_dir(path)? {
        let found = found?;
        let entry = if found.file_type()?.is_dir() {
            Entry::Directory(load(&found.path())?)
        } else {
            Entry::File(fs::read(found.path())?)
        };
        entries.insert(found.file_name().to_string_lossy().into_owned(), entry);
    }
    Ok(entries)
}

#[allow(clippy::disallowed_methods, reason = "these files are made to be lost")]
fn write(entries: &BTreeMap<String, Entry>, path: &Path) -> io::Result<()> {
    for (name, entry) in entries {
        let path = path.join(name);
        match entry {
            Entry::Directory(entries) => {
                fs::create_dir(&path)?;
                write(entries, &path)?;
            }
            Entry::File(bytes) => fs::write(&path, bytes)?,
        }
    }
    Ok(())
}
