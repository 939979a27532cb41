//! `probe`: of an identity of the store, or of any endpoint with loose files and without a store.

use std::{
    future::Future,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use super::{
    Exit, Output, account,
    args::{KeyFiles, LooseFiles, Offer, ProbeOptions, ProbeTarget},
    connect, hint, key_files, render,
};
use crate::{
    model::{GatewayProduct, Lapse, ProbeReport},
    pki::{self, Credentials, PrivateKey},
    probe::{Account, ClientIdentity, Further, ProbeLimits, ProbeRequest, TlsParity, TlsProber},
    service::{self, LoginRequest, Reply, Request, ServiceError, with_causes},
};

/// Nobody's gateway is asked more often.
const SHORTEST_PAUSE: Duration = Duration::from_secs(5);

/// The word that is a question when an identity follows, and else the name of one.
const HISTORY: &str = "history";

/// The identity whose name is also a question.
pub(super) fn called_history() -> ProbeTarget {
    ProbeTarget::Identity(HISTORY.to_owned())
}

/// Probes once, or until interrupted.
pub(super) async fn run(
    output: Output,
    config: &Path,
    target: Option<ProbeTarget>,
    arguments: &ProbeOptions,
) -> Result<Exit, ServiceError> {
    let terms = Terms {
        output,
        refused: arguments.refused,
        page: arguments.page.as_deref(),
        watch: arguments.watch.then(|| pause(arguments.every)),
    };
    let Some(target) = &target else {
        return Err(
            ServiceError::failed("it is not said what to probe").hint("countersign probe --help")
        );
    };
    match target {
        ProbeTarget::Url(url) => {
            for (given, name) in [
                (arguments.destination.is_some(), "--destination"),
                (arguments.partner.is_some(), "--partner"),
                (arguments.generation.is_some(), "--generation"),
            ] {
                if given {
                    return Err(ServiceError::failed(format!(
                        "{name} is of an identity in the store, and a URL was given"
                    ))
                    .hint("countersign probe URL --identity FILE --anchors FILE"));
                }
            }
            let account = arguments
                .account
                .as_deref()
                .map(account::read)
                .transpose()?;
            let loose = Loose::read(output, &arguments.loose, account)?;
            terms.go(async || Ok(loose.probe(url).await)).await
        }
        ProbeTarget::Identity(name) => {
            let wanted = of_store(arguments, name)?;
            let account = arguments
                .account
                .as_deref()
                .map(account::read)
                .transpose()?;
            let account = Once::new(account);
            terms
                .go(async || {
                    let wanted = wanted.clone();
                    let reply = match account.take() {
                        Some(account) => {
                            account::log_in(output.terminal, config, wanted, account).await?
                        }
                        None => {
                            let request = Request::Probe {
                                identity: wanted.identity,
                                destination: wanted.destination,
                                generation: wanted.generation,
                            };
                            connect::ask(output.terminal, config, request).await?
                        }
                    };
                    match reply {
                        Reply::Probe { report, .. } => Ok(*report),
                        _ => Err(ServiceError::failed(
                            "a probe was answered with something else",
                        )),
                    }
                })
                .await
                .map_err(|mut error| {
                    error.hint = error.hint.map(|text| hint::with_config(&text, config));
                    error
                })
        }
    }
}

/// Between two probes of a watch, whatever was asked for.
fn pause(every: Lapse) -> Duration {
    every.unsigned().max(SHORTEST_PAUSE)
}

fn of_store(arguments: &ProbeOptions, name: &str) -> Result<LoginRequest, ServiceError> {
    if let Some(option) = arguments.loose.given() {
        return Err(ServiceError::failed(format!(
            "{option} goes with a URL; what an identity of the store presents, and whom it believes, is configured"
        ))
        .hint("countersign probe https://HOST --identity FILE --anchors FILE"));
    }
    let identity = name
        .parse()
        .map_err(|error| ServiceError::from_error(&error))?;
    let Some(destination) = arguments.place() else {
        let history = if name == HISTORY {
            "; or, for what probes have shown over time, countersign probe history IDENTITY"
        } else {
            ""
        };
        return Err(
            ServiceError::failed("it is not said where to probe").hint(format!(
                "countersign probe {name} --partner PARTNER --environment test{history}"
            )),
        );
    };
    Ok(LoginRequest {
        identity,
        destination,
        generation: arguments
            .generation
            .unwrap_or(super::args::Slot::Current)
            .into(),
    })
}

/// An account, gone once it was tried: a watch must not lock it.
struct Once(Mutex<Option<Account>>);

impl Once {
    fn new(account: Option<Account>) -> Self {
        Self(Mutex::new(account))
    }

    fn take(&self) -> Option<Account> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Everything that a person brought.
struct Loose {
    presented: Option<ClientIdentity>,
    /// What was given beside it.
    spare: Vec<Vec<u8>>,
    anchors: Vec<Vec<u8>>,
    account: Once,
    files: Files,
}

/// The part that is no secret.
struct Files {
    resolve: Vec<std::net::SocketAddr>,
    product: GatewayProduct,
    tls: TlsParity,
}

impl Loose {
    fn read(
        output: Output,
        given: &LooseFiles,
        account: Option<Account>,
    ) -> Result<Self, ServiceError> {
        let Some(anchors) = &given.anchors else {
            return Err(ServiceError::failed(
                "there are no trust anchors, so no server can be believed; the system's are never taken",
            )
            .hint(
                "--anchors FILE with the authority of the server's certificate: ask Jira Sec for it, or save the last one of `openssl s_client -showcerts -connect HOST:443` and compare its fingerprint with them",
            ));
        };
        let pem = key_files::bytes(anchors)?;
        let anchors = pki::pem::certificates_from_pem(&pem).map_err(|error| {
            ServiceError::failed(format!("{}: {}", anchors.display(), with_causes(&error)))
                .hint("countersign inspect FILE says what is in a file")
        })?;
        let (presented, mut spare) = identity(output, given)?;
        // Who issues for servers may have issued what is above us as well.
        spare.extend(anchors.iter().cloned());
        Ok(Self {
            presented,
            spare,
            anchors,
            account: Once::new(account),
            files: Files {
                resolve: given.resolve.clone(),
                product: given.product.unwrap_or(GatewayProduct::Other),
                tls: match given.tls {
                    Some(Offer::Both) => TlsParity::Tls12And13,
                    Some(Offer::Tls12) | None => TlsParity::Tls12Only,
                },
            },
        })
    }

    async fn probe(&self, url: &str) -> ProbeReport {
        let at = service::system_clock().now();
        let request = ProbeRequest {
            probe_id: format!("probe-{}", at.as_millisecond()),
            at,
            url: url.to_owned(),
            anchors: &self.anchors,
            resolve: &self.files.resolve,
            tls: self.files.tls,
            presented: self.presented.clone(),
            controls: true,
            verbs: true,
            gateway: self.files.product,
        };
        let further = Further {
            large_body: true,
            spare: Some(self.spare.clone()),
            account: self.account.take(),
        };
        TlsProber::new(ProbeLimits::default())
            .examine(&request, further)
            .await
    }
}

/// What is presented, and every certificate that was given.
fn identity(
    output: Output,
    given: &LooseFiles,
) -> Result<(Option<ClientIdentity>, Vec<Vec<u8>>), ServiceError> {
    if given.identity.is_empty() {
        return Ok((None, Vec::new()));
    }
    let files = KeyFiles {
        files: given.identity.clone(),
        passphrase_file: given.passphrase_file.clone(),
    };
    let found = key_files::credentials(output.terminal, &files)?;
    for warning in &found.warnings {
        output.terminal.warning(warning);
    }
    let key = PrivateKey::from_pkcs8(found.key.expose())
        .map_err(|error| ServiceError::refused(with_causes(&error)))?;
    let certificates: Vec<Vec<u8>> = found.certificates.into_iter().map(|der| der.0).collect();
    let chain = pki::order_chain(&certificates, key.key_id()).map_err(|error| {
        ServiceError::refused(format!("{}: {}", found.files, with_causes(&error)))
    })?;
    let credentials =
        Credentials::new(chain, key).map_err(|error| ServiceError::refused(with_causes(&error)))?;
    let presented = ClientIdentity {
        chain: credentials.presented_chain().to_vec(),
        key_pkcs8: Zeroizing::new(credentials.key().pkcs8().to_vec()),
        fingerprint: credentials.fingerprint(),
    };
    Ok((Some(presented), certificates))
}

/// For us alone: a report names addresses and versions.
fn write_page(path: &Path, page: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(page.as_bytes())
}

/// What is done with the reports.
struct Terms<'a> {
    output: Output,
    refused: bool,
    page: Option<&'a Path>,
    watch: Option<Duration>,
}

impl Terms<'_> {
    async fn go<F>(&self, probe: impl Fn() -> F) -> Result<Exit, ServiceError>
    where
        F: Future<Output = Result<ProbeReport, ServiceError>>,
    {
        let mut last = probe().await?;
        self.tell(&last)?;
        let Some(pause) = self.watch else {
            return Ok(self.exit(&last));
        };
        // One for all the rounds: an interruption that comes while a report is printed is not lost.
        let mut interruption =
            signal(SignalKind::interrupt()).map_err(|error| ServiceError::from_error(&error))?;
        loop {
            tokio::select! {
                _ = interruption.recv() => return Ok(self.exit(&last)),
                () = tokio::time::sleep(pause) => {}
            }
            let report = tokio::select! {
                _ = interruption.recv() => return Ok(self.exit(&last)),
                report = probe() => report?,
            };
            if render::probe_changes(&last, &report).is_empty() {
                self.output
                    .terminal
                    .progress(&format!("{:.0} {}, as before", report.at, report.verdict));
            } else {
                for change in render::probe_changes(&last, &report) {
                    self.output
                        .terminal
                        .progress(&format!("{:.0} {change}", report.at));
                }
                self.tell(&report)?;
            }
            last = report;
        }
    }

    fn tell(&self, report: &ProbeReport) -> Result<(), ServiceError> {
        if let Some(path) = self.page {
            write_page(path, &render::probe_page(report)).map_err(|error| {
                ServiceError::failed(format!("cannot write {}: {error}", path.display()))
            })?;
        }
        let reply = Reply::Probe {
            schema: 1,
            report: Box::new(report.clone()),
        };
        self.output
            .print(&reply, || render::probe_report(report, render::colours()))
    }

    fn exit(&self, report: &ProbeReport) -> Exit {
        let wanted = if self.refused {
            report.proves_refusal()
        } else {
            report.is_healthy()
        };
        if wanted { Exit::Done } else { Exit::No }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_asks_no_gateway_more_often_than_every_five_seconds() {
        let of = |text: &str| pause(text.parse().unwrap());
        assert_eq!(of("1s"), Duration::from_secs(5));
        assert_eq!(of("0s"), Duration::from_secs(5));
        assert_eq!(of("30s"), Duration::from_secs(30));
    }
}
