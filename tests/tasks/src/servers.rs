//! Servers that a test has to itself.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};

use crate::guarded::Guarded;
use crate::machine;
use crate::process::find;
use crate::progress::Progress;

/// How long a started server may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(10);

/// How often a port is chosen anew, when another process took it between choosing and starting.
const PORT_ATTEMPTS: u32 = 5;

/// A Redis server on a private loopback port, with an empty memory that is never written to disk.
///
/// It ends with this value, and also when this process ends without dropping it.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    folder: PathBuf,
    running: Option<Guarded>,
}

impl Redis {
    /// Starts a server on a free port and waits until it answers; installs `redis-server` when it is
    /// missing. Blocks for some 50 ms.
    ///
    /// # Errors
    /// When Redis is missing and cannot be installed, or does not start.
    pub fn start() -> anyhow::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        machine::ensure(&[machine::REDIS], Progress::Quiet)?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("octo-redis-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let mut redis = Self { port: 0, folder, running: None };
        let mut failure = anyhow!("no port was tried");
        for _ in 0..PORT_ATTEMPTS {
            redis.port = free_port()?;
            match redis.launch() {
                Ok(()) => return Ok(redis),
                Err(error) => failure = error,
            }
        }
        Err(failure.context("Redis does not start"))
    }

    /// The address as clients take it: `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The port, which stays the same over stops and restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Guarded::id)
    }

    /// Asks the server to end and waits until it has: clients see their connections closed.
    pub fn stop(&mut self) {
        if self.signal("TERM").is_ok()
            && let Some(running) = &mut self.running
        {
            let deadline = Instant::now() + Duration::from_secs(5);
            while Instant::now() < deadline && matches!(running.try_wait(), Ok(None)) {
                sleep(Duration::from_millis(5));
            }
        }
        self.kill();
    }

    /// Ends the server at once, as a crash does.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Ends the server, if it runs, and starts it on the same port with an empty memory.
    ///
    /// # Errors
    /// When it does not start again.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.kill();
        self.launch()
    }

    /// Freezes the server: connections open, but nothing is answered until [`Redis::resume`].
    ///
    /// # Errors
    /// When the server does not run.
    pub fn hang(&self) -> anyhow::Result<()> {
        self.signal("STOP")
    }

    /// Lets a frozen server go on; it then answers what it was asked meanwhile.
    ///
    /// # Errors
    /// When the server does not run.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal("CONT")
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
        let limit = Duration::from_secs(1);
        let mut connection = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, self.port).into(), limit)?;
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

    fn launch(&mut self) -> anyhow::Result<()> {
        let program = find(machine::REDIS.name).context("redis-server is not on the PATH")?;
        let log = self.folder.join("redis.log");
        let output = fs::File::create(&log)?;
        let server = Guarded::spawn(
            Command::new(program)
                .args(["--bind", "127.0.0.1", "--port"])
                .arg(self.port.to_string())
                .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
                .arg("--dir")
                .arg(&self.folder)
                .stdin(Stdio::null())
                .stdout(output.try_clone()?)
                .stderr(output),
        )?;
        let pid = self.running.insert(server).id();
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if let Some(running) = &mut self.running
                && let Some(status) = running.try_wait()?
            {
                self.kill();
                let log = fs::read_to_string(&log).unwrap_or_default();
                bail!("redis-server ended at once ({status}):\n{log}");
            }
            // The answer must come from our own process, not from one that had the port before.
            if self
                .ask("INFO server")
                .is_ok_and(|info| info.lines().any(|line| line == format!("process_id:{pid}")))
            {
                return Ok(());
            }
            if Instant::now() > deadline {
                self.kill();
                bail!("redis-server did not answer within {START_LIMIT:?}");
            }
            sleep(Duration::from_millis(5));
        }
    }

    fn signal(&self, name: &str) -> anyhow::Result<()> {
        let pid = self.pid().context("Redis does not run")?;
        // The shell's own `kill`, because the standard library knows only one signal.
        let status =
            Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).stderr(Stdio::null()).status()?;
        if !status.success() {
            bail!("cannot send {name} to Redis (process {pid})");
        }
        Ok(())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("there is no free loopback port")?;
    Ok(listener.local_addr()?.port())
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
    fn two_servers_do_not_meet() {
        let (one, two) = (Redis::start().unwrap(), Redis::start().unwrap());
        one.ask("SET k 1").unwrap();
        assert_eq!(two.ask("GET k").unwrap(), "");
    }
}
