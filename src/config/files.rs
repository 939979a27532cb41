//! Where a configuration is looked for, and which files it depends on.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::Config;

/// Where the configuration is looked for when nothing is said: in the working directory.
pub const DEFAULT_PATH: &str = "countersign.toml";

/// Where sockets lie when nothing is said: beside the configuration.
pub(super) const DEFAULT_RUNTIME: &str = "run";

/// A relative path is relative to the file that names it, not to whoever runs the program.
pub(super) fn directory_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// The files and directories whose change may change the configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigFiles(Vec<PathBuf>);

impl ConfigFiles {
    /// The directories to watch: editors replace files by renaming, so the file alone would be lost sight of.
    pub fn directories(&self) -> &[PathBuf] {
        &self.0
    }
}

impl Config {
    /// Where the sockets of a running daemon lie, as far as a file tells that cannot be used, or the place where
    /// they lie when nothing is said: a broken update must not hide the daemon that could show the fault.
    pub fn runtime_of_broken(path: &Path) -> PathBuf {
        let text = fs::read_to_string(path).unwrap_or_default();
        let table = text.parse().unwrap_or_else(|error: toml::de::Error| {
            let whole = error.span().map_or(0, |span| span.start);
            let lines = text[..whole].rfind('\n').unwrap_or(0);
            text[..lines].parse().unwrap_or_default()
        });
        let said =
            |table: &toml::Table| Some(table.get("daemon")?.get("runtime")?.as_str()?.to_owned());
        directory_of(path).join(said(&table).unwrap_or_else(|| DEFAULT_RUNTIME.to_owned()))
    }

    /// What to watch.
    pub fn files(&self) -> ConfigFiles {
        let mut directories = vec![directory_of(&self.path).to_owned()];
        directories.extend(self.policy_directory.clone());
        directories.sort();
        directories.dedup();
        ConfigFiles(directories)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "no reader can see a half of it")]
    fn a_broken_file_still_tells_where_the_daemon_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("countersign.toml");
        let runtime = |text: &str| {
            fs::write(&path, text).unwrap();
            let found = Config::runtime_of_broken(&path);
            found.strip_prefix(directory.path()).unwrap().to_owned()
        };
        let ours = "[daemon]\nruntime = \"sockets\"\n";
        assert_eq!(runtime(ours), Path::new("sockets"));
        assert_eq!(
            runtime(&format!("{ours}[ops]\nname = \"A")),
            Path::new("sockets")
        );
        assert_eq!(runtime("[ops]\nname = \"A"), Path::new("run"));
        assert_eq!(runtime("\u{e4}\u{e4} ="), Path::new("run"));
        fs::remove_file(&path).unwrap();
        assert!(Config::runtime_of_broken(&path).ends_with("run"));
    }
}
