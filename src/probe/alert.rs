//! What a fatal alert says (RFC 8446 §6.2), and what gateways mean by it.

/// An alert as a client meets it.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Alert {
    /// The number.
    pub(super) code: u8,
    /// The name in RFC 8446 §6 (for retired ones, RFC 5246 §7.2).
    pub(super) name: &'static str,
    /// Whether it is a judgement of our certificate when it comes after a CertificateRequest.
    pub(super) judges_certificate: bool,
    /// What it says then, to follow "the gateway says that".
    pub(super) meaning: &'static str,
    /// What usually lies behind it and what to look at first.
    pub(super) hint: &'static str,
}

const fn judging(code: u8, name: &'static str, meaning: &'static str, hint: &'static str) -> Alert {
    Alert {
        code,
        name,
        judges_certificate: true,
        meaning,
        hint,
    }
}

const fn other(code: u8, name: &'static str, meaning: &'static str, hint: &'static str) -> Alert {
    Alert {
        code,
        name,
        judges_certificate: false,
        meaning,
        hint,
    }
}

const ALERTS: &[Alert] = &[
    other(
        10,
        "unexpected_message",
        "a message came out of turn",
        "something on the way alters the handshake",
    ),
    other(
        20,
        "bad_record_mac",
        "a record was damaged",
        "something on the way alters the connection",
    ),
    other(
        22,
        "record_overflow",
        "a record was too long",
        "something on the way alters the connection",
    ),
    judging(
        40,
        "handshake_failure",
        "the handshake cannot go on",
        "OpenSSL sends it in TLS 1.2 when no client certificate came, Envoy for any client certificate that it refuses",
    ),
    judging(
        42,
        "bad_certificate",
        "the certificate is bad",
        "OpenSSL sends it for a certificate that is not yet valid (compare notBefore and the gateway's clock), \
         gateways that compare certificates for one that is not on their list, and those written in Go for a wrong \
         extended key usage or, when it is an older Go, for whatever they refuse",
    ),
    judging(
        43,
        "unsupported_certificate",
        "this kind of certificate is not taken",
        "an extended key usage without clientAuth is the usual cause, a key type or size that is not taken the other",
    ),
    judging(
        44,
        "certificate_revoked",
        "the certificate is revoked",
        "it stands on a revocation list of its issuer",
    ),
    judging(
        45,
        "certificate_expired",
        "the certificate is not valid at this time",
        "it has expired, the gateway's clock is wrong, its revocation list is out of date, or (in Go and BoringSSL) it is not yet valid",
    ),
    judging(
        46,
        "certificate_unknown",
        "something about the certificate is not acceptable",
        "Java sends it whenever it finds no path to a trusted authority, Apache when its revocation list is out of date",
    ),
    other(
        47,
        "illegal_parameter",
        "a field is out of range",
        "a fault in one of the two TLS stacks",
    ),
    judging(
        48,
        "unknown_ca",
        "the certificate's issuer is not trusted",
        "the issuer is not installed, an intermediate was not sent and is not known there, or a leaf that somebody \
         issued was installed where an authority is wanted",
    ),
    judging(
        49,
        "access_denied",
        "the certificate is valid but not let in",
        "a rule on names or fingerprints refuses it",
    ),
    other(
        50,
        "decode_error",
        "a message could not be decoded",
        "something on the way alters the handshake",
    ),
    judging(
        51,
        "decrypt_error",
        "our signature does not verify",
        "the key does not belong to the certificate that was sent",
    ),
    other(
        70,
        "protocol_version",
        "none of the offered TLS versions is taken",
        "one side speaks TLS 1.2 only, the other TLS 1.3 only",
    ),
    other(
        71,
        "insufficient_security",
        "stronger parameters are wanted",
        "the gateway takes none of the connector's suites",
    ),
    other(
        80,
        "internal_error",
        "something failed inside the gateway",
        "its log says what",
    ),
    other(
        90,
        "user_canceled",
        "the handshake was called off",
        "the gateway's log says why",
    ),
    other(
        100,
        "no_renegotiation",
        "a renegotiation was refused",
        "the gateway asks for the certificate late, which our stack refuses",
    ),
    other(
        109,
        "missing_extension",
        "an extension is missing",
        "a difference between the two TLS stacks",
    ),
    other(
        110,
        "unsupported_extension",
        "an extension was not asked for",
        "a difference between the two TLS stacks",
    ),
    other(
        112,
        "unrecognized_name",
        "the name in the URL is not known there",
        "the gateway has no site under this name, or the address is that of another gateway",
    ),
    other(
        113,
        "bad_certificate_status_response",
        "an OCSP response was bad",
        "a difference between the two TLS stacks",
    ),
    judging(
        114,
        "bad_certificate_hash_value",
        "the certificate is not one of those that are listed",
        "Envoy sends it when neither verify_certificate_hash nor verify_certificate_spki names the certificate",
    ),
    judging(
        116,
        "certificate_required",
        "a client certificate is required",
        "none was sent",
    ),
    other(
        120,
        "no_application_protocol",
        "no common application protocol",
        "the gateway wants ALPN",
    ),
];

/// Looks an alert up by its number; `None` for one that is not in the table.
pub(super) fn alert(code: u8) -> Option<&'static Alert> {
    ALERTS.iter().find(|a| a.code == code)
}

/// The name in a report.
pub(super) fn name(code: u8) -> String {
    alert(code).map_or_else(|| format!("alert {code}"), |a| a.name.to_owned())
}

/// Whether it judges our certificate when it comes after a CertificateRequest.
pub(super) fn judges_certificate(code: u8) -> bool {
    alert(code).is_some_and(|a| a.judges_certificate)
}

/// Name and meaning, for a sentence: `unknown_ca(48): the certificate's issuer is not trusted (…)`.
pub(super) fn explained(code: u8) -> String {
    match alert(code) {
        Some(a) => format!("{}({}), {} ({})", a.name, a.code, a.meaning, a.hint),
        None => format!("alert {code}, of which we know no more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_without_repetition() {
        assert!(ALERTS.windows(2).all(|w| w[0].code < w[1].code));
    }

    #[test]
    fn what_our_stack_can_receive_bears_the_standards_name() {
        use rustls::AlertDescription as A;
        for (received, name) in [
            (A::HandshakeFailure, "handshake_failure"),
            (A::BadCertificate, "bad_certificate"),
            (A::UnsupportedCertificate, "unsupported_certificate"),
            (A::CertificateRevoked, "certificate_revoked"),
            (A::CertificateExpired, "certificate_expired"),
            (A::CertificateUnknown, "certificate_unknown"),
            (A::UnknownCA, "unknown_ca"),
            (A::AccessDenied, "access_denied"),
            (A::DecryptError, "decrypt_error"),
            (A::ProtocolVersion, "protocol_version"),
            (A::UnrecognisedName, "unrecognized_name"),
            (A::BadCertificateHashValue, "bad_certificate_hash_value"),
            (A::CertificateRequired, "certificate_required"),
        ] {
            assert_eq!(super::name(u8::from(received)), name);
        }
    }

    #[test]
    fn versions_and_faults_of_the_stack_say_nothing_of_our_certificate() {
        for code in [10, 20, 22, 47, 50, 70, 71, 80, 112, 120, 200] {
            assert!(!judges_certificate(code), "{code}");
        }
        for code in [40, 42, 43, 44, 45, 46, 48, 49, 51, 114, 116] {
            assert!(judges_certificate(code), "{code}");
        }
    }
}
