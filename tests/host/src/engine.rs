//! The WebAssembly engine, and compiled code kept on disk.

use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use wasmtime::component::Component;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

/// How long a guest may compute before other requests get a turn.
const TURN: Duration = Duration::from_millis(10);
/// How many instances may be alive at once, in all hosts of one application.
const INSTANCES: u32 = 2_000;
/// How much memory one instance may use, in bytes.
const MEMORY: usize = 128 << 20;
/// How much of its memory a free slot keeps, in bytes: clearing it costs less than page faults.
const KEPT_MEMORY: usize = 512 << 10;

/// An engine whose guests take turns.
pub(crate) fn new() -> Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(INSTANCES)
        .total_core_instances(INSTANCES * 4)
        .total_memories(INSTANCES)
        .total_tables(INSTANCES * 4)
        .total_stacks(INSTANCES)
        .max_memory_size(MEMORY)
        .linear_memory_keep_resident(KEPT_MEMORY)
        .table_keep_resident(16 << 10)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_component_model_async(true)
        .epoch_interruption(true);
    let engine =
        Engine::new(&config).map_err(anyhow::Error::from).context("cannot start the WebAssembly engine")?;
    let ticking = engine.weak();
    std::thread::Builder::new()
        .name("turns".to_owned())
        .spawn(move || {
            while let Some(engine) = ticking.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TURN);
            }
        })
        .context("cannot start the thread that ends turns")?;
    Ok(engine)
}

/// Compiles a component, or takes the code compiled before from the folder `compiled` beside it.
pub(crate) fn compile(engine: &Engine, source: &Path) -> Result<Component> {
    let wasm = fs::read(source)
        .with_context(|| format!("cannot read the component {} (is it built?)", source.display()))?;
    let cached = cache_path(engine, source, &wasm);
    if let Some(component) = from_cache(engine, &cached) {
        return Ok(component);
    }
    let component = Component::new(engine, &wasm)
        .map_err(anyhow::Error::from)
        .with_context(|| format!("cannot compile the component {}", source.display()))?;
    // Only the next start is slower without it: a read-only folder is no reason to stop.
    let _ = keep(&component, &cached);
    Ok(component)
}

/// The name says which wasm, which engine and which settings the code is for.
fn cache_path(engine: &Engine, source: &Path, wasm: &[u8]) -> PathBuf {
    let mut engine_key = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut engine_key);
    let content = Sha256::digest(wasm);
    let content = content.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let stem = source.file_stem().unwrap_or(OsStr::new("component")).to_string_lossy();
    let name = format!("{stem}.{content:016x}.{:016x}.cwasm", engine_key.finish());
    source.with_file_name("compiled").join(name)
}

fn from_cache(engine: &Engine, path: &Path) -> Option<Component> {
    if !path.exists() {
        return None;
    }
    #[expect(unsafe_code, reason = "there is no safe way to load native code")]
    // SAFETY: the file is machine code that `keep` wrote, complete or not at all, into the build
    // folder of the user who runs this; who can change it there can change this program as well.
    unsafe { Component::deserialize_file(engine, path) }.ok()
}

/// Writes the code beside its final name first, so that no other process sees half of it.
fn keep(component: &Component, path: &Path) -> Result<()> {
    let folder = path.parent().context("no folder")?;
    fs::create_dir_all(folder)?;
    forget_older(folder, path);
    let file = tempfile::NamedTempFile::new_in(folder)?;
    fs::write(file.path(), component.serialize()?)?;
    file.persist(path)?;
    Ok(())
}

/// Removes the code of earlier builds of the same component.
fn forget_older(folder: &Path, newest: &Path) {
    let stem = |path: &Path| -> Option<String> {
        let name = path.file_name()?.to_str()?;
        Some(name.split_once('.')?.0.to_owned())
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        if path != newest && stem(&path) == stem(newest) {
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest component: a header and nothing else.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn kept(source: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(source.with_file_name("compiled")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn compiled_code_is_kept_until_the_component_changes() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("empty.wasm");
        fs::write(&source, EMPTY).unwrap();
        let engine = new().unwrap();
        compile(&engine, &source).unwrap();
        let first = kept(&source);
        assert_eq!(first.len(), 1);
        compile(&engine, &source).unwrap();
        assert_eq!(kept(&source), first);

        // A custom section named `x`: another component that does the same.
        fs::write(&source, [EMPTY, b"\0\x02\x01x"].concat()).unwrap();
        compile(&engine, &source).unwrap();
        let second = kept(&source);
        assert_eq!(second.len(), 1);
        assert_ne!(second, first);
    }

    #[test]
    fn a_damaged_file_of_compiled_code_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("empty.wasm");
        fs::write(&source, EMPTY).unwrap();
        let engine = new().unwrap();
        compile(&engine, &source).unwrap();
        let file = kept(&source).remove(0);
        fs::write(&file, "damaged").unwrap();
        compile(&engine, &source).unwrap();
        assert_ne!(fs::read(&file).unwrap(), b"damaged");
    }

    #[test]
    fn a_component_that_is_not_there_or_none_is_explained() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("none.wasm");
        let engine = new().unwrap();
        let refusal = format!("{:#}", compile(&engine, &source).err().unwrap());
        assert!(refusal.contains("is it built?"), "{refusal}");
        fs::write(&source, "nonsense").unwrap();
        let refusal = format!("{:#}", compile(&engine, &source).err().unwrap());
        assert!(refusal.contains("cannot compile"), "{refusal}");
    }
}
