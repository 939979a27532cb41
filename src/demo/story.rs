//! The story itself: everything is started, asked for and waited for here; nothing is done here that a
//! person with the command line could not do.

use std::{
    fmt::Debug,
    path::PathBuf,
    str::FromStr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{
    DemoError, DemoOptions, DemoSummary,
    connector::Connector,
    gateway::Gateway,
    home::{CONNECTOR, Home, IDENTITY, ISSUER, JIRA_SEC, OPS, POLICY, Surroundings},
    mailbox::Mailbox,
    partner::{Correspondent, Partner},
    summary::Recorded,
    tale::Tale,
    tls::ServerAuthority,
    witness::{Progress, Witness},
};
use crate::{
    config::Config,
    daemon::{self, Daemon, State, connector_socket, control_socket},
    model::{Fingerprint, SubjectRequest},
    records::{EngineKind, KeyFile, Records, RecordsError, Unlock},
    rotation::Next,
    service::{self, IdentityAdd, IdentityView, Reply, Request, Service, system_clock},
};

/// Mails between the partner and the filter.
const MAILS: usize = 16;

/// Where the story is: what is said when it takes too long.
#[derive(Default)]
pub(super) struct Place {
    doing: Mutex<&'static str>,
    service: OnceLock<Arc<Service>>,
}

impl Place {
    fn at(&self, doing: &'static str) {
        *self.doing.lock().unwrap_or_else(PoisonError::into_inner) = doing;
    }

    /// What the story waits for, in a sentence.
    pub(super) async fn describe(&self) -> String {
        let doing = *self.doing.lock().unwrap_or_else(PoisonError::into_inner);
        let show = Request::RotationShow {
            identity: name(IDENTITY),
        };
        let next = match self.service.get() {
            Some(service) => match service.handle(service.itself().actor.clone(), show).await {
                Ok(Reply::Rotation(view)) => view.next.map(|decision| sentence(&decision.next)),
                _ => None,
            },
            None => None,
        };
        match next {
            Some(next) => format!("it came to {doing}; {next}"),
            None => format!("it came to {doing}"),
        }
    }
}

/// Tells it from beginning to end. Whatever was started ends when this is dropped.
pub(super) async fn tell(
    options: DemoOptions,
    tale: Tale,
    place: Arc<Place>,
) -> Result<DemoSummary, DemoError> {
    let clock = system_clock();

    place.at("starting the partner's servers");
    let authority = ServerAuthority::new(clock.now())?;
    let served = |server| move |source| DemoError::Server { server, source };
    let gateway = Gateway::start(authority.server()?, clock.clone())
        .await
        .map_err(served("gateway"))?;
    let (mailbox, mails) = Mailbox::start(authority.server()?)
        .await
        .map_err(served("mail server"))?;
    let partner = Partner::new(name(JIRA_SEC), clock.clone())?;
    tale.say(
        "partner",
        &format!(
            "gateway in front of Jira at {}, TLS 1.2, trusts no client; mail server at {}, with STARTTLS",
            gateway.url(),
            mailbox.address()
        ),
    );

    place.at("making the store");
    let home = Home::new()?;
    home.furnish(&Surroundings {
        anchor_pem: authority.anchor_pem(),
        contact_pem: &partner.certificate_pem(),
        mail: mailbox.address(),
        gateway: gateway.address(),
        jira: &gateway.url(),
    })?;
    let config = Config::load(&home.configuration())?;
    let records = store(&home, clock.now())?;
    tale.say("operator", "countersign store init; countersign daemon");
    let (witness, progress) = Witness::new(tale.clone());
    let runtime = config.runtime.clone();
    let service = Service::new(records, config, clock.clone(), Some(clock.now()))
        .observed_by(Arc::new(witness));
    service.tell_opened(service.itself(), None)?;
    let service = Arc::new(service);
    // Nobody else sets it: the story is told once.
    let _ = place.service.set(service.clone());

    place.at("starting the daemon");
    let (stop, stopped) = watch::channel(false);
    let daemon = Daemon::bind(&runtime, State::Serving(service), clock.clone())?;
    let mut cast = Cast {
        tasks: JoinSet::new(),
        progress,
    };
    cast.tasks.spawn(async move {
        daemon.serve(stopped).await?;
        Ok("daemon")
    });
    let ops = Ops {
        socket: control_socket(&runtime),
    };

    place.at("making the authority and the signing certificate");
    tale.say(
        "operator",
        &format!("countersign issuer create {ISSUER}; countersign signer create {ISSUER}"),
    );
    let signer = ops.prepare().await?;
    let (answers, answered) = mpsc::channel(MAILS);
    let known = Correspondent {
        address: name(OPS),
        signer,
    };
    let work = partner.work(known, gateway.pins(), mails, answers, tale.clone());
    cast.tasks.spawn(async move {
        work.await?;
        Ok("partner")
    });
    cast.tasks
        .spawn(filter(ops.clone(), answered, cast.progress.clone()));

    place.at("starting the connector");
    let connector = Connector::start(
        &connector_socket(&runtime),
        CONNECTOR,
        &format!("https://{}", gateway.address()),
        authority.anchor_pem().as_bytes(),
        options.concurrency,
    )?;
    tale.say(
        "connector",
        &format!(
            "{CONNECTOR} waits for an identity, then calls in {} loops",
            options.concurrency
        ),
    );

    place.at("bringing the first generation into service");
    tale.say(
        "operator",
        &format!("countersign identity add {IDENTITY} --issuer {ISSUER} --policy {POLICY}"),
    );
    ops.add().await?;
    cast.until_completed(1).await?;

    place.at("rotating to the second generation");
    tale.say(
        "operator",
        &format!("countersign rotation start {IDENTITY}"),
    );
    ops.rotate().await?;
    cast.until_completed(2).await?;

    place.at("comparing what was remembered with what was seen");
    let tally = connector.finish().await;
    let recorded = ops.recorded().await?;
    let log = gateway.log();
    place.at("stopping");
    stop.send_replace(true);
    cast.close().await?;
    home.leave()?;
    DemoSummary::gather(&log, tally, recorded, tale.seconds())
}

/// `countersign store init`, then what every start of the daemon does.
fn store(home: &Home, now: jiff::Timestamp) -> Result<Records, DemoError> {
    let key_file = home.key_file();
    let made = KeyFile::generate(&key_file).map_err(RecordsError::from)?;
    drop(Records::init(
        &home.store(),
        &Unlock::KeyFile(made),
        EngineKind::default(),
        now,
    )?);
    let read = KeyFile::read(&key_file).map_err(RecordsError::from)?;
    Ok(Records::open(&home.store(), &Unlock::KeyFile(read))?)
}

/// Everybody who acts by themselves.
struct Cast {
    tasks: JoinSet<Result<&'static str, DemoError>>,
    progress: watch::Receiver<Progress>,
}

impl Cast {
    /// Waits until a generation is in service and its predecessor gone.
    async fn until_completed(&mut self, generation: u32) -> Result<(), DemoError> {
        let over =
            |progress: &Progress| progress.stuck.is_some() || progress.completed >= generation;
        tokio::select! {
            reached = self.progress.wait_for(over) => {
                let stuck = reached.map(|progress| progress.stuck.clone());
                match stuck {
                    Ok(None) => Ok(()),
                    Ok(Some(stuck)) => Err(DemoError::Step {
                        generation: stuck.generation,
                        step: stuck.step,
                        message: stuck.message,
                        remedy: stuck.remedy,
                    }),
                    Err(_) => Err(DemoError::Ended { who: "daemon", source: None }),
                }
            }
            Some(ended) = self.tasks.join_next() => match ended {
                Ok(Ok(who)) => Err(DemoError::Ended { who, source: None }),
                Ok(Err(error)) => Err(error),
                Err(source) => Err(DemoError::Ended { who: "cast", source: Some(source) }),
            },
        }
    }

    /// Waits until the daemon has stopped; the others have nothing left to do.
    async fn close(mut self) -> Result<(), DemoError> {
        while let Some(ended) = self.tasks.join_next().await {
            match ended {
                Ok(Ok("daemon")) => break,
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(error),
                Err(source) => {
                    return Err(DemoError::Ended {
                        who: "cast",
                        source: Some(source),
                    });
                }
            }
        }
        self.tasks.shutdown().await;
        Ok(())
    }
}

/// The mail filter on our side: `countersign exchange receive < mail.eml` for every mail that comes in.
async fn filter(
    ops: Ops,
    mut mails: mpsc::Receiver<Vec<u8>>,
    mut progress: watch::Receiver<Progress>,
) -> Result<&'static str, DemoError> {
    let mut received = 0;
    while let Some(mail) = mails.recv().await {
        received += 1;
        // A machine may answer before the sender has noted that the letter went out; people do not.
        let noted = progress.wait_for(|progress| progress.offers >= received);
        if noted.await.is_err() {
            break;
        }
        let asked = ops.ask(
            "take the partner's answer",
            Request::ExchangeReceive { mail },
        );
        asked.await?;
    }
    Ok("mail filter")
}

