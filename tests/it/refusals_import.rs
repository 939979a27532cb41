//! Certificates from the partner's authority that are not what was asked for.

use countersign_peers::Authority;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, ExtendedKeyUsagePurpose,
    IsCa, KeyUsagePurpose, SanType, date_time_ymd,
};
use serde_json::Value;

use crate::cli_home::{Home, Opens};

const DAY: i64 = 86_400;

/// A partner's authority, and an identity of ours that waits for its signature.
struct Waiting {
    home: Home,
    root: Authority,
    issuing: Authority,
}

impl Waiting {
    fn new() -> Self {
        let home = Home::with_store(Opens::KeyFile);
        let root = Authority::root("Acme Root");
        let issuing = root.intermediate("Acme Issuing CA");
        home.file("root.pem", root.pem());
        let add = [
            "identity", "add", "jira", "--issuer", "theirs", "--policy", "own",
        ];
        home.ok(&[&add[..], &["--name", "connector.align.test"]].concat());
        Self {
            home,
            root,
            issuing,
        }
    }

    /// What the authority makes of our request when it changes this.
    fn signed(&self, change: impl Fn(&mut CertificateParams)) -> String {
        let pem = self.home.ok(&["identity", "export-request", "jira"]).stdout;
        let mut request = CertificateSigningRequestParams::from_pem(&pem).unwrap();
        let params = &mut request.params;
        valid(params, -1, 90);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        change(params);
        request.signed_by(self.issuing.issuer()).unwrap().pem()
    }

    /// Everything that could have changed.
    fn known(&self) -> Value {
        self.home.json(&["identity", "show", "jira"])
    }

    fn import(&self, chain: &str) -> crate::world::Outcome {
        self.home.file("chain.pem", chain);
        self.home.run(&["identity", "import", "jira", "chain.pem"])
    }

    #[track_caller]
    fn refuses(&self, chain: &str, rules: &[&str]) {
        let before = self.known();
        let refused = self.import(chain).expect(1);
        for rule in rules {
            assert!(refused.stderr.contains(rule), "{rule}: {refused:?}");
        }
        assert_eq!(refused.stdout, "");
        assert_eq!(self.known(), before, "something changed");
    }
}

/// Sets the validity, in days from now.
fn valid(params: &mut CertificateParams, from: i64, until: i64) {
    let now = jiff::Timestamp::now().as_second();
    let at = |days: i64| {
        let seconds = (now + days * DAY).unsigned_abs();
        date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(seconds)
    };
    (params.not_before, params.not_after) = (at(from), at(until));
}

#[test]
fn a_foreign_certificate_is_refused_by_the_rule_that_it_breaks_and_changes_nothing() {
    let waiting = Waiting::new();
    let issuing = waiting.issuing.pem();
    let with = |leaf: String| leaf + &issuing;
    let changed = |change: &dyn Fn(&mut CertificateParams)| with(waiting.signed(change));
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());

    let stranger = waiting.issuing.client("connector.align.test").chain_pem();
    waiting.refuses(&stranger, &["[key-mismatch]"]);
    let server =
        changed(&|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    waiting.refuses(&server, &["[client-auth-missing]", "serverAuth"]);
    let renamed = changed(&|params| params.subject_alt_names = vec![dns("connector.evil.test")]);
    waiting.refuses(
        &renamed,
        &["[name-outside-approved-domains]", "[wanted-name-missing]"],
    );
    let widened = changed(&|params| params.subject_alt_names.push(dns("align.test.evil.test")));
    waiting.refuses(&widened, &["[name-outside-approved-domains]"]);
    let expired = changed(&|params| valid(params, -90, -1));
    waiting.refuses(&expired, &["[expired]"]);
    let early = changed(&|params| valid(params, 2, 90));
    waiting.refuses(&early, &["[not-yet-valid]"]);
    let short = changed(&|params| valid(params, -1, 15));
    waiting.refuses(&short, &["[remaining-too-short]"]);
    let long = changed(&|params| valid(params, -1, 500));
    waiting.refuses(&long, &["[validity-too-long]"]);
    let authority = changed(&|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    waiting.refuses(&authority, &["[certificate-authority-as-leaf]"]);
    let silent = changed(&|params| params.key_usages = vec![KeyUsagePurpose::KeyAgreement]);
    waiting.refuses(&silent, &["[digital-signature-missing]"]);
    let alone = waiting.signed(|_| {});
    waiting.refuses(&alone, &["[chain-incomplete]"]);
    let elsewhere = Authority::root("Acme Root")
        .intermediate("Acme Issuing CA")
        .pem();
    waiting.refuses(&(alone + &elsewhere), &["[chain-"]);

    // Nothing of this kept the right one from being taken, in whatever order it was pasted.
    let right = waiting.root.pem() + &issuing + &waiting.signed(|_| {});
    waiting.import(&right).expect(0);
    let known = waiting.known();
    assert_eq!(known["rotation"]["phase"], "prepared", "{known:#}");
    waiting.refuses(&right, &["no request"]);
}

#[test]
fn several_broken_rules_are_all_named() {
    let waiting = Waiting::new();
    let bad = waiting.signed(|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        valid(params, -1, 500);
    });
    waiting.refuses(
        &bad,
        &[
            "[client-auth-missing]",
            "[validity-too-long]",
            "[chain-incomplete]",
        ],
    );
}

#[test]
fn what_is_no_certificate_is_refused() {
    let waiting = Waiting::new();
    let request = waiting
        .home
        .ok(&["identity", "export-request", "jira"])
        .stdout;
    let key = waiting.issuing.client("connector.align.test").key_pem();
    for file in [
        "",
        "no certificate",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        &request,
        &key,
    ] {
        waiting.refuses(file, &[]);
    }
    let huge = "A".repeat(11 << 20);
    waiting.import(&huge).expect(2);
    waiting
        .home
        .run(&["identity", "import", "jira", "nowhere.pem"])
        .expect(2);
    waiting
        .home
        .run(&["identity", "import", "nobody", "root.pem"])
        .expect(2);
}

#[test]
fn an_identity_outside_the_approved_domains_is_not_even_requested() {
    let home = Home::with_store(Opens::KeyFile);
    for issuer in ["theirs", "own"] {
        let add = [
            "identity", "add", "jira", "--issuer", issuer, "--policy", "own",
        ];
        let refused = home
            .run(&[&add[..], &["--name", "connector.evil.test"]].concat())
            .expect(1);
        assert!(
            refused.stderr.contains("[name-outside-approved-domains]"),
            "{refused:?}"
        );
    }
    assert_eq!(
        home.json(&["identity", "list"])["identities"],
        serde_json::json!([])
    );
}
