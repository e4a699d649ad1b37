//! `cargo xtask test`: everything from a bare machine to tested code.

use xtask::machine::{self, C_COMPILER, CURL, POSTGRES, REDIS};
use xtask::progress::{Progress, Steps};
use xtask::toolchain::{cargo, ensure_wasm_target};
use xtask::workspace::{Kind, packages};
use xtask::{build, process};

pub(crate) fn run(filter: &[String]) -> anyhow::Result<()> {
    let mut steps = Steps::new(6);
    steps.run("Programs beside Rust: a C compiler, curl, redis-server, postgres", || {
        machine::ensure(&[C_COMPILER, CURL, POSTGRES, REDIS], Progress::Shown)
    })?;
    steps.run("The compiler's wasm target", || ensure_wasm_target(Progress::Shown))?;
    steps.run("Building the components", || build::components(Progress::Shown))?;
    steps.run("Building the guests that only tests run", || build::guests(Progress::Shown))?;
    steps.run("Building the tests and the development host", || {
        tests(&["--no-run"], "The lines above name the cause.")
    })?;
    let filter: Vec<&str> = filter.iter().map(String::as_str).collect();
    steps.run("Running the tests", || {
        tests(
            &filter,
            "The lines above name the failed tests. To run one alone: `cargo xtask test NAME -- --nocapture`",
        )
    })?;
    eprintln!(
        "\nAll tests passed, {} in total.\nNext: `cargo run --release` starts Octo on http://127.0.0.1:3000 and shows the first request to try.",
        steps.elapsed()
    );
    Ok(())
}

/// Wasm-only packages are left out: natively they are empty, and their SDK would be built for nothing.
fn tests(arguments: &[&str], advice: &str) -> anyhow::Result<()> {
    let mut test = cargo();
    test.args(["test", "--release", "--workspace"]);
    for package in packages()?.iter().filter(|package| package.kind != Kind::Native) {
        test.args(["--exclude", &package.name]);
    }
    process::run(test.args(arguments), Progress::Shown, advice)
}
