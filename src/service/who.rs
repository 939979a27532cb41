//! Who asks: the edge where the machine says which process that is.
//!
//! A uid is the kernel's word. A login name is read from the machine's own table of accounts; accounts that a
//! directory service knows alone have none here. The name of a program is the program's own word.

use std::{fs, path::Path};

use rustix::process::{getegid, geteuid, getpid};

use crate::model::audit::{Actor, ActorKind, Claims};

/// The table of accounts is no larger, in bytes; what is beyond is not looked at.
const ACCOUNTS: u64 = 4 << 20;

/// This process, acting by itself.
pub(super) fn itself() -> Actor {
    ours(ActorKind::Itself, Claims::default())
}

/// This process, on behalf of whoever ran it.
pub fn command() -> Actor {
    let claims = Claims {
        program: None,
        sudo_uid: std::env::var("SUDO_UID")
            .ok()
            .and_then(|uid| uid.parse().ok()),
    };
    ours(ActorKind::Command, claims)
}

fn ours(by: ActorKind, claims: Claims) -> Actor {
    let uid = geteuid().as_raw();
    Actor {
        by,
        uid,
        gid: getegid().as_raw(),
        pid: Some(getpid().as_raw_nonzero().get()),
        login: login_of(uid).map(Into::into),
        claims,
    }
}

/// What a process calls itself.
pub fn claims_of_process(pid: Option<i32>, sudo_uid: Option<u32>) -> Claims {
    let name = pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok());
    Claims {
        program: name.map(Into::into),
        sudo_uid,
    }
}

/// The login name of a user of this machine.
pub fn login_of(uid: u32) -> Option<String> {
    let path = Path::new("/etc/passwd");
    if fs::metadata(path).ok()?.len() > ACCOUNTS {
        return None;
    }
    login_in(&fs::read_to_string(path).ok()?, uid)
}

fn login_in(accounts: &str, uid: u32) -> Option<String> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let login = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| login.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_name_is_that_of_the_first_account_with_the_uid() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\n\nbroken\ntoor:x:0:0::/root:/bin/sh\nops:x:1001:100::/:/bin/sh\n";
        assert_eq!(login_in(accounts, 0).as_deref(), Some("root"));
        assert_eq!(login_in(accounts, 1001).as_deref(), Some("ops"));
        assert_eq!(login_in(accounts, 100), None);
    }
}
