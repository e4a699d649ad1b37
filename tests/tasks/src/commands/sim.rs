//! `cargo xtask sim`: the simulator of `tests/sim`.

use xtask::process;
use xtask::progress::Progress;
use xtask::toolchain::cargo;

pub(crate) fn run(options: &[String]) -> anyhow::Result<()> {
    process::run(
        cargo().args(["run", "--release", "--quiet", "-p", "octo-sim", "--"]).args(options),
        Progress::Shown,
        "The lines above name the cause.",
    )
}
