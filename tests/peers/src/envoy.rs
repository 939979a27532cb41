//! Envoy as the partner's gateway: TLS as BoringSSL speaks it.

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::gateway::{Clients, Demand, Gateway, TlsVersions};
use crate::whole::{self, Server};

/// A running Envoy. It refuses an unacceptable client certificate in the handshake, by an alert, and so it does with
/// one that is not pinned (SHA-256 in hex).
pub struct Envoy(Server);

impl Envoy {
    /// Starts Envoy and returns when it answers.
    pub fn start(gateway: &Gateway) -> Self {
        assert!(
            gateway.client_signatures.is_none() && !gateway.asks_late(),
            "Envoy has no such setting"
        );
        let mut files = vec![("server.pem", gateway.server_pem.as_str())];
        if let Some(anchors) = gateway.clients.anchors() {
            files.push(("anchors.pem", anchors));
        }
        if let Some(lists) = &gateway.revocation {
            files.push(("revocation.pem", lists));
        }
        Self(whole::envoy(&render(gateway), &files))
    }

    /// Where it listens for TLS.
    pub fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    /// What Envoy has to say about itself.
    pub fn log(&self) -> String {
        self.0.log()
    }
}

/// JSON is YAML, and does not mind how it is indented.
fn render(gateway: &Gateway) -> String {
    let (least, most) = match gateway.tls {
        TlsVersions::Tls12 => ("TLSv1_2", "TLSv1_2"),
        TlsVersions::Tls13 => ("TLSv1_3", "TLSv1_3"),
        TlsVersions::Both => ("TLSv1_2", "TLSv1_3"),
    };
    let upstream = gateway.upstream_address();
    format!(
        r#"{{
static_resources: {{
  listeners: [ {{
    address: {{ socket_address: {{ address: 127.0.0.1, port_value: @PORT@ }} }},
    filter_chains: [ {{
      transport_socket: {{ name: tls, typed_config: {{
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext,
        require_client_certificate: {required},
        common_tls_context: {{
          tls_params: {{ tls_minimum_protocol_version: {least}, tls_maximum_protocol_version: {most} }},
          tls_certificates: [ {{
            certificate_chain: {{ filename: "@DIR@/server.pem" }}, private_key: {{ filename: "@DIR@/server.pem" }}
          }} ]{clients}
        }} }} }},
      filters: [ {{ name: http, typed_config: {{
        "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager,
        stat_prefix: gateway,
        http_filters: [ {password}{{ name: router, typed_config: {{
          "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }} }} ],
        route_config: {{ virtual_hosts: [ {{ name: jira, domains: ["*"], routes: [ {{
          match: {{ prefix: "/rest/", headers: [ {{
            name: ":method", string_match: {{ safe_regex: {{ regex: "{methods}" }} }} }} ] }},
          route: {{ cluster: jira }} }} ] }} ] }}
      }} }} ]
    }} ]
  }} ],
  clusters: [ {{ name: jira, type: STATIC, load_assignment: {{ cluster_name: jira, endpoints: [ {{
    lb_endpoints: [ {{ endpoint: {{ address: {{ socket_address: {{
      address: {ip}, port_value: {port} }} }} }} }} ] }} ] }} }} ]
}}
}}
"#,
        required =
            !matches!(gateway.clients, Clients::Anybody) && gateway.demand == Demand::Required,
        clients = clients(gateway),
        password = if gateway.password { PASSWORD } else { "" },
        methods = gateway.methods.join("|"),
        ip = upstream.ip(),
        port = upstream.port(),
    )
}

/// Nobody knows what this was made of.
const PASSWORD: &str = r#"{ name: basic, typed_config: {
          "@type": type.googleapis.com/envoy.extensions.filters.http.basic_auth.v3.BasicAuth,
          users: { inline_string: "nobody:{SHA}ibOnQac1xY4DA1LPsfOdY3gYiL0=" } } },
          "#;

fn clients(gateway: &Gateway) -> String {
    let mut context = String::new();
    if gateway.clients.anchors().is_some() {
        context.push_str("trusted_ca: { filename: \"@DIR@/anchors.pem\" }");
    }
    if gateway.revocation.is_some() {
        context.push_str(", crl: { filename: \"@DIR@/revocation.pem\" }");
    }
    if let Some(pins) = gateway.clients.pins() {
        let pins: Vec<_> = pins.iter().map(|pin| format!("\"{pin}\"")).collect();
        let comma = if context.is_empty() { "" } else { ", " };
        let _ = write!(
            context,
            "{comma}verify_certificate_hash: [ {} ]",
            pins.join(", ")
        );
    }
    if context.is_empty() {
        context
    } else {
        format!(",\n          validation_context: {{ {context} }}")
    }
}
