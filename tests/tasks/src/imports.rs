//! What a built component imports, and whether `spin.toml` grants it.
//!
//! The manifest is the only list of who may reach what; this module holds the table from an interface to the
//! capability it stands for. It works in both directions: an import without a grant would fail at run
//! time or, worse, tell that a shell has grown a dependency nobody meant; a grant without an import is a
//! door left open.

use anyhow::{Context, bail};
use wasmparser::{Parser, Payload};

use crate::manifest::{Capability, Component};

/// Interfaces that every component may import: the standard library and the HTTP entry need them, and
/// they give nothing but what Spin gives every component (a clock, randomness, standard error, the request).
const ALWAYS: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/types",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// Interfaces that reach something, and the capability that covers them.
const GRANTED: &[(&str, Capability)] = &[
    ("fermyon:spin/key-value", Capability::KeyValue),
    ("fermyon:spin/postgres", Capability::Postgres),
    // The types of the values that go there; it can do nothing.
    ("fermyon:spin/rdbms-types", Capability::Postgres),
    ("fermyon:spin/redis", Capability::Redis),
    ("fermyon:spin/sqlite", Capability::Sqlite),
    ("fermyon:spin/variables", Capability::Variables),
    ("spin:key-value/key-value", Capability::KeyValue),
    ("spin:postgres/postgres", Capability::Postgres),
    ("spin:redis/redis", Capability::Redis),
    ("spin:sqlite/sqlite", Capability::Sqlite),
    ("wasi:config/store", Capability::Variables),
    ("wasi:http/client", Capability::Http),
    ("wasi:http/outgoing-handler", Capability::Http),
    ("wasi:keyvalue/atomics", Capability::KeyValue),
    ("wasi:keyvalue/batch", Capability::KeyValue),
    ("wasi:keyvalue/store", Capability::KeyValue),
];

/// The interfaces a component imports, with their versions, sorted: `fermyon:spin/key-value@2.0.0`.
///
/// # Errors
/// When `wasm` is not a component.
pub fn of(wasm: &[u8]) -> anyhow::Result<Vec<String>> {
    if !Parser::is_component(wasm) {
        bail!("the file is not a WebAssembly component");
    }
    let mut names = Vec::new();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.context("the file is not valid WebAssembly")? {
            // Components nest; only what the outermost one imports comes from the host.
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 0 => {
                for import in imports {
                    names.push(import?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    names.sort();
    Ok(names)
}

/// Whether every component may import this: it reaches nothing that `spin.toml` grants.
pub fn is_ordinary(import: &str) -> bool {
    ALWAYS.contains(&interface(import))
}

/// An import without its version.
fn interface(import: &str) -> &str {
    import.split('@').next().unwrap_or(import)
}

/// What is wrong with a component that imports `imports`, one sentence each; empty when all is well.
pub fn objections(component: &Component, imports: &[String]) -> Vec<String> {
    let id = &component.id;
    let mut objections = Vec::new();
    let mut used = Vec::new();
    for import in imports {
        if is_ordinary(import) {
            continue;
        }
        match GRANTED.iter().find(|(name, _)| *name == interface(import)) {
            Some((_, capability)) if component.grants.contains(capability) => used.push(*capability),
            Some((_, capability)) if component.possible_grants.contains(capability) => {}
            Some((_, capability)) => objections.push(format!(
                "{id} imports {import}, but spin.toml does not grant it ({})",
                capability.granted_by()
            )),
            None => objections.push(format!("{id} imports {import}, which nothing here expects")),
        }
    }
    for grant in &component.grants {
        if !used.contains(grant) {
            objections.push(format!("spin.toml grants {id} more than it uses: {}", grant.granted_by()));
        }
    }
    objections
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(grants: &[Capability]) -> Component {
        Component {
            id: "auth".into(),
            package: "auth".into(),
            source: "auth.wasm".into(),
            grants: grants.to_vec(),
            possible_grants: Vec::new(),
        }
    }

    #[test]
    fn an_import_needs_its_grant() {
        let imports = ["fermyon:spin/sqlite@2.0.0".to_owned(), "wasi:io/poll@0.2.6".to_owned()];
        assert_eq!(objections(&component(&[Capability::Sqlite]), &imports), [""; 0]);
        let objections = objections(&component(&[]), &imports);
        assert_eq!(objections.len(), 1);
        assert!(objections[0].contains("sqlite_databases"), "{objections:?}");
    }

    #[test]
    fn a_grant_needs_its_import() {
        let objections = objections(&component(&[Capability::KeyValue]), &[]);
        assert!(objections[0].contains("key_value_stores"), "{objections:?}");
    }

    #[test]
    fn an_unknown_interface_is_refused() {
        let objections = objections(&component(&[]), &["wasi:sockets/tcp@0.2.6".to_owned()]);
        assert!(objections[0].contains("nothing here expects"), "{objections:?}");
    }

    #[test]
    fn a_core_module_is_not_a_component() {
        assert!(of(b"\0asm\x01\0\0\0").is_err());
    }

    #[test]
    fn the_outermost_imports_are_read() {
        // (component (import "a:b/c@1.0.0" (instance)))
        let wasm = b"\0asm\x0d\0\x01\0\x07\x03\x01\x42\x00\x0a\x10\x01\x00\x0ba:b/c@1.0.0\x05\x00";
        assert_eq!(of(wasm).unwrap(), ["a:b/c@1.0.0"]);
    }
}
