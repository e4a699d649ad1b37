//! `cargo xtask deny`: what the dependencies may be (`deny.toml`), checked by cargo-deny.

use std::path::PathBuf;
use std::process::Command;

use xtask::process;
use xtask::progress::{Progress, Steps};
use xtask::toolchain::cargo;
use xtask::workspace;

/// The version of cargo-deny that reads our `deny.toml`.
const VERSION: &str = "0.20.2";

pub(crate) fn run() -> anyhow::Result<()> {
    let mut steps = Steps::new(2);
    let program = steps.run(&format!("cargo-deny {VERSION}"), || match installed() {
        Some(program) => Ok(program),
        None => install(),
    })?;
    steps.run("Licences, sources and duplicates of the dependencies", || {
        // Advisories need a database from the network and change without our doing, so they are no part
        // of a check that must give the same answer twice. `cargo deny check advisories` shows them.
        process::run(
            Command::new(&program)
                .args(["--workspace", "--all-features", "check", "--hide-inclusion-graph"])
                .args(["bans", "licenses", "sources"])
                .current_dir(workspace::root()),
            Progress::Shown,
            "deny.toml says what is allowed and why.",
        )
    })
}

/// Kept inside the project: a check must not change what else is installed on the machine.
fn folder() -> PathBuf {
    workspace::root().join("target/tools")
}

fn installed() -> Option<PathBuf> {
    let ours = folder().join("bin/cargo-deny");
    [Some(ours), process::find("cargo-deny")].into_iter().flatten().find(|program| {
        process::read(Command::new(program).arg("--version"))
            .is_ok_and(|text| text.ends_with(&format!(" {VERSION}")))
    })
}

fn install() -> anyhow::Result<PathBuf> {
    process::run(
        cargo().args(["install", "cargo-deny", "--locked", "--version", VERSION]).arg("--root").arg(folder()),
        Progress::Shown,
        "Check the network connection and try again.",
    )?;
    Ok(folder().join("bin/cargo-deny"))
}
