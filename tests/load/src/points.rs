//! What a transfer of points costs, beside the least that any transfer costs: two rows changed and one added, in one commit.
//!
//! In this process, without components, on connections whose commits are durable. The small and the large ledger are
//! written in turn, so that what slows the machine slows both.

use std::fmt::{self, Display, Formatter};
use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use octo_core::{
    Clock, Sql,
    sql::{Dialect, Migrated},
};
use octo_databases::{Database, Shared};
use octo_loyalty::{Account, Kind, Ledger, NewTransfer, TABLES, check, schema::NEVER};
use serde::Serialize;

use crate::jobs;
use crate::native::{SystemClock, ready};
use crate::options::Options;
use crate::report::median;

/// The name of these measurements.
pub(crate) const NAME: &str = "points";

/// Transfers in the two ledgers.
const SIZES: [i64; 2] = [1_000, 1_000_000];
/// Members, each with as many of the transfers.
const MEMBERS: i64 = 500;
/// Transfers between two looks at the clock.
const BATCH: i64 = 16;
/// Connections at once, each with members of its own.
const CONNECTIONS: i64 = 4;

/// Transfers in a second on one database in one round.
#[derive(Clone, Debug, Serialize)]
struct Round {
    database: &'static str,
    floor: f64,
    floor_together: f64,
    ledgers: Vec<Rates>,
}

/// Transfers in a second in a ledger of some size: on one account, on many, and on many by several connections at once.
#[derive(Clone, Debug, Serialize)]
struct Rates {
    one_account: f64,
    many_accounts: f64,
    together: f64,
}

/// What was measured of points.
#[derive(Debug, Serialize)]
pub(crate) struct PointsReport {
    rounds: Vec<Round>,
}

/// Measures both databases, as many rounds as the options say.
pub(crate) fn measure(options: &Options) -> anyhow::Result<PointsReport> {
    let mut rounds = Vec::new();
    for (database, make) in [("SQLite", Shared::sqlite as fn() -> Shared), ("Postgres", Shared::postgres)] {
        let ledgers = [make(), make()];
        for (shared, size) in ledgers.iter().zip(SIZES) {
            eprintln!("{size} transfers in {database}");
            fill(&Migrated::new(&shared.connect(), TABLES), size)?;
        }
        for round in 1..=options.rounds {
            eprintln!("round {round} of {}: points on {database}", options.rounds);
            rounds.push(one(database, &ledgers, options.duration)?);
        }
        for shared in &ledgers {
            let connection = shared.connect();
            let findings = ready(check::ledger(&Migrated::new(&connection, TABLES)))?;
            if !findings.balances() {
                return Err(anyhow!("the ledger does not balance: {findings:?}"));
            }
        }
    }
    Ok(PointsReport { rounds })
}

fn one(database: &'static str, ledgers: &[Shared; 2], duration: Duration) -> anyhow::Result<Round> {
    let [small, _] = ledgers;
    let floor = together(small, 1, duration, &move_plainly)?;
    let floor_together = together(small, CONNECTIONS, duration, &move_plainly)?;
    let rates = ledgers.iter().map(|shared| {
        Ok(Rates {
            one_account: together(shared, 1, duration, &|sql, _, _| spend(sql, 1))?,
            many_accounts: together(shared, 1, duration, &spend_in_turn)?,
            together: together(shared, CONNECTIONS, duration, &spend_in_turn)?,
        })
    });
    Ok(Round { database, floor, floor_together, ledgers: rates.collect::<anyhow::Result<_>>()? })
}

type Act = dyn Fn(&Migrated<'_, Database>, i64, i64) -> anyhow::Result<()> + Sync;

/// How often a second so many connections together do it. Each is told its number, and how often it did it before.
fn together(shared: &Shared, connections: i64, duration: Duration, act: &Act) -> anyhow::Result<f64> {
    thread::scope(|scope| {
        let one = |connection: i64| {
            scope.spawn(move || {
                let database = shared.connect_durably();
                let sql = Migrated::new(&database, TABLES);
                let done = std::cell::Cell::new(0);
                jobs::rate(duration, || {
                    for _ in 0..BATCH {
                        act(&sql, connection, done.get())?;
                        done.set(done.get() + 1);
                    }
                    Ok(BATCH as usize)
                })
            })
        };
        let running: Vec<_> = (0..connections).map(one).collect();
        let rates = running.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("it panicked"))?);
        rates.sum()
    })
}

/// A member of this connection's, another each time.
fn member(connection: i64, number: i64) -> i64 {
    (number * CONNECTIONS + connection) % MEMBERS + 1
}

fn spend_in_turn(sql: &Migrated<'_, Database>, connection: i64, number: i64) -> anyhow::Result<()> {
    spend(sql, member(connection, number))
}

/// Spends a point; a member that has none left is given some.
fn spend(sql: &Migrated<'_, Database>, member: i64) -> anyhow::Result<()> {
    let ledger = Ledger::new(sql, i64::MAX);
    let now = SystemClock.now();
    let new = NewTransfer::taken(Kind::Redemption, Account::Redeemed, member, 1).by(member, "benchmark");
    match ready(ledger.transfer(&new, None, now)) {
        Ok(_) => Ok(()),
        Err(_) => {
            let new = NewTransfer::given(Kind::Award, Account::Issued, member, 1_000_000, NEVER);
            ready(ledger.transfer(&new, None, now)).map(drop)
        }
    }
}

