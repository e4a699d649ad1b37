//! `cargo xtask test`: everything from a bare machine to tested code.

use std::process::Command;

use anyhow::{anyhow, bail};
use xtask::machine::{self, C_COMPILER, CURL, POSTGRES, PROMETHEUS, REDIS};
use xtask::progress::{Progress, Steps};
use xtask::toolchain::{cargo, ensure_wasm_target};
use xtask::workspace::{packages, root};
use xtask::{build, lane, process};

use super::spin::Spin;

/// The integration tests: HTTP only, against the built components.
pub(super) const INTEGRATION: &str = "it";

/// Those of them that are under load, and want the machine to themselves.
pub(super) const CHAOS: &str = "chaos::";

/// Where they are: a folder for each system, and some more.
const FOLDER: &str = "tests/it/tests/it";

/// The folders whose tests run on SQLite alone, because they keep nothing in the database or choose it themselves. All
/// other folders are of systems with tables: their tests run again on Postgres.
const ON_SQLITE_ALONE: [&str; 6] = ["chaos", "harness", "messages", "mock_providers", "platform", "site"];

/// The tests of the components that are built for the lane of WASI 0.3.
const OF_THE_LANE: [&str; 2] = ["messages::", "grpc::"];

const ADVICE: &str =
    "The lines above name the failed tests. To run one alone: `cargo xtask test NAME -- --nocapture`";
const ADVICE_ON_POSTGRES: &str = "The lines above name the failed tests. To run one alone: \
    `OCTO_TEST_DATABASE=postgres cargo xtask test NAME -- --nocapture`";
const ADVICE_ON_THE_LANE: &str = "The lines above name the failed tests. To run one alone: \
    `OCTO_TEST_WASI=0.3 cargo xtask test NAME -- --nocapture`";

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let (spin, filter) = match arguments.split_first() {
        Some((first, rest)) if first == "--spin" => (Some(Spin::find()?), rest),
        _ => (None, arguments),
    };
    let mut steps = Steps::new(6);
    steps.run("Programs beside Rust: a C compiler, curl, redis-server, postgres, prometheus", || {
        machine::ensure(&[C_COMPILER, CURL, POSTGRES, PROMETHEUS, REDIS], Progress::Shown)
    })?;
    steps.run("The compiler's wasm target", || ensure_wasm_target(Progress::Shown))?;
    steps.run("Building the components", || {
        build::components(Progress::Shown)?;
        lane::build(Progress::Shown)
    })?;
    steps.run("Building the guests that only tests run", || build::guests(Progress::Shown))?;
    steps.run("Building the tests and the development host", || {
        tests(&["--no-run"], "The lines above name the cause.")
    })?;
    let filter: Vec<&str> = filter.iter().map(String::as_str).collect();
    if let Some(spin) = spin {
        return steps.run(&format!("Running the tests on {}", spin.version), || spin.test(&filter));
    }
    match filter.as_slice() {
        [] => {
            steps.run("Running the tests (`cargo xtask test chaos::` runs those under load)", everything)?
        }
        some => steps.run("Running the tests", || tests(&filtered(some), ADVICE))?,
    }
    eprintln!(
        "\nAll tests passed, {} in total.\nNext: `cargo run --release` starts Octo on http://127.0.0.1:3000 and shows the first request to try.",
        steps.elapsed()
    );
    Ok(())
}

/// The arguments for a test run with these filters, of which cargo itself takes only one.
fn filtered<'a>(filters: &[&'a str]) -> Vec<&'a str> {
    let own = filters.iter().copied().filter(|argument| *argument != "--");
    ["--"].into_iter().chain(own).collect()
}

/// The integration tests mostly wait, those of the crates mostly compute: they run beside each other, and then what is
/// kept in the database once more on Postgres. Those under load are left out.
fn everything() -> anyhow::Result<()> {
    let mut integration = command()?;
    integration.args(["--test", INTEGRATION, "--", "--skip", CHAOS]);
    let (mut crates, mut on_postgres, mut in_lane) = (of_the_crates()?, command()?, command()?);
    on_postgres
        .env("OCTO_TEST_DATABASE", "postgres")
        .args(["--test", INTEGRATION, "--"])
        .args(on_postgres_too()?);
    in_lane.env("OCTO_TEST_WASI", "0.3").args(["--test", INTEGRATION, "--"]).args(OF_THE_LANE);
    eprintln!(
        "  Beside them, shown when they fail: the crates' own tests, those of the database on Postgres, and those of \
         messages and gRPC in the lane of WASI 0.3."
    );
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| {
            process::run(&mut crates, Progress::Quiet, ADVICE)?;
            process::run(&mut on_postgres, Progress::Quiet, ADVICE_ON_POSTGRES)?;
            process::run(&mut in_lane, Progress::Quiet, ADVICE_ON_THE_LANE)
        });
        let shown = process::run(&mut integration, Progress::Shown, ADVICE);
        let beside = beside.join().unwrap_or_else(|_| Err(anyhow!("the tests beside them were cut off")));
        match (shown, beside) {
            (Err(shown), Err(beside)) => bail!("{shown:#}\nIn addition: {beside:#}"),
            (shown, beside) => shown.and(beside),
        }
    })
}

/// The filters for the integration tests that run on both databases, such as `accounts::`.
fn on_postgres_too() -> anyhow::Result<Vec<String>> {
    let mut systems = Vec::new();
    for entry in std::fs::read_dir(root().join(FOLDER))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() && !ON_SQLITE_ALONE.contains(&name.as_str()) {
            systems.push(name + "::");
        }
    }
    systems.sort();
    Ok(systems)
}

/// All tests but the integration tests.
fn of_the_crates() -> anyhow::Result<Command> {
    let mut test = command()?;
    test.args(["--lib", "--bins"]);
    for package in packages()? {
        for name in package.test_targets.iter().filter(|name| *name != INTEGRATION) {
            test.args(["--test", name]);
        }
    }
    Ok(test)
}

/// Some tests of all.
fn tests(arguments: &[&str], advice: &str) -> anyhow::Result<()> {
    process::run(command()?.args(arguments), Progress::Shown, advice)
}

/// The same packages for all runs: another choice would be built anew. The guests are left out: natively they are empty.
pub(super) fn command() -> anyhow::Result<Command> {
    let mut test = cargo();
    test.args(["test", "--release", "--workspace"]);
    for package in packages()?.iter().filter(|package| package.is_guest()) {
        test.args(["--exclude", &package.name]);
    }
    Ok(test)
}

#[test]
fn the_tests_of_every_system_with_tables_run_on_both_databases() {
    let systems = on_postgres_too().unwrap();
    for system in ["accounts::", "delivery::", "jobs::", "subscriptions::"] {
        assert!(systems.iter().any(|name| name == system), "{system} {systems:?}");
    }
    for folder in ON_SQLITE_ALONE {
        assert!(root().join(FOLDER).join(folder).is_dir(), "there is no folder {folder}");
    }
}
