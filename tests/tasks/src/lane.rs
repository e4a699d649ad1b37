//! The lane of WASI 0.3, for Spin 4.1: the same application with some of its components built for it (`components/platform/spin`).
//!
//! Its manifest is made from `spin.toml`, because Spin 3 refuses a manifest that has both.

use std::path::Path;
use std::process::Command;

use crate::manifest::{self, Component};
use crate::progress::Progress;
use crate::toolchain::{WASM_PROFILE, WASM_TARGET, cargo, ensure_wasm_target};
use crate::{process, workspace};

/// The manifest of the application in this lane.
pub const MANIFEST: &str = "deploy/spin-wasi-0.3.toml";

/// The components that are built for it. All others are those of the lane of WASI 0.2, which every Spin runs.
pub const COMPONENTS: [&str; 1] = ["router"];

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

/// The components of `spin.toml` that are built for the lane, with the files that are built.
///
/// # Errors
/// When `spin.toml` cannot be read.
pub fn components() -> anyhow::Result<Vec<Component>> {
    let mut components = manifest::components()?;
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

/// The manifest of the lane that belongs to this `spin.toml`.
pub fn made_from(spin_toml: &str) -> String {
    let mut manifest = format!(
        "# Octo in the lane of WASI 0.3, for Spin 4.1 and later. Made from spin.toml; change that, and run\n\
         # `OCTO_WRITE=1 cargo xtask check`. Built for it: {}.\n\n",
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
    let due = made_from(&std::fs::read_to_string(workspace::root().join("spin.toml"))?);
    if write {
        return Ok(std::fs::write(path, due)?);
    }
    anyhow::ensure!(
        std::fs::read_to_string(path).is_ok_and(|found| found == due),
        "{MANIFEST} is not what spin.toml makes of it: `OCTO_WRITE=1 cargo xtask check` writes it"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_components_of_the_lane_are_built_for_it_and_the_others_stay_as_they_are() {
        let made = made_from(&std::fs::read_to_string(workspace::root().join("spin.toml")).unwrap());
        let made: toml::Table = made.parse().unwrap();
        let of = |component: &str| made["component"][component].clone();
        assert_eq!(
            of("router")["source"].as_str(),
            Some("../target/wasi-0.3/wasm32-wasip2/wasm/router.wasm")
        );
        assert_eq!(of("auth")["source"].as_str(), Some("../target/wasm32-wasip2/wasm/auth.wasm"));
        let command = |component: &str| of(component)["build"]["command"].as_str().unwrap().to_owned();
        assert!(command("router").contains("--target-dir ../target/wasi-0.3 --config 'target.wasm32"));
        assert!(command("router").ends_with(" -p router"));
        assert!(!command("auth").contains("--config"));
        assert_eq!(
            of("auth")["build"]["watch"][0].as_str().map(|path| path.starts_with("../components/")),
            Some(true)
        );
    }
}
