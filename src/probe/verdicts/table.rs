//! The table of verdicts, as it stands in the documentation.

use std::{fmt::Write as _, fs, path::Path};

use super::{
    Cell,
    clients::{Clients, key_name},
    settings::Product,
};
use crate::{model::ProbeReport, probe::remedy::Matter};

const TABLE: &str = "docs/probe-verdicts.md";

const HEAD: &str = "\
# What the probe says of real gateways

Made by a test (`every_verdict_is_what_the_gateways_configuration_means`), which fails when it is no longer true. Each \
row was produced by running the product, in TLS 1.2 and in TLS 1.3, and was first compared with what the configuration \
means for the identity by the standards and the product's own documentation (`src/probe/verdicts/meaning.rs`). \
Identities are tried with P-256 and RSA keys, and the good one with Ed25519 too; where only some of the keys meet \
with a verdict they are named. `seen` is the alert (RFC 8446 §6.2) or the HTTP status; the last column says what \
the remedy is about, and whose it is.

A gateway does not always say enough. OpenSSL answers `unknown_ca` to an issuer that is not installed, to an intermediate \
that was not sent and to a self-signed certificate alike, and nginx shows one page for every fault: the probe then \
names all that it may be, and adds what can be seen of our own certificate. Where our own certificate has a fault that \
everybody can see, the owner is Ops; else it is whoever runs the gateway. Where an intermediate is missing that we have, a \
probe by hand finds out by presenting it (probe.md); the probes of this table have none.

What the standards and the documentation let one expect was written down before anything was probed. Six expectations were \
corrected by what the products then did, and none of them to please the probe:

- nginx with `optional_no_ca` forgives a wrong purpose together with the missing issuer, but neither an end nor a beginning.
- stunnel with `verifyPeer` says `bad_certificate` to a certificate that does not lie there, not `unknown_ca`.
- Apache says `certificate_unknown` when its revocation list is out of date, where OpenSSL by itself says `certificate_expired`.
- Envoy says `bad_certificate_hash_value` to a certificate that is not among its fingerprints, an alert of RFC 6066.
- Envoy says `certificate_expired` also to what is not yet valid, where OpenSSL says `bad_certificate`.
- Envoy asks no purpose of a leaf that lies among its authorities itself.
";

/// Compares the table in the documentation with what was found.
pub(super) fn check(clients: &Clients, tables: &[(Product, Vec<(Cell, ProbeReport)>)]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = render(clients, tables);
    let golden = root.join(TABLE);
    if fs::read_to_string(&golden).unwrap_or_default() != table {
        let fresh = root.join("target/probe-verdicts.md");
        let mut file = fs::File::create(&fresh).unwrap();
        std::io::Write::write_all(&mut file, table.as_bytes()).unwrap();
        panic!(
            "{TABLE} is no longer true; look at the difference and, if it is meant: cp {} {TABLE}",
            fresh.display()
        );
    }
}

/// Identities of one configuration that met with the same.
struct Row {
    what: String,
    clients: Vec<usize>,
}

fn render(clients: &Clients, tables: &[(Product, Vec<(Cell, ProbeReport)>)]) -> String {
    let mut text = HEAD.to_owned();
    for (product, cells) in tables {
        let _ = write!(
            text,
            "\n## {}\n\n| configuration | identity | verdict | seen in TLS 1.2 | in TLS 1.3 | what is to mend |\n\
             |---|---|---|---|---|---|\n",
            product.name()
        );
        for setting in product.settings() {
            let of: Vec<_> = cells
                .iter()
                .filter(|(c, _)| c.setting == *setting)
                .collect();
            let mut rows: Vec<Row> = Vec::new();
            // In pairs: TLS 1.2, then 1.3.
            for pair in of.chunks(2) {
                let [(cell, old), (newer, new)] = pair else {
                    unreachable!("every identity is probed in both versions");
                };
                let what = outcome((cell, old), (newer, new));
                match rows.iter_mut().find(|row| row.what == what) {
                    Some(row) => row.clients.push(cell.client),
                    None => rows.push(Row {
                        what,
                        clients: vec![cell.client],
                    }),
                }
            }
            for row in rows {
                let _ = writeln!(
                    text,
                    "| {} | {} | {} |",
                    setting.name(),
                    names(clients, &row.clients),
                    row.what
                );
            }
        }
    }
    text
}

fn names(clients: &Clients, among: &[usize]) -> String {
    let mut names: Vec<String> = Vec::new();
    let mut kinds = Vec::new();
    for client in among.iter().map(|position| &clients.all[*position]) {
        if kinds.contains(&client.kind) {
            continue;
        }
        kinds.push(client.kind);
        let is_of = |position: &usize| clients.all[*position].kind == client.kind;
        let here: Vec<_> = among.iter().filter(|p| is_of(p)).collect();
        let anywhere = (0..clients.all.len()).filter(is_of).count();
        names.push(if here.len() == anywhere {
            client.kind.name().to_owned()
        } else {
            let keys: Vec<_> = here
                .into_iter()
                .map(|p| key_name(clients.all[*p].key))
                .collect();
            format!("{} ({})", client.kind.name(), keys.join(", "))
        });
    }
    names.join("; ")
}

fn outcome(old: (&Cell, &ProbeReport), new: (&Cell, &ProbeReport)) -> String {
    let both = |say: fn(&Cell, &ProbeReport) -> String| {
        let (one, other) = (say(old.0, old.1), say(new.0, new.1));
        if one == other {
            one
        } else {
            format!("{one}; in 1.3 {other}")
        }
    };
    format!(
        "{} | {} | {} | {}",
        both(|_, report| format!("{}, {}", report.verdict, report.tier)),
        seen(old.1),
        seen(new.1),
        both(to_mend)
    )
}

fn seen(report: &ProbeReport) -> String {
    let address = &report.addresses[0];
    match (address.http_status, &address.alert) {
        (Some(status), _) => status.to_string(),
        (None, Some(alert)) => alert.clone(),
        (None, None) => "nothing".to_owned(),
    }
}

/// The report has been compared with the cell's own matter before.
fn to_mend(cell: &Cell, report: &ProbeReport) -> String {
    let Some((matter, owner)) = cell.matter().zip(report.owner) else {
        return String::new();
    };
    let about = match matter {
        Matter::Ask => "ask for a certificate",
        Matter::AskEarly => "ask in the handshake",
        Matter::Certificate => "another certificate",
        Matter::Clock => "its clock or its lists",
        Matter::KeyType => "another kind of key",
        Matter::Methods => "let methods through",
        Matter::Present => "present one",
        Matter::SecondAuthentication => "no password",
        Matter::SingleSignOn => "no single sign-on",
        Matter::Strangers => "let nobody else in",
        Matter::Trust => "trust it",
        other => unreachable!("no configuration means {other:?}"),
    };
    format!("{about} ({owner})")
}
