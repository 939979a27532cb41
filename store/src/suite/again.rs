//! Collections of a backup, read once more after it was found to be whole.

use std::cell::{Cell, RefCell};
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::rc::Rc;

use super::backups::{keys, taking};
use super::{Fixture, for_each_engine};
use crate::backup::BackupFault;
use crate::engine::EngineKind;
use crate::{Backup, BackupError, BackupIdentity, BackupRecipients, Record, Transaction, Whole};

for_each_engine!(
    collections_are_read_side_by_side_and_no_further_than_is_asked,
    what_was_changed_since_it_was_found_whole_is_not_given_out,
);

/// A file of which it is known how much was read, and which somebody else may change.
#[derive(Clone, Default)]
struct Watched {
    bytes: Rc<RefCell<Vec<u8>>>,
    at: u64,
    read: Rc<Cell<u64>>,
}

impl Read for Watched {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.bytes.borrow();
        let mut cursor = Cursor::new(&**bytes);
        cursor.set_position(self.at);
        let count = cursor.read(into)?;
        self.at += count as u64;
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}

impl Seek for Watched {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let bytes = self.bytes.borrow();
        let mut cursor = Cursor::new(&**bytes);
        cursor.set_position(self.at);
        self.at = cursor.seek(to)?;
        Ok(self.at)
    }
}

/// Records of 3 kB, so that each collection goes over many of the pieces that age seals.
const RECORDS: usize = 120;

fn filled(engine: EngineKind) -> Fixture {
    let fixture = Fixture::new(engine);
    for collection in ["first", "second", "third"] {
        let mut transaction = Transaction::new();
        for number in 0..RECORDS {
            let bytes = vec![number as u8; 3_000];
            let expect = crate::Expect::Absent;
            transaction.put(collection, &format!("{number:03}"), bytes, expect);
        }
        fixture.store().transact(transaction).unwrap();
    }
    fixture
}

fn taken(fixture: &Fixture, recipients: &BackupRecipients) -> Watched {
    let file = Watched::default();
    let mut out = file.bytes.borrow_mut();
    let taken = fixture.store().backup(&mut *out, recipients, &taking());
    taken.unwrap();
    drop(out);
    file
}

fn whole(file: &Watched, identity: &BackupIdentity) -> Whole<Watched> {
    let backup = Backup::open(file.clone(), identity).unwrap();
    let mut backup = backup.noting(&["first", "third", "nowhere"]);
    while backup.next().unwrap().is_some() {}
    backup.into_whole().unwrap()
}

fn collections_are_read_side_by_side_and_no_further_than_is_asked(engine: EngineKind) {
    let fixture = filled(engine);
    let (recipients, identity) = keys();
    let file = taken(&fixture, &recipients);
    let unread = Backup::open(file.clone(), &identity).unwrap();
    assert!(unread.into_whole().is_none(), "its end was not seen yet");

    let whole = whole(&file, &identity);
    let (mut first, mut third) = (whole.records("first"), whole.records("third"));
    let mut found: [Vec<Record>; 2] = Default::default();
    for _ in 0..RECORDS {
        for (records, found) in [&mut first, &mut third].into_iter().zip(&mut found) {
            let before = file.read.get();
            found.push(records.next().unwrap().unwrap());
            let read = file.read.get() - before;
            // At most what is left of one piece, and the next.
            assert!(read <= 2 * (64 * 1024 + 16), "{read}");
        }
    }
    for (collection, found) in ["first", "third"].into_iter().zip(found) {
        assert_eq!(found, fixture.store().list(collection).unwrap());
    }
    for mut ended in [
        first,
        third,
        whole.records("second"),
        whole.records("nowhere"),
    ] {
        assert_eq!(ended.next().unwrap(), None);
        assert_eq!(ended.next().unwrap(), None);
    }
}

fn what_was_changed_since_it_was_found_whole_is_not_given_out(engine: EngineKind) {
    let fixture = filled(engine);
    let (recipients, identity) = keys();
    let file = taken(&fixture, &recipients);
    let other = taken(&fixture, &recipients);
    let whole = whole(&file, &identity);
    let mut before = whole.records("first");
    before.next().unwrap().unwrap();
    // A whole backup, too, and for the same recipient.
    file.bytes.swap(&other.bytes);
    for mut records in [before, whole.records("third")] {
        let refused = loop {
            match records.next() {
                Ok(record) => drop(record.expect("it goes on to the end")),
                Err(refused) => break refused,
            }
        };
        let fault = BackupFault::Altered;
        assert!(
            matches!(refused, BackupError::Unsound { fault: found } if found == fault),
            "{refused:?}"
        );
    }
}
