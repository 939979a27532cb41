//! What to install, in the words of each gateway: both generations, the four methods, nothing more.
//!
//! Three traps decide the texts. Stacks on OpenSSL take no CA-issued leaf for an anchor, so they get the
//! authorities and a pin. An authority alone lets in everybody whom it certifies, so it never stands without a
//! pin or a name. And every gateway wants the fingerprint in another spelling.

use super::{LetterFacts, page::Page};
use crate::model::{CertificateFacts, GatewayProduct, PinType, one_line};

/// The steps for the gateway on file.
pub(super) fn install(page: &mut Page, facts: &LetterFacts) {
    match facts.gateway {
        GatewayProduct::Apache => apache(page, facts),
        GatewayProduct::Apigee => apigee(page, facts),
        GatewayProduct::AzureApiManagement => azure(page, facts),
        GatewayProduct::Envoy => envoy(page, facts),
        GatewayProduct::Haproxy => haproxy(page, facts),
        GatewayProduct::Nginx => nginx(page, facts),
        GatewayProduct::Other => other(page, facts),
    }
    if facts.pin == PinType::Authority && facts.gateway != GatewayProduct::Other {
        page.item(
            "-",
            &format!(
                "If you admit by authority and name ({}) instead of by fingerprint, only a new authority \
                 needs to be added.",
                name_of(&facts.leaf)
            ),
        );
    }
    page.blank();
    page.prose(
        "Let GET, POST, PUT and DELETE through on /rest/** (and /plugins/servlet/oauth/** if OAuth 1.0a \
         is used), with bodies unchanged and no further authentication at the gateway. Ask for the client \
         certificate in the first handshake, for the whole listener, not for a path.",
    );
}

/// The fingerprint as this gateway spells it, and what the spelling is called.
pub(super) fn spelling(
    gateway: GatewayProduct,
    certificate: &CertificateFacts,
) -> (&'static str, String) {
    match gateway {
        GatewayProduct::AzureApiManagement => (
            "SHA-1 thumbprint, upper case, no colons",
            certificate.sha1.upper(),
        ),
        GatewayProduct::Nginx => ("SHA-1, lower case", certificate.sha1.to_string()),
        GatewayProduct::Haproxy => (
            "SHA-256, upper case, no colons",
            certificate.fingerprint.to_string().to_uppercase(),
        ),
        GatewayProduct::Envoy => (
            "SHA-256, lower case, no colons",
            certificate.fingerprint.to_string(),
        ),
        GatewayProduct::Apache | GatewayProduct::Apigee | GatewayProduct::Other => (
            "SHA-1, as many consoles show it",
            certificate.sha1.colon_upper(),
        ),
    }
}

/// The new generation and, beside it, the present one.
fn both(facts: &LetterFacts) -> impl Iterator<Item = (&'static str, &CertificateFacts)> {
    let new = std::iter::once(("new", &facts.leaf));
    new.chain(facts.previous.iter().map(|p| ("present", p)))
}

