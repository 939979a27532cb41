//! nginx.conf, from a gateway's configuration.

use std::fmt::Write as _;
use std::path::Path;

use crate::gateway::{Clients, Demand, Gateway, TlsVersions, Upstream};
use crate::process::{Port, write_file};
use crate::standin;

pub(super) const CONFIG: &str = "nginx.conf";
pub(super) const ERROR_LOG: &str = "error.log";
pub(super) const ACCESS_LOG: &str = "access.log";
pub(super) const CONTROL_SOCKET: &str = "control.sock";
/// More than one, for a session or a reload may be known to one and not to the other.
pub(super) const WORKERS: usize = 2;
const JIRA_SOCKET: &str = "jira.sock";

/// Writes the configuration and the files that it names into `directory`.
pub(super) fn write(directory: &Path, gateway: &Gateway, port: &Port, revision: u32) {
    write_file(&directory.join("server.pem"), &gateway.server_pem);
    if let Some(anchors) = gateway.clients.anchors() {
        write_file(&directory.join("anchors.pem"), anchors);
    }
    // Nobody is in the list, so nobody has the password.
    write_file(&directory.join("users"), "");
    if let Some(lists) = &gateway.revocation {
        write_file(&directory.join("revocation.pem"), lists);
    }
    write_file(
        &directory.join(CONFIG),
        render(directory, gateway, port, revision),
    );
}

fn render(directory: &Path, gateway: &Gateway, port: &Port, revision: u32) -> String {
    let dir = directory.display();
    let upstream = match gateway.upstream {
        Upstream::JiraStandIn => format!("http://unix:{dir}/{JIRA_SOCKET}"),
        Upstream::At(address) => format!("http://{address}"),
    };
    format!(
        r#"user root;
worker_processes {WORKERS};
pid {dir}/nginx.pid;
error_log {dir}/{ERROR_LOG} notice;
events {{ worker_connections 1024; }}
http {{
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
  {log_format}
  access_log off;
{pin_map}
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {dir}/server.pem;
    ssl_certificate_key {dir}/server.pem;
    ssl_protocols {protocols};
    ssl_session_cache {cache};
    ssl_session_tickets {tickets};
{clients}
    access_log {dir}/{ACCESS_LOG} entries;
    keepalive_requests 100000;
    client_max_body_size {body_limit};
    proxy_http_version 1.1;
    proxy_set_header Host $host;
    location / {{ proxy_pass {upstream}; }}
    location /rest/ {{
{password}      limit_except {methods} {{ deny all; }}
      proxy_pass {upstream};
    }}
  }}
{jira}
  server {{
    listen unix:{dir}/{CONTROL_SOCKET};
    location / {{ return 200 "{revision}"; }}
  }}
}}
"#,
        log_format = super::log::FORMAT,
        port = port.number(),
        pin_map = pin_map(&gateway.clients),
        protocols = match gateway.tls {
            TlsVersions::Tls12 => "TLSv1.2",
            TlsVersions::Tls13 => "TLSv1.3",
            TlsVersions::Both => "TLSv1.2 TLSv1.3",
        },
        cache = if gateway.session_cache {
            "shared:tls:1m"
        } else {
            "off"
        },
        tickets = if gateway.session_tickets { "on" } else { "off" },
        clients = clients(gateway, directory),
        password = if gateway.password {
            format!("      auth_basic gateway;\n      auth_basic_user_file {dir}/users;\n")
        } else {
            String::new()
        },
        body_limit = gateway
            .body_limit
            .map_or_else(|| "50m".to_owned(), |limit| limit.to_string()),
        methods = gateway.methods.join(" "),
        jira = jira(directory),
    )
}

/// `$pinned` is 1 for the certificates that are trusted by name.
fn pin_map(clients: &Clients) -> String {
    let Some(pins) = clients.pins() else {
        return String::new();
    };
    let mut map = String::from("  map $ssl_client_fingerprint $pinned {\n    default 0;\n");
    for pin in pins {
        // Quoted and checked by nobody: a wrong spelling must simply not match.
        let _ = writeln!(map, "    \"{pin}\" 1;");
    }
    map + "  }\n"
}

fn clients(gateway: &Gateway, directory: &Path) -> String {
    let dir = directory.display();
    let mut lines = match &gateway.clients {
        Clients::Anybody => return String::new(),
        Clients::Pinned(_) => String::from("    ssl_verify_client optional_no_ca;\n"),
        Clients::Anchored(_) | Clients::AnchoredAndPinned { .. } => format!(
            "    ssl_client_certificate {dir}/anchors.pem;\n    ssl_verify_client {};\n",
            match gateway.demand {
                Demand::Required => "on",
                Demand::Optional => "optional",
                Demand::Late | Demand::Again => panic!("nginx asks in the handshake or not at all"),
            }
        ),
    };
    if gateway.revocation.is_some() {
        let _ = writeln!(lines, "    ssl_crl {dir}/revocation.pem;");
    }
    if let Some(signatures) = gateway.client_signatures {
        let _ = writeln!(
            lines,
            "    ssl_conf_command ClientSignatureAlgorithms {signatures};"
        );
    }
    lines.push_str("    ssl_verify_depth 3;\n");
    if gateway.clients.pins().is_some() {
        lines.push_str("    if ($pinned = 0) { return 403; }\n");
    }
    lines
}

/// The stand-in is a server of its own behind the gateway: a `return` beside
/// `limit_except` would answer before the method is looked at.
fn jira(directory: &Path) -> String {
    // nginx inherits headers only into a block that adds none of its own.
    let headers = format!(
        r#"add_header X-AREQUESTID "600x${{connection}}x$connection_requests" always;
    add_header X-ANODEID "{}" always;"#,
        standin::NODE
    );
    format!(
        r#"  server {{
    listen unix:{dir}/{JIRA_SOCKET};
    default_type application/json;
    client_max_body_size 50m;
    {headers}
    location / {{ return 404 '{not_found}'; }}
    location = /rest/api/2/serverInfo {{
      if ($request_method != GET) {{ return 405; }}
      return 200 '{server_info}';
    }}
    location /rest/ {{
    {headers}
      add_header X-Seraph-LoginReason "OUT" always;
      add_header WWW-Authenticate 'OAuth realm="https%3A%2F%2Fjira.test"' always;
      return 401 '{unauthenticated}';
    }}
  }}"#,
        dir = directory.display(),
        not_found = standin::NOT_FOUND,
        server_info = standin::SERVER_INFO,
        unauthenticated = standin::UNAUTHENTICATED,
    )
}
