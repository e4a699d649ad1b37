//! The commands in the documentation, run exactly as they are written.
//!
//! A comment on the line before a block of commands says who runs it ([`block::Fate`]). The transcripts are one session:
//! those of the README, one after the other, and then those of the other documents. Only two things are arranged: curl
//! reaches the test's own port where it is told 3000, and the session begins at a time from which its messages fall into
//! one window.

mod block;
mod script;

use std::fs;

use octo_host::Clock;

use crate::harness::{BOOTSTRAP_SECRET, NOON, TestApp};
use block::{Block, Fate};

const JOBS_KEY: &str = "the-key-of-the-scheduler";

/// Those of the README first.
fn all_blocks() -> Vec<Block> {
    let mut documents = block::documents(xtask::workspace::root());
    documents.sort_by_key(|(name, _)| name != "README.md");
    documents.iter().flat_map(|(name, document)| block::blocks(name, document)).collect()
}

#[test]
fn every_command_of_the_documentation_is_run_or_says_what_it_needs() {
    let unknown: Vec<_> = all_blocks().into_iter().filter(|block| block.fate() == Fate::Unknown).collect();
    assert!(
        unknown.is_empty(),
        "a block of commands needs one of `<!-- transcript -->`, `<!-- ci -->` and `<!-- outside: WHAT -->` on the line \
         before it, and every block a language: {unknown:#?}"
    );
}

#[test]
fn ci_runs_the_first_commands_of_the_readme() {
    let blocks: Vec<_> = all_blocks().into_iter().filter(|block| block.fate() == Fate::Ci).collect();
    let commands: Vec<_> = blocks.iter().map(|block| block.text.as_str()).collect();
    // `.ci/run` reads them from the README: the first serves until it is stopped, the second ends.
    assert_eq!(commands, ["cargo run --release\n", "cargo xtask test\n"]);
    assert!(blocks.iter().all(|block| block.place.starts_with("README.md:")), "{blocks:?}");
    let ci = fs::read_to_string(xtask::workspace::root().join(".ci/run")).unwrap();
    assert!(ci.contains("<!-- ci -->") && ci.contains("README.md"), "{ci}");
}

#[test]
fn every_variable_that_the_documentation_sets_is_one() {
    let manifest = fs::read_to_string(xtask::workspace::root().join("spin.toml")).unwrap();
    for (name, document) in block::documents(xtask::workspace::root()) {
        for after in document.split("SPIN_VARIABLE_").skip(1) {
            let end = after.find(|c: char| !c.is_ascii_uppercase() && c != '_').unwrap_or(after.len());
            let variable = after[..end].to_ascii_lowercase();
            let is_one = variable.is_empty() || manifest.contains(&format!("\n{variable} = {{"));
            assert!(is_one, "{name} sets the variable {variable}, which spin.toml does not have");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_transcripts_are_true() {
    let blocks = all_blocks();
    let transcripts = blocks.iter().filter(|block| block.fate() == Fate::Transcript);
    let steps: Vec<_> = transcripts.flat_map(|block| script::steps(&block.text)).collect();
    assert!(steps.len() > 10, "{steps:?}");

    let clock = Clock::system();
    // Early enough in its window for all messages, and late enough not to wait a whole minute for the next.
    clock.set(NOON + 5_000);
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join(".octo");
    fs::create_dir(&state).unwrap();
    // As the run command leaves it there.
    fs::write(state.join("bootstrap-secret"), format!("{BOOTSTRAP_SECRET}\n")).unwrap();
    let app = TestApp::with("paid_provider_key", "").with("free_limit", 100).with("jobs_key", JOBS_KEY);
    let app = app.by(clock).start().await;
    let port = app.host().addr().port();
    let environment = [("JOBS_KEY", JOBS_KEY)];
    let differences =
        tokio::task::spawn_blocking(move || script::differences(&steps, folder.path(), port, &environment));
    let differences = differences.await.unwrap();
    assert!(differences.is_empty(), "{differences}\n\n{}", app.log());
}
