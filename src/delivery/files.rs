//! Files that hold keys: whole or not there, owned before they have content, never through a link.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::digest;
use rustix::fs::{CWD, Gid, RenameFlags, Uid, fchown, renameat_with};
use rustix::process::geteuid;
use rustls::pki_types::{CertificateDer, pem::PemObject};

use super::{FileSink, error::DeliveryError, exports::Outlet, handover::Handover};
use crate::model::{Fingerprint, GenerationNumber, audit::Receiver};

/// What names our unfinished files, so that a crash's leftovers are recognised and removed.
const UNFINISHED: &str = ".countersign-unfinished-";

/// The link to the generation in force.
const CURRENT: &str = "current";

/// Held while files are published: connectors may share a directory, and what looks like the leftover of a crash may
/// be what another rotation is just writing.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    // It guards no data, so a panic elsewhere has harmed none.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Publishes key and chain as one file.
pub(super) fn publish_bundle(
    sink: &FileSink,
    handover: &Handover,
    outlet: Outlet<'_>,
) -> Result<(), DeliveryError> {
    let _turn = turn();
    let directory = parent(&sink.path)?;
    check_directory(directory, sink)?;
    match fs::symlink_metadata(&sink.path) {
        Ok(found) if !found.is_file() => {
            return Err(refused(
                &sink.path,
                "it is not a regular file; remove it, or name another path",
            ));
        }
        _ => {}
    }
    remove_unfinished(directory)?;
    let name = sink
        .path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let unfinished = directory.join(format!("{UNFINISHED}{name}"));
    let to = Receiver::Bundle {
        path: sink.path.display().to_string().into(),
    };
    outlet.let_out(handover, to, || {
        write_whole(&unfinished, handover.bundle_pem.as_bytes(), sink)?;
        fs::rename(&unfinished, &sink.path).map_err(DeliveryError::io("publish", &sink.path))?;
        sync(directory)
    })
}

/// Publishes a directory for the generation, then points `current` at it.
pub(super) fn publish_directory(
    sink: &FileSink,
    handover: &Handover,
    outlet: Outlet<'_>,
) -> Result<(), DeliveryError> {
    let _turn = turn();
    let root = &sink.path;
    if fs::symlink_metadata(root).is_err() {
        check_directory(parent(root)?, sink)?;
        make_directory(root, sink)?;
        sync(parent(root)?)?;
    }
    check_directory(root, sink)?;
    remove_unfinished(root)?;
    let name = generation_name(handover.generation);
    let finished = root.join(&name);
    if !holds(&finished, handover) {
        let unfinished = root.join(format!("{UNFINISHED}{name}"));
        let to = Receiver::Directory {
            path: finished.display().to_string().into(),
        };
        outlet.let_out(handover, to, || {
            make_directory(&unfinished, sink)?;
            for (file, content) in contents(handover) {
                write_whole(&unfinished.join(file), content, sink)?;
            }
            sync(&unfinished)?;
            put_in_place(&unfinished, &finished)
        })?;
    }
    let link = root.join(format!("{UNFINISHED}{CURRENT}"));
    symlink(&name, &link).map_err(DeliveryError::io("link", &link))?;
    fs::rename(&link, root.join(CURRENT))
        .map_err(DeliveryError::io("publish", root.join(CURRENT)))?;
    sync(root)
}

fn contents(handover: &Handover) -> [(&'static str, &[u8]); 3] {
    [
        ("key.pem", handover.key_pem.as_bytes()),
        ("cert.pem", handover.chain_pem.as_bytes()),
        ("bundle.pem", handover.bundle_pem.as_bytes()),
    ]
}

/// Whether it is there already, to the byte. A directory of that name may be another store's, which counted its
/// generations from one as well: to point at it would publish another key.
fn holds(directory: &Path, handover: &Handover) -> bool {
    let same = |(file, content): (&str, &[u8])| {
        let path = directory.join(file);
        fs::symlink_metadata(&path)
            .is_ok_and(|found| found.is_file() && found.len() == content.len() as u64)
            && fs::read(path).is_ok_and(|found| *zeroize::Zeroizing::new(found) == content)
    };
    fs::symlink_metadata(directory).is_ok_and(|found| found.is_dir())
        && contents(handover).into_iter().all(same)
}

/// Gives the finished directory its name. What has that name and is something else is exchanged with it in one
/// step, since readers may be looking through `current`, and then removed.
fn put_in_place(unfinished: &Path, finished: &Path) -> Result<(), DeliveryError> {
    let (at, replaced) = (CWD, fs::symlink_metadata(finished).is_ok());
    let flags = match replaced {
        true => RenameFlags::EXCHANGE,
        false => RenameFlags::NOREPLACE,
    };
    renameat_with(at, unfinished, at, finished, flags)
        .map_err(|error| DeliveryError::io("publish", finished)(error.into()))?;
    if replaced {
        remove(unfinished)?;
    }
    Ok(())
}

/// Removes what was published of a generation whose key is destroyed. Nothing to remove is fine.
pub(super) fn retract_directory(
    root: &Path,
    generation: GenerationNumber,
) -> Result<(), DeliveryError> {
    let _turn = turn();
    let name = generation_name(generation);
    if fs::read_link(root.join(CURRENT)).is_ok_and(|target| target == Path::new(&name)) {
        return Err(refused(&root.join(name), "it is the generation in force"));
    }
    let directory = root.join(name);
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(DeliveryError::io("remove", directory)(error)),
        Ok(()) => sync(root),
    }
}

