//! The built components against the manifest.

use std::fs;

use xtask::progress::Progress;
use xtask::{build, imports, manifest, workspace};

#[test]
fn components_import_what_the_manifest_grants_and_nothing_else() {
    build::components(Progress::Quiet).unwrap();
    for component in manifest::components().unwrap() {
        let wasm = fs::read(workspace::root().join(&component.source)).unwrap();
        let imports = imports::of(&wasm).unwrap();
        assert_eq!(imports::objections(&component, &imports), [""; 0]);
    }
}
