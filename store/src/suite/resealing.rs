//! Replacing the master key.

use super::{Fixture, damage_of, for_each_engine, record};
use crate::crypto::SecretKey;
use crate::engine::EngineKind;
use crate::error::Fault;
use crate::vault::{CANARY_KEY, Vault, epoch_of};
use crate::{Error, Expect, ResealState, Transaction};

for_each_engine!(
    a_damaged_record_obstructs_and_is_not_forgotten,
    everything_is_sealed_anew_however_often_it_is_interrupted,
    others_may_write_in_the_meantime,
    the_old_key_opens_nothing_new,
);

const NEXT: u16 = 2;

impl Fixture {
    /// Opens the store as it would be with two master keys in its header.
    fn reopen_with(&mut self, master: &SecretKey) {
        self.reopen();
        self.store().inner.add_master(master, NEXT);
    }

    fn epochs(&self) -> Vec<u16> {
        let stored = self.everything();
        let sealed = stored.iter().filter(|stored| stored.key != CANARY_KEY);
        let mut epochs: Vec<_> = sealed.map(|s| epoch_of(&s.value).unwrap()).collect();
        epochs.sort_unstable();
        epochs.dedup();
        epochs
    }
}

fn filled(engine: EngineKind) -> Fixture {
    let fixture = Fixture::new(engine);
    fixture.put_many("c", 130);
    fixture.put("c", "00000", b"again");
    for event in [b"1", b"2", b"3"] {
        fixture.append("j", event);
    }
    fixture
}

fn everything_is_sealed_anew_however_often_it_is_interrupted(engine: EngineKind) {
    let mut fixture = filled(engine);
    let before = (
        fixture.store().list("c").unwrap(),
        fixture.store().journal("j").unwrap(),
    );
    let master = SecretKey::random().unwrap();
    assert!(matches!(
        fixture.store().reseal_step(9).unwrap().state,
        ResealState::Finished
    ));
    let mut done = 0;
    loop {
        // The end of the process, as far as the store can tell.
        fixture.reopen_with(&master);
        assert!(matches!(
            fixture.store().inner.forget_old_masters(),
            Err(Error::ResealingUnfinished)
        ));
        let step = fixture.store().reseal_step(17).unwrap();
        assert_eq!((step.total, step.damage), (133, vec![]));
        assert!(step.done > done, "{} after {done}", step.done);
        done = step.done;
        assert_eq!(fixture.store().verify().unwrap().damage, []);
        if step.state == ResealState::Finished {
            break;
        }
        assert_eq!(step.state, ResealState::UnderWay);
    }
    assert_eq!(done, 133);
    assert_eq!(fixture.epochs(), [NEXT]);
    fixture.reopen_with(&master);
    fixture.store().inner.forget_old_masters().unwrap();
    let after = (
        fixture.store().list("c").unwrap(),
        fixture.store().journal("j").unwrap(),
    );
    assert_eq!(after, before);
    assert_eq!(fixture.store().verify().unwrap().damage, []);
    fixture.put("c", "new", b"1");
    assert_eq!(fixture.epochs(), [NEXT]);
}

fn the_old_key_opens_nothing_new(engine: EngineKind) {
    let mut fixture = filled(engine);
    let old_vault = Vault::clone(&fixture.store().inner.vault.read().unwrap());
    let old_value = fixture.raw(&fixture.key_of("c", "00001"));
    let master = SecretKey::random().unwrap();
    fixture.store().inner.add_master(&master, NEXT);
    while fixture.store().reseal_step(50).unwrap().state != ResealState::Finished {}
    fixture.store().inner.forget_old_masters().unwrap();
    for stored in fixture.everything() {
        assert_eq!(epoch_of(&stored.value), Some(NEXT), "{:?}", stored.key);
        assert!(old_vault.open_value(&stored.key, &stored.value).is_err());
        assert!(old_vault.open_node(&stored.key, &stored.value).is_err());
    }
    // Nor is anything believed that was sealed under the old key, which others may have.
    fixture.plant(&fixture.key_of("c", "00001"), Some(old_value));
    let damage = damage_of(fixture.store().read("c", "00001"));
    assert_eq!(damage.fault, Fault::UnknownKey);
    // A store that is opened with the old key alone reads nothing.
    fixture.reopen();
    assert_eq!(
        damage_of(fixture.store().list("c")).fault,
        Fault::UnknownKey
    );
}

fn others_may_write_in_the_meantime(engine: EngineKind) {
    let fixture = filled(engine);
    let master = SecretKey::random().unwrap();
    fixture.store().inner.add_master(&master, NEXT);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for n in 0..20_usize {
                let mut transaction = Transaction::new();
                transaction
                    .put(
                        "c",
                        &format!("{:05}", n * 6),
                        b"written".to_vec(),
                        Expect::Any,
                    )
                    .put(
                        "c",
                        &format!("{:05}/new", n * 6),
                        b"written".to_vec(),
                        Expect::Any,
                    )
                    .delete("c", &format!("{:05}", n * 6 + 1), Expect::Any)
                    .append("j", b"written".to_vec());
                fixture.store().transact(transaction).unwrap();
            }
        });
        while !writer.is_finished() {
            fixture.store().reseal_step(5).unwrap();
        }
        while fixture.store().reseal_step(5).unwrap().state != ResealState::Finished {}
    });
    fixture.store().inner.forget_old_masters().unwrap();
    assert_eq!(fixture.epochs(), [NEXT]);
    assert_eq!(fixture.store().list("c").unwrap().len(), 130);
    assert_eq!(fixture.store().journal("j").unwrap().len(), 23);
    assert_eq!(fixture.store().verify().unwrap().damage, []);
}

fn a_damaged_record_obstructs_and_is_not_forgotten(engine: EngineKind) {
    let fixture = filled(engine);
    let key = fixture.key_of("c", "00040");
    let sound = fixture.raw(&key);
    let mut altered = sound.clone();
    altered[100] ^= 1;
    fixture.plant(&key, Some(altered));
    let master = SecretKey::random().unwrap();
    fixture.store().inner.add_master(&master, NEXT);
    let pass = || {
        let mut damage = Vec::new();
        loop {
            let step = fixture.store().reseal_step(50).unwrap();
            damage.extend(step.damage);
            if step.state != ResealState::UnderWay {
                return (step.state, damage);
            }
        }
    };
    let (state, damage) = pass();
    assert_eq!(state, ResealState::Obstructed);
    assert_eq!(damage.len(), 1);
    assert_eq!(damage[0].place, record("c", "00040"));
    assert!(fixture.store().inner.forget_old_masters().is_err());
    // Once it is mended, another pass brings it to an end.
    fixture.plant(&key, Some(sound));
    assert_eq!(pass(), (ResealState::Finished, vec![]));
    fixture.store().inner.forget_old_masters().unwrap();
    assert_eq!(fixture.text("c", "00040").as_deref(), Some("00040"));
}
