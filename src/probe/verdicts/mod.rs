//! The probe's verdicts on real gateways, each compared with what the gateway's configuration means for the identity
//! that is presented.
//!
//! One gateway runs for each configuration and serves both versions of TLS and every identity. The table is
//! `docs/probe-verdicts.md`, which has to stay true.

mod chains;
mod clients;
mod meaning;
mod settings;
mod table;

use std::{collections::VecDeque, net::SocketAddr, sync::Arc};

use countersign_peers::{Algorithm, Authority, Backend, Identity, JiraStandIn, Upstream};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use self::{
    clients::{Client, Clients, Kind, key_name},
    meaning::{Meaning, Signal, Tls, controls, left_to_mend, meaning},
    settings::{Product, Running, Setting},
};
use super::{ClientIdentity, ProbeRequest, Prober as _, TlsParity, TlsProber, remedy::Matter};
use crate::model::{ProbeReport, Tier, Verdict};

/// How many cells are probed at once.
const AT_ONCE: usize = 16;

struct World {
    servers: Authority,
    server: Identity,
    clients: Clients,
    jira: JiraStandIn,
    login: Backend,
}

/// One cell of the table.
struct Cell {
    product: Product,
    setting: Setting,
    tls: Tls,
    /// Its place in [`Clients::all`].
    client: usize,
    meaning: Meaning,
}

impl Cell {
    /// What is to mend although the certificate is accepted, and how that is said.
    fn left_to_mend(&self) -> Option<(Matter, &'static str)> {
        (self.meaning.verdict == Verdict::Accepted)
            .then(|| left_to_mend(self.setting))
            .flatten()
    }

    /// What is to mend.
    fn matter(&self) -> Option<Matter> {
        let left = self.left_to_mend().map(|(matter, _)| matter);
        self.meaning.matter.or(left)
    }
}

impl World {
    fn new() -> Self {
        let servers = Authority::root("server root");
        let server = servers.server("gateway.test");
        Self {
            servers,
            server,
            clients: Clients::new(),
            jira: JiraStandIn::start(),
            login: Backend::login_page(),
        }
    }

    fn cells(&self, product: Product, setting: Setting) -> Vec<Cell> {
        let mut cells = Vec::new();
        for (position, client) in self.clients.all.iter().enumerate() {
            for tls in [Tls::V12, Tls::V13] {
                cells.push(Cell {
                    product,
                    setting,
                    tls,
                    client: position,
                    meaning: meaning(product, setting, tls, client),
                });
            }
        }
        cells
    }

    fn client(&self, cell: &Cell) -> &Client {
        &self.clients.all[cell.client]
    }

    async fn probe(&self, cell: &Cell, address: SocketAddr) -> ProbeReport {
        let anchors = [self.servers.der()];
        let client = self.client(cell);
        let everything = tries_everything(cell, client);
        let request = ProbeRequest {
            probe_id: "probe-1".to_owned(),
            at: "2026-11-25T00:00:00Z".parse().unwrap(),
            url: "https://gateway.test".to_owned(),
            anchors: &anchors,
            resolve: &[address],
            tls: match cell.tls {
                Tls::V12 => TlsParity::Tls12Only,
                Tls::V13 => TlsParity::Tls12And13,
            },
            presented: client.identity.as_ref().map(|identity| ClientIdentity {
                chain: identity.chain_der(),
                key_pkcs8: Zeroizing::new(identity.key_der()),
                fingerprint: identity.sha256_lower().parse().unwrap(),
            }),
            controls: everything,
            verbs: everything && cell.product.has_methods(),
            gateway: cell.product.remedies(),
        };
        TlsProber::default().probe(&request).await
    }

