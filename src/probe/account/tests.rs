//! What each method sends, and what is made of the answers.

use super::*;

/// Outcome, status, headers, words.
type Case<'a> = (Outcome, u16, &'a [(&'a str, &'a str)], &'a str);

fn seen(status: u16, headers: &[(&str, &str)]) -> Conversation {
    Conversation::ended(Ending::Answered(Reply {
        status,
        headers: headers
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect(),
        body: String::new(),
    }))
}

fn token() -> Account {
    account("method = \"token\"\ntoken = \"hush\"", None).unwrap()
}

fn account(text: &str, key: Option<&str>) -> Result<Account, AccountFault> {
    AccountFile::from_toml(text)?.with_key(key)
}

const OAUTH: &str = "method = \"oauth1\"\nconsumer-key = \"countersign\"\nprivate-key-file = \"jira.pem\"\ntoken = \"hush~1\"\n";

fn target() -> Target {
    Target::parse("https://jira.test/jira").unwrap()
}

fn moment() -> Moment {
    Moment {
        timestamp: 1_795_600_000,
        nonce: "0123456789abcdef01234567".to_owned(),
    }
}

fn at() -> Timestamp {
    Timestamp::from_second(moment().timestamp).unwrap()
}

fn rsa(bits: u32, form: &str) -> String {
    countersign_peers::openssl::rsa_key(bits, form)
}

fn link() -> Account {
    account(OAUTH, Some(&rsa(2048, "pkcs8"))).unwrap()
}

fn judged(account: &Account, seen: &Conversation) -> Finding {
    let attempt = account.attempt(&target(), &moment()).unwrap();
    account.judge(&attempt, seen, at())
}

#[test]
fn jiras_words_decide_before_its_status() {
    let id = ("x-arequestid", "1x1x1");
    let cases: &[Case] = &[
        (
            Outcome::Good,
            200,
            &[id, ("x-seraph-loginreason", "OK")],
            "logged in",
        ),
        (
            Outcome::Bad,
            200,
            &[id, ("x-seraph-loginreason", "AUTHENTICATION_DENIED")],
            "CAPTCHA",
        ),
        (
            Outcome::Bad,
            401,
            &[id, ("x-seraph-loginreason", "AUTHENTICATED_FAILED")],
            "does not take",
        ),
        (
            Outcome::Bad,
            403,
            &[(
                "x-authentication-denied-reason",
                "CAPTCHA_CHALLENGE; login-url=https://j/login",
            )],
            "CAPTCHA",
        ),
        (
            Outcome::Unknown,
            200,
            &[id, ("x-ausername", "anonymous")],
            "nothing of the credentials",
        ),
        (Outcome::Unknown, 500, &[id], "nothing of the credentials"),
        (
            Outcome::Bad,
            401,
            &[("www-authenticate", "Basic realm=gw")],
            "the gateway, not Jira",
        ),
    ];
    for (outcome, status, headers, words) in cases {
        let finding = judged(&token(), &seen(*status, headers));
        assert_eq!(finding.outcome, *outcome, "{finding:?}");
        assert!(finding.seen.contains(words), "{finding:?}");
    }
}

#[test]
fn a_secret_is_neither_debugged_nor_in_the_fault_of_its_file() {
    assert!(!format!("{:?}", token()).contains("hush"));
    for text in [
        "method = \"token\"\ntoken = 12345678",
        "method = \"basic\"\nuser = \"align\"\npassword = \"hush",
        "method = \"basic\"\npasword = \"hush\"",
        "hush",
    ] {
        let fault = account(text, None).err().unwrap();
        let said = format!("{fault} {fault:?}");
        assert!(
            !said.contains("hush") && !said.contains("12345678"),
            "{said}"
        );
    }
}

#[test]
fn a_password_with_quotes_stays_one_string() {
    let account = Account::Cookie {
        user: "align".to_owned(),
        password: Zeroizing::new("a\"b\\".to_owned()),
    };
    let attempt = account.attempt(&target(), &moment()).unwrap();
    assert_eq!(attempt.call.path, "/jira/rest/auth/1/session");
    let json = attempt.private.json.unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["password"], "a\"b\\");
}

