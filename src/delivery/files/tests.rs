//! Files on a real disk: what is there afterwards, and what is not.

use std::sync::LazyLock;

use zeroize::Zeroizing;

use super::*;
use crate::{
    delivery::exports::testing::Notebook,
    model::{ConnectorName, Lapse},
};

fn handover(generation: u32) -> Handover {
    let text = |what: &str| Zeroizing::new(format!("{what} of generation {generation}\n"));
    Handover {
        identity: "jira".parse().unwrap(),
        generation: generation.to_string().parse().unwrap(),
        fingerprint: Fingerprint::from_digest([0; 32]),
        bundle_pem: text("bundle"),
        key_pem: text("key"),
        chain_pem: text("chain").to_string(),
        drain: Lapse::ZERO,
        confirm_within: Lapse::ZERO,
    }
}

fn notebook() -> Notebook {
    Notebook::default()
}

fn outlet(exports: &Notebook) -> Outlet<'_> {
    static CONNECTOR: LazyLock<ConnectorName> = LazyLock::new(|| "poller".parse().unwrap());
    Outlet {
        exports,
        connector: &CONNECTOR,
    }
}

#[test]
fn a_key_that_leaves_is_written_down_each_time_and_one_that_is_there_already_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let notebook = notebook();
    let bundle = sink(directory.path().join("client.pem"));
    let generations = sink(directory.path().join("identity"));
    for generation in [1, 1] {
        publish_bundle(&bundle, &handover(generation), outlet(&notebook)).unwrap();
        publish_directory(&generations, &handover(generation), outlet(&notebook)).unwrap();
    }
    let written = notebook.lines.lock().unwrap().join(", ");
    assert_eq!(
        written,
        "1 of jira, 1 delivered, 1 of jira, 3 delivered, 1 of jira, 5 delivered"
    );
}

#[test]
fn a_key_whose_leaving_cannot_be_written_down_does_not_leave() {
    let directory = tempfile::tempdir().unwrap();
    let full = Notebook {
        full: true,
        ..Notebook::default()
    };
    let bundle = sink(directory.path().join("client.pem"));
    let refused = publish_bundle(&bundle, &handover(1), outlet(&full));
    assert!(matches!(refused, Err(DeliveryError::NotWrittenDown { .. })));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    let generations = sink(directory.path().join("identity"));
    publish_directory(&generations, &handover(1), outlet(&full)).unwrap_err();
    assert_eq!(fs::read_dir(&generations.path).unwrap().count(), 0);
}

#[test]
fn a_delivery_that_fails_is_written_down_as_one() {
    let directory = tempfile::tempdir().unwrap();
    let notebook = notebook();
    let bundle = FileSink {
        mode: 0o640,
        ..sink(directory.path().join(format!("{}.pem", "x".repeat(300))))
    };
    publish_bundle(&bundle, &handover(1), outlet(&notebook)).unwrap_err();
    let written = notebook.lines.lock().unwrap().join(", ");
    assert_eq!(written, "1 of jira, 1 failed");
}

fn sink(path: PathBuf) -> FileSink {
    FileSink {
        path,
        owner: None,
        group: None,
        mode: 0o640,
        reload: None,
        report: None,
    }
}

