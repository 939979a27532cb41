//! What is rendered for products that do not run here, before their own parsers and schemas where there are any, and
//! before those of its language everywhere.

use std::path::Path;
use std::process::Command;

use countersign::gateway::{Anchors, Order, Sheet, Tried, sheet};
use countersign::model::{CertificateFacts, GatewayProduct as Product, PinType};
use countersign::pki::inspect;
use countersign_peers::Authority;
use countersign_peers::whole::tool;

/// Every sheet that there can be: products, pins, with and without OAuth, with and without a present generation.
fn sheets() -> Vec<(String, Sheet)> {
    let authority = Authority::root("client root");
    let facts = |name: &str| -> CertificateFacts {
        inspect(&authority.client(name).chain_der()[0]).unwrap()
    };
    let (new, present) = (facts("next.vendor.test"), facts("*.vendor.test"));
    let mut all = Vec::new();
    for product in Product::ALL {
        for pin in [PinType::Certificate, PinType::Authority] {
            for (oauth, both) in [(false, true), (true, false)] {
                let order = Order {
                    product,
                    pin,
                    host: "jira.acme.test",
                    new: &new,
                    present: both.then_some(&present),
                    anchors: Anchors::All {
                        file: "clients.pem",
                    },
                    oauth,
                    until: None,
                };
                let what = format!("{}-{pin:?}-{oauth}", product.name());
                all.push((what, sheet(&order).unwrap()));
            }
        }
    }
    all
}

/// The files whose names end like this, each with where it comes from.
fn files(ending: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (what, sheet) in sheets() {
        for step in sheet.steps {
            if let (Some(file), Some(lines)) = (step.file, step.lines)
                && file.ends_with(ending)
            {
                all.push((format!("{what}-{file}"), lines));
            }
        }
    }
    assert!(!all.is_empty(), "nothing ends with {ending}");
    all
}

/// Writes all of them into a directory and hands them to a program at once.
fn judge(program: &Path, arguments: &[&str], files: &[(String, String)]) {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory.path());
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
        command.arg(name);
    }
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{} cannot be run: {error}", program.display()));
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn every_json_file_is_json() {
    for (what, text) in files(".json") {
        serde_json::from_str::<serde_json::Value>(&text)
            .unwrap_or_else(|error| panic!("{what}: {error}\n{text}"));
    }
}

#[test]
fn every_policy_and_web_config_is_well_formed_xml() {
    let script = "import sys, xml.dom.minidom as m\nfor f in sys.argv[1:]: m.parse(f)";
    let xml: Vec<_> = files(".xml")
        .into_iter()
        .chain(files("web.config"))
        .collect();
    judge(Path::new("python3"), &["-c", script], &xml);
}

#[test]
fn every_yaml_file_is_yaml() {
    // Tags of CloudFormation are for cfn-lint.
    let script = "import sys, yaml\nfor f in sys.argv[1:]: list(yaml.safe_load_all(open(f)))";
    let plain: Vec<_> = files(".yaml")
        .into_iter()
        .filter(|(name, _)| !name.ends_with(".template.yaml"))
        .collect();
    judge(&tool("cfn-lint", "python"), &["-c", script], &plain);
}

#[test]
fn every_shell_script_parses() {
    for (name, text) in files(".sh") {
        judge(Path::new("bash"), &["-n"], &[(name, text)]);
    }
}

#[test]
fn cloudformation_knows_every_resource_and_property_of_the_templates() {
    judge(
        &tool("cfn-lint", "cfn-lint"),
        &["--non-zero-exit-code", "informational", "--"],
        &files(".template.yaml"),
    );
}

#[test]
fn googles_own_messages_take_the_trust_configs_and_policies_of_apigee_x() {
    let script = "\
import sys, yaml
from google.cloud import certificate_manager_v1 as api
for f in sys.argv[1:]:
    text = yaml.safe_load(open(f))
    api.TrustConfig.from_json(__import__('json').dumps(text), ignore_unknown_fields=False)";
    judge_google(
        "google-cloud-certificate-manager",
        script,
        "trust-config.yaml",
    );
    let script = "\
import sys, yaml
from google.cloud import network_security_v1 as api
for f in sys.argv[1:]:
    text = yaml.safe_load(open(f))
    api.ServerTlsPolicy.from_json(__import__('json').dumps(text), ignore_unknown_fields=False)";
    judge_google(
        "google-cloud-network-security",
        script,
        "server-tls-policy.yaml",
    );
}