#[test]
fn keys_of_every_usual_form_and_size_sign_what_openssl_verifies() {
    for (bits, form) in [(1024, "pkcs1"), (2048, "pkcs8"), (3072, "pkcs1")] {
        let key = rsa(bits, form);
        let account = account(OAUTH, Some(&key)).unwrap();
        let attempt = account.attempt(&target(), &moment()).unwrap();
        let authorization = attempt.private.authorization.unwrap();
        let encoded = authorization
            .split("oauth_signature=\"")
            .nth(1)
            .and_then(|rest| rest.strip_suffix('"'))
            .unwrap();
        let signature = percent_encoding::percent_decode_str(encoded)
            .decode_utf8()
            .unwrap();
        let signature = STANDARD.decode(signature.as_bytes()).unwrap();
        let base = attempt.signed.unwrap();
        countersign_peers::openssl::sha1_verify(&key, base.as_bytes(), &signature).unwrap();
        assert!(base.starts_with("GET&https%3A%2F%2Fjira.test%2Fjira%2Frest%2Fapi%2F2%2Fmyself&"));
        assert!(
            !authorization.contains('\n') && authorization.starts_with("OAuth oauth_consumer_key=")
        );
    }
}

#[test]
fn a_key_that_cannot_sign_is_a_fault_that_shows_nothing_of_it() {
    let ec = countersign_peers::Authority::root("any")
        .client("connector.test")
        .key_pem();
    let encrypted = countersign_peers::openssl::encrypted_rsa_key("hush-passphrase");
    let cases: &[(Option<&str>, AccountFault)] = &[
        (None, AccountFault::KeyApart),
        (Some(&ec), AccountFault::Key),
        (Some("hush"), AccountFault::Key),
        (Some(""), AccountFault::Key),
        (Some(&encrypted), AccountFault::KeyEncrypted),
    ];
    for (key, fault) in cases {
        let found = account(OAUTH, *key).err().unwrap();
        assert_eq!(found, *fault);
        let said = format!("{found} {found:?}");
        assert!(!said.contains("hush") && !said.contains("MII"), "{said}");
    }
    // And no key belongs to an account that names none.
    let other = account(
        "method = \"token\"\ntoken = \"hush\"",
        Some(&rsa(1024, "pkcs8")),
    );
    assert_eq!(other.err(), Some(AccountFault::KeyApart));
    assert!(!format!("{:?}", link()).contains("hush"));
}

#[test]
fn each_problem_that_jira_names_has_an_owner_and_a_remedy() {
    let cases: &[(&str, Role, &str)] = &[
        (
            "token_rejected",
            Role::JiraMgr,
            "authorise the application anew",
        ),
        ("token_expired", Role::JiraMgr, "five years"),
        (
            "consumer_key_unknown",
            Role::JiraMgr,
            "incoming authentication",
        ),
        ("timestamp_refused", Role::JiraMgr, "NTP"),
        ("nonce_used", Role::JiraSec, "once"),
        ("parameter_absent", Role::JiraSec, "Authorization"),
        ("permission_denied", Role::JiraMgr, "allow the application"),
        ("something_new", Role::JiraMgr, "log"),
    ];
    let link = link();
    for (problem, owner, remedy) in cases {
        let challenge =
            format!("OAuth realm=\"https%3A%2F%2Fjira.test\", oauth_problem=\"{problem}\"");
        let in_header = seen(401, &[("www-authenticate", &challenge)]);
        let mut in_body = seen(401, &[]);
        if let Ending::Answered(reply) = &mut in_body.ending {
            reply.body = format!("oauth_problem={problem}&realm=x\n");
        }
        for seen in [in_header, in_body] {
            let finding = judged(&link, &seen);
            assert_eq!(finding.outcome, Outcome::Bad, "{finding:?}");
            assert!(finding.seen.contains(problem), "{finding:?}");
            assert_eq!(finding.owner, Some(*owner), "{finding:?}");
            assert!(finding.remedy.unwrap().contains(remedy), "{problem}");
        }
    }
    // What is no answer about OAuth is judged as with every other method.
    let locked = seen(401, &[("x-seraph-loginreason", "AUTHENTICATION_DENIED")]);
    assert!(judged(&link, &locked).seen.contains("CAPTCHA"));
    let fine = seen(
        200,
        &[("x-seraph-loginreason", "OK"), ("x-ausername", "align")],
    );
    assert_eq!(judged(&link, &fine).outcome, Outcome::Good);
}

