//! A process that registers and prices parcels is killed (SIGKILL) again and again: what it said it had accepted is there,
//! is priced once, and is in the sum of its day once.

// Tests say what they expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{collections::BTreeSet, time::Duration};

use octo_core::{
    Clock, Entropy, Hundredths, Sql, UnixMillis, async_trait,
    sql::{FromRow, Migrated},
    testing::{FakeClock, FakeEntropy, ready},
};
use octo_databases::{Shared, killed};
use octo_delivery::{
    Config, MoscowDay, NewParcel, Owner, Parcels, Pricing, RateSource, TABLES, parcels::Key, rate::Unusable,
};
use octo_jobs::LEASE;

/// Noon in Moscow.
const START: UnixMillis = UnixMillis(1_800_003_600_000);
const KILLS: u32 = 60;
/// Parcels registered between two drains.
const BATCH: usize = 8;

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
    let (connection, life) = killed::begin();
    let (sql, clock) = (Migrated::new(&connection, TABLES), clock_of(life));
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
        let moments = Duration::from_micros(u64::from(moments) * 200);
        let said = killed::live_and_die("instance", shared, life, moments);
        accepted.extend(said.iter().filter_map(|line| line.strip_prefix("accepted ").map(str::to_owned)));
        let waiting = rows::<(i64,)>(&sql, "SELECT COUNT(*) FROM parcels WHERE state = 'pending'")[0].0;
        amid += i64::from(waiting > 0);
    }
    assert!(amid > i64::from(KILLS) / 4, "only {amid} kills left something to do");
    killed::settle(shared);
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