#[test]
fn istios_own_definitions_know_every_field_of_its_gateway_and_policy() {
    // A field that they do not know is dropped in silence, and missing in what comes out again.
    let script = "\
import sys, yaml
from cloudcoil.models.istio.networking.v1 import Gateway
from cloudcoil.models.istio.security.v1 import AuthorizationPolicy
for f in sys.argv[1:]:
    given = yaml.safe_load(open(f))
    kind = {'Gateway': Gateway, 'AuthorizationPolicy': AuthorizationPolicy}[given['kind']]
    read = kind.model_validate(given).model_dump(mode='json', by_alias=True, exclude_unset=True)
    assert read == given, f'{f}: {given} became {read}'";
    let ours: Vec<_> = files(".yaml")
        .into_iter()
        .filter(|(name, _)| name.starts_with("istio-"))
        .collect();
    assert_eq!(ours.len(), 8, "two files of four sheets");
    judge(
        &tool("cloudcoil.models.istio", "python"),
        &["-c", script],
        &ours,
    );
}

/// Their packages bring no YAML along; JSON is YAML, so that the reader of the other package turns one into the other.
fn judge_google(package: &str, script: &str, ending: &str) {
    let to_json = "import json, sys, yaml\nprint(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let script = script.replace(
        "import sys, yaml",
        "import sys, json as yaml\nyaml.safe_load = yaml.load",
    );
    let json: Vec<_> = files(ending)
        .into_iter()
        .map(|(name, text)| {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("text.yaml");
            std::fs::write(&path, text).unwrap();
            let output = Command::new(tool("cfn-lint", "python"))
                .args(["-c", to_json])
                .arg(&path)
                .output()
                .unwrap();
            assert!(output.status.success(), "{name}: {output:?}");
            (name, String::from_utf8(output.stdout).unwrap())
        })
        .collect();
    judge(&tool(package, "python"), &["-c", &script], &json);
}

/// Runs an authorizer on what a handshake was about, and returns what it decided.
fn authorized(code: &str, certificate: &serde_json::Value) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("authorizer.py");
    std::fs::write(&path, code).unwrap();
    let event = serde_json::json!({"requestContext": {"identity": {"clientCert": certificate}}});
    let script = format!(
        "import json, authorizer\nevent = json.loads({:?})\n\
         print(authorizer.handler(event, None)['policyDocument']['Statement'][0]['Effect'])",
        event.to_string()
    );
    let output = Command::new("python3")
        .args(["-B", "-c", &script])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}\n{code}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_authorizer_of_aws_lets_in_the_listed_certificates_and_nobody_else() {
    let authority = Authority::root("client root");
    let facts = |name: &str| -> CertificateFacts {
        inspect(&authority.client(name).chain_der()[0]).unwrap()
    };
    let (new, present, other) = (
        facts("next.vendor.test"),
        facts("now.vendor.test"),
        facts("other.vendor.test"),
    );
    let code = |pin, present| {
        let order = Order {
            product: Product::AwsApiGateway,
            pin,
            host: "jira.acme.test",
            new: &new,
            present,
            anchors: Anchors::All {
                file: "clients.pem",
            },
            oauth: false,
            until: None,
        };
        sheet(&order)
            .unwrap()
            .file("authorizer.py")
            .unwrap()
            .to_owned()
    };
    let serial =
        |facts: &CertificateFacts| serde_json::json!({"serialNumber": facts.serial.to_string()});
    let both = code(PinType::Certificate, Some(&present));
    assert_eq!(authorized(&both, &serial(&new)), "Allow");
    assert_eq!(authorized(&both, &serial(&present)), "Allow");
    assert_eq!(authorized(&both, &serial(&other)), "Deny");
    assert_eq!(authorized(&both, &serde_json::Value::Null), "Deny");
    let alone = code(PinType::Certificate, None);
    assert_eq!(authorized(&alone, &serial(&new)), "Allow");
    assert_eq!(authorized(&alone, &serial(&present)), "Deny");

    let by_name = code(PinType::Authority, Some(&present));
    for (subject, decision) in [
        ("CN=now.vendor.test", "Allow"),
        ("CN=next.vendor.test,O=Vendor", "Allow"),
        ("O=Vendor, CN=next.vendor.test", "Allow"),
        ("CN=other.vendor.test", "Deny"),
        ("CN=now.vendor.test.evil.test", "Deny"),
        ("O=x\\,CN=now.vendor.test,CN=other.test", "Deny"),
        ("O=\"x,CN=now.vendor.test\",CN=other.test", "Deny"),
        ("CN=now.vendor.test,CN=other.test", "Deny"),
        ("", "Deny"),
    ] {
        let certificate = serde_json::json!({ "subjectDN": subject });
        assert_eq!(authorized(&by_name, &certificate), decision, "{subject}");
    }
}

#[test]
fn what_is_said_to_be_parsed_is_parsed_here() {
    for (what, sheet) in sheets() {
        let judged = sheet
            .steps
            .iter()
            .filter_map(|step| step.file.as_deref())
            .any(|file| {
                file.ends_with(".template.yaml")
                    || file == "trust-config.yaml"
                    || what.starts_with("istio-")
            });
        assert_eq!(sheet.tried == Tried::Checked, judged, "{what}");
    }
}
