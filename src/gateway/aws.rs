//! AWS: a trust store in S3, for API Gateway's custom domains and for load balancers. Neither compares anything but
//! the chain, so that something behind it has to.

use super::{order::Order, sheet::Sheet, spelling};

pub(super) fn api_gateway(order: &Order<'_>) -> Sheet {
    let (field, words) = if order.pinned() {
        let serials: Vec<String> = order
            .both()
            .map(|(_, c)| spelling::serial(c).replace(':', ""))
            .collect();
        ("serialNumber", serials)
    } else {
        ("subjectDN", order.names())
    };
    let known: Vec<_> = words
        .iter()
        .map(|word| format!("    \"{word}\","))
        .collect();
    let comparison = match order.pinned() {
        // Both sides without colons and leading zeros: how AWS writes a serial number is not promised.
        true => {
            "    serial = str(certificate.get(\"serialNumber\", \"\"))\n    \
                 known = serial.replace(\":\", \"\").upper().lstrip(\"0\") in {\n        \
                     word.lstrip(\"0\") for word in KNOWN\n    \
                 }"
        }
        false => {
            "    parts = str(certificate.get(\"subjectDN\", \"\"))\n    \
                 quoted = \"\\\\\" in parts or '\"' in parts\n    \
                 names = [part.strip() for part in parts.split(\",\")]\n    \
                 names = [name[3:] for name in names if name.startswith(\"CN=\")]\n    \
                 known = not quoted and len(names) == 1 and names[0] in KNOWN"
        }
    };
    let sheet = Sheet::new(order.product)
        .step(format!(
            "Into truststore.pem, with what is there already: {}.",
            order.anchors_in_words()
        ))
        .lines(
            "Upload it as a new version, have the custom domain use that version, and read its warnings:",
            "update-truststore.sh",
            format!(
                "aws s3 cp truststore.pem s3://BUCKET/truststore.pem\n\
                 aws apigateway update-domain-name \\\n  \
                   --domain-name {host} \\\n  \
                   --patch-operations op=replace,\\\n\
                 path=/mutualTlsAuthentication/truststoreVersion,value=VERSION\n\
                 aws apigateway get-domain-name \\\n  \
                   --domain-name {host} \\\n  \
                   --query mutualTlsAuthentication.truststoreWarnings",
                host = order.host
            ),
        )
        .lines(
            "Or all of it as CloudFormation; execute-api, which asks for no certificate, is disabled:",
            "api-gateway.template.yaml",
            template(order),
        )
        .lines(
            &format!(
                "The template's authorizer (REQUEST), because API Gateway compares nothing by itself: it looks at \
                 {field} of the certificate of the handshake, and asks for nothing else:"
            ),
            "authorizer.py",
            format!(
                "KNOWN = {{\n{}\n}}\n\n\n\
                 def handler(event, context):\n    \
                     identity = event[\"requestContext\"][\"identity\"]\n    \
                     certificate = identity.get(\"clientCert\") or {{}}\n\
                 {comparison}\n    \
                     return {{\n        \
                         \"principalId\": \"countersign\",\n        \
                         \"policyDocument\": {{\n            \
                             \"Version\": \"2012-10-17\",\n            \
                             \"Statement\": [\n                \
                                 {{\n                    \
                                     \"Action\": \"execute-api:Invoke\",\n                    \
                                     \"Effect\": \"Allow\" if known else \"Deny\",\n                    \
                                     \"Resource\": \"*\",\n                \
                                 }}\n            \
                             ],\n        \
                         }},\n    \
                     }}",
                known.join("\n"),
            ),
        );
    of_both(order, sheet)
        .limit("It checks no revocation: what keeps a certificate out is the authorizer alone.")
        .limit("Chains of at most four certificates; RSA-2048 or P-256 and SHA-256 at least.")
}

