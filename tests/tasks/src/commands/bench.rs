//! `cargo xtask bench`: the benchmark of `tests/load` on fresh builds.

use xtask::progress::{Progress, Steps};
use xtask::toolchain::cargo;
use xtask::{build, lane, process};

pub(crate) fn run(options: &[String]) -> anyhow::Result<()> {
    let mut steps = Steps::new(3);
    steps.run("Building the components and the guests", || {
        build::components(Progress::Shown)?;
        build::guests(Progress::Shown)?;
        lane::build(Progress::Shown)
    })?;
    steps.run("Building the host and the load generator", || {
        process::run(
            cargo().args(["build", "--release", "-p", "octo-load"]),
            Progress::Shown,
            "The lines above name the cause.",
        )
    })?;
    steps.run("Measuring", || {
        process::run(
            cargo().args(["run", "--release", "--quiet", "-p", "octo-load", "--"]).args(options),
            Progress::Shown,
            "The lines above name the cause.",
        )
    })
}
