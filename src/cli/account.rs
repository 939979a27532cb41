//! The account at Jira: read from files that nobody else can read, and handed on.

use std::path::Path;

use super::{
    connect::{self, Reach},
    terminal::Terminal,
    unlock,
};
use crate::{
    daemon,
    probe::{Account, AccountFault, AccountFile},
    service::{self, LoginRequest, Reply, ServiceError},
};

/// Reads an account file, and the key file that it names.
pub(super) fn read(path: &Path) -> Result<Account, ServiceError> {
    let text = unlock::private_text(path, "account file")?;
    let file = AccountFile::from_toml(&text).map_err(fault)?;
    let key = file
        .key_file()
        .map(|name| {
            // As it would be found by whoever looks at the file.
            let beside = path.parent().unwrap_or(Path::new("")).join(name);
            unlock::private_text(&beside, "private key file")
        })
        .transpose()?;
    file.with_key(key.as_ref().map(|text| text.as_str()))
        .map_err(fault)
}

/// Has an identity of the store probed, and logs in at the end.
pub(super) async fn log_in(
    terminal: Terminal,
    config: &Path,
    request: LoginRequest,
    account: Account,
) -> Result<Reply, ServiceError> {
    match connect::reach(terminal, config).await? {
        Reach::Daemon(socket) => {
            let (method, frames) = account.to_frames().map_err(fault)?;
            daemon::call_login(&socket, &service::command(), request, method, &frames)
                .await
                .map_err(connect::refusal)
        }
        Reach::Own(service) => {
            service
                .probe_and_log_in(service::command(), request, account)
                .await
        }
    }
}

fn fault(fault: AccountFault) -> ServiceError {
    ServiceError::failed(format!("the account file: {fault}"))
        .hint("docs/probe.md shows a file of each kind")
}
