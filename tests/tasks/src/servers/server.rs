//! What all servers have in common: a port nobody else has, a folder, and a process that is watched.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};

use crate::guarded::Guarded;

/// How long a started server may take until it answers, and a stopped one until it has ended.
const LIMIT: Duration = Duration::from_secs(10);

/// How often a port is chosen anew, when another process took it between choosing and starting.
const PORT_ATTEMPTS: u32 = 5;

/// A server, running or not. Dropped, it ends at once and its folder is removed; the same happens when this
/// process ends without dropping it.
#[derive(Debug)]
pub(super) struct Server {
    name: &'static str,
    port: u16,
    folder: PathBuf,
    running: Option<Guarded>,
}

impl Server {
    /// A server that does not run yet, with an empty folder.
    pub(super) fn new(name: &'static str) -> anyhow::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("octo-{name}-{}-{number}", std::process::id()));
        // The rest of a process that had our id once, and was not given the time to clean up.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Self { name, port: 0, folder, running: None })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The server's process id while it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Guarded::id)
    }

    /// Gives the server a free port and starts it with `launch`, on another port when that fails: somebody may have
    /// taken the first one.
    pub(super) fn start(&mut self, launch: impl Fn(&mut Self) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let mut failure = anyhow!("no port was tried");
        for _ in 0..PORT_ATTEMPTS {
            self.port = free_port()?;
            match launch(self) {
                Ok(()) => return Ok(()),
                Err(error) => failure = error,
            }
        }
        Err(failure.context(format!("{} does not start", self.name)))
    }

    /// Starts the process and waits until `answers`, given the process id: the answer must come from our own
    /// process, not from one that had the port before.
    pub(super) fn launch(
        &mut self,
        command: &mut Command,
        answers: impl Fn(&Self, u32) -> bool,
    ) -> anyhow::Result<()> {
        let log = self.folder.join("log");
        let output = fs::File::create(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let server = Guarded::spawn_in(command, &self.folder)?;
        let pid = self.running.insert(server).id();
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(running) = &mut self.running
                && let Some(status) = running.try_wait()?
            {
                self.kill();
                let log = fs::read_to_string(&log).unwrap_or_default();
                bail!("{} ended at once ({status}):\n{log}", self.name);
            }
            if answers(self, pid) {
                return Ok(());
            }
            if Instant::now() > deadline {
                self.kill();
                bail!("{} did not answer within {LIMIT:?}", self.name);
            }
            sleep(Duration::from_millis(5));
        }
    }

    /// Asks the server to end with `signal` and waits until it has; ends it when it does not.
    pub(super) fn stop(&mut self, signal: &str) {
        if self.signal(signal).is_ok()
            && let Some(running) = &mut self.running
        {
            let deadline = Instant::now() + LIMIT;
            while Instant::now() < deadline && matches!(running.try_wait(), Ok(None)) {
                sleep(Duration::from_millis(5));
            }
        }
        self.kill();
    }

    /// Ends the server at once, as a crash does.
    pub(super) fn kill(&mut self) {
        self.running = None;
    }

    /// Sends a signal to the server's process.
    pub(super) fn signal(&self, name: &str) -> anyhow::Result<()> {
        let pid = self.pid().with_context(|| format!("{} does not run", self.name))?;
        send(name, pid).with_context(|| format!("cannot send {name} to {}", self.name))
    }
}

/// Sends a signal with the shell's own `kill`, because the standard library knows only one signal.
pub(super) fn send(signal: &str, pid: u32) -> anyhow::Result<()> {
    let mut kill = Command::new("sh");
    let status = kill.args(["-c", &format!("kill -{signal} {pid}")]).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "there is no process {pid} of ours");
    Ok(())
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("there is no free loopback port")?;
    Ok(listener.local_addr()?.port())
}
