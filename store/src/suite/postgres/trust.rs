//! What is asked of a server, and what it gets to see.

use std::fs;
use std::path::PathBuf;

use countersign_peers::{Authority, Postgres, Purpose, ROLE, Request, SharedPostgres};

use super::{Pair, append, said};
use crate::{Expect, PostgresError, Transaction};

#[test]
fn the_database_sees_nothing_readable() {
    let server = SharedPostgres::get();
    let pair = Pair::new(server.addr());
    let store = pair.init().unwrap();
    let mut transaction = Transaction::new();
    transaction
        .put(
            "NEEDLE-collection",
            "NEEDLE-id",
            b"NEEDLE-content".to_vec(),
            Expect::Any,
        )
        .append("NEEDLE-stream", b"NEEDLE-event".to_vec());
    store.transact(transaction).unwrap();
    let dump = String::from_utf8(server.dump()).unwrap();
    assert!(dump.contains(&pair.schema), "the dump is of something else");
    // Bytes are dumped as digits.
    for form in ["NEEDLE".to_owned(), hex::encode("NEEDLE")] {
        assert!(!dump.contains(&form), "{form}");
    }
}

#[test]
fn a_server_that_forgets_in_a_power_cut_is_refused() {
    let server = Postgres::with_settings("fsync = off");
    let refused = said(Pair::new(server.addr()).init().unwrap_err());
    assert!(
        matches!(
            refused,
            PostgresError::Unsafe {
                setting: "fsync",
                ..
            }
        ),
        "{refused:?}"
    );
}

#[test]
fn commits_wait_for_the_disk_whatever_the_server_says() {
    let server = Postgres::with_settings("synchronous_commit = off");
    let pair = Pair::new(server.addr());
    let store = pair.init().unwrap();
    server.sql("CREATE TABLE public.seen (setting text)");
    server.sql(&format!("GRANT INSERT ON public.seen TO {ROLE}"));
    server.sql(&format!(
        "CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN INSERT INTO public.seen VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$;
         CREATE TRIGGER look AFTER INSERT ON {}.sealed FOR EACH STATEMENT EXECUTE FUNCTION public.look()",
        pair.schema
    ));
    append(&store, b"1").unwrap();
    assert_eq!(server.sql("SELECT DISTINCT setting FROM public.seen"), "on");
}

#[test]
fn a_server_is_believed_under_the_named_anchors_and_its_own_name_only() {
    let root = Authority::root("Database root");
    let server = Postgres::with_tls(&root.issue(&Request::new(Purpose::Server, "localhost")));
    let anchors = tempfile::tempdir().unwrap();
    let file = |name: &str, pem: &str| {
        let path = anchors.path().join(name);
        fs::File::create(&path).unwrap();
        crate::files::replace(&path, pem.as_bytes()).unwrap();
        path
    };
    let ours = file("ours.pem", &root.pem());
    let others = file("others.pem", &Authority::root("Somebody else").pem());
    let with = |host: &str, anchors: Option<&PathBuf>| {
        let pair = Pair::described(server.addr(), |database| {
            database.hosts = vec![host.to_owned()];
            database.anchors = anchors.cloned();
        });
        pair.init().map(drop)
    };
    with("localhost", Some(&ours)).unwrap();
    for (host, anchors) in [
        ("localhost", Some(&others)),
        // The certificate bears another name.
        ("127.0.0.1", Some(&ours)),
        // The server takes nothing in the clear.
        ("localhost", None),
    ] {
        let refused = said(with(host, anchors).unwrap_err());
        assert!(
            matches!(refused, PostgresError::Connect { .. }),
            "{host} {anchors:?}: {refused:?}"
        );
    }
    // A server that has no TLS is not spoken to in the clear when anchors are named.
    let plain = Postgres::start();
    let pair = Pair::described(plain.addr(), |database| {
        database.hosts = vec!["localhost".to_owned()];
        database.anchors = Some(ours.clone());
    });
    let refused = said(pair.init().unwrap_err());
    assert!(
        matches!(refused, PostgresError::Connect { .. }),
        "{refused:?}"
    );
}
