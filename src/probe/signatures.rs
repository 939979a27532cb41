//! By what gateways give themselves away: texts and headers that were recorded from them.
//!
//! The order matters: the first that fits wins, so the particular stands before the general.

use super::{classify::Answer, observation::Reply};

enum Says {
    Refused(&'static str),
    Second(&'static str),
    NotRouted(&'static str),
    NothingBehind,
}

use Says::{NotRouted, NothingBehind, Refused, Second};

struct Signature {
    status: &'static [u16],
    /// A header's name and a part of its value, both in lower case.
    header: Option<(&'static str, &'static str)>,
    /// A part of the body, in lower case; empty fits always.
    body: &'static str,
    says: Says,
}

const fn body(status: &'static [u16], body: &'static str, says: Says) -> Signature {
    Signature {
        status,
        header: None,
        body,
        says,
    }
}

const fn header(
    status: &'static [u16],
    name: &'static str,
    value: &'static str,
    says: Says,
) -> Signature {
    Signature {
        status,
        header: Some((name, value)),
        body: "",
        says,
    }
}

const SIGNATURES: &[Signature] = &[
    // nginx, and Apigee Edge whose router is nginx: the handshake succeeds, the page refuses.
    body(
        &[400, 496],
        "no required ssl certificate was sent",
        Refused("nginx's page says that no client certificate was sent"),
    ),
    body(
        &[400, 495],
        "the ssl certificate error",
        Refused(
            "nginx's page says that the client certificate did not verify: its issuer is not trusted there, it is outside its validity, it is revoked or the list that would say so is out of date, or it is not for clients",
        ),
    ),
    body(
        &[495, 496],
        "",
        Refused("nginx's status for a client certificate that is missing or bad"),
    ),
    // Kong's mtls-auth.
    body(
        &[401],
        "no required tls certificate was sent",
        Refused("Kong says that no client certificate was sent"),
    ),
    body(
        &[401],
        "tls certificate failed verification",
        Refused("Kong says that the client certificate did not verify"),
    ),
    body(
        &[401],
        "no api key found in request",
        Second("Kong's API key"),
    ),
    // Azure.
    body(
        &[403],
        "invalid client certificate",
        Refused("Azure API Management's policy says that the client certificate is invalid"),
    ),
    body(
        &[401],
        "access denied due to missing subscription key",
        Second("Azure API Management's subscription key"),
    ),
    body(
        &[401],
        "access denied due to invalid subscription key",
        Second("Azure API Management's subscription key"),
    ),
    body(
        &[404],
        "\"resource not found\"",
        NotRouted("Azure API Management has no operation for this path and method"),
    ),
    header(
        &[400],
        "server",
        "microsoft-azure-application-gateway",
        Refused(
            "Azure Application Gateway answers every fault of a client certificate in this way",
        ),
    ),
    // IIS, by its substatus.
    body(
        &[403],
        "403.7 -",
        Refused("IIS 403.7: a client certificate is required"),
    ),
    body(
        &[403],
        "403.12 -",
        Refused("IIS 403.12: the client certificate is mapped to nobody"),
    ),
    body(
        &[403],
        "403.13 -",
        Refused(
            "IIS 403.13: the client certificate is revoked, or its revocation list cannot be had",
        ),
    ),
    body(
        &[403],
        "403.16 -",
        Refused("IIS 403.16: the client certificate's issuer is not trusted"),
    ),
    body(
        &[403],
        "403.17 -",
        Refused("IIS 403.17: the client certificate has expired or is not yet valid"),
    ),
    // Envoy and Istio.
    body(
        &[403],
        "rbac: access denied",
        Refused("Envoy's access rules do not let this client's certificate in"),
    ),
    body(
        &[503],
        "upstream connect error or disconnect/reset before headers",
        NothingBehind,
    ),
    // Apigee.
    body(
        &[404],
        "messaging.adaptors.http.flow.applicationnotfound",
        NotRouted("Apigee has no proxy for this host and path"),
    ),
    body(
        &[503],
        "messaging.adaptors.http.flow.serviceunavailable",
        NothingBehind,
    ),
    body(
        &[401, 400],
        "steps.oauth.v2.",
        Second("Apigee's OAuth policy"),
    ),
    body(
        &[401],
        "keymanagement.service.invalid_access_token",
        Second("Apigee's access token"),
    ),
    body(&[401], "oauth.v2.", Second("Apigee's OAuth policy")),
    // AWS API Gateway: no path and no certificate look alike but for the text.
    body(
        &[403],
        "missing authentication token",
        NotRouted("AWS API Gateway has no such path and method"),
    ),
    header(
        &[403],
        "x-amzn-errortype",
        "forbiddenexception",
        Refused("AWS API Gateway answers an untrusted or expired client certificate in this way"),
    ),
    // Filters for web applications: they judge the request, not the certificate.
    body(
        &[200, 403],
        "your support id is",
        NotRouted("an application firewall (F5's page) blocks the request"),
    ),
    body(
        &[403],
        "the requested url was rejected",
        NotRouted("an application firewall (F5's page) blocks the request"),
    ),
    body(
        &[403],
        "errors.edgesuite.net",
        NotRouted("Akamai's filter blocks the request"),
    ),
    body(
        &[403],
        "request unsuccessful. incapsula",
        NotRouted("Imperva's filter blocks the request"),
    ),
    // Traefik.
    body(
        &[404],
        "404 page not found",
        NotRouted("the gateway (Traefik's text) has no route for this path"),
    ),
];

/// The answer by which the gateway gives itself away, if it does.
pub(super) fn recognise(reply: &Reply) -> Option<Answer> {
    let text = reply.body.to_ascii_lowercase();
    SIGNATURES
        .iter()
        .find(|s| s.fits(reply, &text))
        .map(|s| match s.says {
            Refused(said) => Answer::CertificateRefused { said },
            NotRouted(said) => Answer::NotRouted { said },
            NothingBehind => Answer::NothingBehind,
            Second(challenge) => Answer::SecondAuthentication {
                challenge: challenge.to_owned(),
            },
        })
}

impl Signature {
    fn fits(&self, reply: &Reply, text: &str) -> bool {
        self.status.contains(&reply.status)
            && text.contains(self.body)
            && self.header.is_none_or(|(name, part)| {
                reply
                    .header(name)
                    .is_some_and(|value| value.to_ascii_lowercase().contains(part))
            })
    }
}
