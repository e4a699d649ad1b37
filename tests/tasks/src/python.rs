//! Programs of PyPI, in an environment of the project's own.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

use crate::machine::{self, PYTHON};
use crate::progress::Progress;
use crate::{process, workspace};

/// What is installed, with versions.
const REQUIREMENTS: &str = "tests/openapi/requirements.txt";

/// The program `name` of the environment, which is made when it is not there or its list has changed.
///
/// # Errors
/// When there is no Python, or the packages cannot be had.
pub fn program(name: &str, progress: Progress) -> anyhow::Result<PathBuf> {
    let folder = workspace::root().join("target/python");
    let (wanted, installed) = (workspace::root().join(REQUIREMENTS), folder.join("installed.txt"));
    let list = fs::read_to_string(&wanted).with_context(|| format!("cannot read {REQUIREMENTS}"))?;
    let is_there = || fs::read_to_string(&installed).is_ok_and(|known| known == list);
    if is_there() {
        return Ok(folder.join("bin").join(name));
    }
    // Several tests may want it at once, in this process and in others. The lock goes with the file.
    fs::create_dir_all(workspace::root().join("target"))?;
    let lock = fs::File::create(folder.with_extension("lock"))?;
    lock.lock()?;
    if is_there() {
        return Ok(folder.join("bin").join(name));
    }
    machine::ensure(&[PYTHON], progress)?;
    let advice =
        "The lines above name the cause. Python needs its module `venv` (Debian: python3-venv) and PyPI.";
    process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder), progress, advice)?;
    let mut install = Command::new(folder.join("bin/pip"));
    install.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&wanted);
    process::run(&mut install, progress, advice)?;
    fs::write(&installed, &list)?;
    Ok(folder.join("bin").join(name))
}