/// The floor: a point moves from one row to another, and a line says so, in one commit.
fn move_plainly(sql: &Migrated<'_, Database>, connection: i64, number: i64) -> anyhow::Result<()> {
    let (source, now) = (member(connection, number), SystemClock.now());
    let target = source + MEMBERS;
    let update = "UPDATE floor_accounts SET balance = balance + CASE id WHEN $1 THEN -1 ELSE 1 END WHERE id IN ($1, $2)";
    let insert = "INSERT INTO floor_entries (source, target, points, at)";
    match sql.dialect() {
        Dialect::Sqlite => {
            ready(sql.query("BEGIN IMMEDIATE", &[]))?;
            ready(sql.query(update, &[source.into(), target.into()]))?;
            let insert = format!("{insert} VALUES ($1, $2, 1, $3)");
            ready(sql.query(&insert, &[source.into(), target.into(), now.into()]))?;
            ready(sql.query("COMMIT", &[]))?;
        }
        Dialect::Postgres => {
            let statement = format!(
                "WITH moved AS ({update} RETURNING id) {insert} SELECT $1, $2, 1, $3 FROM moved WHERE id = $1"
            );
            ready(sql.query(&statement, &[source.into(), target.into(), now.into()]))?;
        }
    }
    Ok(())
}

/// When what is there from the start happened, in milliseconds since the epoch.
const START: i64 = 1_800_000_000_000;

/// Members who were given a point as often as it takes, by few statements with the triggers of all.
fn fill(sql: &Migrated<'_, Database>, size: i64) -> anyhow::Result<()> {
    ready(sql.apply())?;
    let numbers = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ";
    let members = format!(
        "INSERT INTO points_members (id, uuid, bonus, bonus_ends_at, opened_at)
         {numbers}{MEMBERS}) SELECT n, 'member ' || n, 0, 0, {START} FROM numbers"
    );
    // Not all at once: on Postgres each version of a balance stays until the statement ends, and is gone through.
    let chunk = size.min(5_000);
    let transfers = format!(
        "INSERT INTO points_transfers (member_id, kind, source, target, points, ends_at, comment, actor, at, missing,
            taken, balance)
         {numbers}{chunk}) SELECT n % {MEMBERS} + 1, 'award', 'issued', 'member', 1, {NEVER}, '', 0, {START}, 0, '[]', 0
         FROM numbers"
    );
    let accounts = format!("INSERT INTO floor_accounts {numbers}{}) SELECT n, 0 FROM numbers", 2 * MEMBERS);
    let id = match sql.dialect() {
        Dialect::Sqlite => "INTEGER PRIMARY KEY AUTOINCREMENT",
        Dialect::Postgres => "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    };
    let entries = format!(
        "CREATE TABLE floor_entries (id {id}, source BIGINT NOT NULL, target BIGINT NOT NULL, points BIGINT NOT NULL,
            at BIGINT NOT NULL)"
    );
    let tables = "CREATE TABLE floor_accounts (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL)";
    ready(sql.query(&members, &[]))?;
    for _ in 0..size / chunk {
        ready(sql.query(&transfers, &[]))?;
    }
    // What filling left behind, Postgres would clean up by and by.
    let tidy = if sql.dialect() == Dialect::Postgres { "VACUUM ANALYZE" } else { "ANALYZE" };
    for statement in [tables, &entries, &accounts, tidy] {
        ready(sql.query(statement, &[]))?;
    }
    Ok(())
}

impl Display for PointsReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let [small, large] = SIZES;
        writeln!(
            out,
            "\nTransfers of points in a second, of the floor, and in {large} to in {small} transfers:\n"
        )?;
        writeln!(out, "| database | what | floor /s | transfers/s | of it | large to small |")?;
        writeln!(out, "| --- | --- | ---: | ---: | ---: | ---: |")?;
        type Get = fn(&Rates) -> f64;
        type Floor = fn(&Round) -> f64;
        let kinds: [(&str, Floor, Get); 3] = [
            ("one account", |round| round.floor, |rates| rates.one_account),
            ("many accounts", |round| round.floor, |rates| rates.many_accounts),
            ("many accounts, 4 connections", |round| round.floor_together, |rates| rates.together),
        ];
        for database in ["SQLite", "Postgres"] {
            for (what, floor, get) in kinds {
                let of = |value: &dyn Fn(&Round, f64, f64) -> f64| {
                    let rounds = self.rounds.iter().filter(|round| round.database == database);
                    let values = rounds.filter_map(|round| match round.ledgers.as_slice() {
                        [small, large] => Some(value(round, get(small), get(large))),
                        _ => None,
                    });
                    median(values.collect())
                };
                writeln!(
                    out,
                    "| {database} | {what} | {:.0} | {:.0} | {:.2} | {:.2} |",
                    of(&|round, _, _| floor(round)),
                    of(&|_, _, large| large),
                    of(&|round, _, large| large / floor(round)),
                    of(&|_, small, large| large / small),
                )?;
            }
        }
        Ok(())
    }
}
