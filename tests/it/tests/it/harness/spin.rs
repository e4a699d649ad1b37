//! A real Spin instead of our own host: the program that `cargo xtask test --spin` names.
//!
//! There the clock runs, nothing can be broken on purpose and nobody keeps a record of what components do. A test that
//! comes to need such a thing is left out ([`left_out`]); the command counts those apart from the failed ones.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use xtask::guarded::Guarded;

/// Names the Spin that runs every application.
const CHOICE: &str = "OCTO_TEST_SPIN";

/// The Spin that the environment names.
pub(crate) fn chosen() -> Option<OsString> {
    std::env::var_os(CHOICE).filter(|program| !program.is_empty())
}

/// Ends a test that a real Spin cannot give what it needs.
pub(crate) fn left_out(needs: &str) -> ! {
    // The words by which `cargo xtask test --spin` tells it from a failure.
    panic!("left out on a real Spin: it needs {needs}")
}

/// Leaves a test out that asserts what only our own host lets be known, before it has begun.
pub(crate) fn not_on_spin(needs: &str) {
    if chosen().is_some() {
        left_out(needs);
    }
}

/// A running Spin. Dropped, it ends as by SIGKILL.
pub(crate) struct Spin {
    pub(crate) address: SocketAddr,
    logs: TempDir,
    _running: Guarded,
    /// Kept open, because a program must be able to write to its output.
    _said: BufReader<ChildStdout>,
}

impl Spin {
    /// Starts the application on `program`, with its state in a folder that others may share.
    pub(super) fn start(
        program: &OsString,
        state: &Path,
        runtime_config: Option<&Path>,
        variables: &[(String, String)],
    ) -> Self {
        let logs = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        command.arg("up").arg("--from").arg(xtask::workspace::root().join("spin.toml"));
        command.args(["--listen", "127.0.0.1:0", "--quiet", "--state-dir"]).arg(state);
        command.arg("--log-dir").arg(logs.path());
        if let Some(file) = runtime_config {
            command.arg("--runtime-config-file").arg(file);
        }
        for (name, value) in variables {
            command.env(format!("SPIN_VARIABLE_{}", name.to_ascii_uppercase()), value);
        }
        let complaints = logs.path().join("complaints");
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(std::fs::File::create(&complaints).unwrap());
        let mut running = Guarded::spawn_group(&mut command).unwrap();
        let mut said = BufReader::new(running.child().stdout.take().unwrap());
        let mut line = String::new();
        while said.read_line(&mut line).unwrap() > 0 {
            if let Some(address) = line.trim_end().strip_prefix("Serving http://") {
                return Self { address: address.parse().unwrap(), logs, _running: running, _said: said };
            }
            line.clear();
        }
        panic!("Spin did not start: {}", std::fs::read_to_string(complaints).unwrap());
    }

    /// What the components have printed. Spin writes it while the answer is under way.
    pub(super) fn log(&self) -> String {
        std::thread::sleep(Duration::from_millis(500));
        let files = std::fs::read_dir(self.logs.path()).unwrap().map(|entry| entry.unwrap().path());
        let of_components = files.filter(|path| path.extension().is_some_and(|end| end == "txt"));
        of_components.map(|path: PathBuf| std::fs::read_to_string(path).unwrap()).collect()
    }
}
