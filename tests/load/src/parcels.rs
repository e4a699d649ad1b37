//! What parcels cost: registering and pricing beside the least that anything durable costs, and reading in a small and in a
//! large database.
//!
//! In this process, without components, on connections whose commits are durable. The small and the large database are
//! read in turn, request by request, so that what slows the machine slows both.

use std::fmt::{self, Display, Formatter};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use octo_core::sql::Migrated;
use octo_core::{Clock, Hundredths, Sql, UnixMillis, async_trait};
use octo_databases::{Database, Shared};
use octo_delivery::rate::Unusable;
use octo_delivery::{
    Config, Filter, MoscowDay, NewParcel, Owner, Parcels, Pricing, RateSource, TABLES, sums,
};
use serde::Serialize;

use crate::jobs;
use crate::native::{NoChance, SystemClock, ready};
use crate::options::Options;
use crate::report::{median, percentiles};

/// The name of these measurements.
pub(crate) const NAME: &str = "parcels";

/// Parcels registered before they are priced.
const BACKLOG: usize = 64;
/// Parcels in the two databases, and how many belong to one owner.
const SIZES: [i64; 2] = [1_000, 200_000];
const OF_ONE: i64 = 100;
/// Owners from this number on register what is new.
const NEW_OWNERS: i64 = 1_000_000;
/// Requests of each kind to each database, in a round.
const READS: usize = 300;

/// One database in one round. Rates in a second, times in microseconds.
#[derive(Clone, Debug, Serialize)]
struct Round {
    database: &'static str,
    floor: f64,
    registered: f64,
    registered_and_priced: f64,
    reads: Vec<Read>,
}

/// What reading takes in the small and in the large database: p50 and p99.
#[derive(Clone, Debug, Serialize)]
struct Read {
    what: &'static str,
    small: [f64; 2],
    large: [f64; 2],
}

/// What was measured of parcels.
#[derive(Debug, Serialize)]
pub(crate) struct ParcelsReport {
    rounds: Vec<Round>,
}

/// Measures both databases, as many rounds as the options say.
pub(crate) fn measure(options: &Options) -> anyhow::Result<ParcelsReport> {
    let mut rounds = Vec::new();
    for (database, make) in [("SQLite", Shared::sqlite as fn() -> Shared), ("Postgres", Shared::postgres)] {
        let [small, large] = [make(), make()];
        for (shared, size) in [(&small, SIZES[0]), (&large, SIZES[1])] {
            eprintln!("{size} parcels in {database}");
            fill(&Migrated::new(&shared.connect(), TABLES), size)?;
        }
        for round in 1..=options.rounds {
            eprintln!("round {round} of {}: parcels on {database}", options.rounds);
            rounds.push(one(database, &small, &large, options.duration)?);
        }
    }
    Ok(ParcelsReport { rounds })
}

fn one(database: &'static str, small: &Shared, large: &Shared, duration: Duration) -> anyhow::Result<Round> {
    let connections = [small.connect(), large.connect()];
    let [small, of_large] = connections.each_ref().map(|connection| Migrated::new(connection, TABLES));
    let reads = KINDS.map(|(what, read)| {
        let mut times = [Vec::new(), Vec::new()];
        for number in 0..READS {
            for (sql, times) in [&small, &of_large].into_iter().zip(&mut times) {
                let began = Instant::now();
                read(sql, number as i64)?;
                times.push(began.elapsed().as_secs_f64() * 1e6);
            }
        }
        let [small, large] = times.map(percentiles);
        Ok::<_, anyhow::Error>(Read { what, small, large })
    });
    let reads = reads.into_iter().collect::<Result<_, _>>()?;
    // What is written is written to the large one.
    let connection = large.connect_durably();
    let sql = Migrated::new(&connection, TABLES);
    let create =
        "CREATE TABLE IF NOT EXISTS floor (id BIGINT PRIMARY KEY, args TEXT NOT NULL, done_at BIGINT)";
    ready(sql.query(create, &[]))?;
    let floor = jobs::rate(duration, || insert_and_update(&sql))?;
    let registered = jobs::rate(duration, || register(&sql, BACKLOG))?;
    price(&sql)?;
    let registered_and_priced = jobs::rate(duration, || {
        register(&sql, BACKLOG)?;
        price(&sql)?;
        Ok(BACKLOG)
    })?;
    Ok(Round { database, floor, registered, registered_and_priced, reads })
}