/// SHA-256 of the first certificate in a published file.
pub(super) fn published(path: &Path) -> Option<Fingerprint> {
    let bundle = zeroize::Zeroizing::new(fs::read(path).ok()?);
    let leaf = CertificateDer::from_pem_slice(&bundle).ok()?;
    let digest = digest::digest(&digest::SHA256, &leaf);
    Some(Fingerprint::from_digest(digest.as_ref().try_into().ok()?))
}

fn generation_name(generation: GenerationNumber) -> String {
    format!("gen-{:06}", generation.count())
}

fn refused(path: &Path, why: &str) -> DeliveryError {
    DeliveryError::PathRefused {
        path: path.to_owned(),
        why: why.to_owned(),
    }
}

fn parent(path: &Path) -> Result<&Path, DeliveryError> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() && path.file_name().is_some() => Ok(parent),
        _ => Err(refused(path, "it names no file in a directory")),
    }
}

/// A directory in which somebody else could exchange our file is no place for a key.
fn check_directory(directory: &Path, sink: &FileSink) -> Result<(), DeliveryError> {
    let found = fs::symlink_metadata(directory).map_err(DeliveryError::io("look at", directory))?;
    if found.is_symlink() {
        return Err(refused(
            directory,
            "it is a symbolic link; name the directory itself",
        ));
    }
    if !found.is_dir() {
        return Err(refused(directory, "it is not a directory"));
    }
    if !is_trusted(found.uid(), sink.owner) {
        return Err(refused(
            directory,
            &format!(
                "it belongs to user {}; give it to root, to us, or to the `owner` of the file",
                found.uid()
            ),
        ));
    }
    let sticky = found.mode() & 0o1000 != 0;
    if found.mode() & 0o002 != 0 && !sticky {
        return Err(refused(
            directory,
            "everybody may write there; take the right away (chmod o-w)",
        ));
    }
    Ok(())
}

/// Whether a directory's owner may exchange what lies in it: those who can do so anyway, and the reader.
fn is_trusted(owner: u32, reader: Option<u32>) -> bool {
    owner == 0 || owner == geteuid().as_raw() || Some(owner) == reader
}

fn make_directory(path: &Path, sink: &FileSink) -> Result<(), DeliveryError> {
    fs::create_dir(path).map_err(DeliveryError::io("create", path))?;
    // Readable wherever the files are, and entered by the same people.
    let mode = sink.mode | (sink.mode & 0o440) >> 2 | 0o700;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(DeliveryError::io("set the mode of", path))?;
    let directory = File::open(path).map_err(DeliveryError::io("open", path))?;
    own(&directory, path, sink)
}

fn own(file: &File, path: &Path, sink: &FileSink) -> Result<(), DeliveryError> {
    if sink.owner.is_none() && sink.group.is_none() {
        return Ok(());
    }
    fchown(
        file,
        sink.owner.map(Uid::from_raw),
        sink.group.map(Gid::from_raw),
    )
    .map_err(|error| DeliveryError::io("give away", path)(error.into()))
}

/// Creates a file that must not exist, gives it owner and mode, and only then its content; durable on return.
fn write_whole(path: &Path, content: &[u8], sink: &FileSink) -> Result<(), DeliveryError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(DeliveryError::io("create", path))?;
    own(&file, path, sink)?;
    file.set_permissions(fs::Permissions::from_mode(sink.mode))
        .map_err(DeliveryError::io("set the mode of", path))?;
    file.write_all(content)
        .map_err(DeliveryError::io("write", path))?;
    file.sync_all().map_err(DeliveryError::io("sync", path))
}

fn sync(directory: &Path) -> Result<(), DeliveryError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(DeliveryError::io("sync", directory))
}

fn remove_unfinished(directory: &Path) -> Result<(), DeliveryError> {
    let entries = fs::read_dir(directory).map_err(DeliveryError::io("list", directory))?;
    let ours = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|n| n.to_string_lossy().starts_with(UNFINISHED))
    };
    for path in entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(ours)
    {
        remove(&path)?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), DeliveryError> {
    let found = fs::symlink_metadata(path).map_err(DeliveryError::io("look at", path))?;
    let removed = if found.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    removed.map_err(DeliveryError::io("remove", path))
}

#[cfg(test)]
mod tests;
