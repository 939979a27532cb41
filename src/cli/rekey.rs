//! `store rekey`: by the daemon while it goes on, or by this program.

use std::{path::Path, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    Exit, Output,
    keyring::{Keeper, unexpected},
    render,
};
use crate::service::{
    KeyringReply, KeyringRequest, RekeyState, RekeyView, ServiceError, system_clock,
};

/// How often the daemon is asked how far it is.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Replaces the master key, and shows how far that is.
pub(super) async fn run(output: Output, path: &Path) -> Result<Exit, ServiceError> {
    let keeper = Keeper::find(output, path).await?;
    let mut view = view(keeper.ask(KeyringRequest::Rekey, None).await?)?;
    let bar = bar(output);
    while view.state == RekeyState::UnderWay {
        bar.set_length(view.total);
        bar.set_position(view.done);
        view = match &keeper {
            Keeper::Ours(service) => service.rekey_step()?,
            Keeper::Daemon(_) => {
                tokio::time::sleep(LOOK_AGAIN).await;
                self::view(keeper.ask(KeyringRequest::RekeyProgress, None).await?)?
            }
        };
    }
    bar.finish_and_clear();
    let finished = view.state == RekeyState::Finished;
    let reply = KeyringReply::Rekey(view);
    output.print(&reply, || render::keyring(&reply, system_clock().now()))?;
    if !finished {
        output.terminal.hint(
            "`countersign store verify` names what is damaged; once it is restored, `countersign store rekey` goes on",
        );
    }
    Ok(if finished { Exit::Done } else { Exit::No })
}

fn view(reply: KeyringReply) -> Result<RekeyView, ServiceError> {
    match reply {
        KeyringReply::Rekey(view) => Ok(view),
        other => Err(unexpected(&other)),
    }
}

/// Shown where standard error is a terminal, and nowhere else.
fn bar(output: Output) -> ProgressBar {
    let target = if output.json {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    };
    let style = ProgressStyle::with_template("sealing anew {wide_bar} {pos}/{len} {eta}");
    // The template is a constant, and the default one would do.
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(None, target).with_style(style)
}
