//! `store migrate`: a store of an older version becomes one of this version, when a person says so.

use std::path::Path;

use super::{Exit, Output, restore::without_daemon, unlock};
use crate::{
    model::audit::Author,
    records::Records,
    service::{self, ServiceError, system_clock},
};

pub(super) async fn run(output: Output, path: &Path) -> Result<Exit, ServiceError> {
    let config = without_daemon(path).await?;
    let store = &config.store.path;
    let secret = unlock::secret(output.terminal, &config.store.unlock)?;
    let author = Author::new(service::command()).on("store-migrate");
    let migrated = Records::migrate(store, &secret, &author, system_clock().now());
    let (from, kept) = match migrated {
        Ok(done) => done,
        Err(error) if error.is_current_already() => {
            return Err(ServiceError::refused(error.to_string()));
        }
        Err(error) => return Err(error.into()),
    };
    let object = serde_json::json!({
        "schema": 1,
        "store": store,
        "from": from,
        "to": Records::FORMAT,
        "kept": kept,
    });
    output.print(&object, || {
        let mut text = format!(
            "the store in {} was of format {from}, and is of format {} now",
            store.display(),
            Records::FORMAT
        );
        if let Some(kept) = &kept {
            text.push_str(&format!(
                "\nthe old one lies in {}; remove it when everything works, with its keys in it",
                kept.display()
            ));
        }
        text
    })?;
    Ok(Exit::Done)
}
