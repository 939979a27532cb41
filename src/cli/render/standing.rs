//! A daemon that does not serve, as text.

use std::fmt::Write;

use jiff::Timestamp;

use super::how_long;
use crate::service::{Standing, StandingView};

pub(super) fn standing(out: &mut String, view: &StandingView, now: Timestamp) -> std::fmt::Result {
    let state = match view.standing {
        Standing::Sealed => "sealed",
        Standing::Following => "following",
    };
    writeln!(out, "daemon      runs {}", how_long(view.daemon_since, now))?;
    writeln!(out, "state       {state} {}", how_long(view.since, now))?;
    writeln!(out, "why         {}", view.why)?;
    if let Some(leader) = &view.leader {
        let since = how_long(leader.since, now);
        writeln!(
            out,
            "leader      {} {since}, term {}",
            leader.machine, leader.term
        )?;
    }
    let (mover, with) = match view.standing {
        Standing::Sealed => ("opened by ", "with      "),
        Standing::Following => ("moved by  ", "otherwise "),
    };
    writeln!(out, "{mover}  {}", view.can_move.join(", or "))?;
    writeln!(out, "{with}  {}", view.command)
}
