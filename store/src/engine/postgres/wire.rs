//! One connection to the database: made when it is needed, verified, and made anew when it is gone.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Mutex;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::PostgresError;
use crate::EngineError;
use crate::engine::database::Database;

/// The oldest server on which a dead connection can be told to be dropped in time.
const OLDEST: i32 = 120_000;

/// A connection, or the lack of one.
pub(super) struct Wire {
    database: Arc<Database>,
    tls: Option<MakeRustlsConnect>,
    client: Mutex<Option<Arc<Client>>>,
}

impl Wire {
    pub(super) fn new(database: Arc<Database>) -> Result<Self, PostgresError> {
        Ok(Self {
            tls: tls(&database)?,
            database,
            client: Mutex::new(None),
        })
    }

    /// The connection; a new one if the last is gone.
    pub(super) async fn client(&self) -> Result<Arc<Client>, EngineError> {
        let mut held = self.client.lock().await;
        match &*held {
            Some(client) if !client.is_closed() => Ok(client.clone()),
            _ => {
                let client = Arc::new(self.connect().await?);
                *held = Some(client.clone());
                Ok(client)
            }
        }
    }

    /// Gives a connection up of which nothing good is to be expected any more.
    pub(super) async fn drop_client(&self) {
        *self.client.lock().await = None;
    }

    /// A connection of one's own.
    pub(super) async fn connect(&self) -> Result<Client, EngineError> {
        let database = &self.database;
        let patience = database.lease.length() / 5;
        // The kernel counts in seconds, and refuses to count none.
        let second = Duration::from_secs(1);
        let mut config = Config::new();
        config
            .dbname(&database.database)
            .user(&database.user)
            .port(database.port)
            .application_name(format!("countersign on {}", database.machine))
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .connect_timeout(patience)
            .keepalives_idle(patience.max(second))
            .keepalives_interval((patience / 3).max(second))
            .keepalives_retries(3)
            .tcp_user_timeout(database.lease.heartbeat());
        for host in &database.hosts {
            config.host(host);
        }
        if let Some(password) = database.password()? {
            config.password(password.as_slice());
        }
        let failed = |source| PostgresError::Connect {
            database: database.to_string(),
            source,
        };
        // A driver of its own for each: it ends when the connection does.
        let client = if let Some(tls) = &self.tls {
            config.ssl_mode(SslMode::Require);
            let (client, connection) = config.connect(tls.clone()).await.map_err(failed)?;
            tokio::spawn(connection);
            client
        } else {
            config.ssl_mode(SslMode::Disable);
            let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
            tokio::spawn(connection);
            client
        };
        prepare(&client, database.lease.length()).await?;
        Ok(client)
    }
}

/// No check is left out for a server on this machine, if anchors are named for it.
fn tls(database: &Database) -> Result<Option<MakeRustlsConnect>, PostgresError> {
    let Some(path) = &database.anchors else {
        return Ok(None);
    };
    let refused = |source| PostgresError::Anchors {
        path: path.clone(),
        source,
    };
    let mut roots = RootCertStore::empty();
    for certificate in
        CertificateDer::pem_file_iter(path).map_err(|source| refused(Some(source)))?
    {
        let certificate = certificate.map_err(|source| refused(Some(source)))?;
        roots.add(certificate).map_err(PostgresError::Tls)?;
    }
    if roots.is_empty() {
        return Err(refused(None));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(PostgresError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Some(MakeRustlsConnect::new(config)))
}

/// Refuses a server that forgets, and sees to it that what is left of us when we are cut off goes away.
async fn prepare(client: &Client, lease: Duration) -> Result<(), PostgresError> {
    let said = |source| PostgresError::of("say how it is set up", source);
    let row = client
        .query_typed_one(
            "SELECT current_setting('server_version_num')::integer, current_setting('server_version'),
                    current_setting('fsync'), current_setting('full_page_writes'),
                    current_setting('synchronous_commit')",
            &[],
        )
        .await
        .map_err(said)?;
    if row.get::<_, i32>(0) < OLDEST {
        return Err(PostgresError::Version { found: row.get(1) });
    }
    for (column, setting) in [(2, "fsync"), (3, "full_page_writes")] {
        let value: String = row.get(column);
        if value != "on" {
            return Err(PostgresError::Unsafe { setting, value });
        }
    }
    // What waits for more than the local disk, or than the standbys' memory, is left as it is.
    let durable = match row.get::<_, &str>(4) {
        "off" | "local" | "remote_write" => "SET synchronous_commit = on;",
        _ => "",
    };
    let millis = lease.as_millis();
    let third = millis / 3;
    let seconds = (lease.as_secs() / 5).max(1);
    client
        .batch_execute(&format!(
            "{durable} SET search_path = pg_catalog; SET client_min_messages = warning;
             SET idle_in_transaction_session_timeout = {millis}; SET lock_timeout = {third};
             SET tcp_user_timeout = {third}; SET tcp_keepalives_idle = {seconds};
             SET tcp_keepalives_interval = {seconds}; SET tcp_keepalives_count = 3;"
        ))
        .await
        .map_err(said)
}
