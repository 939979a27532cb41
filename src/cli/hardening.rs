//! What the process asks of the system before a secret comes into it.
//!
//! No core dump (neither a file nor a pipe to a collector), no reading of its memory by other processes of its
//! user, and no writing of it to swap. Whatever the system refuses is a warning: keys are worth more in use
//! than lost.

use rustix::{
    mm::{MlockAllFlags, mlockall},
    process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit},
};

const UNLIMITED: Rlimit = Rlimit {
    current: None,
    maximum: None,
};

/// What was and was not granted.
#[derive(Clone, Debug, Default)]
pub(super) struct Hardened {
    /// What was refused that is always granted.
    pub(super) refused: Vec<String>,
    /// Whether all memory of the process is locked, and not only the keys of the store.
    pub(super) locked: bool,
}

/// Asks for all of it.
pub(super) fn harden() -> Hardened {
    let mut refused = Vec::new();
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    for (what, asked) in [
        (
            "kept from core dumps and from other processes",
            set_dumpable_behavior(DumpableBehavior::NotDumpable),
        ),
        (
            "given a limit of no core dumps",
            setrlimit(Resource::Core, none),
        ),
    ] {
        if let Err(error) = asked {
            refused.push(format!("this process could not be {what}: {error}"));
        }
    }
    Hardened {
        refused,
        locked: lock_memory(),
    }
}

/// Locks everything, as it comes into use. Only where there is no limit on locked memory: where there is one,
/// the allocation that passes it would fail, and the process with it.
fn lock_memory() -> bool {
    if setrlimit(Resource::Memlock, UNLIMITED).is_err() {
        let Rlimit { maximum, .. } = getrlimit(Resource::Memlock);
        let raised = Rlimit {
            current: maximum,
            maximum,
        };
        // What was granted is looked at below.
        let _ = setrlimit(Resource::Memlock, raised);
    }
    getrlimit(Resource::Memlock).current.is_none()
        && mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT).is_ok()
}