/// The part that belongs to the connector. A REST API, because an HTTP API has no request authorizer with a policy.
fn template(order: &Order<'_>) -> String {
    let mut text = format!(
        "Parameters:\n  \
           Certificate: {{ Type: String }}\n  \
           Truststore: {{ Type: String, Description: its s3 URI }}\n  \
           TruststoreVersion: {{ Type: String }}\n  \
           Authorizer: {{ Type: String, Description: ARN of the function }}\n  \
           Jira: {{ Type: String, Description: \"https://host of Jira\" }}\n\
         Resources:\n  \
           Domain:\n    \
             Type: AWS::ApiGateway::DomainName\n    \
             Properties:\n      \
               DomainName: \"{}\"\n      \
               RegionalCertificateArn: !Ref Certificate\n      \
               EndpointConfiguration: {{ Types: [REGIONAL] }}\n      \
               SecurityPolicy: TLS_1_2\n      \
               MutualTlsAuthentication:\n        \
                 TruststoreUri: !Ref Truststore\n        \
                 TruststoreVersion: !Ref TruststoreVersion\n  \
           Api:\n    \
             Type: AWS::ApiGateway::RestApi\n    \
             Properties:\n      \
               Name: countersign\n      \
               DisableExecuteApiEndpoint: true\n  \
           KnownCertificate:\n    \
             Type: AWS::ApiGateway::Authorizer\n    \
             Properties:\n      \
               Name: countersign\n      \
               RestApiId: !Ref Api\n      \
               Type: REQUEST\n      \
               AuthorizerResultTtlInSeconds: 0\n      \
               AuthorizerUri: !Join\n      \
               - \"\"\n      \
               - - \"arn:aws:apigateway:\"\n        \
                 - !Ref AWS::Region\n        \
                 - \":lambda:path/2015-03-31/functions/\"\n        \
                 - !Ref Authorizer\n        \
                 - /invocations",
        order.host
    );
    for (name, path) in [("Rest", "rest"), ("OAuth", "plugins/servlet/oauth")] {
        if name == "OAuth" && !order.oauth {
            continue;
        }
        let mut parent = "!GetAtt Api.RootResourceId".to_owned();
        for (depth, part) in path.split('/').chain(["{proxy+}"]).enumerate() {
            let this = format!("{name}{depth}");
            text += &format!(
                "\n  {this}:\n    \
                   Type: AWS::ApiGateway::Resource\n    \
                   Properties:\n      \
                     RestApiId: !Ref Api\n      \
                     ParentId: {parent}\n      \
                     PathPart: \"{part}\""
            );
            parent = format!("!Ref {this}");
        }
        text += &format!(
            "\n  {name}Any:\n    \
               Type: AWS::ApiGateway::Method\n    \
               Properties:\n      \
                 RestApiId: !Ref Api\n      \
                 ResourceId: {parent}\n      \
                 HttpMethod: ANY\n      \
                 AuthorizationType: CUSTOM\n      \
                 AuthorizerId: !Ref KnownCertificate\n      \
                 RequestParameters: {{ method.request.path.proxy: true }}\n      \
                 Integration:\n        \
                   Type: HTTP_PROXY\n        \
                   IntegrationHttpMethod: ANY\n        \
                   Uri: !Sub \"${{Jira}}/{path}/{{proxy}}\"\n        \
                   RequestParameters:\n          \
                     integration.request.path.proxy: method.request.path.proxy"
        );
    }
    let methods = if order.oauth {
        "[RestAny, OAuthAny]"
    } else {
        "[RestAny]"
    };
    text + &format!(
        "\n  Deployment:\n    \
           Type: AWS::ApiGateway::Deployment\n    \
           DependsOn: {methods}\n    \
           Properties: {{ RestApiId: !Ref Api }}\n  \
         Stage:\n    \
           Type: AWS::ApiGateway::Stage\n    \
           Properties:\n      \
             RestApiId: !Ref Api\n      \
             DeploymentId: !Ref Deployment\n      \
             StageName: jira\n  \
         Mapping:\n    \
           Type: AWS::ApiGateway::BasePathMapping\n    \
           Properties:\n      \
             DomainName: !Ref Domain\n      \
             RestApiId: !Ref Api\n      \
             Stage: !Ref Stage"
    )
}

