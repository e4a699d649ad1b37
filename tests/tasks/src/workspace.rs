//! Which packages the workspace has, and which of them are built for wasm.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, bail};
use serde::Deserialize;
use toml::Table;

use crate::toolchain::cargo;

/// The project's folder: the one with `spin.toml`.
///
/// It is looked for from the folder of the package that cargo runs, so that a copy of the build directory serves the
/// copy of the project that it lies in.
pub fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let built_in = Path::new(env!("CARGO_MANIFEST_DIR"));
        let run_in = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        run_in
            .iter()
            .flat_map(|folder| folder.ancestors())
            .chain(built_in.ancestors())
            .find(|folder| folder.join("spin.toml").is_file())
            .unwrap_or(built_in)
            .to_owned()
    })
}

/// A member of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its name, as in `cargo build -p NAME`.
    pub name: String,
    /// Its folder, relative to the project's.
    pub folder: PathBuf,
    /// Where its code can run.
    pub kind: Kind,
    /// The packages of this workspace that its code (not its tests) uses.
    pub uses: Vec<String>,
    /// Whether its code names Spin's SDK.
    pub names_sdk: bool,
    /// Its integration tests: what `cargo test --test NAME` takes.
    pub test_targets: Vec<String>,
}

/// Where a package's code can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A component: a `cdylib` whose entry exists only on wasm.
    Component,
    /// Everything else; built and tested on the machine itself.
    Native,
}

impl Package {
    /// Whether this is one of the tiny components that only tests and benchmarks run.
    pub fn is_guest(&self) -> bool {
        self.kind == Kind::Component && self.folder.starts_with("tests/guests")
    }
}

/// The members of the workspace, as cargo finds them.
///
/// # Errors
/// When cargo does not run or a `Cargo.toml` is wrong.
pub fn packages() -> anyhow::Result<Vec<Package>> {
    let output = cargo().args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    if !output.status.success() {
        bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    Ok(metadata.packages.into_iter().map(Package::from).collect())
}

/// What of `cargo metadata` is read.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Described>,
}

#[derive(Deserialize)]
struct Described {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    path: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl From<Described> for Package {
    fn from(described: Described) -> Self {
        let targets = |kind: &'static str| {
            described.targets.iter().filter(move |target| target.kind.iter().any(|its| its == kind))
        };
        let is_component = targets("cdylib").next().is_some();
        let mut test_targets: Vec<String> = targets("test").map(|target| target.name.clone()).collect();
        test_targets.sort();
        let folder = described.manifest_path.parent().unwrap_or(Path::new(""));
        let own = |dependency: &&Dependency| dependency.path.is_some() && dependency.kind.is_none();
        Self {
            folder: folder.strip_prefix(root()).unwrap_or(folder).to_owned(),
            kind: if is_component { Kind::Component } else { Kind::Native },
            uses: described.dependencies.iter().filter(own).map(|its| its.name.clone()).collect(),
            names_sdk: described.dependencies.iter().any(|its| its.name == "spin-sdk" && its.kind.is_none()),
            test_targets,
            name: described.name,
        }
    }
}

/// Reads a TOML file.
///
/// # Errors
/// When it cannot be read or is not TOML; the message names the file.
pub fn read_toml(path: &Path) -> anyhow::Result<Table> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.parse().with_context(|| format!("{} is not valid TOML", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The programs that plain `cargo run` chooses from.
    fn programs() -> Vec<String> {
        let output = cargo().args(["run", "--bin"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        said.lines().filter_map(|line| line.strip_prefix("    ")).map(str::to_owned).collect()
    }

    #[test]
    fn plain_cargo_run_means_the_application() {
        assert_eq!(programs(), ["octo"]);
    }

    #[test]
    fn every_member_of_this_workspace_is_found() {
        let packages = packages().unwrap();
        let tasks = packages.iter().find(|package| package.name == "xtask").unwrap();
        assert_eq!(tasks.folder, Path::new("tests/tasks"));
        assert_eq!(tasks.kind, Kind::Native);
        assert_eq!(tasks.test_targets, ["capabilities"]);
        let auth = packages.iter().find(|package| package.name == "auth").unwrap();
        assert_eq!(
            (auth.kind, auth.folder.as_path()),
            (Kind::Component, Path::new("components/accounts/auth"))
        );
        assert!(auth.uses.contains(&"octo-identity".to_owned()));
    }
}