fn pins(facts: &LetterFacts, line: impl Fn(&str, &str) -> String) -> String {
    both(facts)
        .map(|(which, certificate)| line(which, &spelling(facts.gateway, certificate).1))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What holds the authorities: an attachment, or what the partner has themselves when its own CA issued.
fn anchors(facts: &LetterFacts) -> String {
    if facts.leaf.self_issued {
        facts.pem_name()
    } else if facts.chain.len() > 1 {
        facts.authorities_name()
    } else {
        format!(
            "the certificates of {} and its root",
            one_line(&facts.leaf.issuer)
        )
    }
}

/// The same, with the reason, and that the old content stays.
fn authorities(facts: &LetterFacts) -> String {
    let why = match facts.leaf.self_issued {
        true => "the certificate is its own authority",
        false => "the authorities; the certificate itself is no anchor",
    };
    let what = format!("{} ({why})", anchors(facts));
    match facts.previous {
        Some(_) => format!("{what}, added to what is there, which stays"),
        None => what,
    }
}

fn names(facts: &LetterFacts) -> String {
    let mut names: Vec<&str> = both(facts)
        .flat_map(|(_, certificate)| certificate.dns_names.iter().map(String::as_str))
        .collect();
    names.dedup();
    one_line(&names.join(", "))
}

fn apache(page: &mut Page, facts: &LetterFacts) {
    page.item(
        "1.",
        &format!(
            "Into the file of SSLCACertificateFile: {}.",
            authorities(facts)
        ),
    );
    page.item(
        "2.",
        "At server level, never inside Location: SSLVerifyClient require.",
    );
    let names = names(facts);
    if !facts.leaf.self_issued && !names.is_empty() {
        page.item(
            "3.",
            &format!(
                "Admit by name, since the authority certifies others too: in Location /rest, Require expr \
                 on SSL_CLIENT_SAN_DNS_0 for: {names}."
            ),
        );
    }
    page.item("-", "Then: apachectl configtest, and a graceful reload.");
}

fn apigee(page: &mut Page, facts: &LetterFacts) {
    page.item(
        "1.",
        &format!(
            "Create a new truststore and put both generations in, each as an alias of its own: {}; and the \
             present one. Edge Cloud takes no self-signed certificate.",
            anchors(facts)
        ),
    );
    page.item(
        "2.",
        "Point the reference that the virtual host uses (TrustStore ref://...) at the new truststore. No \
         restart is needed. A virtual host that names its truststore directly needs Apigee's support.",
    );
    page.item(
        "3.",
        "Leave the proxy for /rest as it is: no VerifyAPIKey and no OAuth policy on it.",
    );
}

fn azure(page: &mut Page, facts: &LetterFacts) {
    page.item(
        "1.",
        "On the custom domain: Negotiate client certificate = on.",
    );
    page.item(
        "2.",
        "In the inbound policy accept these thumbprints, upper case, without colons or blanks \
         (context.Request.Certificate.Thumbprint, or one identity element each in \
         validate-client-certificate):",
    );
    page.verbatim(&pins(facts, |which, pin| format!("{pin}  {which}")));
    page.item(
        "3.",
        &format!(
            "Where the chain is verified too, upload as a CA certificate: {}.",
            anchors(facts)
        ),
    );
}

fn envoy(page: &mut Page, facts: &LetterFacts) {
    page.item(
        "1.",
        "In the listener's DownstreamTlsContext: require_client_certificate: true.",
    );
    page.item("2.", "In its validation context:");
    page.verbatim(&format!(
        "verify_certificate_hash:\n{}",
        pins(facts, |_, pin| format!("- \"{pin}\""))
    ));
    page.item(
        "3.",
        &format!("If trusted_ca is set as well: {}.", authorities(facts)),
    );
}

fn haproxy(page: &mut Page, facts: &LetterFacts) {
    page.item(
        "1.",
        &format!(
            "Into the ca-file of the bind line (verify required): {}.",
            authorities(facts)
        ),
    );
    page.item("2.", "Into a file of pins, say /etc/haproxy/pins.lst:");
    page.verbatim(&pins(facts, |_, pin| pin.to_owned()));
    page.item("3.", "In the frontend:");
    page.verbatim(
        "acl pinned ssl_c_der,sha2(256),hex -m str -f /etc/haproxy/pins.lst\n\
         http-request deny deny_status 403 unless pinned",
    );
}

fn nginx(page: &mut Page, facts: &LetterFacts) {
    page.item(
        "1.",
        &format!(
            "Into the file of ssl_client_certificate (ssl_verify_client on, at server level): {}.",
            authorities(facts)
        ),
    );
    page.item("2.", "In http { }:");
    page.verbatim(&format!(
        "map $ssl_client_fingerprint $client_ok {{\n  default 0;\n{}\n}}",
        pins(facts, |which, pin| format!("  \"{pin}\" 1;  # {which}"))
    ));
    page.item("3.", "In the server, then nginx -t and a reload:");
    page.verbatim("if ($client_ok = 0) { return 403; }");
}

fn other(page: &mut Page, facts: &LetterFacts) {
    match facts.pin {
        PinType::Certificate => page.item(
            "1.",
            &format!(
                "Where the gateway lists accepted certificates or fingerprints: add {} and keep the present one.",
                facts.pem_name()
            ),
        ),
        PinType::Authority => page.item(
            "1.",
            &format!(
                "Where the gateway keeps the authorities of clients: {}.",
                authorities(facts)
            ),
        ),
    }
    if !facts.leaf.self_issued {
        page.item(
            "2.",
            &format!(
                "An authority certifies others too: admit only our name ({}) or the fingerprints in this \
                 letter.",
                name_of(&facts.leaf)
            ),
        );
    }
}

/// What a rule can match.
fn name_of(certificate: &CertificateFacts) -> String {
    one_line(
        certificate
            .dns_names
            .first()
            .unwrap_or(&certificate.subject),
    )
}
