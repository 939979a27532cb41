//! One installation of countersign with its partner: temporary, real, and gone when the test ends.

mod connector;
mod daemon;
mod office;
mod pair;
mod partner;
mod plan;
mod run;

pub(crate) use connector::{Load, MARK};
pub(crate) use office::Office;
pub(crate) use pair::{LEFT, RIGHT};
pub(crate) use partner::{Letter, pem_blocks, sha1, sha256, sha256_of};
pub(crate) use plan::{Drive, Plan, Shared};
pub(crate) use run::{Outcome, phase};

use std::{
    cell::{Cell, RefCell},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use countersign_peers::{
    Algorithm, Authority, Clients, Gateway, Identity, Nginx, PASSWORD, Purpose, Request,
    TlsVersions,
};
use daemon::DaemonProcess;
use tempfile::TempDir;

/// The one identity of these tests.
pub(crate) const IDENTITY: &str = "jira";
/// Where it is trusted.
pub(crate) const DESTINATION: &str = "acme/production";

/// An installation with its partner.
pub(crate) struct World {
    // Dropped in this order: whoever writes into a directory before the directory.
    daemon: RefCell<Option<DaemonProcess>>,
    pair: RefCell<pair::Daemons>,
    /// The machine at which commands are run, when there are two.
    machine: Cell<&'static str>,
    /// The partner's gateway.
    pub(crate) gateway: Nginx,
    /// The partner's mail server.
    pub(crate) office: Arc<Office>,
    /// The key and certificate of the contact at the partner.
    pub(crate) contact: Identity,
    /// Who certifies the gateway.
    pub(crate) gateway_root: Authority,
    /// The root of the partner's own authority, which no letter has to bring.
    pub(crate) partner_root: Option<String>,
    /// What the configuration says.
    pub(crate) plan: Plan,
    deaths: Cell<u32>,
    directory: TempDir,
}

impl World {
    /// Peers that run, and a configuration; no store yet.
    pub(crate) fn new(plan: Plan) -> Self {
        Self::at(plan, Office::open())
    }

    /// The same with a mail server that several worlds share: their contacts' addresses differ.
    pub(crate) fn at(plan: Plan, office: Arc<Office>) -> Self {
        let gateway_root = Authority::root("Gateway root");
        let mut gateway = Gateway::new(
            &gateway_root.server("gateway.test"),
            Clients::Pinned(Vec::new()),
        );
        gateway.tls = if plan.tls13 {
            TlsVersions::Tls13
        } else {
            TlsVersions::Tls12
        };
        let world = Self {
            daemon: RefCell::new(None),
            pair: RefCell::default(),
            machine: Cell::new(LEFT),
            gateway: Nginx::start(gateway),
            office,
            contact: Authority::root("People of Acme").issue(&Request {
                algorithm: Algorithm::Rsa2048,
                ..Request::new(Purpose::Email, &plan.contact)
            }),
            gateway_root,
            partner_root: None,
            plan,
            deaths: Cell::new(0),
            directory: tempfile::tempdir().unwrap(),
        };
        world.write_configuration();
        world
    }

    /// With a store, an authority and a certificate for signing letters.
    pub(crate) fn prepared(plan: Plan) -> Self {
        let world = Self::new(plan);
        world.prepare();
        world
    }

    /// Makes store, authority and signer.
    pub(crate) fn prepare(&self) {
        self.run(&["store", "init"]).expect(0);
        self.run(&["issuer", "create", "ca", "--common-name", "Align"])
            .expect(0);
        self.run(&["signer", "create", "--issuer", "ca"]).expect(0);
    }

    /// Adds the identity as the plan says.
    pub(crate) fn add_identity(&self) {
        self.drive(&self.plan.identity_add(), b"");
        self.identity();
    }

    /// The first generation, from the letter to its being in use.
    #[track_caller]
    pub(crate) fn establish(&mut self) -> Letter {
        self.add_identity();
        let offer = self.await_letter("offer.1.jira.1.");
        self.install(&offer);
        self.acknowledge(&offer);
        self.wait_until("the first generation is in use", 40, phase("completed"));
        offer
    }

    /// The second generation, from the command that begins it to the end of the first.
    #[track_caller]
    pub(crate) fn replace(&mut self) -> Letter {
        self.drive(&["rotation", "start", IDENTITY], b"");
        let offer = self.await_letter("offer.1.jira.2.");
        self.install(&offer);
        self.acknowledge(&offer);
        let notice = self.await_letter("removal-notice.1.jira.2.");
        self.remove(&notice);
        self.wait_until("the rotation is completed", 40, phase("completed"));
        offer
    }

    /// Asserts how a story must end: two generations, the first without its key, and three letters.
    #[track_caller]
    pub(crate) fn assert_replaced(&self, dying: bool) {
        let identity = self.identity();
        let states: Vec<_> = identity["generations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|g| &g["key_state"])
            .collect();
        assert_eq!(states, ["destroyed", "active"], "{identity:#}");
        let ids = self.message_ids();
        let mut kinds: Vec<_> = ids
            .iter()
            .map(|id| id.split(".acme.").next().unwrap())
            .collect();
        if dying {
            // Whoever died before noting a letter as sent has sent it again.
            kinds.dedup();
        }
        assert_eq!(
            kinds,
            [
                "offer.1.jira.1",
                "offer.1.jira.2",
                "removal-notice.1.jira.2"
            ]
        );
    }

    /// A path in the installation's directory.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file into the installation's directory, for us alone.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).unwrap();
        }
        // Beside it and renamed: a daemon that watches must not read a half.
        let fresh = path.with_extension("fresh");
        std::fs::write(&fresh, content).unwrap();
        std::fs::set_permissions(&fresh, PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::rename(&fresh, &path).unwrap();
        path
    }

    /// Writes `countersign.toml` and everything that it points at, as the plan says now.
    pub(crate) fn write_configuration(&self) {
        self.file("gateway-root.pem", self.gateway_root.pem());
        self.file("mail-root.pem", self.office.root_pem());
        self.file("contact.pem", self.contact.certificate_pem());
        self.file("policies/quick.toml", &self.plan.policy);
        let configure = |file: &str, machine: &str| {
            let text = self
                .plan
                .configuration(self.gateway.addr(), self.office.addr(), machine);
            self.file(file, text);
        };
        if self.plan.shared.is_some() {
            self.file("database.password", PASSWORD);
            configure("left.toml", LEFT);
            configure("right.toml", RIGHT);
        } else {
            configure("countersign.toml", LEFT);
        }
    }
}