#[test]
fn clocks_that_differ_are_told_by_how_much() {
    let refused = seen(
        401,
        &[
            (
                "www-authenticate",
                "OAuth oauth_problem=\"timestamp_refused\"",
            ),
            ("date", "Wed, 25 Nov 2026 07:00:00 GMT"),
        ],
    );
    let finding = judged(&link(), &refused);
    let minutes =
        (Timestamp::from_second(1_795_590_000).unwrap().as_second() - at().as_second()).abs() / 60;
    assert!(
        finding.seen.contains(&format!("({minutes} minutes apart)")),
        "{finding:?}"
    );
}

/// An answer that says what Jira compared the signature with.
fn compared_with(base: &str) -> Conversation {
    let mut seen = seen(401, &[]);
    if let Ending::Answered(reply) = &mut seen.ending {
        let encoded =
            percent_encoding::utf8_percent_encode(base, percent_encoding::NON_ALPHANUMERIC);
        reply.body = format!(
            "oauth_problem=signature_invalid&oauth_signature=x&oauth_signature_base_string={encoded}&oauth_signature_method=RSA-SHA1"
        );
    }
    seen
}

#[test]
fn a_signature_that_is_not_taken_is_told_by_what_jira_compared_it_with() {
    let link = link();
    let base = link.attempt(&target(), &moment()).unwrap().signed.unwrap();
    let with = |from: &str, to: &str| judged(&link, &compared_with(&base.replace(from, to)));

    let key = with("", "");
    assert!(key.seen.contains("not that of our private key"), "{key:?}");
    assert_eq!(
        (key.owner, key.sureness),
        (Some(Role::JiraMgr), Sureness::Certain)
    );

    let host = with("https%3A%2F%2Fjira.test", "http%3A%2F%2Fjira-int%3A8080");
    assert!(
        host.seen
            .contains("asked for `GET http://jira-int:8080/jira/rest/api/2/myself`"),
        "{host:?}"
    );
    assert_eq!(host.owner, Some(Role::JiraMgr));
    assert!(
        host.remedy.as_ref().unwrap().contains("proxyName"),
        "{host:?}"
    );

    let path = with("%2Fjira%2Frest", "%2Frest");
    assert_eq!(path.owner, Some(Role::JiraSec), "{path:?}");

    let parameter = with("oauth_nonce", "apikey%3Dx%26oauth_nonce");
    assert_eq!(parameter.owner, Some(Role::JiraSec), "{parameter:?}");

    let silent = seen(
        401,
        &[(
            "www-authenticate",
            "OAuth oauth_problem=\"signature_invalid\"",
        )],
    );
    assert_eq!(judged(&link, &silent).sureness, Sureness::Likely);
    for finding in [key, host, path, parameter] {
        assert!(!format!("{finding:?}").contains("hush"), "{finding:?}");
    }
}

#[test]
fn an_account_in_pieces_is_the_same_again() {
    let basic = "method = \"basic\"\nuser = \"align\"\npassword = \"hush\"";
    let key = rsa(2048, "pkcs1");
    for (text, key) in [
        (basic, None),
        (&basic.replace("basic", "cookie"), None),
        ("method = \"token\"\ntoken = \"hush\"", None),
        (OAUTH, Some(key.as_str())),
    ] {
        let before = account(text, key).unwrap();
        let (method, frames) = before.to_frames().unwrap();
        let after = Account::from_frames(method, &frames).unwrap();
        let sent = |account: &Account| {
            let attempt = account.attempt(&target(), &moment()).unwrap();
            (
                attempt.call.path,
                attempt.private.authorization,
                attempt.private.json,
            )
        };
        assert_eq!(sent(&before), sent(&after), "{method}");
        // Fewer or more pieces are no account, and the fault shows none of them.
        let fault = Account::from_frames(method, &frames[1..]).err().unwrap();
        assert!(!format!("{fault} {fault:?}").contains("hush"));
        assert!(Account::from_frames("smoke signals", &frames).is_err());
    }
}
