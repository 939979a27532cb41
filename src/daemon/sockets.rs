//! Sockets that nobody else can reach, squat on or redirect: 0600 in a 0700 directory of our own.

use std::{
    fs, io,
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, PermissionsExt},
        net::UnixStream as StdUnixStream,
    },
    path::{Path, PathBuf},
};

use rustix::process::geteuid;
use tokio::net::UnixListener;

use super::{connector_socket, control_socket};

/// Why a socket cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// Somebody answers there.
    #[error("a daemon is running already: it answers at {path}")]
    AlreadyServed {
        /// The socket.
        path: PathBuf,
    },
    /// The directory is not ours alone.
    #[error("{path} is refused as runtime directory: {why}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file operation.
    #[error("could not {operation} {path}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Both sockets, bound.
pub struct Sockets {
    control: UnixListener,
    connectors: UnixListener,
    guard: Guard,
}

/// Removes the sockets when the daemon ends in good order.
pub(super) struct Guard(Vec<PathBuf>);

impl Drop for Guard {
    fn drop(&mut self) {
        for path in &self.0 {
            // Left behind, it would be recognised as dead by the next start.
            let _ = fs::remove_file(path);
        }
    }
}

impl Sockets {
    /// Binds both sockets in the runtime directory, which is made when it is not there.
    pub fn bind(runtime: &Path) -> Result<Self, SocketError> {
        private_directory(runtime)?;
        let (control_path, connector_path) = (control_socket(runtime), connector_socket(runtime));
        let control = bind(&control_path)?;
        let mut guard = Guard(vec![control_path]);
        let connectors = bind(&connector_path)?;
        guard.0.push(connector_path);
        Ok(Self {
            control,
            connectors,
            guard,
        })
    }

    pub(super) fn into_parts(self) -> (UnixListener, UnixListener, Guard) {
        (self.control, self.connectors, self.guard)
    }
}

fn private_directory(path: &Path) -> Result<(), SocketError> {
    let io = |operation, source| SocketError::Io {
        operation,
        path: path.to_owned(),
        source,
    };
    let refused = |why: String| {
        Err(SocketError::Directory {
            path: path.to_owned(),
            why,
        })
    };
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io("create", error)),
    }
    let found = fs::symlink_metadata(path).map_err(|error| io("look at", error))?;
    if !found.is_dir() {
        return refused("it is no directory, or a symbolic link to one".to_owned());
    }
    if found.uid() != geteuid().as_raw() {
        return refused(format!(
            "it belongs to user {}; name a directory of our own",
            found.uid()
        ));
    }
    if found.mode() & 0o077 != 0 {
        return refused(format!(
            "others may enter it; run `chmod 700 {}`",
            path.display()
        ));
    }
    Ok(())
}

/// The store has one opener, and who holds it comes here: a socket that nobody answers is a dead daemon's.
fn bind(path: &Path) -> Result<UnixListener, SocketError> {
    let io = |operation, source| SocketError::Io {
        operation,
        path: path.to_owned(),
        source,
    };
    if StdUnixStream::connect(path).is_ok() {
        return Err(SocketError::AlreadyServed {
            path: path.to_owned(),
        });
    }
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(io("remove the dead socket", error)),
    }
    let listener = UnixListener::bind(path).map_err(|error| io("bind", error))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        .map_err(|error| io("set the mode of", error))?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sockets_are_for_us_alone_and_a_dead_one_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let runtime = directory.path().join("run");
        let sockets = Sockets::bind(&runtime).unwrap();
        assert_eq!(fs::metadata(&runtime).unwrap().mode() & 0o777, 0o700);
        assert_eq!(
            fs::metadata(control_socket(&runtime)).unwrap().mode() & 0o777,
            0o600
        );
        assert!(matches!(
            Sockets::bind(&runtime),
            Err(SocketError::AlreadyServed { .. })
        ));
        // A killed daemon leaves its sockets behind.
        let (control, connectors, guard) = sockets.into_parts();
        std::mem::forget(guard);
        drop((control, connectors));
        Sockets::bind(&runtime).unwrap();
    }

    #[tokio::test]
    async fn a_directory_that_others_may_enter_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let runtime = directory.path().join("run");
        fs::create_dir(&runtime).unwrap();
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(
            Sockets::bind(&runtime),
            Err(SocketError::Directory { .. })
        ));
    }

    #[tokio::test]
    async fn a_link_in_the_place_of_the_directory_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let (target, runtime) = (
            directory.path().join("target"),
            directory.path().join("run"),
        );
        fs::DirBuilder::new().mode(0o700).create(&target).unwrap();
        std::os::unix::fs::symlink(&target, &runtime).unwrap();
        assert!(matches!(
            Sockets::bind(&runtime),
            Err(SocketError::Directory { .. })
        ));
    }
}
