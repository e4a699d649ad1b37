//! A Spin that runs an application.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, bail};

use crate::guarded::Guarded;

/// A running Spin, on a free loopback port. Dropped, it ends as by SIGKILL.
#[derive(Debug)]
pub struct Spin {
    address: SocketAddr,
    /// With a folder `logs`, where the components' output goes.
    folder: PathBuf,
    running: Option<Guarded>,
    /// Kept open, because a program must be able to write to its output.
    _said: BufReader<ChildStdout>,
}

/// What a Spin is started with.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// The `spin.toml` of the application.
    pub manifest: &'a Path,
    /// Where its data is; others may share it. None: a folder that goes with the Spin.
    pub state: Option<&'a Path>,
    /// A file of Spin's runtime configuration.
    pub runtime_config: Option<&'a Path>,
    /// Variables of the application, by their names in the manifest.
    pub variables: &'a [(String, String)],
}

impl Spin {
    /// The program that `SPIN_BIN` names.
    ///
    /// # Errors
    /// When it names none.
    pub fn program() -> anyhow::Result<OsString> {
        let program = std::env::var_os("SPIN_BIN").filter(|program| !program.is_empty());
        program.context("set SPIN_BIN to the program of a Spin, such as `SPIN_BIN=$(which spin)`")
    }

    /// The environment variable that Spin takes an application's variable from.
    pub fn environment(variable: &str) -> String {
        format!("SPIN_VARIABLE_{}", variable.to_ascii_uppercase())
    }

    /// Starts `program` and waits until it serves.
    ///
    /// # Errors
    /// When it does not.
    pub fn start(program: &OsStr, start: Start<'_>) -> anyhow::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("octo-spin-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let own_state = folder.join("state");
        fs::create_dir_all(folder.join("logs"))
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let mut command = Command::new(program);
        command.arg("up").arg("--from").arg(start.manifest);
        command.args(["--listen", "127.0.0.1:0", "--quiet", "--state-dir"]);
        command.arg(start.state.unwrap_or(&own_state)).arg("--log-dir").arg(folder.join("logs"));
        if let Some(file) = start.runtime_config {
            command.arg("--runtime-config-file").arg(file);
        }
        for (name, value) in start.variables {
            command.env(Self::environment(name), value);
        }
        // A panic of Spin's is not ours to explain, and with this set each of its errors looks for its callers.
        command.env_remove("RUST_BACKTRACE");
        let complaints = folder.join("complaints");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(fs::File::create(&complaints)?);
        let mut running = Guarded::spawn_group(&mut command)?;
        let mut said = BufReader::new(running.child().stdout.take().context("it has no output")?);
        let mut line = String::new();
        while said.read_line(&mut line)? > 0 {
            if let Some(address) = line.trim_end().strip_prefix("Serving http://") {
                return Ok(Self { address: address.parse()?, folder, running: Some(running), _said: said });
            }
            line.clear();
        }
        bail!("Spin did not start: {}", fs::read_to_string(complaints).unwrap_or_default())
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the components have printed so far.
    ///
    /// # Errors
    /// When its logs cannot be read.
    pub fn log(&self) -> anyhow::Result<String> {
        let mut log = String::new();
        for entry in fs::read_dir(self.folder.join("logs"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "txt") {
                log.push_str(&fs::read_to_string(path)?);
            }
        }
        Ok(log)
    }
}

impl Drop for Spin {
    fn drop(&mut self) {
        // First, or it would make the folder again.
        self.running = None;
        let _ = fs::remove_dir_all(&self.folder);
    }
}