/// An operator at the command line, who talks to the daemon's control socket.
#[derive(Clone)]
struct Ops {
    socket: PathBuf,
}

impl Ops {
    async fn ask(&self, request: &'static str, what: Request) -> Result<Reply, DemoError> {
        daemon::call(&self.socket, &service::command(), &what)
            .await
            .map_err(|source| DemoError::Asked { request, source })
    }

    /// The authority that certifies, and the certificate that signs letters; returns what the latter is known by.
    async fn prepare(&self) -> Result<Fingerprint, DemoError> {
        let issuer = name(ISSUER);
        let create = Request::IssuerCreate {
            issuer,
            common_name: "Vendor".to_owned(),
        };
        self.ask("create an authority", create).await?;
        let request = "create a signing certificate";
        let issuer = name(ISSUER);
        match self.ask(request, Request::SignerCreate { issuer }).await? {
            Reply::Pem(view) => view.fingerprint.ok_or(DemoError::Answer { request }),
            _ => Err(DemoError::Answer { request }),
        }
    }

    async fn add(&self) -> Result<(), DemoError> {
        let add = IdentityAdd {
            identity: name(IDENTITY),
            issuer: name(ISSUER),
            policy: name(POLICY),
            subject: SubjectRequest {
                common_name: "jira.vendor.example".to_owned(),
                organization: Some("Vendor".to_owned()),
                dns_names: vec!["jira.vendor.example".to_owned()],
            },
            key_algorithm: None,
        };
        self.ask("add the identity", Request::IdentityAdd(add))
            .await?;
        Ok(())
    }

