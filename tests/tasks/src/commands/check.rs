//! `cargo xtask check`: layers, formatting and lints, for the native packages and for the components.

use anyhow::bail;
use xtask::process;
use xtask::progress::{Progress, Steps};
use xtask::toolchain::{WASM_PROFILE, WASM_TARGET, cargo, ensure_wasm_target};
use xtask::workspace::{Kind, packages};
use xtask::{lane, layers};

pub(crate) fn run() -> anyhow::Result<()> {
    let packages = packages()?;
    let guests = || packages.iter().filter(|package| package.is_guest());
    let for_wasm = || packages.iter().filter(|package| package.kind == Kind::Component);
    let mut steps = Steps::new(5);
    steps.run("Layers: platform <- domain <- component", || {
        match layers::violations(&packages).as_slice() {
            [] => Ok(()),
            found => bail!("{}\nCONTRIBUTING.md has the rule.", found.join("\n")),
        }
    })?;
    steps.run("The manifest of the lane of WASI 0.3", || {
        lane::check(std::env::var_os("OCTO_WRITE").is_some())
    })?;
    steps.run("Formatting", || {
        process::run(
            cargo().args(["fmt", "--all", "--check"]),
            Progress::Shown,
            "`cargo fmt --all` corrects it.",
        )
    })?;
    steps.run("Lints of what runs on this machine", || {
        let mut clippy = cargo();
        clippy.args(["clippy", "--release", "--workspace", "--all-targets", "--keep-going"]);
        for package in guests() {
            clippy.args(["--exclude", &package.name]);
        }
        lint(clippy.args(["--", "-D", "warnings"]))
    })?;
    steps.run("Lints of the components", || {
        ensure_wasm_target(Progress::Shown)?;
        let mut clippy = cargo();
        clippy.args(["clippy", "--profile", WASM_PROFILE, "--target", WASM_TARGET]);
        clippy.args(["-p", "octo-spin"]);
        for package in for_wasm() {
            clippy.args(["-p", &package.name]);
        }
        lint(clippy.args(["--", "-D", "warnings"]))?;
        let mut clippy = cargo();
        clippy.args(["clippy", "--target-dir", lane::FOLDER, "-p", "octo-spin"]);
        lint(lane::for_lane(&mut clippy).args(["--", "-D", "warnings"]))
    })
}

fn lint(clippy: &mut std::process::Command) -> anyhow::Result<()> {
    process::run(
        clippy,
        Progress::Shown,
        "The lines above say what to change. When clippy itself is missing: `rustup component add clippy`.",
    )
}
