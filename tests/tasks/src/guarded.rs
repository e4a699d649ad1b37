//! Child processes that never outlive us.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::Context;

/// A child process that ends with this value, and also when this process ends without dropping it.
#[derive(Debug)]
pub struct Guarded {
    child: Child,
    /// Ends the child when this process is gone: it waits on a pipe that closes then.
    guard: Child,
    /// Whether the child has a group of its own, which ends with it.
    leads_group: bool,
}

impl Guarded {
    /// Starts `command`.
    ///
    /// # Errors
    /// When it, or the shell that watches over it, cannot be started.
    pub fn spawn(command: &mut Command) -> anyhow::Result<Self> {
        Self::spawn_with(command, |pid| guard(&format!("kill -9 {pid}"), ""))
    }

    /// Starts `command`, which has a folder to itself: when this process is gone, the child is asked to end
    /// (SIGINT), ended when it has not after five seconds, and the folder is removed.
    ///
    /// # Errors
    /// When it, or the shell that watches over it, cannot be started.
    pub fn spawn_in(command: &mut Command, folder: &Path) -> anyhow::Result<Self> {
        Self::spawn_with(command, |pid| {
            let ending = format!(
                r#"kill -INT {pid}
                tries=0; while kill -0 {pid} && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries+1)); done
                kill -9 {pid}; rm -rf -- "$0""#
            );
            guard(&ending, folder)
        })
    }

    /// Starts `command`, whose own children end with it.
    ///
    /// # Errors
    /// When it, or the shell that watches over it, cannot be started.
    pub fn spawn_group(command: &mut Command) -> anyhow::Result<Self> {
        let mut started = Self::spawn_with(command.process_group(0), |pid| guard(&end_of_group(pid), ""))?;
        started.leads_group = true;
        Ok(started)
    }

    fn spawn_with(
        command: &mut Command,
        guard: impl FnOnce(u32) -> anyhow::Result<Child>,
    ) -> anyhow::Result<Self> {
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))?;
        match guard(child.id()) {
            Ok(guard) => Ok(Self { child, guard, leads_group: false }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// The child's process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The child, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// How the child ended, if it has.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }
}

impl Drop for Guarded {
    /// Ends the child at once, as a crash does (SIGKILL), and waits until it has.
    fn drop(&mut self) {
        // The guard first: it must never act on a process id that is no longer ours. Failing to end a process
        // that has ended is no failure.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        if self.leads_group {
            let _ = Command::new("sh")
                .args(["-c", &end_of_group(self.child.id())])
                .stderr(Stdio::null())
                .status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The group is the leader's, for as long as nobody has waited for it.
fn end_of_group(leader: u32) -> String {
    format!("kill -9 -{leader}")
}

/// A shell that carries out `ending`, with `name` as its `$0`, when the other end of its pipe is closed. What a
/// terminal or a supervisor sends to all of a group must not end it before.
fn guard(ending: &str, name: impl AsRef<OsStr>) -> anyhow::Result<Child> {
    Command::new("sh")
        .args(["-c", &format!("trap '' INT HUP QUIT TERM; read _; {ending}")])
        .arg(name)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start a shell")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_ends_with_its_value() {
        let mut child = Guarded::spawn(Command::new("sleep").arg("100")).unwrap();
        let pid = child.id();
        assert!(child.try_wait().unwrap().is_none());
        let lives = || Command::new("sh").args(["-c", &format!("kill -0 {pid} 2>&-")]).status().unwrap();
        assert!(lives().success());
        drop(child);
        assert!(!lives().success());
    }

    #[test]
    fn the_children_of_a_child_end_with_it() {
        use std::io::{BufRead, BufReader};
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 100 & echo $!; wait"]).stdout(Stdio::piped());
        let mut child = Guarded::spawn_group(&mut command).unwrap();
        let mut grandchild = String::new();
        BufReader::new(child.child().stdout.take().unwrap()).read_line(&mut grandchild).unwrap();
        drop(child);
        // Ended, it may still wait for somebody to notice; and a signal takes a moment to arrive.
        let has_ended = || {
            let status = std::fs::read_to_string(format!("/proc/{}/stat", grandchild.trim()));
            status.map_or(true, |status| status.contains(") Z "))
        };
        for _ in 0..500 {
            if has_ended() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("{grandchild} lives on");
    }

    #[test]
    fn what_its_owner_leaves_behind_is_ended_and_removed() {
        let folder = std::env::temp_dir().join(format!("octo-guarded-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("inside")).unwrap();
        let mut child = Guarded::spawn_in(Command::new("sleep").arg("100"), &folder).unwrap();
        // What happens when this process ends: its end of the pipe closes.
        drop(child.guard.stdin.take());
        child.child.wait().unwrap();
        child.guard.wait().unwrap();
        assert!(!folder.exists());
    }
}
