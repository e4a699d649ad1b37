//! `cargo xtask sizes`: how large each component is and what it imports.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use xtask::progress::Progress;
use xtask::{build, imports, lane, manifest, workspace};

pub(crate) fn run() -> anyhow::Result<()> {
    build::components(Progress::Shown)?;
    lane::build(Progress::Shown)?;
    let mut objections = Vec::new();
    let mut everywhere = BTreeSet::new();
    println!("\n{:<16} {:>8} {:>8}  reaches", "component", "size", "gzipped");
    for mut component in manifest::components()?.into_iter().chain(lane::components()?) {
        let path = workspace::root().join(&component.source);
        let wasm = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let imports = imports::of(&wasm).with_context(|| format!("{} cannot be checked", path.display()))?;
        objections.extend(imports::objections(&component, &imports));
        let (ordinary, reaching): (Vec<_>, Vec<_>) =
            imports.into_iter().partition(|import| imports::is_ordinary(import));
        everywhere.extend(ordinary);

        let gzipped = gzipped(&path).map_or_else(|| "-".to_owned(), kilobytes);
        if component.source.starts_with(lane::FOLDER) {
            component.id.push_str(" (0.3)");
        }
        let mut label = format!("{:<16} {:>8} {gzipped:>8}", component.id, kilobytes(wasm.len()));
        for line in by_package(&reaching) {
            println!("{label:<34}  {line}");
            label.clear();
        }
        if !label.is_empty() {
            println!("{label:<34}  nothing");
        }
    }
    println!("\nBeside these, for the standard library and the HTTP entry:");
    for line in by_package(&everywhere) {
        println!("  {line}");
    }
    if !objections.is_empty() {
        bail!("{}", objections.join("\n       "));
    }
    println!("\nEvery import is granted by spin.toml, and every grant is used.");
    Ok(())
}

/// One line for each package: `fermyon:spin@2.0.0: key-value, variables`.
fn by_package<'a>(imports: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let mut packages: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for import in imports {
        let (path, version) = import.split_once('@').unwrap_or((import, ""));
        let (package, interface) = path.split_once('/').unwrap_or((path, ""));
        let package = match version {
            "" => package.to_owned(),
            _ => format!("{package}@{version}"),
        };
        packages.entry(package).or_default().push(interface);
    }
    packages
        .into_iter()
        .map(|(package, interfaces)| format!("{package}: {}", interfaces.join(", ")))
        .collect()
}

/// What is sent over a network; a part of every Debian machine does the work.
fn gzipped(path: &Path) -> Option<usize> {
    let output = Command::new("gzip").arg("-c").arg(path).output().ok()?;
    output.status.success().then_some(output.stdout.len())
}

fn kilobytes(bytes: usize) -> String {
    format!("{} kB", bytes.div_ceil(1000))
}
