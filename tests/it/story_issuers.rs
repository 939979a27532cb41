//! The same story with certificates that are not of our own authority.

use std::process::Command;

use countersign_peers::Authority;

use crate::world::{DESTINATION, Drive, IDENTITY, Plan, World, phase, sha256};

/// What the partner's authority puts into a client's certificate.
const PROFILE: &str = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
    extendedKeyUsage=clientAuth\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";

fn reloaded() -> String {
    Plan::connector(
        "poller",
        "kind = \"bundle\"\npath = \"client.pem\"\nreload = { command = [\"true\"] }",
    )
}

#[test]
fn a_self_signed_identity_is_pinned_and_rotated() {
    let plan = Plan {
        issuer: "self-signed",
        drive: Drive::Cron,
        connectors: reloaded(),
        ..Plan::default()
    };
    let mut world = World::prepared(plan);
    let first = world.establish();
    assert_eq!(first.chain().len(), 1, "nobody else vouches for it");
    world.replace();
    world.assert_replaced(false);
}

/// The partner's own authority, and `openssl x509` to sign with it.
struct PartnerCa(Authority);

impl PartnerCa {
    /// Signs the request that waits, and has the chain imported.
    fn certify(&self, world: &World) -> String {
        let request = world.ok(&["identity", "export-request", IDENTITY]).stdout;
        let key = self.0.issuer().key().serialize_pem();
        let output = Command::new("openssl")
            .args([
                "x509",
                "-req",
                "-days",
                "60",
                "-copy_extensions",
                "copy",
                "-in",
            ])
            .arg(world.file("request.pem", request))
            .arg("-CA")
            .arg(world.file("partner-ca.pem", self.0.pem()))
            .arg("-CAkey")
            .arg(world.file("partner-ca.key", key))
            .arg("-extfile")
            .arg(world.file("profile.cnf", PROFILE))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let certificate = String::from_utf8(output.stdout).unwrap();
        let chain = world.file("chain.pem", self.0.pem() + &certificate);
        world.ok(&["identity", "import", IDENTITY, chain.to_str().unwrap()]);
        certificate
    }
}

#[test]
fn an_identity_of_the_partners_own_authority_is_requested_imported_and_rotated() {
    let plan = Plan {
        issuer: "partner-ca",
        drive: Drive::Cron,
        connectors: reloaded(),
        ..Plan::default()
    };
    let mut world = World::prepared(plan);
    let authority = PartnerCa(Authority::root("Acme Client CA"));
    world.partner_root = Some(authority.0.pem());

    world.add_identity();
    let waiting = world.rotation();
    assert_eq!(
        (&waiting["phase"], &waiting["next"]["next"]),
        (&"requested".into(), &"await-operator".into())
    );
    world.run(&["renew"]).expect(4);
    assert!(world.mails().is_empty(), "there is nothing to offer yet");
    for generation in 1..=2 {
        if generation == 2 {
            world.ok(&["rotation", "start", IDENTITY]);
            world.wait_until("the request lies ready", 10, phase("requested"));
        }
        let certificate = authority.certify(&world);
        let offer = world.await_letter(&format!("offer.1.jira.{generation}."));
        assert_eq!(
            sha256(&offer.chain()[0]),
            sha256(&certificate),
            "what was imported is offered"
        );
        world.install(&offer);
        world.acknowledge(&offer);
        if generation == 2 {
            let notice = world.await_letter("removal-notice.1.jira.2.");
            world.remove(&notice);
        }
        world.wait_until("the generation is in use", 40, phase("completed"));
        world.ok(&["probe", IDENTITY, "--destination", DESTINATION]);
    }
    world.assert_replaced(false);
}
