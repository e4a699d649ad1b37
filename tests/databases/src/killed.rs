//! An instance that is a process of its own, and is killed (SIGKILL).
//!
//! The process is the test program itself, of which it runs one test: that one is ignored otherwise.
//!
//! A Postgres server carries out what it was sent, also when who sent it is gone meanwhile. A later life meets such late
//! statements, as it would in production; a test that has seen the last life calls [`settle`] before it counts.

use octo_core::{Sql, testing::ready};
use std::{
    env,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use crate::{Database, Shared};

/// How the process learns where the database is, and which of its lives this is.
const DATABASE: &str = "OCTO_KILLED_DATABASE";
const LIFE: &str = "OCTO_KILLED_LIFE";

/// What a process that will be killed calls itself to a Postgres server.
const NAME: &str = "octo-killed";

/// The line with which a process says that it begins.
const READY: &str = "ready";

/// What the process works with: its database, and the number of its life. It begins with this.
pub fn begin() -> (Database, u32) {
    let database = Database::at_as(&env::var(DATABASE).unwrap(), NAME);
    let life = env::var(LIFE).unwrap().parse().unwrap();
    println!("\n{READY}");
    (database, life)
}

/// Starts the process whose test is named `test`, and kills it some moments after it began; the lines it printed.
pub fn live_and_die(test: &str, shared: &Shared, life: u32, moments: Duration) -> Vec<String> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--nocapture"])
        .env(DATABASE, shared.address())
        .env(LIFE, life.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == READY), "the process `{test}` did not begin");
    thread::sleep(moments);
    child.kill().unwrap();
    child.wait().unwrap();
    lines.collect()
}

/// Waits until the server has carried out what the killed processes sent it.
pub fn settle(shared: &Shared) {
    let Database::Postgres(server) = shared.connect() else { return };
    let statement = "SELECT COUNT(*) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = $1";
    for _ in 0..2_000 {
        let left: Vec<(i64,)> = ready(server.fetch(statement, &[NAME.into()])).unwrap();
        if left == [(0,)] {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("the server still works for a process that was killed 20 seconds ago");
}
