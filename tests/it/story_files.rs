//! Programs that read their identity from files.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use countersign_connector::Bundle;

use crate::world::{Plan, World, sha256};

/// Nobody, on Debian as elsewhere: somebody else than who runs the tests.
const NOBODY: u32 = 65_534;

fn plan() -> Plan {
    let bundle = "kind = \"bundle\"\npath = \"client.pem\"\nmode = \"0640\"\ngroup = 65534\nreport = \"client.pem.report.json\"";
    let directory = "kind = \"directory\"\npath = \"identity\"\nmode = \"0440\"\nowner = 65534\n\
        reload = { command = [\"sh\", \"-c\", \"readlink identity/current >>reloads\"], limit = \"10s\" }";
    let connectors = Plan::connector("bundled", bundle) + &Plan::connector("listed", directory);
    Plan {
        connectors,
        ..Plan::default()
    }
}

/// Owner, group and mode.
fn rights(path: &Path) -> (u32, u32, u32) {
    let found = fs::metadata(path).unwrap();
    (found.uid(), found.gid(), found.mode() & 0o7777)
}

#[test]
fn identities_reach_programs_as_a_bundle_and_as_a_directory_with_the_rights_that_are_configured() {
    let mut world = World::prepared(plan());
    world.start_daemon();
    let load = world.load_at_bundle("client.pem", 8);
    world.establish();
    world.poll("the program calls", 10, || {
        (load.begun() > 100).then_some(())
    });
    let second = world.replace();
    world.assert_replaced(false);
    load.end();

    let bundle = world.path("client.pem");
    let (us, ours, _) = rights(&world.path("countersign.toml"));
    assert_eq!(rights(&bundle), (us, NOBODY, 0o640));
    let published = Bundle::from_pem(&fs::read(&bundle).unwrap()).unwrap();
    assert_eq!(
        published.fingerprint().to_string(),
        sha256(&second.chain()[0])
    );

    let identity = world.path("identity");
    assert_eq!(
        fs::read_link(identity.join("current")).unwrap(),
        Path::new("gen-000002")
    );
    for file in ["key.pem", "cert.pem", "bundle.pem"] {
        assert_eq!(
            rights(&identity.join("current").join(file)),
            (NOBODY, ours, 0o440),
            "{file}"
        );
    }
    assert!(
        !identity.join("gen-000001").exists(),
        "the copy of a destroyed key is gone"
    );
    assert_eq!(
        fs::read_to_string(world.path("reloads")).unwrap(),
        "gen-000001\ngen-000002\n"
    );
}
