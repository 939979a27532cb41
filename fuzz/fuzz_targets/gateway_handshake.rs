#![no_main]
//! What a server says in the handshake with a probe: records, alerts, certificates, and what is made of them.

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

use countersign::{
    model::{GatewayProduct, KeyAlgorithm, SubjectRequest, Validity},
    pki::{PrivateKey, random_serial, self_signed},
    probe::{ProbeRequest, TlsParity, fuzzing::Client},
};

static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let subject = SubjectRequest {
        common_name: "gateway.example".to_owned(),
        organization: None,
        dns_names: vec!["gateway.example".to_owned()],
    };
    let validity = Validity::new(
        "2026-01-01T00:00:00Z".parse().unwrap(),
        "2027-01-01T00:00:00Z".parse().unwrap(),
    )
    .unwrap();
    let anchor = self_signed(&key, &subject, validity, &random_serial().unwrap()).unwrap();
    Client::new(&ProbeRequest {
        probe_id: "probe".to_owned(),
        at: "2026-06-01T00:00:00Z".parse().unwrap(),
        url: "https://gateway.example".to_owned(),
        anchors: &[anchor],
        resolve: &[],
        tls: TlsParity::Tls12And13,
        presented: None,
        controls: false,
        verbs: false,
        gateway: GatewayProduct::Nginx,
    })
});

fuzz_target!(|data: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(CLIENT.shaken(data));
});
