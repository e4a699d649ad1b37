//! Which packages the workspace has, and which of them are built for wasm.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use toml::{Table, Value};

/// The project's folder: the one with the root `Cargo.toml` and `spin.toml`.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
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
}

/// Where a package's code can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A component: a `cdylib` whose entry exists only on wasm.
    Component,
    /// A library that names Spin's SDK, so only components can use it.
    WasmLibrary,
    /// Everything else; built and tested on the machine itself.
    Native,
}

impl Package {
    /// Whether this is one of the tiny components that only tests and benchmarks run.
    pub fn is_guest(&self) -> bool {
        self.kind == Kind::Component && self.folder.starts_with("tests/guests")
    }
}

impl Package {
    /// The names of its integration tests: what `cargo test --test NAME` takes.
    ///
    /// # Errors
    /// When its folder cannot be read.
    pub fn test_targets(&self) -> anyhow::Result<Vec<String>> {
        let folder = root().join(&self.folder).join("tests");
        let Ok(entries) = fs::read_dir(&folder) else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for entry in entries {
            let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
            let is_target =
                path.extension().is_some_and(|kind| kind == "rs") || path.join("main.rs").is_file();
            names.extend(
                path.file_stem().filter(|_| is_target).map(|name| name.to_string_lossy().into_owned()),
            );
        }
        names.sort();
        Ok(names)
    }
}

/// The members of the workspace, in the order of the root `Cargo.toml`.
///
/// # Errors
/// When a `Cargo.toml` cannot be read.
pub fn packages() -> anyhow::Result<Vec<Package>> {
    let manifest = read_toml(&root().join("Cargo.toml"))?;
    let members = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("members"))
        .and_then(Value::as_array)
        .ok_or_else(|| anyhow!("the root Cargo.toml has no list of workspace members"))?;
    members
        .iter()
        .filter_map(Value::as_str)
        .map(|folder| {
            let manifest = read_toml(&root().join(folder).join("Cargo.toml"))?;
            package(Path::new(folder), &manifest)
                .ok_or_else(|| anyhow!("{folder}/Cargo.toml has no package name"))
        })
        .collect()
}

/// Reads a TOML file.
///
/// # Errors
/// When it cannot be read or is not TOML; the message names the file.
pub fn read_toml(path: &Path) -> anyhow::Result<Table> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.parse().with_context(|| format!("{} is not valid TOML", path.display()))
}

fn package(folder: &Path, manifest: &Table) -> Option<Package> {
    let name = manifest.get("package")?.get("name")?.as_str()?.to_owned();
    let is_component = manifest
        .get("lib")
        .and_then(|lib| lib.get("crate-type")?.as_array())
        .is_some_and(|types| types.iter().any(|kind| kind.as_str() == Some("cdylib")));
    let names_sdk =
        manifest.get("dependencies").is_some_and(|dependencies| dependencies.get("spin-sdk").is_some());
    let kind = match (is_component, names_sdk) {
        (true, _) => Kind::Component,
        (false, true) => Kind::WasmLibrary,
        (false, false) => Kind::Native,
    };
    Some(Package { name, folder: folder.to_owned(), kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(manifest: &str) -> Kind {
        package(Path::new("tests/guests/x"), &manifest.parse().unwrap()).unwrap().kind
    }

    #[test]
    fn the_kind_of_a_package_follows_from_its_manifest() {
        assert_eq!(kind("package.name = 'x'"), Kind::Native);
        assert_eq!(kind("package.name = 'x'\ndependencies.spin-sdk.workspace = true"), Kind::WasmLibrary);
        assert_eq!(kind("package.name = 'x'\nlib.crate-type = ['cdylib']"), Kind::Component);
    }

    /// The programs of the packages that plain `cargo run` chooses from.
    fn programs() -> Vec<String> {
        let manifest = read_toml(&root().join("Cargo.toml")).unwrap();
        let mut found = Vec::new();
        for folder in manifest["workspace"]["default-members"].as_array().unwrap() {
            let folder = root().join(folder.as_str().unwrap());
            let package = read_toml(&folder.join("Cargo.toml")).unwrap();
            let named = package.get("bin").and_then(Value::as_array).into_iter().flatten();
            found.extend(named.map(|bin| bin["name"].as_str().unwrap().to_owned()));
            if folder.join("src/main.rs").exists() {
                found.push(package["package"]["name"].as_str().unwrap().to_owned());
            }
            for entry in fs::read_dir(folder.join("src/bin")).into_iter().flatten() {
                found.push(entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned());
            }
        }
        found.sort();
        found.dedup();
        found
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
        assert_eq!(tasks.test_targets().unwrap(), ["capabilities"]);
    }
}
