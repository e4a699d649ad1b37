//! `cargo xtask chaos`: the tests under load and outages, with what happened when.

use xtask::machine::{self, C_COMPILER, REDIS};
use xtask::progress::{Progress, Steps};
use xtask::toolchain::cargo;
use xtask::{build, process};

use super::test::CHAOS;

/// Both packages in every call: then cargo builds the host with the tests, and everything once.
const PACKAGES: [&str; 4] = ["-p", "octo-host", "-p", "octo-it"];

pub(crate) fn run() -> anyhow::Result<()> {
    let mut steps = Steps::new(4);
    steps.run("Programs beside Rust: a C compiler, redis-server", || {
        machine::ensure(&[C_COMPILER, REDIS], Progress::Shown)
    })?;
    steps.run("Building the components", || build::components(Progress::Shown))?;
    steps.run("Building the host and the tests", || {
        process::run(
            cargo().args(["build", "--release", "--bins", "--tests"]).args(PACKAGES),
            Progress::Shown,
            "The lines above name the cause.",
        )
    })?;
    steps.run("Running the tests under load", || {
        let mut tests = cargo();
        tests.args(["test", "--release", "--quiet"]).args(PACKAGES).args(["--test", "it", "--", CHAOS]);
        // One after another, with those that are left out of `cargo xtask test`, and with what they print.
        tests.args(["--test-threads", "1", "--include-ignored", "--nocapture"]);
        process::run(&mut tests, Progress::Shown, "The lines above name what did not hold.")
    })
}
