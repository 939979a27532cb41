//! How much of a conclusion is known, and how much is only likely. Pure.

use super::{
    classify::{Answer, classify},
    observation::{Conversation, Ending, Stage},
};
use crate::model::Sureness;

/// How sure the conclusion of a conversation is, and why not surer.
pub(super) fn sureness(seen: &Conversation) -> (Sureness, Option<&'static str>) {
    use Sureness::{Certain, Guess, Likely};
    // Where our own certificate has a fault that we see, a gateway's few words are explained.
    let unexplained = seen.shown.as_ref().is_some_and(|s| s.unfit.is_none());
    match &seen.ending {
        Ending::ConnectTimedOut(_) => (
            Likely,
            Some(
                "silence has other causes than a firewall: a wrong address, or a path that is down",
            ),
        ),
        Ending::Alert { code, .. }
            if matches!(code, 40 | 46 | 80) || (unexplained && matches!(code, 42 | 45)) =>
        {
            (
                Likely,
                Some("this alert is said for several reasons; the gateway's log names the one"),
            )
        }
        Ending::Alert { code: 48, .. } => (
            Likely,
            Some("an authority that is not trusted and an intermediate that is missing look alike"),
        ),
        Ending::Cut {
            stage: Stage::Answer | Stage::Handshake,
            ..
        } => (Guess, Some("the connection was cut without a word")),
        Ending::Cut { .. } => (Likely, Some("the connection was cut without a word")),
        Ending::TimedOut { .. } => (Guess, Some("silence has many causes")),
        Ending::Answered(reply) => match classify(reply) {
            Answer::Jira { stripped: true, .. } => (
                Likely,
                Some("known by the shape of the answer alone, for its headers are stripped"),
            ),
            Answer::CertificateRefused { .. } if unexplained => (
                Likely,
                Some(
                    "our certificate has no fault that can be seen from here; the gateway's log names its reason",
                ),
            ),
            Answer::Forbidden => (
                Likely,
                Some("the page does not say why; other rules answer the same"),
            ),
            Answer::LoginPage | Answer::Unknown => {
                (Likely, Some("known by the look of the answer alone"))
            }
            _ => (Certain, None),
        },
        _ => (Certain, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::shown::{Shown, Unfit};

    #[test]
    fn a_refusal_is_certain_only_where_a_fault_of_our_certificate_explains_it() {
        for code in [42, 45] {
            let of = |unfit| {
                let shown = Shown {
                    unfit,
                    above: 1,
                    issuer: None,
                };
                let stage = Stage::Answer;
                let seen = Conversation {
                    shown: Some(shown),
                    ..Conversation::ended(Ending::Alert { code, stage })
                };
                sureness(&seen).0
            };
            assert_eq!(of(None), Sureness::Likely, "{code}");
            assert_eq!(of(Some(Unfit::Expired)), Sureness::Certain, "{code}");
        }
    }
}
