//! A process that registers and prices parcels is killed (SIGKILL) again and again: what it said it had accepted is there,
//! is priced once, and is in the sum of its day once.

// Tests say what they expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    collections::BTreeSet,
    env,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use octo_core::{
    Clock, Entropy, Hundredths, Sql, UnixMillis, async_trait,
    sql::{FromRow, Migrated},
    testing::{FakeClock, FakeEntropy, ready},
};
use octo_databases::{Database, Shared};
use octo_delivery::{
    Config, MoscowDay, NewParcel, Owner, Parcels, Pricing, RateSource, TABLES, parcels::Key, rate::Unusable,
};
use octo_jobs::LEASE;

/// Noon in Moscow.
const START: UnixMillis = UnixMillis(1_800_003_600_000);
const KILLS: u32 = 60;
/// Parcels registered between two drains.
const BATCH: usize = 8;

/// How the process that will be killed learns where the database is, and which of its lives this is.
const DATABASE: &str = "OCTO_DELIVERY_DATABASE";
const LIFE: &str = "OCTO_DELIVERY_LIFE";

struct Bank(MoscowDay);

#[async_trait]
impl RateSource for Bank {
    async fn fetch(&self) -> Result<Vec<u8>, Unusable> {
        let daily = format!(r#"{{"Date":"{}","Valute":{{"USD":{{"Nominal":1,"Value":84.004}}}}}}"#, self.0);
        Ok(daily.into_bytes())
    }
}

/// Each life begins when the leases of the one before have ended.
fn clock_of(life: u32) -> FakeClock {
    FakeClock::at(START + LEASE * 2 * life)
}

fn drain(sql: &impl Sql, clock: &FakeClock) -> octo_jobs::Drained {
    let config = Config {
        rate_origin: "https://bank.example".into(),
        rate_path: "/".into(),
        rate_refresh: Duration::from_secs(600),
        rate_max_days: 14,
        daily_per_client: None,
        host_url: "http://localhost/".into(),
    };
    let bank = Bank(MoscowDay::containing(clock.now()));
    let pricing = Pricing { sql, source: &bank, clock, config: &config };
    let (jobs, entropy) = (pricing.jobs(), FakeEntropy::default());
    ready(jobs.performer(sql, clock, &entropy).drain(clock.now() + Duration::from_millis(1))).unwrap()
}

#[test]
#[ignore = "it is the process that the other tests kill"]
fn instance() {
    let connection = Database::at(&env::var(DATABASE).unwrap());
    let sql = Migrated::new(&connection, TABLES);
    let life: u32 = env::var(LIFE).unwrap().parse().unwrap();
    let clock = clock_of(life);
    println!("\nready");
    for number in 0_usize.. {
        let name = format!("{life}/{number}");
        let new = NewParcel {
            name: name.clone(),
            weight: Hundredths(150),
            value: Hundredths(1_099),
            type_id: number as i64 % 3 + 1,
        };
        let (owner, key) = (Owner::Account(1), Key { key: &name, fingerprint: "f" });
        ready(Parcels::new(&sql).register(&owner, &new, &name, Some(key), clock.now())).unwrap();
        println!("accepted {name}");
        if number % BATCH == BATCH - 1 {
            drain(&sql, &clock);
        }
    }
}

/// Starts an instance and kills it some moments after it began; what it accepted.
fn live_and_die(shared: &Shared, life: u32, moments: Duration) -> Vec<String> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["instance", "--exact", "--ignored", "--nocapture"])
        .env(DATABASE, shared.address())
        .env(LIFE, life.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "ready"), "the instance did not begin");
    thread::sleep(moments);
    child.kill().unwrap();
    child.wait().unwrap();
    // What was said before it died.
    lines.filter_map(|line| line.strip_prefix("accepted ").map(str::to_owned)).collect()
}

fn rows<R: FromRow>(sql: &impl Sql, statement: &str) -> Vec<R> {
    ready(sql.fetch(statement, &[])).unwrap()
}

fn survives(shared: &Shared) {
    let connection = shared.connect();
    let sql = Migrated::new(&connection, TABLES);
    ready(sql.apply()).unwrap();
    let (entropy, mut accepted, mut amid) = (FakeEntropy::default(), Vec::new(), 0);
    for life in 1..=KILLS {
        let [moments] = entropy.bytes();
        accepted.extend(live_and_die(shared, life, Duration::from_micros(u64::from(moments) * 200)));
        let waiting = rows::<(i64,)>(&sql, "SELECT COUNT(*) FROM parcels WHERE state = 'pending'")[0].0;
        amid += i64::from(waiting > 0);
    }
    assert!(amid > i64::from(KILLS) / 4, "only {amid} kills left something to do");
    let clock = clock_of(KILLS + 1);
    while drain(&sql, &clock).performed > 0 {}
    let states: Vec<(String,)> = rows(&sql, "SELECT DISTINCT state FROM parcels");
    assert_eq!(states, [("priced".to_owned(),)]);
    let names: Vec<(String,)> = rows(&sql, "SELECT name FROM parcels");
    let names: BTreeSet<_> = names.into_iter().map(|(name,)| name).collect();
    let lost: Vec<_> = accepted.iter().filter(|name| !names.contains(*name)).collect();
    assert!(lost.is_empty() && !accepted.is_empty(), "accepted and lost: {lost:?}");
    let number = names.len() as i64;
    for (what, statement) in [
        ("parcels", "SELECT COUNT(*) FROM parcels"),
        ("prices", "SELECT COUNT(*) FROM parcel_prices"),
        ("in the sums", "SELECT CAST(SUM(number) AS BIGINT) FROM parcel_sums"),
        ("first lines", "SELECT COUNT(*) FROM parcel_events WHERE event = 'registered'"),
        ("lines of prices", "SELECT COUNT(*) FROM parcel_events WHERE event = 'priced'"),
    ] {
        assert_eq!(rows::<(i64,)>(&sql, statement), [(number,)], "{what}");
    }
    let totals: Vec<(i64,)> = rows(&sql, "SELECT CAST(SUM(total) AS BIGINT) FROM parcel_sums");
    assert_eq!(totals, [(7_224 * number,)]);
}

#[test]
fn an_instance_killed_sixty_times_over_sqlite_loses_no_parcel_and_prices_none_twice() {
    survives(&Shared::sqlite());
}

#[test]
fn an_instance_killed_sixty_times_over_postgres_loses_no_parcel_and_prices_none_twice() {
    survives(&Shared::postgres());
}
