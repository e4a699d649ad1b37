//! `cargo xtask test`: everything from a bare machine to tested code.

use std::process::Command;

use xtask::machine::{self, C_COMPILER, CURL, POSTGRES, REDIS};
use xtask::progress::{Progress, Steps};
use xtask::toolchain::{cargo, ensure_wasm_target};
use xtask::workspace::{Kind, packages};
use xtask::{build, process};

/// The modules of the integration tests about what is kept in the database. They run on SQLite with all others, and then
/// again on Postgres.
const ON_POSTGRES: [&str; 7] =
    ["administration::", "contract_001::", "jobs::", "races::", "sessions::", "sign_on::", "subscriptions::"];

pub(crate) fn run(filter: &[String]) -> anyhow::Result<()> {
    let mut steps = Steps::new(7);
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
    // Whoever asks for some tests is not after those of everything.
    steps.run("Running those of the database on Postgres", || match filter.as_slice() {
        [] => on_postgres(),
        _ => Ok(()),
    })?;
    eprintln!(
        "\nAll tests passed, {} in total.\nNext: `cargo run --release` starts Octo on http://127.0.0.1:3000 and shows the first request to try.",
        steps.elapsed()
    );
    Ok(())
}

/// Wasm-only packages are left out: natively they are empty, and their SDK would be built for nothing.
fn tests(arguments: &[&str], advice: &str) -> anyhow::Result<()> {
    process::run(command()?.args(arguments), Progress::Shown, advice)
}

fn on_postgres() -> anyhow::Result<()> {
    let mut test = command()?;
    test.env("OCTO_TEST_DATABASE", "postgres").args(["--test", "it", "--"]).args(ON_POSTGRES);
    let advice = "The lines above name the failed tests. To run one alone: \
                  `OCTO_TEST_DATABASE=postgres cargo xtask test NAME -- --nocapture`";
    process::run(&mut test, Progress::Shown, advice)
}

/// The same for all runs: another choice of packages would be built anew.
fn command() -> anyhow::Result<Command> {
    let mut test = cargo();
    test.args(["test", "--release", "--workspace"]);
    for package in packages()?.iter().filter(|package| package.kind != Kind::Native) {
        test.args(["--exclude", &package.name]);
    }
    Ok(test)
}
