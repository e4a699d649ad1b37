//! A Prometheus server.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;

use anyhow::Context;

use super::server::Server;
use crate::machine;
use crate::process::find;
use crate::progress::Progress;

/// A Prometheus server on a private loopback port, with an empty memory.
///
/// It ends with this value, and also when this process ends without dropping it.
#[derive(Debug)]
pub struct Prometheus {
    server: Server,
}

impl Prometheus {
    /// Starts a server with this configuration (YAML) and waits until it takes connections; installs it when it is missing.
    ///
    /// # Errors
    /// When Prometheus is missing and cannot be installed, or does not start.
    pub fn start(configuration: &str) -> anyhow::Result<Self> {
        machine::ensure(&[machine::PROMETHEUS], Progress::Quiet)?;
        let mut server = Server::new("prometheus")?;
        fs::write(server.folder().join("prometheus.yml"), configuration)?;
        server.start(launch)?;
        Ok(Self { server })
    }

    /// Where it answers queries.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.server.port()).into()
    }
}

fn launch(server: &mut Server) -> anyhow::Result<()> {
    let program = find(machine::PROMETHEUS.name).context("prometheus is not on the PATH")?;
    let mut command = Command::new(program);
    command
        .arg(format!("--config.file={}", server.folder().join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", server.folder().join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{}", server.port()));
    // It ends at once when somebody else has the port.
    server.launch(&mut command, |server, _| TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).is_ok())
}
