//! `cargo xtask common-passwords`: makes the list of passwords that no account may be given.
//!
//! It comes from the data of the crate `passwords` (MIT), some 100 000 passwords of published breaches. Nothing of the
//! crate is compiled: cargo brings its source and checks it, and the list is read from there. The version is fixed, so
//! that everybody makes the same file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde_json::Value;
use sha2::{Digest, Sha256};
use xtask::process;
use xtask::toolchain::cargo;
use xtask::workspace;

const VERSION: &str = "3.1.19";
/// Shorter ones need no list: no account may have one (`octo_identity::password`).
const SHORTEST: usize = 8;
/// What begins so stands for bytes that are no text, which nobody can type.
const ENCODED: &str = "$hex[";
/// Bytes kept of each digest.
const FINGERPRINT: usize = 4;

pub(crate) fn run() -> anyhow::Result<()> {
    let list = source()?.join("data/common-passwords.json");
    let text = fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
    let passwords: Vec<String> = serde_json::from_str(&text).context("the list is no JSON array of texts")?;
    let fingerprints: BTreeSet<_> = passwords
        .iter()
        .map(|password| password.to_lowercase())
        .filter(|password| password.chars().count() >= SHORTEST && !password.starts_with(ENCODED))
        .filter_map(|password| Sha256::digest(password).first_chunk::<FINGERPRINT>().copied())
        .collect();
    let file = workspace::root().join("components/accounts/identity/src/common_passwords.bin");
    let bytes: Vec<u8> = fingerprints.iter().flatten().copied().collect();
    fs::write(&file, bytes).with_context(|| format!("cannot write {}", file.display()))?;
    println!("{}: {} passwords", file.display(), fingerprints.len());
    Ok(())
}

/// The folder with the crate's source.
fn source() -> anyhow::Result<PathBuf> {
    let package = workspace::root().join("target/tools/common-passwords");
    let manifest = package.join("Cargo.toml");
    fs::create_dir_all(package.join("src"))?;
    fs::write(package.join("src/lib.rs"), "")?;
    fs::write(&manifest, depending_on_it())?;
    let metadata =
        process::read(cargo().args(["metadata", "--format-version=1", "--manifest-path"]).arg(&manifest))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo's metadata cannot be read")?;
    let packages = metadata.get("packages").and_then(Value::as_array).into_iter().flatten();
    let text = |package: &Value, member| package.get(member).and_then(Value::as_str).map(str::to_owned);
    let ours = packages.filter(|package| text(package, "name").as_deref() == Some("passwords"));
    let manifests = ours.filter_map(|package| text(package, "manifest_path"));
    let found = manifests.filter_map(|manifest| Path::new(&manifest).parent().map(Path::to_owned)).next();
    found.ok_or_else(|| anyhow!("cargo has not brought the crate `passwords` {VERSION}"))
}

/// A package of its own: the crate is no dependency of ours.
fn depending_on_it() -> String {
    format!(
        "[package]\nname = \"common-passwords\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\npasswords = \"={VERSION}\"\n"
    )
}
