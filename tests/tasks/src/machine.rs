//! Programs the tests need beside Rust, and installing the missing ones on Debian and its relatives.

use std::io::IsTerminal;
use std::process::Command;
use std::sync::Mutex;

use anyhow::bail;

use crate::process::{self, find};
use crate::progress::Progress;

/// A program, and the Debian package it comes in.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The program's name on the `PATH`.
    pub name: &'static str,
    /// The package that has it.
    pub package: &'static str,
    /// What it is needed for.
    pub purpose: &'static str,
    /// A shell command for root before the package is installed; none: empty.
    pub before: &'static str,
}

/// The C compiler and linker, which Rust itself needs and SQLite is built with.
pub const C_COMPILER: Program = Program {
    name: "cc",
    package: "build-essential",
    purpose: "linking, and building SQLite for the development host",
    before: "",
};

/// The client in the README's transcript, which a test runs as written.
pub const CURL: Program = Program {
    name: "curl",
    package: "curl",
    purpose: "running the README's commands as written",
    before: "",
};

/// What the judges of the API's description are written in. The package brings the module that makes environments.
pub const PYTHON: Program = Program {
    name: "python3",
    package: "python3-venv",
    purpose: "validating the API's description, and trying the API against it",
    before: "",
};

/// What judges the alerts and the dashboards; the package brings `promtool`.
pub const PROMETHEUS: Program = Program {
    name: "prometheus",
    package: "prometheus",
    purpose: "the tests of alerts and dashboards",
    // Debian's package would start a server for the whole machine. What somebody has decided about that is kept.
    before: "mkdir -p /etc/systemd/system && cd /etc/systemd/system && \
             { [ -e prometheus.service ] || ln -s /dev/null prometheus.service; }",
};

/// The server for the tests of counting over Redis; each test starts its own on a private port.
pub const REDIS: Program = Program {
    name: "redis-server",
    package: "redis-server",
    purpose: "the tests of several hosts that share one store",
    before: "",
};

/// The server for the tests over Postgres; each process of tests starts its own on a private port.
pub const POSTGRES: Program = Program {
    name: "postgres",
    package: "postgresql",
    purpose: "the tests of everything that keeps its data in Postgres",
    // Debian's package would start a server for the whole machine. Anyone who has decided about that already has
    // this file; what it says is kept.
    before: "cd /etc && mkdir -p postgresql-common && cd postgresql-common && \
             { [ -e createcluster.conf ] || echo 'create_main_cluster = false' > createcluster.conf; }",
};

/// Installs whatever of `programs` is missing: directly as root, through sudo where that works.
///
/// # Errors
/// When something is missing and cannot be installed, with the command that would.
pub fn ensure(programs: &[Program], progress: Progress) -> anyhow::Result<()> {
    // Tests that run side by side may find the same program missing; one of them installs it.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _installing = INSTALLING.lock();
    let missing: Vec<&Program> = programs.iter().filter(|program| find(program.name).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for program in &missing {
        progress.note(format_args!("  {} is missing; it is needed for {}", program.name, program.purpose));
    }
    let before: Vec<&str> =
        missing.iter().map(|program| program.before).filter(|it| !it.is_empty()).collect();
    let packages: Vec<&str> = missing.iter().map(|program| program.package).collect();
    let by_hand = format!("sudo apt-get install {}", packages.join(" "));
    let Some(privilege) = privilege() else {
        bail!(
            "{} cannot be installed without root or sudo.\nInstall it by hand, then run the command again:\n  {by_hand}",
            packages.join(" and ")
        );
    };
    for command in before {
        process::run(
            &mut as_root(privilege, &["sh", "-c", command]),
            progress,
            &format!("Try by hand: {by_hand}"),
        )?;
    }
    install(privilege, &packages, progress, &by_hand)?;
    for program in missing {
        if find(program.name).is_none() {
            bail!(
                "{} is still missing after installing {}; put it on the PATH and try again",
                program.name,
                program.package
            );
        }
    }
    Ok(())
}

/// A way to act as root: what stands before the command.
type Privilege = &'static [&'static str];

fn privilege() -> Option<Privilege> {
    find("apt-get")?;
    if process::read(Command::new("id").arg("-u")).is_ok_and(|id| id == "0") {
        return Some(&[]);
    }
    find("sudo")?;
    // Where nobody can type a password, sudo must not ask for one.
    if std::io::stdin().is_terminal() {
        return Some(&["sudo"]);
    }
    let allowed = process::read(Command::new("sudo").args(["-n", "true"])).is_ok();
    allowed.then_some(&["sudo", "-n"])
}

fn as_root(privilege: Privilege, words: &[&str]) -> Command {
    let mut words = privilege.iter().chain(words);
    let mut command = Command::new(words.next().unwrap_or(&"env"));
    command.args(words);
    command
}

fn install(privilege: Privilege, packages: &[&str], progress: Progress, by_hand: &str) -> anyhow::Result<()> {
    let apt = |arguments: &[&str]| {
        let words = [&["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"], arguments].concat();
        process::run(&mut as_root(privilege, &words), progress, &format!("Try by hand: {by_hand}"))
    };
    let install = [&["install", "-y", "--no-install-recommends"], packages].concat();
    // A fresh machine has no package lists, an old one has lists of versions that are gone.
    apt(&install).or_else(|_| {
        progress.note("  bringing the package lists up to date");
        apt(&["update"])?;
        apt(&install)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_happens_when_all_is_there() {
        let shell = Program { name: "sh", package: "dash", purpose: "everything", before: "" };
        ensure(&[shell], Progress::Quiet).unwrap();
    }
}
