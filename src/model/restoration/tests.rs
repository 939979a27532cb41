use super::*;
use KeyState::{Active, Compromised, Deactivated, Destroyed, PreActivation, Suspended};

fn name() -> IdentityName {
    "acme".parse().unwrap()
}

fn key(byte: u8) -> KeyId {
    KeyId::from_digest([byte; 32])
}

fn holding(keys: &[(u32, u8, KeyState)]) -> Holdings {
    let mut holdings = Holdings::default();
    for (number, byte, state) in keys {
        let held = HeldKey {
            key_id: key(*byte),
            state: *state,
            present: *state != Destroyed,
        };
        let number = number.to_string().parse().unwrap();
        holdings.generations.insert((name(), number), held);
    }
    holdings
}

/// What becomes of generation 1, which was backed up in a state, when these are asked.
fn becomes(backed_up: KeyState, informants: Informants<'_>) -> (KeyState, Why) {
    let backup = holding(&[(1, 1, backed_up)]);
    let decided = restoration(&backup, informants);
    let key = decided.of(&name(), GenerationNumber::FIRST).unwrap();
    (key.restored, key.why)
}

fn dead(state: KeyState) -> BTreeMap<KeyId, KeyState> {
    BTreeMap::from([(key(1), state)])
}

const BY_STORE: Why = Why::DiedSince {
    by: Informant::Store,
};
const BY_WITNESS: Why = Why::DiedSince {
    by: Informant::Witness,
};

#[test]
fn no_key_that_anybody_knows_to_be_dead_comes_back_in_any_state() {
    for backed_up in [PreActivation, Active, Suspended, Deactivated] {
        for end in [Destroyed, Compromised] {
            for current in [true, false] {
                let tombstones = dead(end);
                let witness = Informants {
                    dead: Some(&tombstones),
                    witness_is_current: current,
                    ..Informants::default()
                };
                assert_eq!(becomes(backed_up, witness), (end, BY_WITNESS));
                let store = holding(&[(1, 1, end)]);
                let store = Informants {
                    store: Some(&store),
                    store_is_current: current,
                    ..Informants::default()
                };
                assert_eq!(becomes(backed_up, store), (end, BY_STORE));
            }
        }
    }
}

#[test]
fn the_worst_that_is_told_of_a_key_is_believed() {
    // An older copy of the store, in which the key lives, does not outweigh the witness.
    let tombstones = dead(Destroyed);
    let rolled_back = holding(&[(1, 1, Active)]);
    let both = Informants {
        store: Some(&rolled_back),
        store_is_current: true,
        dead: Some(&tombstones),
        witness_is_current: true,
    };
    assert_eq!(becomes(Active, both), (Destroyed, BY_WITNESS));
    let stolen = holding(&[(1, 1, Compromised)]);
    let both = Informants {
        store: Some(&stolen),
        ..both
    };
    assert_eq!(becomes(Active, both), (Compromised, BY_STORE));
}

#[test]
fn what_nobody_can_speak_for_is_suspended_and_needs_a_statement() {
    for backed_up in [PreActivation, Active, Suspended] {
        assert_eq!(
            becomes(backed_up, Informants::default()),
            (Suspended, Why::Unknown)
        );
    }
    assert_eq!(
        becomes(Deactivated, Informants::default()),
        (Deactivated, Why::Unknown)
    );
    let backup = holding(&[(1, 1, Active)]);
    assert!(restoration(&backup, Informants::default()).needs_statement());

    // Those who have seen less than the backup cannot speak for what came after it.
    let nobody = BTreeMap::new();
    let store = holding(&[(1, 1, Active)]);
    let old = Informants {
        store: Some(&store),
        store_is_current: false,
        dead: Some(&nobody),
        witness_is_current: false,
    };
    assert_eq!(becomes(Active, old), (Suspended, Why::Unknown));
}

#[test]
fn what_is_known_to_be_alive_comes_back_as_it_was() {
    let nobody = BTreeMap::new();
    let witness = Informants {
        dead: Some(&nobody),
        witness_is_current: true,
        ..Informants::default()
    };
    for state in [PreActivation, Active, Deactivated] {
        assert_eq!(becomes(state, witness).0, state);
        let store = holding(&[(1, 1, state)]);
        let store = Informants {
            store: Some(&store),
            store_is_current: true,
            ..Informants::default()
        };
        assert_eq!(becomes(state, store).0, state);
    }
    assert_eq!(becomes(Destroyed, witness), (Destroyed, Why::DeadInBackup));
}

#[test]
fn what_was_put_out_of_use_or_replaced_since_is_suspended() {
    let store = holding(&[(1, 1, Deactivated)]);
    let current = Informants {
        store: Some(&store),
        store_is_current: true,
        ..Informants::default()
    };
    assert_eq!(becomes(Active, current), (Suspended, Why::WithdrawnSince));
    let other = holding(&[(1, 9, Active)]);
    let forked = Informants {
        store: Some(&other),
        ..current
    };
    assert_eq!(becomes(Active, forked), (Suspended, Why::OtherKey));
}

#[test]
fn living_keys_that_only_the_store_of_today_has_are_named() {
    let backup = holding(&[(1, 1, Active)]);
    let store = holding(&[(1, 1, Destroyed), (2, 2, Active), (3, 3, Destroyed)]);
    let decided = restoration(
        &backup,
        Informants {
            store: Some(&store),
            store_is_current: true,
            ..Informants::default()
        },
    );
    let forgotten: Vec<_> = decided.forgotten.iter().map(|key| key.key_id).collect();
    assert_eq!(forgotten, [key(2)]);
    assert!(!decided.needs_statement());
}

#[test]
fn rotations_wait_for_a_person_unless_it_is_known_which_letters_went_out() {
    let mut backup = holding(&[(1, 1, Active)]);
    let second = GenerationNumber::FIRST.next();
    let rotating = HeldIdentity {
        slots: Slots::default(),
        newest: Some(second),
        rotation: Some(second),
    };
    backup.identities.insert(name(), rotating);
    let mut store = backup.clone();
    store.letters.insert("a letter".to_owned(), 2);
    store.letters.insert("another".to_owned(), 1);
    backup.letters.insert("a letter".to_owned(), 1);
    let alone = restoration(&backup, Informants::default());
    assert_eq!(alone.held, [(name(), second)]);
    let informed = Informants {
        store: Some(&store),
        store_is_current: true,
        ..Informants::default()
    };
    let informed = restoration(&backup, informed);
    assert_eq!(informed.held, []);
    assert_eq!(informed.letters, ["a letter", "another"]);
    let nobody = BTreeMap::new();
    let witness = Informants {
        dead: Some(&nobody),
        witness_is_current: true,
        ..Informants::default()
    };
    assert_eq!(restoration(&backup, witness).held.len(), 1);
}