type Reading = fn(&Migrated<'_, Database>, i64) -> anyhow::Result<()>;

const KINDS: [(&str, Reading); 4] = [
    ("a list of 20 with filters", |sql, number| {
        let filter =
            Filter { owner: Some(owner(number % 10).key()), priced: Some(true), ..Filter::default() };
        expect(ready(Parcels::new(sql).list(&filter, None, 20))?.len() == 20)
    }),
    ("the original's page, with its count", |sql, number| {
        let filter = Filter { owner: Some(owner(number % 10).key()), ..Filter::default() };
        let (count, page) = ready(Parcels::new(sql).page(&filter, 40, 20))?;
        expect(count == OF_ONE && page.len() == 20)
    }),
    ("one parcel", |sql, number| expect(ready(Parcels::new(sql).by_id(1 + number % 1_000))?.is_some())),
    ("the sums of a day", |sql, _| {
        let day = MoscowDay::containing(UnixMillis(DAY_MS));
        expect(!ready(sums::of_days(sql, day, day))?.is_empty())
    }),
];

/// The day on which what is there from the start was priced.
const DAY_MS: i64 = 1_800_000_000_000;

fn expect(is_right: bool) -> anyhow::Result<()> {
    if is_right { Ok(()) } else { Err(anyhow!("a wrong answer")) }
}

fn owner(number: i64) -> Owner {
    Owner::Account(number + 1)
}

/// Parcels that have been priced, a hundred of each owner, made by few statements with the triggers of all.
fn fill(sql: &Migrated<'_, Database>, size: i64) -> anyhow::Result<()> {
    ready(sql.apply())?;
    let numbers = "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < ";
    let parcels = format!(
        "INSERT INTO parcels (status_uuid, owner, name, weight, value, type_id, state, created_at, changed_at)
         {numbers}{}) SELECT 'status ' || n, 'account/' || (n / {OF_ONE} + 1), 'Phone', 150, 1099, n % 3 + 1, 'pending',
            {DAY_MS}, {DAY_MS} FROM numbers",
        size - 1
    );
    let prices = format!(
        "INSERT INTO parcel_prices (parcel_id, day, type_id, weight, value, cost, rate, nominal, rate_day, source,
            priced_at)
         SELECT id, {}, type_id, weight, value, 7224, '84.004', 1, 20833, 'benchmark', {DAY_MS} FROM parcels",
        MoscowDay::containing(UnixMillis(DAY_MS)).0
    );
    for statement in [&parcels, &prices, "DELETE FROM jobs", "ANALYZE"] {
        ready(sql.query(statement, &[]))?;
    }
    Ok(())
}

fn insert_and_update(sql: &Migrated<'_, Database>) -> anyhow::Result<usize> {
    let insert = "INSERT INTO floor (id, args) SELECT COALESCE(MAX(id), 0) + 1, $1 FROM floor RETURNING id";
    let (id,): (i64,) = ready(sql.first(insert, &["parcel".into()]))?.ok_or_else(|| anyhow!("no number"))?;
    let update = "UPDATE floor SET done_at = $1 WHERE id = $2";
    ready(sql.query(update, &[SystemClock.now().into(), id.into()]))?;
    Ok(1)
}

fn register(sql: &Migrated<'_, Database>, number: usize) -> anyhow::Result<usize> {
    let new =
        NewParcel { name: "Phone".into(), weight: Hundredths(150), value: Hundredths(1_099), type_id: 2 };
    for each in 0..number {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| anyhow!("no randomness: {error}"))?;
        let status = format!("{random:02x?}");
        ready(Parcels::new(sql).register(
            &owner(NEW_OWNERS + each as i64),
            &new,
            &status,
            None,
            SystemClock.now(),
        ))?;
    }
    Ok(number)
}

/// The source of the benchmark, asked once.
struct Bank;

#[async_trait]
impl RateSource for Bank {
    async fn fetch(&self) -> Result<Vec<u8>, Unusable> {
        let today = MoscowDay::containing(SystemClock.now());
        let daily = format!(r#"{{"Date":"{today}","Valute":{{"USD":{{"Nominal":1,"Value":84.004}}}}}}"#);
        Ok(daily.into_bytes())
    }
}

fn price(sql: &Migrated<'_, Database>) -> anyhow::Result<()> {
    let config = Config {
        rate_origin: "https://bank.example".into(),
        rate_path: "/".into(),
        rate_refresh: Duration::from_secs(3600),
        rate_max_days: 14,
        daily_per_client: None,
        host_url: "http://localhost/".into(),
    };
    let pricing = Pricing { sql, source: &Bank, clock: &SystemClock, config: &config };
    let jobs = pricing.jobs();
    let drained = ready(jobs.performer(sql, &SystemClock, &NoChance).drain(UnixMillis(i64::MAX)))?;
    if drained.failed > 0 { Err(anyhow!("{} prices failed", drained.failed)) } else { Ok(()) }
}

impl Display for ParcelsReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let of = |database: &str, value: &dyn Fn(&Round) -> f64| {
            median(self.rounds.iter().filter(|round| round.database == database).map(value).collect())
        };
        writeln!(out, "\nParcels on one durable connection, in a database of {} parcels:\n", SIZES[1])?;
        writeln!(
            out,
            "| database | insert + update /s | registered/s | of it | registered and priced/s | of it |"
        )?;
        writeln!(out, "| --- | ---: | ---: | ---: | ---: | ---: |")?;
        for database in ["SQLite", "Postgres"] {
            writeln!(
                out,
                "| {database} | {:.0} | {:.0} | {:.2} | {:.0} | {:.2} |",
                of(database, &|round| round.floor),
                of(database, &|round| round.registered),
                of(database, &|round| round.registered / round.floor),
                of(database, &|round| round.registered_and_priced),
                of(database, &|round| round.registered_and_priced / round.floor),
            )?;
        }
        writeln!(out, "\nReading, in microseconds, with {} and with {} parcels:\n", SIZES[0], SIZES[1])?;
        writeln!(out, "| what | database | p50 | p99 | p50 | p99 | p50, large to small |")?;
        writeln!(out, "| --- | --- | ---: | ---: | ---: | ---: | ---: |")?;
        for (index, (what, _)) in KINDS.iter().enumerate() {
            for database in ["SQLite", "Postgres"] {
                let read = |value: &dyn Fn(&Read) -> f64| {
                    of(database, &|round| round.reads.get(index).map_or(f64::NAN, value))
                };
                writeln!(
                    out,
                    "| {what} | {database} | {:.0} | {:.0} | {:.0} | {:.0} | {:.2} |",
                    read(&|read| read.small[0]),
                    read(&|read| read.small[1]),
                    read(&|read| read.large[0]),
                    read(&|read| read.large[1]),
                    read(&|read| read.large[0] / read.small[0]),
                )?;
            }
        }
        Ok(())
    }
}
