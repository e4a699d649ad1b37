//! The fenced blocks of a document, and what the comment before one says of it.

use std::fs;
use std::path::{Path, PathBuf};

/// Languages of commands.
const SHELLS: [&str; 5] = ["sh", "bash", "console", "shell", "zsh"];
/// Languages of everything else.
const OTHERS: [&str; 7] = ["http", "json", "rust", "sql", "text", "toml", "yaml"];

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Where it begins, for a person.
    pub(super) place: String,
    language: String,
    /// The comment on the line before it, without its brackets; empty for none.
    marker: String,
    pub(super) text: String,
}

/// What becomes of the commands in a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// They are no commands.
    NoCommands,
    /// `<!-- transcript -->`: a test runs them, and compares what they print.
    Transcript,
    /// `<!-- ci -->`: `.ci/run` runs them as they stand, first of all.
    Ci,
    /// `<!-- outside: WHAT -->`: they need something that neither has.
    Outside,
    /// Nobody runs them, and nobody says why.
    Unknown,
}

impl Block {
    pub(super) fn fate(&self) -> Fate {
        let is = |languages: &[&str]| languages.contains(&self.language.as_str());
        match self.marker.split_once(':') {
            _ if is(&OTHERS) => Fate::NoCommands,
            _ if !is(&SHELLS) => Fate::Unknown,
            None if self.marker == "transcript" => Fate::Transcript,
            None if self.marker == "ci" => Fate::Ci,
            Some(("outside", what)) if !what.trim().is_empty() => Fate::Outside,
            _ => Fate::Unknown,
        }
    }
}

/// Every document of the project, by its path in the project.
pub(super) fn documents(root: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(root, &mut found);
    found.sort();
    let relative = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
    found.iter().map(|path| (relative(path), fs::read_to_string(path).unwrap())).collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            collect(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// The blocks of a document.
pub(super) fn blocks(name: &str, document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut before = "";
    let mut lines = document.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            let marker = before.strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->")).unwrap_or("");
            let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim_start() != "```");
            blocks.push(Block {
                place: format!("{name}:{}", number + 1),
                language: language.trim().to_owned(),
                marker: marker.trim().to_owned(),
                text: inside.map(|line| format!("{line}\n")).collect(),
            });
            before = "";
        } else if !line.trim().is_empty() {
            before = line.trim();
        }
    }
    blocks
}

#[test]
fn a_block_is_read_with_what_is_said_of_it() {
    let document = "a\n<!-- transcript -->\n```sh\nls\n#=> b\n```\n<!-- c -->\ntext\n```json\n1\n```\n\n```\n?\n```\n\
                    <!-- outside: Spin -->\n\n  ```bash\n  spin up\n  ```\n```sh\nrm\n```\n<!-- ci -->\n```sh\nx\n```\n\
                    <!-- outside: -->\n```sh\ny\n```\n";
    let blocks = blocks("a.md", document);
    let fates: Vec<_> = blocks.iter().map(Block::fate).collect();
    assert_eq!(
        fates,
        [
            Fate::Transcript,
            Fate::NoCommands,
            Fate::Unknown,
            Fate::Outside,
            Fate::Unknown,
            Fate::Ci,
            Fate::Unknown
        ]
    );
    assert_eq!((blocks[0].place.as_str(), blocks[0].text.as_str()), ("a.md:3", "ls\n#=> b\n"));
}
