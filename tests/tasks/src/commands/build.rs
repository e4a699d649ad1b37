//! `cargo xtask build`: the components of `spin.toml`, or those of the lane of WASI 0.3 in addition.

use anyhow::bail;
use xtask::progress::Progress;
use xtask::{build, lane, manifest};

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let lane = match arguments {
        [] => false,
        [only] if only == "--wasi-0.3" => true,
        _ => bail!("`cargo xtask build` takes `--wasi-0.3` and no other argument"),
    };
    build::components(Progress::Shown)?;
    for component in manifest::components()? {
        println!("{}", component.source.display());
    }
    if lane {
        lane::build(Progress::Shown)?;
        println!("\nNext, with Spin 4.1 or later: `spin up -f {}`", lane::MANIFEST);
    }
    Ok(())
}
