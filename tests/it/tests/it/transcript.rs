//! The README's transcript, run exactly as it is written.
//!
//! The fenced block after the line `<!-- transcript -->` is one `bash` script. Lines that begin with `#=> ` say
//! what has been printed since the last such lines; `…` in them stands for any text within the line. Only two
//! things are arranged: curl reaches the test's own port where it is told 3000, and the script begins at a time
//! from which its messages fall into one window.

use std::fs;
use std::path::Path;
use std::process::Command;

use octo_host::Clock;

use super::TestApp;
use super::harness::{BOOTSTRAP_SECRET, NOON};

/// Between what one step prints and what the next does.
const END_OF_STEP: &str = "\u{1e}\n";

/// Commands, and what they print.
#[derive(Debug, Default)]
struct Step {
    commands: String,
    prints: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_transcript_of_the_readme_is_true() {
    let readme = fs::read_to_string(xtask::workspace::root().join("README.md")).unwrap();
    let steps = steps(&readme);
    assert!(steps.len() > 5, "{steps:?}");

    let clock = Clock::system();
    // Early enough in its window for all messages, and late enough not to wait a whole minute for the next.
    clock.set(NOON + 5_000);
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join(".octo");
    fs::create_dir(&state).unwrap();
    // As the run command leaves it there.
    fs::write(state.join("bootstrap-secret"), format!("{BOOTSTRAP_SECRET}\n")).unwrap();
    let app = TestApp::with("paid_provider_key", "").with("free_limit", 100).by(clock).start().await;
    let port = app.addresses()[0].port();
    let differences = tokio::task::spawn_blocking(move || differences(&steps, folder.path(), port));
    let differences = differences.await.unwrap();
    assert!(differences.is_empty(), "{differences}\n\n{}", app.log());
}

/// The steps of the block after `<!-- transcript -->`.
fn steps(readme: &str) -> Vec<Step> {
    let (_, after) = readme.split_once("<!-- transcript -->\n").expect("the README has a transcript");
    let block = after.trim_start().strip_prefix("```sh\n").expect("the transcript is a block of sh");
    let (block, _) = block.split_once("\n```").expect("the block has an end");
    let mut steps = vec![Step::default()];
    for line in block.lines() {
        let step = steps.last_mut().unwrap();
        match line.strip_prefix("#=>") {
            Some(printed) => step.prints.push(printed.trim().to_owned()),
            None if step.prints.is_empty() => step.commands += &format!("{line}\n"),
            None => steps.push(Step { commands: format!("{line}\n"), prints: Vec::new() }),
        }
    }
    steps
}

/// Runs the steps as one script in `folder`; what differs from what they say, for a person to read.
fn differences(steps: &[Step], folder: &Path, port: u16) -> String {
    let curl = folder.join(".curl");
    fs::create_dir(&curl).unwrap();
    let rules = format!("connect-to = \"127.0.0.1:3000:127.0.0.1:{port}\"\nnoproxy = \"*\"\n");
    fs::write(curl.join(".curlrc"), rules).unwrap();

    let script: String = steps.iter().map(|step| format!("{}printf '\\036\\n'\n", step.commands)).collect();
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).current_dir(folder).env("CURL_HOME", curl);
    let output = bash.output().unwrap();
    let (printed, errors) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));

    let mut differences = String::new();
    let printed = printed.split(END_OF_STEP).chain(std::iter::repeat("(the script ended before)"));
    for (step, printed) in steps.iter().zip(printed) {
        let lines: Vec<_> = printed.trim().lines().map(str::trim).collect();
        let same = lines.len() == step.prints.len()
            && step.prints.iter().zip(&lines).all(|(pattern, line)| matches(pattern, line));
        // What the README says nothing about may be anything.
        if !same && !step.prints.is_empty() {
            differences += &format!(
                "{}\nshould print\n  {}\nbut prints\n  {}\n\n",
                step.commands.trim(),
                step.prints.join("\n  "),
                lines.join("\n  "),
            );
        }
    }
    if !differences.is_empty() {
        differences += &errors;
    }
    differences
}

/// Whether `line` is `pattern` with some text in place of each `…`.
fn matches(pattern: &str, line: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('…') else { return pattern == line };
    let Some(line) = line.strip_prefix(start) else { return false };
    line.char_indices().map(|(at, _)| at).chain([line.len()]).any(|at| matches(rest, &line[at..]))
}

#[test]
fn an_ellipsis_stands_for_any_text_within_its_line() {
    for (pattern, line, same) in [
        ("abc", "abc", true),
        ("abc", "abcd", false),
        ("a…c", "abbbc", true),
        ("a…c", "ac", true),
        ("a…c", "abcb", false),
        ("…", "", true),
        ("…b…b", "ab", false),
        ("{\"id\":\"…\",\"ok\":…}", "{\"id\":\"я\",\"ok\":true}", true),
    ] {
        assert_eq!(matches(pattern, line), same, "{pattern} {line}");
    }
}

#[test]
fn a_script_is_split_where_it_says_what_it_prints_and_keeps_its_variables() {
    let readme = "text\n<!-- transcript -->\n```sh\n# A name.\nname=ada\necho hello $name\n#=> hello ada\n\
                  echo one; echo two $RANDOM\n#=> one\n#=> two …\necho $name\n#=> eve\necho unsaid\n```\n";
    let steps = steps(readme);
    assert_eq!(steps.len(), 4);
    let folder = tempfile::tempdir().unwrap();
    let differences = differences(&steps, folder.path(), 1);
    assert_eq!(differences, "echo $name\nshould print\n  eve\nbut prints\n  ada\n\n");
}
