//! Claims about conclusions.

use super::{
    super::{
        observation::{CertificateRequest, Reply},
        shown::{Shown, Unfit},
    },
    *,
};

fn seen(answer: Option<CertificateAnswer>, ending: Ending) -> Conversation {
    Conversation {
        server_verified: true,
        request: answer.map(|answer| CertificateRequest { hints: 0, answer }),
        handshake_done: true,
        ..Conversation::ended(ending)
    }
}

fn replied(status: u16, header: Option<&str>) -> Ending {
    Ending::Answered(Reply {
        status,
        headers: header
            .map(|name| (name.to_owned(), "x".to_owned()))
            .into_iter()
            .collect(),
        body: String::new(),
    })
}

const SENT: Option<CertificateAnswer> = Some(CertificateAnswer::Sent);
const MISFIT: Option<CertificateAnswer> = Some(CertificateAnswer::NoFittingScheme);

#[test]
fn acceptance_needs_a_request_our_certificate_and_jiras_answer() {
    let jira = || replied(200, Some("x-anodeid"));
    let of = |answer, ending| conclude(&seen(answer, ending), Presented::Ours).verdict;
    assert_eq!(of(SENT, jira()), Verdict::Accepted);
    assert_eq!(of(None, jira()), Verdict::Inconclusive);
    assert_eq!(of(MISFIT, jira()), Verdict::Inconclusive);
    assert_eq!(of(SENT, replied(200, None)), Verdict::Inconclusive);
    for status in [502, 503, 504] {
        assert_eq!(of(SENT, replied(status, None)), Verdict::Inconclusive);
    }
    let nothing = seen(Some(CertificateAnswer::Nothing), jira());
    let open = conclude(&nothing, Presented::Nothing);
    assert_eq!(
        (open.verdict, open.matter),
        (Verdict::Inconclusive, Some(Matter::Strangers))
    );
}

#[test]
fn no_request_for_a_certificate_is_never_a_refusal_of_it() {
    let alert = |code, stage| Ending::Alert { code, stage };
    let cut = |stage| Ending::Cut { reset: true, stage };
    for ending in [
        alert(40, Stage::Hello),
        alert(40, Stage::Handshake),
        alert(40, Stage::Answer),
        alert(48, Stage::Answer),
        alert(70, Stage::Hello),
        cut(Stage::Hello),
        cut(Stage::Handshake),
        cut(Stage::Answer),
        replied(403, None),
        replied(400, None),
        replied(413, None),
    ] {
        let conclusion = conclude(&seen(None, ending.clone()), Presented::Ours);
        assert_ne!(conclusion.verdict, Verdict::Rejected, "{ending:?}");
        assert_ne!(conclusion.verdict, Verdict::Accepted, "{ending:?}");
    }
}

#[test]
fn a_certificate_that_was_not_sent_was_not_refused() {
    let stage = Stage::Handshake;
    for ending in [
        Ending::Alert { code: 40, stage },
        Ending::Alert { code: 116, stage },
        Ending::Cut {
            reset: false,
            stage,
        },
        replied(403, None),
        replied(496, None),
    ] {
        let conclusion = conclude(&seen(MISFIT, ending), Presented::Ours);
        assert_eq!(conclusion.verdict, Verdict::Inconclusive);
        assert_eq!(conclusion.matter, Some(Matter::KeyType));
    }
}

#[test]
fn alerts_about_certificates_refuse_and_others_do_not() {
    for (code, verdict, matter) in [
        (40, Verdict::Rejected, Matter::Trust),
        (42, Verdict::Rejected, Matter::Trust),
        (43, Verdict::Rejected, Matter::Certificate),
        (44, Verdict::Rejected, Matter::Certificate),
        (48, Verdict::Rejected, Matter::Trust),
        (49, Verdict::Rejected, Matter::Trust),
        (80, Verdict::Inconclusive, Matter::Log),
    ] {
        for stage in [Stage::Handshake, Stage::Answer] {
            let seen = seen(SENT, Ending::Alert { code, stage });
            let conclusion = conclude(&seen, Presented::Ours);
            assert_eq!(
                (conclusion.verdict, conclusion.matter),
                (verdict, Some(matter)),
                "{code}"
            );
        }
    }
}

#[test]
fn what_we_see_of_our_own_certificate_decides_where_the_gateway_says_little() {
    let stage = Stage::Answer;
    let alert = |code| Ending::Alert { code, stage };
    let matter = |unfit, ending| {
        let shown = Shown {
            unfit,
            above: 0,
            issuer: Some("CN=issuing CA".to_owned()),
        };
        let seen = Conversation {
            shown: Some(shown),
            ..seen(SENT, ending)
        };
        conclude(&seen, Presented::Ours).matter.unwrap()
    };
    for (ending, fit, unfit) in [
        (alert(40), Matter::Trust, Matter::Certificate),
        (alert(42), Matter::Trust, Matter::Certificate),
        (alert(45), Matter::Clock, Matter::Certificate),
        (alert(46), Matter::Trust, Matter::Certificate),
        // These are said of every certificate, with or without a fault.
        (alert(48), Matter::Trust, Matter::Trust),
        (alert(49), Matter::Trust, Matter::Trust),
        (alert(114), Matter::Trust, Matter::Trust),
        (replied(495, None), Matter::Trust, Matter::Certificate),
        (replied(403, None), Matter::Trust, Matter::Certificate),
        (
            Ending::Cut { reset: true, stage },
            Matter::Trust,
            Matter::Certificate,
        ),
    ] {
        assert_eq!(matter(None, ending.clone()), fit, "{ending:?}");
        assert_eq!(
            matter(Some(Unfit::Expired), ending.clone()),
            unfit,
            "{ending:?}"
        );
    }
}

#[test]
fn a_late_request_for_the_certificate_is_named() {
    // Apache with `SSLVerifyClient` inside a Location: an alert in TLS 1.2, 403 in TLS 1.3.
    for ending in [
        Ending::Alert {
            code: 40,
            stage: Stage::Answer,
        },
        replied(403, None),
    ] {
        let conclusion = conclude(&seen(None, ending), Presented::Ours);
        assert_eq!(conclusion.matter, Some(Matter::AskEarly));
    }
}

#[test]
fn no_common_suite_says_what_our_stack_lacks() {
    let stage = Stage::Hello;
    let conclusion = conclude(
        &Conversation::ended(Ending::Alert { code: 40, stage }),
        Presented::Ours,
    );
    assert_eq!(conclusion.verdict, Verdict::Unreachable);
    assert!(conclusion.explanation.contains("DHE-RSA"));
}

#[test]
fn an_alert_that_says_nothing_of_parameters_is_no_reason_to_change_them() {
    let stage = Stage::Hello;
    for (code, matter) in [
        (40, Matter::Parameters),
        (47, Matter::Log),
        (50, Matter::Log),
        (70, Matter::Parameters),
        (71, Matter::Parameters),
        (80, Matter::Log),
        (112, Matter::Name),
        (120, Matter::Log),
    ] {
        let seen = Conversation::ended(Ending::Alert { code, stage });
        let conclusion = conclude(&seen, Presented::Ours);
        assert_eq!(
            (conclusion.verdict, conclusion.matter),
            (Verdict::Unreachable, Some(matter)),
            "{code}"
        );
    }
}
