//! `cargo xtask test --spin`: the integration tests on a real Spin.
//!
//! Each test starts the program that `SPIN_BIN` names instead of our own host. What needs a controlled clock, faults or
//! the host's records says so when it comes to it, and is counted apart from what failed.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use xtask::{process, servers};

use super::test::{CHAOS, INTEGRATION, command};

/// The words by which a test says that it needs what a real Spin does not have (`harness/spin.rs` of the tests).
const LEFT_OUT: &str = "left out on a real Spin";

/// Where the data is; the tests know both words.
const DATABASES: [&str; 2] = ["sqlite", "postgres"];

/// A Spin to test on.
pub(super) struct Spin {
    program: OsString,
    pub(super) version: String,
}

/// How the tests ended.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: usize,
    left_out: usize,
    /// What the failed ones said, each with its name.
    failed: Vec<String>,
}

impl Spin {
    /// The Spin that `SPIN_BIN` names.
    pub(super) fn find() -> anyhow::Result<Self> {
        let program = servers::Spin::program()?;
        let version = process::read(Command::new(&program).arg("--version"))?;
        Ok(Self { program, version })
    }

    /// Runs the tests whose names contain one of the filters, or all, on each database.
    pub(super) fn test(&self, filter: &[&str]) -> anyhow::Result<()> {
        let mut failed = 0;
        for database in DATABASES {
            let tally = self.test_on(database, filter)?;
            for failure in &tally.failed {
                eprintln!("\n{failure}");
            }
            eprintln!(
                "  {} on {database}: {} passed, {} failed, {} left out (they need a controlled clock, faults or records)",
                self.version,
                tally.passed,
                tally.failed.len(),
                tally.left_out
            );
            failed += tally.failed.len();
        }
        match failed {
            0 => Ok(()),
            some => bail!("{some} tests failed on {}", self.version),
        }
    }

    fn test_on(&self, database: &str, filter: &[&str]) -> anyhow::Result<Tally> {
        let mut tests = command()?;
        tests.env("OCTO_TEST_SPIN", &self.program).env("OCTO_TEST_DATABASE", database);
        tests.args(["--test", INTEGRATION, "--"]).args(filter).args(["--skip", CHAOS]);
        let mut running = tests.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut output = String::new();
        for line in BufReader::new(running.stdout.take().context("no output")?).lines() {
            let line = line?;
            if line.starts_with("test ") {
                eprintln!("  {line}");
            }
            output.push_str(&line);
            output.push('\n');
        }
        running.wait()?;
        tally(&output).context("the tests did not run to their end; `cargo xtask test` says why")
    }
}

/// Reads what the test program prints; none when it did not come to its end.
fn tally(output: &str) -> Option<Tally> {
    output.lines().find(|line| line.starts_with("test result: "))?;
    let passed = output.lines().filter(|line| line.starts_with("test ") && line.ends_with("... ok")).count();
    let mut tally = Tally { passed, ..Tally::default() };
    // Each failed test's output is printed under its name; the list of names follows the last.
    let (_, failures) = output.split_once("\nfailures:\n").unwrap_or_default();
    let (details, _) = failures.split_once("\nfailures:\n").unwrap_or_default();
    for said in details.split("\n---- ").filter(|said| !said.trim().is_empty()) {
        if said.contains(LEFT_OUT) {
            tally.left_out += 1;
        } else {
            tally.failed.push(said.trim().trim_start_matches("---- ").to_owned());
        }
    }
    Some(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "
running 4 tests
test a::good ... ok
test a::bad ... FAILED
test a::timed ... FAILED
test b::ugly ... FAILED

failures:

---- a::bad stdout ----
thread 'a::bad' panicked at x.rs:1:
assertion failed

---- a::timed stdout ----
thread 'a::timed' panicked at x.rs:1:
left out on a real Spin: it needs another clock

---- b::ugly stdout ----
thread 'b::ugly' panicked at x.rs:1:
503


failures:
    a::bad
    a::timed
    b::ugly

test result: FAILED. 1 passed; 3 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.01s
";

    #[test]
    fn what_is_left_out_is_told_from_what_failed() {
        let tally = tally(OUTPUT).unwrap();
        assert_eq!((tally.passed, tally.left_out), (1, 1));
        let names: Vec<_> = tally.failed.iter().filter_map(|said| said.split_whitespace().next()).collect();
        assert_eq!(names, ["a::bad", "b::ugly"]);
    }

    #[test]
    fn when_nothing_fails_there_is_nothing_to_tell() {
        let output = "\nrunning 1 test\ntest a::good ... ok\n\ntest result: ok. 1 passed; 0 failed\n";
        assert_eq!(tally(output), Some(Tally { passed: 1, ..Tally::default() }));
        assert_eq!(tally("running 1 test\ntest a::good ... ok\n"), None, "it was cut off");
    }
}
