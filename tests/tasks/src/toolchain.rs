//! The compiler: the cargo that called us, and the standard library for wasm.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::process::{self, find};
use crate::progress::Progress;
use crate::workspace;

/// What the components are compiled for: WASI 0.2, which every Spin since 3.0 and both clouds run.
pub const WASM_TARGET: &str = "wasm32-wasip2";

/// The cargo profile of the components (root `Cargo.toml`).
pub const WASM_PROFILE: &str = "wasm";

/// Cargo in the project's folder: the one that called us, or the one on the `PATH`.
///
/// Cargo tells the programs it runs about their own package in variables such as `CARGO_PKG_NAME`. An inner
/// cargo must not see them: some build scripts watch them and would be run again at every call.
pub fn cargo() -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(workspace::root());
    for (name, _) in env::vars_os() {
        let caller_only = name.to_str().is_some_and(|name| {
            ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|prefix| name.starts_with(prefix))
        });
        if caller_only {
            command.env_remove(name);
        }
    }
    command
}

/// Makes sure that the compiler in use can compile for [`WASM_TARGET`].
///
/// `rust-toolchain.toml` declares the target, but rustup adds declared targets only when it installs the
/// toolchain itself; on a machine that already has the toolchain, somebody must add it. A compiler that does
/// not come from rustup is fine as long as the target is there.
///
/// # Errors
/// When the target is missing and cannot be added, with what to do.
pub fn ensure_wasm_target(progress: Progress) -> anyhow::Result<()> {
    if has_wasm_target()? {
        return Ok(());
    }
    let sysroot = PathBuf::from(process::read(rustc().args(["--print", "sysroot"]))?);
    let Some(toolchain) = rustup_toolchain(&sysroot) else {
        bail!(
            "the compiler in {} has no standard library for {WASM_TARGET}, and it does not come from rustup.\n\
             Install rustup (https://rustup.rs), or add {WASM_TARGET} in the way this compiler was installed.",
            sysroot.display()
        );
    };
    progress.note(format_args!("  adding the target {WASM_TARGET} to {toolchain}"));
    let advice = format!(
        "Check the network connection, then try `rustup target add {WASM_TARGET} --toolchain {toolchain}` by hand."
    );
    process::run(
        Command::new("rustup")
            .args(["target", "add", WASM_TARGET, "--toolchain", &toolchain])
            .current_dir(workspace::root()),
        progress,
        &advice,
    )?;
    if !has_wasm_target()? {
        bail!("rustup added {WASM_TARGET}, but the compiler does not find it.\n{advice}");
    }
    Ok(())
}

/// The compiler that [`cargo`] will use.
fn rustc() -> Command {
    let program = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let mut command = Command::new(program);
    command.current_dir(workspace::root());
    command
}

fn has_wasm_target() -> anyhow::Result<bool> {
    let folder = process::read(rustc().args(["--print", "target-libdir", "--target", WASM_TARGET]))
        .context("cannot ask the Rust compiler about its targets")?;
    let Ok(entries) = Path::new(&folder).read_dir() else {
        return Ok(false);
    };
    Ok(entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-")))
}

/// The name rustup knows the compiler by. Its folder's name is that name, whatever `RUSTUP_TOOLCHAIN`,
/// overrides and toolchain files say, so the target is added to exactly the compiler in use.
fn rustup_toolchain(sysroot: &Path) -> Option<String> {
    find("rustup")?;
    let parent = sysroot.parent()?.file_name()?;
    (parent == "toolchains").then(|| sysroot.file_name()?.to_str().map(str::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_outside_rustup_has_no_rustup_name() {
        assert_eq!(rustup_toolchain(Path::new("/usr")), None);
    }
}