#[test]
fn a_bundle_is_replaced_whole_with_its_mode() {
    let directory = tempfile::tempdir().unwrap();
    let sink = sink(directory.path().join("client.pem"));
    for generation in [1, 2] {
        publish_bundle(&sink, &handover(generation), outlet(&notebook())).unwrap();
        assert_eq!(
            fs::read_to_string(&sink.path).unwrap(),
            format!("bundle of generation {generation}\n")
        );
    }
    assert_eq!(fs::metadata(&sink.path).unwrap().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_generation_directory_is_published_by_a_link_and_retracted_when_its_key_is_destroyed() {
    let directory = tempfile::tempdir().unwrap();
    let sink = sink(directory.path().join("identity"));
    for generation in [1, 2, 2] {
        publish_directory(&sink, &handover(generation), outlet(&notebook())).unwrap();
    }
    assert_eq!(
        fs::read_to_string(sink.path.join("current/key.pem")).unwrap(),
        "key of generation 2\n"
    );
    assert!(retract_directory(&sink.path, "2".parse().unwrap()).is_err());
    retract_directory(&sink.path, "1".parse().unwrap()).unwrap();
    retract_directory(&sink.path, "1".parse().unwrap()).unwrap();
    assert!(!sink.path.join("gen-000001").exists());
}

#[test]
fn another_stores_directory_of_the_same_generation_is_replaced_not_published() {
    let directory = tempfile::tempdir().unwrap();
    let sink = sink(directory.path().join("identity"));
    publish_directory(&sink, &handover(1), outlet(&notebook())).unwrap();
    let mut other = handover(1);
    other.key_pem = Zeroizing::new("KEY of generation 1\n".to_owned());
    publish_directory(&sink, &other, outlet(&notebook())).unwrap();
    let read = |file: &str| fs::read_to_string(sink.path.join(file)).unwrap();
    assert_eq!(read("current/key.pem"), "KEY of generation 1\n");
    // Nor is a link followed to where somebody else writes.
    let elsewhere = directory.path().join("elsewhere");
    fs::rename(sink.path.join("gen-000001"), &elsewhere).unwrap();
    symlink(&elsewhere, sink.path.join("gen-000001")).unwrap();
    publish_directory(&sink, &handover(1), outlet(&notebook())).unwrap();
    assert_eq!(read("current/key.pem"), "key of generation 1\n");
    assert!(!sink.path.join("gen-000001").is_symlink());
    assert_eq!(
        fs::read_dir(&sink.path).unwrap().count(),
        2,
        "nothing is left over"
    );
    assert!(elsewhere.join("key.pem").exists());
}

#[test]
fn a_link_in_the_place_of_the_file_is_refused_and_its_target_untouched() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("passwd");
    File::create(&target).unwrap();
    let sink = sink(directory.path().join("client.pem"));
    symlink(&target, &sink.path).unwrap();
    assert!(matches!(
        publish_bundle(&sink, &handover(1), outlet(&notebook())),
        Err(DeliveryError::PathRefused { .. })
    ));
    assert_eq!(fs::metadata(&target).unwrap().len(), 0);
}

#[test]
fn a_directory_that_everybody_may_write_to_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let sink = sink(directory.path().join("client.pem"));
    assert!(matches!(
        publish_bundle(&sink, &handover(1), outlet(&notebook())),
        Err(DeliveryError::PathRefused { .. })
    ));
}

#[test]
fn a_directory_of_somebody_else_is_refused_unless_they_are_its_reader() {
    let stranger = geteuid().as_raw() + 4711;
    assert!(is_trusted(0, None) && is_trusted(geteuid().as_raw(), None));
    assert!(is_trusted(stranger, Some(stranger)) && !is_trusted(stranger, Some(stranger + 1)));
    if !geteuid().is_root() {
        // Only root can give a directory away.
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(directory.path(), Some(stranger), None).unwrap();
    let mut sink = sink(directory.path().join("client.pem"));
    let refused = publish_bundle(&sink, &handover(1), outlet(&notebook())).unwrap_err();
    assert!(refused.to_string().contains("belongs to user"), "{refused}");
    sink.path = directory.path().join("identity");
    assert!(publish_directory(&sink, &handover(1), outlet(&notebook())).is_err());
    sink.owner = Some(stranger);
    publish_directory(&sink, &handover(1), outlet(&notebook())).unwrap();
}

#[test]
fn connectors_that_share_a_directory_are_served_at_the_same_time() {
    let directory = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for name in ["one.pem", "two.pem", "three.pem"] {
            let sink = sink(directory.path().join(name));
            scope.spawn(move || {
                for generation in 1..100 {
                    publish_bundle(&sink, &handover(generation), outlet(&notebook())).unwrap();
                }
            });
        }
    });
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
}

#[test]
fn what_a_crash_left_unfinished_does_not_hinder_the_next_publishing() {
    let directory = tempfile::tempdir().unwrap();
    let sink = sink(directory.path().join("client.pem"));
    File::create(directory.path().join(format!("{UNFINISHED}client.pem"))).unwrap();
    publish_bundle(&sink, &handover(1), outlet(&notebook())).unwrap();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}