    async fn rotate(&self) -> Result<(), DemoError> {
        let identity = name(IDENTITY);
        self.ask("rotate", Request::RotationStart { identity })
            .await?;
        Ok(())
    }

    /// What the store says of the two generations.
    async fn recorded(&self) -> Result<[Recorded; 2], DemoError> {
        let request = "show the identity";
        let identity = name(IDENTITY);
        let answer = DemoError::Answer { request };
        match self
            .ask(request, Request::IdentityShow { identity })
            .await?
        {
            Reply::Identity(view) => generations(&view).ok_or(answer),
            _ => Err(answer),
        }
    }
}

fn generations(view: &IdentityView) -> Option<[Recorded; 2]> {
    let mut recorded = view.generations.iter().map(|generation| {
        Some(Recorded {
            generation: generation.generation,
            fingerprint: generation.certificate.as_ref()?.fingerprint,
            key_state: generation.key_state,
            destroyed_at: generation.destroyed_at,
        })
    });
    Some([recorded.next()??, recorded.next()??])
}

/// What a rotation does next, for people.
fn sentence(next: &Next) -> String {
    match next {
        Next::Run { step } => format!("it was about to {step}"),
        Next::Rescope => "the configuration had changed".to_owned(),
        Next::WaitUntil { why, .. } => why.clone(),
        Next::AwaitPartner {
            destination, what, ..
        } => format!("{destination} has to {what}"),
        Next::AwaitOperator { question, .. } => question.clone(),
        Next::Finished { .. } => "the rotation had ended".to_owned(),
    }
}

/// One of the names above or of `home` as what it is.
fn name<T: FromStr<Err: Debug>>(constant: &'static str) -> T {
    // Written here and nowhere else, so what does not parse does not get past the first test.
    constant
        .parse()
        .expect("a name of the demonstration parses")
}