pub(super) fn load_balancer(order: &Order<'_>) -> Sheet {
    let sheet = Sheet::new(order.product)
        .step(format!(
            "Into clients.pem, the bundle of the trust store, with what is there already: {}.",
            order.anchors_in_words()
        ))
        .lines(
            "Replace the bundle of a trust store that exists, and have the listener verify:",
            "update-trust-store.sh",
            "aws elbv2 modify-trust-store --trust-store-arn ARN \\\n  \
               --ca-certificates-bundle-s3-bucket BUCKET \\\n  \
               --ca-certificates-bundle-s3-key clients.pem\n\
             aws elbv2 modify-listener --listener-arn ARN \\\n  \
               --mutual-authentication Mode=verify,TrustStoreArn=ARN",
        )
        .lines(
            "Or all of it as CloudFormation:",
            "load-balancer.template.yaml",
            format!(
                "Parameters:\n  \
                   LoadBalancer: {{ Type: String }}\n  \
                   Certificate: {{ Type: String }}\n  \
                   Bucket: {{ Type: String, Description: it holds clients.pem }}\n  \
                   Jira: {{ Type: String, Description: ARN of the target group }}\n\
                 Resources:\n  \
                   Clients:\n    \
                     Type: AWS::ElasticLoadBalancingV2::TrustStore\n    \
                     Properties:\n      \
                       Name: countersign\n      \
                       CaCertificatesBundleS3Bucket: !Ref Bucket\n      \
                       CaCertificatesBundleS3Key: clients.pem\n  \
                   Listener:\n    \
                     Type: AWS::ElasticLoadBalancingV2::Listener\n    \
                     Properties:\n      \
                       LoadBalancerArn: !Ref LoadBalancer\n      \
                       Port: 443\n      \
                       Protocol: HTTPS\n      \
                       SslPolicy: ELBSecurityPolicy-TLS13-1-2-2021-06\n      \
                       Certificates: [{{ CertificateArn: !Ref Certificate }}]\n      \
                       MutualAuthentication:\n        \
                         Mode: verify\n        \
                         TrustStoreArn: !Ref Clients\n      \
                       DefaultActions:\n      \
                       - Type: fixed-response\n        \
                         FixedResponseConfig: {{ StatusCode: \"404\" }}\n  \
                   Rest:\n    \
                     Type: AWS::ElasticLoadBalancingV2::ListenerRule\n    \
                     Properties:\n      \
                       ListenerArn: !Ref Listener\n      \
                       Priority: 10\n      \
                       Conditions:\n      \
                       - Field: path-pattern\n        \
                         PathPatternConfig:\n          \
                           Values: [{}]\n      \
                       - Field: http-request-method\n        \
                         HttpRequestMethodConfig:\n          \
                           Values: [GET, POST, PUT, DELETE]\n      \
                       Actions: [{{ Type: forward, TargetGroupArn: !Ref Jira }}]",
                order
                    .paths()
                    .iter()
                    .map(|path| format!("\"{path}*\""))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        )
        .step(format!(
            "It compares nothing but the chain: have what stands behind it refuse every request whose {}.",
            match order.pinned() {
                true => format!(
                    "X-Amzn-Mtls-Clientcert-Serial-Number is not {}",
                    order.list(" or ", spelling::serial)
                ),
                false => format!(
                    "X-Amzn-Mtls-Clientcert-Subject does not say {}",
                    order
                        .names()
                        .iter()
                        .map(|name| format!("CN={name}"))
                        .collect::<Vec<_>>()
                        .join(" or ")
                ),
            }
        ));
    of_both(order, sheet)
        .limit("Revocation only by lists that are uploaded to the trust store (add-trust-store-revocations).")
        .limit("Refusals end the connection without an alert; the connection log says why.")
}

fn of_both(order: &Order<'_>, sheet: Sheet) -> Sheet {
    sheet
        .limit_if(
            order.self_signed(),
            "A self-signed certificate is taken only as an authority; try it before you rely on it.",
        )
        .limit(
            "It compares neither names nor fingerprints by itself: with an authority that certifies others too, \
             they all get past the handshake.",
        )
}
