//! `cargo xtask build`: the components of `spin.toml`.

use xtask::progress::Progress;
use xtask::{build, manifest};

pub(crate) fn run() -> anyhow::Result<()> {
    build::components(Progress::Shown)?;
    for component in manifest::components()? {
        println!("{}", component.source.display());
    }
    Ok(())
}
