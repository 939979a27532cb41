//! AWS: a trust store in S3, for API Gateway's custom domains and for load balancers.

use super::{
    order::Order,
    sheet::{Sheet, Tried},
};

pub(super) fn api_gateway(order: &Order<'_>) -> Sheet {
    let sheet = Sheet::new(Tried::Written)
        .step(format!(
            "Into truststore.pem, with what is there already: {}.",
            order.anchors_in_words()
        ))
        .lines(
            "Upload it as a new version, and have the custom domain use that version:",
            "update-truststore.sh",
            format!(
                "aws s3 cp truststore.pem s3://BUCKET/truststore.pem\n\
                 aws apigateway update-domain-name --domain-name {} \\\n  \
                   --patch-operations op=replace,path=/mutualTlsAuthentication/truststoreVersion,value=VERSION\n\
                 aws apigateway get-domain-name --domain-name {} \\\n  \
                   --query mutualTlsAuthentication.truststoreWarnings",
                order.host, order.host
            ),
        )
        .step(
            "Disable the execute-api endpoint, which asks for no certificate, and route ANY /rest/{proxy+} \
             without an authorizer that wants more than the handshake.",
        );
    names_and_pins(order, sheet)
        .limit("It checks no revocation: removing an authority is the only way to keep a certificate out.")
        .limit("Chains of at most four certificates; RSA-2048 or P-256 and SHA-256 at least.")
}

pub(super) fn load_balancer(order: &Order<'_>) -> Sheet {
    let sheet = Sheet::new(Tried::Written)
        .step(format!(
            "Into the bundle of the trust store, with what is there already: {}.",
            order.anchors_in_words()
        ))
        .lines(
            "Replace the bundle, and have the listener verify:",
            "update-trust-store.sh",
            "aws elbv2 modify-trust-store --trust-store-arn ARN \\\n  \
               --ca-certificates-bundle-s3-bucket BUCKET --ca-certificates-bundle-s3-key clients.pem\n\
             aws elbv2 modify-listener --listener-arn ARN \\\n  \
               --mutual-authentication Mode=verify,TrustStoreArn=ARN",
        )
        .step("A rule that forwards /rest/* with all methods to Jira.");
    names_and_pins(order, sheet)
        .limit("Revocation only by lists that are uploaded to the trust store (add-trust-store-revocations).")
        .limit("Refusals end the connection without an alert; the connection log says why.")
}

/// Neither compares anything but the chain.
fn names_and_pins(order: &Order<'_>, sheet: Sheet) -> Sheet {
    let sheet = if order.self_signed() {
        sheet.limit("A self-signed certificate is taken only as an authority; try it before you rely on it.")
    } else {
        sheet
    };
    sheet.limit(format!(
        "It compares neither names nor fingerprints: with an authority that certifies others too, they all come \
         in. Have what stands behind it refuse whoever is not {}.",
        match order.pinned() {
            true => order.list(" or ", |c| format!("serial {}", c.serial)),
            false => order.names().join(" or "),
        }
    ))
}