    /// Where the report says something else than the configuration means.
    fn disagreement(&self, cell: &Cell, report: &ProbeReport) -> Option<String> {
        let meaning = cell.meaning;
        let client = self.client(cell);
        let left = cell.left_to_mend();
        let matter = cell.matter();
        let seen = &report.addresses[0];
        let signal = match (seen.http_status, &seen.alert) {
            (Some(status), _) => format!("status {status}"),
            (None, Some(alert)) => format!("alert {alert}"),
            (None, None) => "nothing".to_owned(),
        };
        let wanted = match meaning.signal {
            Signal::Alert(name) => format!("alert {name}"),
            Signal::Status(status) => format!("status {status}"),
        };
        let version = match cell.tls {
            Tls::V12 => "TLSv1.2",
            Tls::V13 => "TLSv1.3",
        };
        let mut wrong = Vec::new();
        let mut compare = |what: &str, found: String, wanted: String| {
            if found != wanted {
                wrong.push(format!("{what}: {found}, and not {wanted}"));
            }
        };
        compare(
            "verdict",
            format!("{} at {}", report.verdict, report.tier),
            format!("{} at {}", meaning.verdict, meaning.tier),
        );
        compare("seen", signal, wanted);
        compare(
            "remedy",
            format!("{:?}", report.remedy),
            format!("{:?}", matter.map(|m| m.remedy(cell.product.remedies()))),
        );
        compare(
            "owner",
            format!("{:?}", report.owner),
            format!("{:?}", matter.map(Matter::owner)),
        );
        // A handshake that TLS 1.2 refuses settles on nothing.
        if let Some(found) = &seen.tls_version {
            compare("version", found.clone(), version.to_owned());
        }
        for says in [Some(meaning.says), left.map(|(_, says)| says)]
            .into_iter()
            .flatten()
        {
            if !report.summary.contains(says) {
                wrong.push(format!("`{says}` is not said: {}", report.summary));
            }
        }
        if tries_everything(cell, client) {
            let found: Vec<_> = report.controls.iter().map(|c| c.verdict).collect();
            compare2(&mut wrong, "controls", &found, &controls(cell.setting));
            if cell.product.has_methods() && meaning.verdict == Verdict::Accepted {
                let found: Vec<_> = report.verbs.iter().map(|v| v.passed).collect();
                let changing = Some(cell.setting != Setting::MethodsMissing);
                let wanted = [Some(true), Some(true), changing, changing];
                compare2(&mut wrong, "methods", &found, &wanted);
            }
        }
        (!wrong.is_empty()).then(|| {
            format!(
                "{}, {}, {version}, {} ({})\n    {}",
                cell.product.name(),
                cell.setting.name(),
                client.kind.name(),
                key_name(client.key),
                wrong.join("\n    ")
            )
        })
    }
}

fn compare2<T: PartialEq + std::fmt::Debug>(
    wrong: &mut Vec<String>,
    what: &str,
    found: &[T],
    wanted: &[T],
) {
    if found != wanted {
        wrong.push(format!("{what}: {found:?}, and not {wanted:?}"));
    }
}

/// Whether controls and methods are tried: with the good identity, and wherever they change the report.
fn tries_everything(cell: &Cell, client: &Client) -> bool {
    (client.kind == Kind::Good && client.key == Algorithm::EcdsaP256)
        || cell.left_to_mend().is_some()
}

/// Probes what one gateway means for everybody, and ends it.
async fn probe_one(
    world: Arc<World>,
    product: Product,
    setting: Setting,
) -> Vec<(Cell, ProbeReport)> {
    let starting = world.clone();
    let running: Running = tokio::task::spawn_blocking(move || {
        let upstream = match setting {
            Setting::LoginPage => starting.login.addr(),
            _ => starting.jira.addr(),
        };
        let mut gateway = product.gateway(setting, &starting.server, &starting.clients);
        gateway.upstream = Upstream::At(upstream);
        product.start(gateway)
    })
    .await
    .unwrap();
    let address = running.addr;
    let mut waiting: VecDeque<_> = world.cells(product, setting).into();
    let mut probing = JoinSet::new();
    let mut done = Vec::new();
    loop {
        while probing.len() < AT_ONCE
            && let Some(cell) = waiting.pop_front()
        {
            let world = world.clone();
            probing.spawn(async move {
                let report = world.probe(&cell, address).await;
                (cell, report)
            });
        }
        match probing.join_next().await {
            Some(cell) => done.push(cell.unwrap()),
            None => break,
        }
    }
    done.sort_by_key(|(cell, _)| (cell.client, cell.tls == Tls::V13));
    // No configuration means this: it is the gateway itself that has come to an end.
    assert!(
        done.iter().all(|(_, report)| report.tier != Tier::Tcp),
        "{} ({}) cannot be reached any more:\n{}",
        product.name(),
        setting.name(),
        (running.log)()
    );
    tokio::task::spawn_blocking(move || drop(running))
        .await
        .unwrap();
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_verdict_is_what_the_gateways_configuration_means() {
    let world = Arc::new(World::new());
    let mut tables = Vec::new();
    let mut wrong = Vec::new();
    for product in Product::ALL {
        // Starting is waiting, so the gateways of one product start side by side.
        let mut running = JoinSet::new();
        for (position, setting) in product.settings().iter().copied().enumerate() {
            let world = world.clone();
            running.spawn(async move { (position, probe_one(world, product, setting).await) });
        }
        let mut found = running.join_all().await;
        found.sort_by_key(|(position, _)| *position);
        let cells: Vec<_> = found.into_iter().flat_map(|(_, cells)| cells).collect();
        wrong.extend(
            cells
                .iter()
                .filter_map(|(cell, report)| world.disagreement(cell, report)),
        );
        tables.push((product, cells));
    }
    let count: usize = tables.iter().map(|(_, cells)| cells.len()).sum();
    assert!(
        wrong.is_empty(),
        "{} of {count} verdicts are not what the configuration means:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    table::check(&world.clients, &tables);
}
