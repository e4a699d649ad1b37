//! The lane of WASI 0.3, for Spin 4.1: the same application with some of its components built for it (`components/platform/spin`).
//!
//! Its manifest is made from `spin.toml`, because Spin 3 refuses a manifest that has both. What only this lane has stands in files
//! next to its code ([`ADDED`]).

use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::manifest::{self, Component};
use crate::progress::Progress;
use crate::toolchain::{WASM_PROFILE, WASM_TARGET, cargo, ensure_wasm_target};
use crate::{process, workspace};

/// The manifest of the application in this lane.
pub const MANIFEST: &str = "deploy/spin-wasi-0.3.toml";

/// The components that are built for it. All others are those of the lane of WASI 0.2, which every Spin runs.
pub const COMPONENTS: [&str; 2] = ["router", "grpc"];

/// Parts of the manifest of components that only this lane has, written as if they stood in `spin.toml`.
const ADDED: [&str; 1] = ["components/accounts/grpc/spin-wasi-0.3.toml"];

/// What only tests and benchmarks run.
const GUESTS: [&str; 1] = ["forward"];

/// Where they are built.
pub const FOLDER: &str = "target/wasi-0.3";

/// Makes rustc choose the lane, as a line of cargo's configuration.
pub const CHOICE: &str = r#"target.wasm32-wasip2.rustflags=["--cfg","wasi_0_3"]"#;

/// Builds the components of the lane.
///
/// # Errors
/// When the wasm target cannot be added or the code does not compile.
pub fn build(progress: Progress) -> anyhow::Result<()> {
    ensure_wasm_target(progress)?;
    let mut build = cargo();
    build.arg("build").args(["--target-dir", FOLDER]);
    process::run(for_lane(&mut build), progress, "The lines above name the cause.")
}

/// The components that are built for the lane, with the files that are built.
///
/// # Errors
/// When `spin.toml`, or what the lane adds to it, cannot be read.
pub fn components() -> anyhow::Result<Vec<Component>> {
    let mut components = manifest::components_in(&whole()?)?;
    components.retain(|component| COMPONENTS.contains(&component.id.as_str()));
    for component in &mut components {
        component.source = Path::new(FOLDER).join(component.source.strip_prefix("target")?);
    }
    Ok(components)
}

/// Has a cargo command do what it does to the components of the lane.
pub fn for_lane(command: &mut Command) -> &mut Command {
    command.args(["--profile", WASM_PROFILE, "--target", WASM_TARGET, "--config", CHOICE]);
    for package in COMPONENTS.iter().chain(&GUESTS) {
        command.args(["-p", package]);
    }
    command
}

/// `spin.toml` with what the lane adds to it.
fn whole() -> anyhow::Result<String> {
    let mut whole = read("spin.toml")?;
    for part in ADDED {
        whole.push('\n');
        whole.push_str(&read(part)?);
    }
    Ok(whole)
}

fn read(name: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(workspace::root().join(name)).with_context(|| format!("cannot read {name}"))
}

/// The manifest of the lane that belongs to this `spin.toml`, to which is added what only the lane has.
pub fn made_from(spin_toml: &str) -> String {
    let mut manifest = format!(
        "# Octo in the lane of WASI 0.3, for Spin 4.1 and later. Made from spin.toml and {};\n\
         # change those, and run `OCTO_WRITE=1 cargo xtask check`. Built for it: {}.\n\n",
        ADDED.join(", "),
        COMPONENTS.join(", ")
    );
    for line in spin_toml.lines() {
        let mut line =
            line.replace("= \"target/", "= \"../target/").replace("\"components/", "\"../components/");
        for component in COMPONENTS {
            let (built, flags) =
                (format!("{WASM_TARGET}/{WASM_PROFILE}/{component}.wasm"), format!("-p {component}"));
            if line.contains(&built) {
                line = line.replace("../target/", &format!("../{FOLDER}/"));
            } else if let Some(command) = line.strip_prefix("command = \"")
                && let Some(command) = command.strip_suffix(&format!("{flags}\""))
            {
                line =
                    format!("command = '''{command}--target-dir ../{FOLDER} --config '{CHOICE}' {flags}'''");
            }
        }
        manifest.push_str(&line);
        manifest.push('\n');
    }
    manifest
}

/// Compares the manifest of the lane with `spin.toml`, or writes it.
///
/// # Errors
/// When it is not in step, or a file cannot be read or written.
pub fn check(write: bool) -> anyhow::Result<()> {
    let path = workspace::root().join(MANIFEST);
    let due = made_from(&whole()?);
    if write {
        return Ok(std::fs::write(path, due)?);
    }
    anyhow::ensure!(
        std::fs::read_to_string(path).is_ok_and(|found| found == due),
        "{MANIFEST} is not what spin.toml and the lane's own parts make of it: `OCTO_WRITE=1 cargo xtask check` writes it"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_components_of_the_lane_are_built_for_it_and_the_others_stay_as_they_are() {
        let made = made_from(&whole().unwrap());
        let made: toml::Table = made.parse().unwrap();
        let of = |component: &str| made["component"][component].clone();
        assert_eq!(
            of("router")["source"].as_str(),
            Some("../target/wasi-0.3/wasm32-wasip2/wasm/router.wasm")
        );
        assert_eq!(of("auth")["source"].as_str(), Some("../target/wasm32-wasip2/wasm/auth.wasm"));
        assert_eq!(of("grpc")["source"].as_str(), Some("../target/wasi-0.3/wasm32-wasip2/wasm/grpc.wasm"));
        let command = |component: &str| of(component)["build"]["command"].as_str().unwrap().to_owned();
        assert!(command("router").contains("--target-dir ../target/wasi-0.3 --config 'target.wasm32"));
        assert!(command("router").ends_with(" -p router"));
        assert!(command("grpc").contains("--config 'target.wasm32") && command("grpc").ends_with(" -p grpc"));
        assert!(!command("auth").contains("--config"));
        assert_eq!(
            of("auth")["build"]["watch"][0].as_str().map(|path| path.starts_with("../components/")),
            Some(true)
        );
    }

    #[test]
    fn what_only_the_lane_has_is_not_in_the_other() {
        assert!(manifest::components().unwrap().iter().all(|component| component.id != "grpc"));
        let own = components().unwrap();
        let grpc = own.iter().find(|component| component.id == "grpc").unwrap();
        assert_eq!(grpc.source, Path::new("target/wasi-0.3/wasm32-wasip2/wasm/grpc.wasm"));
    }
}
