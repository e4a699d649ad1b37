//! A database with its clock, and a source of rates that does as it is told.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use octo_core::{
    Clock, Hundredths, Sql, UnixMillis, async_trait,
    sql::{FromRow, Migrated},
    testing::{FakeClock, FakeEntropy, Locked, ready},
};
use octo_databases::{Database, Shared};
use octo_jobs::Drained;

use crate::{
    Config, NewParcel, Owner, Parcel, Parcels, Pricing, RateSource, Registered, TABLES, parcels::Key,
    rate::Unusable,
};

/// Noon in Moscow.
pub(super) const START: UnixMillis = UnixMillis(1_800_003_600_000);

/// A source that sends the same every time, until it is told otherwise.
#[derive(Debug)]
pub(super) struct FakeSource {
    answer: Locked<Result<String, String>>,
    pub(super) calls: AtomicU32,
}

impl FakeSource {
    pub(super) fn sending(text: &str) -> Self {
        Self { answer: Locked::new(Ok(text.to_owned())), calls: AtomicU32::new(0) }
    }

    /// Sends this from now on; an `Err` is no answer.
    pub(super) fn will(&self, answer: Result<&str, &str>) {
        *self.answer.borrow_mut() = answer.map(str::to_owned).map_err(str::to_owned);
    }
}

#[async_trait]
impl RateSource for FakeSource {
    async fn fetch(&self) -> Result<Vec<u8>, Unusable> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.answer.borrow().clone().map(String::into_bytes).map_err(Unusable)
    }
}

/// The bank's JSON with this rate for this day.
pub(super) fn daily(date: &str, value: &str) -> String {
    format!(r#"{{"Date":"{date}T11:30:00+03:00","Valute":{{"USD":{{"Nominal":1,"Value":{value}}}}}}}"#)
}

pub(super) fn config() -> Config {
    Config {
        rate_origin: "https://bank.example".into(),
        rate_path: "/daily_json.js".into(),
        rate_refresh: Duration::from_secs(3600),
        rate_max_days: 14,
        daily_per_client: None,
        host_url: "http://localhost/".into(),
    }
}

/// A clock that goes on by itself, for instances that wait for one another.
pub(super) struct RunningClock(Instant);

impl RunningClock {
    #[expect(clippy::disallowed_methods, reason = "instances that wait for one another take real time")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }
}

#[async_trait]
impl Clock for RunningClock {
    fn now(&self) -> UnixMillis {
        START + self.0.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// One instance on a database that others share.
pub(super) struct Scene {
    pub(super) connection: Database,
    pub(super) clock: FakeClock,
    pub(super) entropy: FakeEntropy,
    pub(super) source: FakeSource,
    pub(super) config: Config,
}

impl Scene {
    pub(super) fn new(shared: &Shared) -> Self {
        Self {
            connection: shared.connect(),
            clock: FakeClock::at(START),
            entropy: FakeEntropy::default(),
            source: FakeSource::sending(&daily("2027-01-15", "84.004")),
            config: config(),
        }
    }

    pub(super) fn sql(&self) -> Migrated<'_, Database> {
        Migrated::new(&self.connection, TABLES)
    }

    pub(super) fn rows<R: FromRow>(&self, statement: &str) -> Vec<R> {
        ready(self.sql().fetch(statement, &[])).unwrap()
    }

    pub(super) fn register(&self, status: &str, key: Option<Key<'_>>) -> Registered {
        ready(Parcels::new(&self.sql()).register(&owner(), &parcel(), status, key, self.clock.now())).unwrap()
    }

    pub(super) fn parcel(&self, id: i64) -> Parcel {
        ready(Parcels::new(&self.sql()).by_id(id)).unwrap().unwrap()
    }

    /// Carries out what is due.
    pub(super) fn drain(&self) -> Drained {
        ready(drain(&self.sql(), &self.source, &self.clock, &self.entropy, &self.config)).unwrap()
    }

    /// The same again and again, with the pauses, until nothing is left.
    pub(super) fn drain_all(&self) {
        for _ in 0..40 {
            self.drain();
            if self.rows::<(i64,)>("SELECT COUNT(*) FROM jobs WHERE finalized_at IS NULL")[0].0 == 0 {
                return;
            }
            self.clock.advance(Duration::from_secs(600));
            let today = crate::MoscowDay::containing(self.clock.now());
            if self.source.answer.borrow().is_ok() {
                self.source.will(Ok(&daily(&today.to_string(), "84.004")));
            }
        }
        panic!("jobs are left");
    }
}

pub(super) async fn drain(
    sql: &impl Sql,
    source: &FakeSource,
    clock: &impl Clock,
    entropy: &FakeEntropy,
    config: &Config,
) -> Result<Drained, octo_core::SqlError> {
    let pricing = Pricing { sql, source, clock, config };
    let jobs = pricing.jobs();
    jobs.performer(sql, clock, entropy).drain(clock.now() + Duration::from_secs(60)).await
}

pub(super) fn owner() -> Owner {
    Owner::Session("s".into())
}

pub(super) fn parcel() -> NewParcel {
    NewParcel { name: "Phone".into(), weight: Hundredths(150), value: Hundredths(1_099), type_id: 2 }
}

/// What must hold at any time: every sum is that of the log, and a parcel has the price that the log has.
pub(super) fn check(scene: &Scene) {
    let kept: Vec<(i64, i64, i64, i64)> =
        scene.rows("SELECT day, type_id, number, total FROM parcel_sums ORDER BY day, type_id");
    let logged: Vec<(i64, i64, i64, i64)> = scene.rows(
        "SELECT day, type_id, COUNT(*), CAST(SUM(cost) AS BIGINT) FROM parcel_prices
         GROUP BY day, type_id ORDER BY day, type_id",
    );
    assert_eq!(kept, logged, "the sums are those of the log");
    let wrong: Vec<(i64, String)> = scene.rows(
        "SELECT p.id, p.state FROM parcels p LEFT JOIN parcel_prices l ON l.parcel_id = p.id
         WHERE COALESCE(p.cost, 0) <> COALESCE(l.cost, 0)
            OR (p.state = 'priced' AND l.id IS NULL) OR (p.state IN ('pending', 'failed') AND l.id IS NOT NULL)",
    );
    assert_eq!(wrong, [], "a parcel has the price of the log");
    let without_job: Vec<(i64,)> = scene.rows(
        "SELECT id FROM parcels WHERE state = 'pending'
            AND NOT EXISTS (SELECT 1 FROM jobs WHERE finalized_at IS NULL AND kind = 'price-parcel/1'
                AND args = '{\"parcel_id\":' || parcels.id || '}')",
    );
    assert_eq!(without_job, [], "what waits has a job");
}
