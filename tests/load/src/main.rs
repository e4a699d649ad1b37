//! Throughput and latency of `POST /messages`, beside what the host can do at most.
//!
//! Absolute figures say more about the machine than about the code, so every run measures these things in turn,
//! round after round, and compares their medians:
//!
//! | scenario | what it is |
//! | --- | --- |
//! | answer | a component that only answers: the floor of the host |
//! | chain | a component that calls `answer` and relays: the floor of a gateway |
//! | free | `POST /messages` with a logged-in account, processed by the free provider |
//! | paid | the same with the free quota gone and paid access |
//! | free-redis, paid-redis | both with the free calls counted in a Redis server (`redis_url`) |
//! | login, refresh | `POST /auth/login` with its password hash, `POST /auth/refresh` |
//! | jobs | background jobs on both databases, beside a row inserted and updated |
//! | parcels | registering, pricing and reading parcels, in a small and in a large database (only when asked for) |
//! | points | transfers of points, in a small and in a large ledger (only when asked for) |
//! | shop | the catalogue, carts and orders, with few and with many products (only when asked for) |
//! | token-record, token-signature | a request whose token is known by its record, and by its signature alone |
//!
//! With `--spin` it is measured where people run it, on a real Spin, and beside other gateways if their addresses are given
//! ([`on_spin`] has the scenarios).
//!
//! Each is measured under load and then with one request at a time: that is when the time of a message is its
//! own, and the host's record of the store calls tells what part of it the counter takes.
//!
//! The load comes from a second process (this program again, as `octo-load drive`), because a client is
//! never part of a server; both share the machine's cores. Every answer is checked: a fast wrong answer
//! does not count.

// A benchmark measures real time; the ban is for the code that ships.
#![allow(clippy::disallowed_methods)]

mod account;
mod cpu;
mod deployment;
mod driver;
mod jobs;
mod load;
mod native;
mod on_spin;
mod options;
mod parcels;
mod points;
mod report;
mod rounds;
mod shop;
mod sign_on;
mod upstream;
mod usage;

use std::process::ExitCode;

use options::{Command, HELP};

fn main() -> ExitCode {
    let result = Command::from_env().and_then(|command| match command {
        Command::Help => {
            print!("{HELP}");
            Ok(())
        }
        Command::Drive => driver::serve_one(),
        Command::Upstream(address) => upstream::serve(&address),
        Command::Measure(options) => rounds::measure(&options),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
