//! Child processes that never outlive us.

use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::Context;

/// A child process that ends with this value, and also when this process ends without dropping it.
#[derive(Debug)]
pub struct Guarded {
    child: Child,
    /// Ends the child when this process is gone: it waits on a pipe that closes then.
    guard: Child,
}

impl Guarded {
    /// Starts `command`.
    ///
    /// # Errors
    /// When it, or the shell that watches over it, cannot be started.
    pub fn spawn(command: &mut Command) -> anyhow::Result<Self> {
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))?;
        match guard(child.id()) {
            Ok(guard) => Ok(Self { child, guard }),
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
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn guard(pid: u32) -> anyhow::Result<Child> {
    Command::new("sh")
        .args(["-c", &format!("read _; kill -9 {pid}")])
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
}
