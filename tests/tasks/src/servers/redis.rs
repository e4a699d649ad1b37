//! A Redis server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};

use super::server::Server;
use crate::machine;
use crate::process::find;
use crate::progress::Progress;

/// A Redis server on a private loopback port, with an empty memory that is never written to disk.
///
/// It ends with this value, and also when this process ends without dropping it.
#[derive(Debug)]
pub struct Redis {
    server: Server,
}

impl Redis {
    /// Starts a server on a free port and waits until it answers; installs `redis-server` when it is
    /// missing. Blocks for some 50 ms.
    ///
    /// # Errors
    /// When Redis is missing and cannot be installed, or does not start.
    pub fn start() -> anyhow::Result<Self> {
        machine::ensure(&[machine::REDIS], Progress::Quiet)?;
        let mut server = Server::new("redis")?;
        server.start(launch)?;
        Ok(Self { server })
    }

    /// The address as clients take it: `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    /// The port, which stays the same over stops and restarts.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// The server's process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.server.pid()
    }

    /// Asks the server to end and waits until it has: clients see their connections closed.
    pub fn stop(&mut self) {
        self.server.stop("TERM");
    }

    /// Ends the server at once, as a crash does.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Ends the server, if it runs, and starts it on the same port with an empty memory.
    ///
    /// # Errors
    /// When it does not start again.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.kill();
        launch(&mut self.server)
    }

    /// Freezes the server: connections open, but nothing is answered until [`Redis::resume`].
    ///
    /// # Errors
    /// When the server does not run.
    pub fn hang(&self) -> anyhow::Result<()> {
        self.server.signal("STOP")
    }

    /// Lets a frozen server go on; it then answers what it was asked meanwhile.
    ///
    /// # Errors
    /// When the server does not run.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.server.signal("CONT")
    }

    /// Forgets everything stored, as a flush or a failover to an empty replica does.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn flush(&self) -> anyhow::Result<()> {
        self.ask("FLUSHALL").map(drop)
    }

    /// Sends one command, words separated by spaces, and gives the answer when it is a line, a number or a
    /// string.
    ///
    /// # Errors
    /// When the server does not answer within a second, or answers an error or a list.
    pub fn ask(&self, command: &str) -> anyhow::Result<String> {
        ask(self.port(), command)
    }
}

fn launch(server: &mut Server) -> anyhow::Result<()> {
    let program = find(machine::REDIS.name).context("redis-server is not on the PATH")?;
    let mut command = Command::new(program);
    command
        .args(["--bind", "127.0.0.1", "--port"])
        .arg(server.port().to_string())
        .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
        .arg("--dir")
        .arg(server.folder());
    server.launch(&mut command, |server, pid| {
        let own = format!("process_id:{pid}");
        ask(server.port(), "INFO server").is_ok_and(|info| info.lines().any(|line| line == own))
    })
}

fn ask(port: u16, command: &str) -> anyhow::Result<String> {
    let limit = Duration::from_secs(1);
    let mut connection = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), limit)?;
    connection.set_read_timeout(Some(limit))?;
    connection.write_all(format!("{command}\r\n").as_bytes())?;
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let (kind, rest) = line.trim_end().split_at_checked(1).unwrap_or_default();
    match kind {
        "+" | ":" => Ok(rest.to_owned()),
        "-" => bail!("Redis refuses {command}: {rest}"),
        "$" if rest == "-1" => Ok(String::new()),
        "$" => {
            let mut text = vec![0; rest.parse().context("Redis sent a bad length")?];
            reader.read_exact(&mut text)?;
            Ok(String::from_utf8_lossy(&text).into_owned())
        }
        _ => bail!("Redis answers {command} with {line:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_answers_forgets_hangs_and_comes_back() {
        let mut redis = Redis::start().unwrap();
        assert_eq!(redis.ask("SET k 7").unwrap(), "OK");
        assert_eq!(redis.ask("GET k").unwrap(), "7");
        redis.flush().unwrap();
        assert_eq!(redis.ask("GET k").unwrap(), "");

        redis.hang().unwrap();
        assert!(redis.ask("PING").is_err());
        redis.resume().unwrap();
        assert_eq!(redis.ask("PING").unwrap(), "PONG");

        let port = redis.port();
        redis.stop();
        assert_eq!(redis.pid(), None);
        assert!(redis.ask("PING").is_err());
        redis.restart().unwrap();
        assert_eq!(redis.port(), port);
        assert_eq!(redis.ask("PING").unwrap(), "PONG");
    }

    #[test]
    fn a_port_that_somebody_takes_first_is_left_to_them() {
        let taken = std::cell::OnceCell::new();
        let mut server = Server::new("redis").unwrap();
        server
            .start(|server| {
                taken.get_or_init(|| {
                    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, server.port())).unwrap()
                });
                launch(server)
            })
            .unwrap();
        assert_ne!(server.port(), taken.get().unwrap().local_addr().unwrap().port());
        assert_eq!(ask(server.port(), "PING").unwrap(), "PONG");
    }

    #[test]
    fn two_servers_do_not_meet() {
        let (one, two) = (Redis::start().unwrap(), Redis::start().unwrap());
        one.ask("SET k 1").unwrap();
        assert_eq!(two.ask("GET k").unwrap(), "");
    }
}
