//! Where a configuration is looked for, and which files it depends on.

use std::path::{Path, PathBuf};

use super::Config;

/// Where the configuration is looked for when nothing is said: in the working directory.
pub const DEFAULT_PATH: &str = "countersign.toml";

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
    /// What to watch.
    pub fn files(&self) -> ConfigFiles {
        let own = self
            .path
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let mut directories = vec![own.to_owned()];
        directories.extend(self.policy_directory.clone());
        directories.sort();
        directories.dedup();
        ConfigFiles(directories)
    }
}
