//! `cargo run --release`: builds Octo and runs it, on the small host or on a real Spin.
//!
//! It does what a newcomer would have to do by hand: compile the components, make the secret of the first
//! administrator, start, say what is where, have background work done, and show the components' logs until Ctrl-C.

mod arguments;
mod scheduler;
mod secret;
mod spin;
mod up;
mod welcome;

use std::process::ExitCode;

use arguments::Command;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let command = Command::parse(std::env::args_os().skip(1), std::env::var_os("SPIN_BIN"))?;
    match command {
        Command::Help => {
            print!("{}", arguments::HELP);
            Ok(())
        }
        Command::Up(settings) => match settings.spin.clone() {
            None => up::run(settings),
            Some(program) => spin::run(&program, &settings),
        },
    }
}
