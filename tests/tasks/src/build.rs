//! Building the components, the guests and the host.
//!
//! The functions build once per process and remember the outcome, so every test may call them; the calls
//! block, also while another process builds. What is already built costs a fraction of a second.

use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::{Context, anyhow, bail};

use crate::progress::Progress;
use crate::toolchain::{WASM_PROFILE, WASM_TARGET, cargo, ensure_wasm_target};
use crate::{manifest, process, workspace};

type Outcome = OnceLock<Result<(), String>>;

/// Builds every component of `spin.toml`, so that its `.wasm` files are there and current.
///
/// # Errors
/// When the wasm target cannot be added, the code does not compile, or `spin.toml` names another file than
/// the one its package builds.
pub fn components(progress: Progress) -> anyhow::Result<()> {
    static OUTCOME: Outcome = Outcome::new();
    once(&OUTCOME, || {
        let components = manifest::components()?;
        wasm(components.iter().map(|component| component.package.as_str()), progress)?;
        for component in &components {
            if !workspace::root().join(&component.source).is_file() {
                bail!(
                    "package {} was built, but there is no {}: correct the source of component {} in spin.toml",
                    component.package,
                    component.source.display(),
                    component.id,
                );
            }
        }
        Ok(())
    })
}

/// Builds the tiny components in `tests/guests`, which only tests and benchmarks run.
///
/// # Errors
/// When the wasm target cannot be added or the code does not compile.
pub fn guests(progress: Progress) -> anyhow::Result<()> {
    static OUTCOME: Outcome = Outcome::new();
    once(&OUTCOME, || {
        let packages = workspace::packages()?;
        let guests = packages.iter().filter(|package| package.is_guest());
        wasm(guests.map(|guest| guest.name.as_str()), progress)
    })
}

/// The program `octo`: the host, for tests that need it as a process of its own.
///
/// Cargo builds it with the tests of the whole workspace, beside them; only when it is not there is it built
/// now. (Always to ask cargo would build wasmtime again: a build of fewer packages has other features.)
///
/// # Errors
/// When the code does not compile.
pub fn host(progress: Progress) -> anyhow::Result<PathBuf> {
    static OUTCOME: Outcome = Outcome::new();
    // Tests are in `deps` beside the programs.
    let tests = std::env::current_exe()?;
    let program = tests.ancestors().nth(2).context("this program is nowhere")?.join("octo");
    once(&OUTCOME, || {
        if program.is_file() {
            return Ok(());
        }
        process::run(
            cargo().args(["build", "--release", "-p", "octo-host", "--bin", "octo"]),
            progress,
            "The lines above name the cause.",
        )
    })?;
    Ok(program)
}

/// The folder of the built `.wasm` files. It is always in the project, because `spin.toml` says so, even
/// when cargo is told to put its own output elsewhere.
pub fn folder() -> PathBuf {
    let target = workspace::root().join("target");
    target.join(WASM_TARGET).join(WASM_PROFILE)
}

/// Packages are named one by one: building the whole workspace for wasm would give the components the
/// features that native tools ask of the shared dependencies.
fn wasm<'a>(packages: impl Iterator<Item = &'a str>, progress: Progress) -> anyhow::Result<()> {
    ensure_wasm_target(progress)?;
    let mut build = cargo();
    build
        .args(["build", "--profile", WASM_PROFILE, "--target", WASM_TARGET])
        .arg("--target-dir")
        .arg("target");
    for package in packages {
        build.args(["-p", package]);
    }
    process::run(
        &mut build,
        progress,
        "The lines above name the cause. When a download failed, check the network connection and try again.",
    )
}

fn once(outcome: &Outcome, build: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    outcome
        .get_or_init(|| build().map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(|error| anyhow!(error))
}
