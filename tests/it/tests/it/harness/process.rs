//! A host in a process of its own: the program `octo`, as people run it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{ChildStdout, Command, Stdio};

use xtask::guarded::Guarded;
use xtask::progress::Progress;

use super::spin::not_on_spin;
use crate::harness::TestApp;

/// Dropped, it ends as by SIGKILL.
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    _running: Guarded,
    /// Kept open, because a program must be able to write to its output.
    _said: BufReader<ChildStdout>,
}

impl TestApp {
    /// Starts one more host, over the same stores as the others and with the same variables, but on the
    /// machine's own clock.
    pub(crate) fn start_process(&self) -> Process {
        not_on_spin("a host that is ours");
        let mut command = Command::new(xtask::build::host(Progress::Quiet).unwrap());
        command.args(["--skip-build", "--listen", "127.0.0.1:0", "--state-dir"]).arg(self.state.path());
        if let Some(redis) = &self.servers.store {
            command.arg("--runtime-config-file").arg(self.setup.runtime_config(&self.state, redis));
        }
        for (name, value) in &self.setup.variables {
            command.arg("--variable").arg(format!("{name}={value}"));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = Guarded::spawn(&mut command).unwrap();
        let mut said = BufReader::new(running.child().stdout.take().unwrap());
        let mut line = String::new();
        while said.read_line(&mut line).unwrap() > 0 {
            if let Some(address) = line.trim_end().strip_prefix("Octo is ready on http://") {
                return Process { address: address.parse().unwrap(), _running: running, _said: said };
            }
            line.clear();
        }
        panic!("the host did not start");
    }
}
