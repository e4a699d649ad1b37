//! `cargo xtask`: the project's own commands.

// A development tool measures real time; the ban is for the code that ships.
#![allow(clippy::disallowed_methods)]

mod commands;

use std::process::ExitCode;

use anyhow::bail;

const HELP: &str = "\
The project's own commands. Start with `cargo xtask test`; `cargo run --release` runs the application.

  cargo xtask test [FILTER…]    prepare the machine, build everything, run the tests (`chaos::`: those under load)
                                (the arguments go to `cargo test`, as in `cargo xtask test quota -- --nocapture`)
  cargo xtask test --spin [FILTER…]
                                the integration tests that need neither a controlled clock nor faults, on a real Spin:
                                the program named by SPIN_BIN, on SQLite and on Postgres; the others are counted
  cargo xtask build [--wasi-0.3]
                                build the components, as `cargo run --release` does before it starts; with --wasi-0.3
                                also those of the lane for Spin 4.1
  cargo xtask sizes             size and imports of every component; fails on an import spin.toml does not grant
  cargo xtask check             layers between packages, formatting and lints, as errors
  cargo xtask deny              licences, sources and duplicates of the dependencies
  cargo xtask common-passwords  make the list of passwords that nobody may have again, from the crate it comes from
  cargo xtask bench [OPTION…]   throughput and latency beside the host's floors (--quick for a short run; --spin: on
                                the Spin that SPIN_BIN names)
  cargo xtask sim [OPTION…]     simulated providers against the free tier's counter (--help lists the options)
  cargo xtask chaos             hosts and Redis servers that die under load, shown in a table (3 min)
  cargo xtask help              this text
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> anyhow::Result<()> {
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", [].as_slice()),
    };
    let bare = |run: fn() -> anyhow::Result<()>| match rest {
        [] => run(),
        _ => bail!("`cargo xtask {command}` takes no arguments"),
    };
    match command {
        "test" => commands::test::run(rest),
        "bench" => commands::bench::run(rest),
        "sim" => commands::sim::run(rest),
        "chaos" => bare(commands::chaos::run),
        "build" => commands::build::run(rest),
        "sizes" => bare(commands::sizes::run),
        "check" => bare(commands::check::run),
        "deny" => bare(commands::deny::run),
        "common-passwords" => bare(commands::common_passwords::run),
        "help" | "-h" | "--help" => {
            print!("{HELP}");
            Ok(())
        }
        unknown => bail!("there is no command `{unknown}`; `cargo xtask help` lists them"),
    }
}
