//! Rules that compare by themselves, run outside of their products: a name that is only like ours, or stands inside of
//! another value, must not pass. It shows that they mean what they should, not that a product reads them so.

use std::process::Command;

use countersign::gateway::{Anchors, Order, sheet};
use countersign::model::{CertificateFacts, GatewayProduct as Product, PinType};
use countersign::pki::inspect;
use countersign_peers::Authority;

fn facts(name: &str) -> CertificateFacts {
    inspect(&Authority::root("client root").client(name).chain_der()[0]).unwrap()
}

/// The lines of a file for `*.now.vendor.test` and `next.vendor.test`.
fn rendered(product: Product, pin: PinType, file: &str) -> (String, CertificateFacts) {
    let (new, present) = (facts("next.vendor.test"), facts("*.now.vendor.test"));
    let order = Order {
        product,
        pin,
        host: "jira.acme.test",
        new: &new,
        present: Some(&present),
        anchors: Anchors::All {
            file: "clients.pem",
        },
        oauth: false,
        until: None,
    };
    (sheet(&order).unwrap().file(file).unwrap().to_owned(), new)
}

/// Subjects in the order and with the quotes of a product, and whether they are ours.
fn subjects(escaped: &'static str, quoted: &'static str) -> Vec<(&'static str, bool)> {
    vec![
        ("CN=next.vendor.test", true),
        ("CN=*.now.vendor.test", true),
        ("CN=next.vendor.test, O=Vendor", true),
        ("O=Vendor, CN=next.vendor.test", true),
        ("CN=other.vendor.test", false),
        ("CN=next.vendor.test.evil.test", false),
        ("CN=evil-next.vendor.test", false),
        ("CN=nextxvendorxtest", false),
        ("CN=a.now.vendor.test", false),
        ("", false),
        (escaped, false),
        (quoted, false),
    ]
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| {
        panic!("{program} cannot be run ({error}); run scripts/test, or: apt-get install -y tcl python3")
    });
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Whether the iRule lets in, under a stock Tcl in which the commands of BIG-IP are stood in for.
fn irule(rule: &str, subject: &str, serial: &str) -> bool {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rule.tcl");
    let script = format!(
        "set verdict in\nnamespace eval SSL {{}}\nnamespace eval X509 {{}}\n\
         proc SSL::cert {{at}} {{ return der }}\n\
         proc X509::subject {{of}} {{ return {{{subject}}} }}\n\
         proc X509::serial_number {{of}} {{ return {{{serial}}} }}\n\
         proc reject {{}} {{ uplevel #0 {{ set verdict out }} }}\n\
         proc when {{event body}} {{ uplevel #0 $body }}\n\
         {rule}\nputs $verdict\n"
    );
    std::fs::write(&path, script).unwrap();
    run("tclsh", &[path.to_str().unwrap()]) == "in"
}

#[test]
fn the_irule_lets_in_our_names_and_nothing_that_is_like_them() {
    let (rule, _) = rendered(Product::F5, PinType::Authority, "countersign.tcl");
    for (subject, ours) in subjects(
        "O=x\\, CN=next.vendor.test,CN=evil.test",
        "O=\"x, CN=next.vendor.test\",CN=evil.test",
    ) {
        assert_eq!(irule(&rule, subject, ""), ours, "{subject}\n{rule}");
    }
}

#[test]
fn the_irule_lets_in_our_serial_numbers_in_either_case_and_no_other() {
    let (rule, new) = rendered(Product::F5, PinType::Certificate, "countersign.tcl");
    let digits = new.serial.to_string();
    let pairs: Vec<_> = (0..digits.len())
        .step_by(2)
        .map(|at| &digits[at..at + 2])
        .collect();
    let serial = pairs.join(":");
    assert!(irule(&rule, "", &serial), "{rule}");
    assert!(irule(&rule, "", &serial.to_uppercase()), "{rule}");
    assert!(!irule(&rule, "", &serial[3..]), "{rule}");
    assert!(!irule(&rule, "", ""), "{rule}");
}

/// Whether any of the patterns finds something, as Python reads them.
fn matches(patterns: &[String], subject: &str) -> bool {
    let script = "import re, sys\nprint(any(re.search(p, sys.argv[1]) for p in sys.argv[2:]))";
    let mut arguments = vec!["-c", script, subject];
    arguments.extend(patterns.iter().map(String::as_str));
    run("python3", &arguments) == "True"
}

#[test]
fn the_patterns_of_iis_find_our_names_and_nothing_that_is_like_them() {
    let (config, _) = rendered(Product::Iis, PinType::Authority, "web.config");
    let patterns: Vec<String> = config
        .split("pattern=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().replace("&quot;", "\""))
        .collect();
    assert_eq!(patterns.len(), 2, "{config}");
    for (subject, ours) in subjects(
        "O=\"x, CN=next.vendor.test, y\", CN=evil.test",
        "O=\"x, CN=next.vendor.test\", CN=evil.test",
    ) {
        assert_eq!(matches(&patterns, subject), ours, "{subject}\n{config}");
    }
}
