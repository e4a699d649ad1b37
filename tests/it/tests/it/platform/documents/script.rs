//! A transcript: commands, and what they print.
//!
//! Lines that begin with `#=> ` say what has been printed since the last such lines; `…` in them stands for any text within
//! the line.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Between what one step prints and what the next does.
const END_OF_STEP: &str = "\u{1e}\n";

/// Commands, and what they print.
#[derive(Debug, Default)]
pub(super) struct Step {
    commands: String,
    prints: Vec<String>,
}

/// The steps of a block.
pub(super) fn steps(block: &str) -> Vec<Step> {
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

/// Runs the steps as one script in `folder`, where curl reaches `port` instead of 3000; what differs from what they say, for
/// a person to read.
pub(super) fn differences(steps: &[Step], folder: &Path, port: u16, environment: &[(&str, &str)]) -> String {
    let curl = folder.join(".curl");
    fs::create_dir(&curl).unwrap();
    let rules = format!("connect-to = \"127.0.0.1:3000:127.0.0.1:{port}\"\nnoproxy = \"*\"\n");
    fs::write(curl.join(".curlrc"), rules).unwrap();

    let script: String = steps.iter().map(|step| format!("{}printf '\\036\\n'\n", step.commands)).collect();
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).current_dir(folder).env("CURL_HOME", curl);
    bash.envs(environment.iter().copied());
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
    let block = "# A name.\nname=ada\necho hello $name\n#=> hello ada\necho one; echo two $RANDOM\n#=> one\n\
                 #=> two …\necho $name\n#=> eve\necho unsaid\n";
    let steps = steps(block);
    assert_eq!(steps.len(), 4);
    let folder = tempfile::tempdir().unwrap();
    let differences = differences(&steps, folder.path(), 1, &[]);
    assert_eq!(differences, "echo $name\nshould print\n  eve\nbut prints\n  ada\n\n");
}
