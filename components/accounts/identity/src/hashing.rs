//! The work of hashing, bounded: a hash takes 19 MiB and some tens of milliseconds of a core, and anybody may ask for
//! one.
//!
//! All instances that share the database share a number of leases. Who gets none takes one of [`WAITING`] places and
//! waits for a while; who finds no place either is told at once to come back. So a flood of logins costs the others a few
//! statements each, and nobody holds a database connection while it waits or hashes ([`Sql::rest`]). Leases and places
//! are rows of one table, by their numbers; each ends by itself, so an instance that was cut off holds nobody up for
//! long.

use std::{ops::RangeInclusive, time::Duration};

use octo_core::{Clock, Entropy, Sql, SqlError, UnixMillis};

/// How many may wait at once, over all instances: a class that registers in one moment.
pub const WAITING: i64 = 200;

/// How long a lease lasts when nobody gives it back; many times what a hash takes.
const LEASE: Duration = Duration::from_secs(5);
/// How long a place lasts when nobody gives it back; longer than anybody waits.
const PLACE: Duration = Duration::from_secs(15);
/// The pauses before asking again, in milliseconds, each drawn out by up to as much again; together longer than a
/// lease, and less than twice as long and a second.
const PAUSES_MS: [u64; 14] = [10, 20, 40, 80, 160, 300, 500, 500, 500, 500, 500, 500, 500, 1000];

/// Leave to hash, or a place to wait in.
#[derive(Debug)]
pub struct Lease {
    slot: i64,
    until: UnixMillis,
}

/// The leases in the database.
#[derive(Debug)]
pub struct Leases<'a, S> {
    sql: &'a S,
    number: i64,
}

impl<'a, S: Sql> Leases<'a, S> {
    /// `number` leases in `sql`.
    pub fn new(sql: &'a S, number: i64) -> Self {
        Self { sql, number }
    }

    /// A lease, waited for if need be; `None` when too many wait already, or there was none for so long.
    pub async fn obtain(
        &self,
        clock: &impl Clock,
        entropy: &impl Entropy,
    ) -> Result<Option<Lease>, SqlError> {
        if let Some(lease) = self.take_lease(clock.now()).await? {
            return Ok(Some(lease));
        }
        let Some(place) = self.take_place(clock.now()).await? else { return Ok(None) };
        let lease = self.wait(clock, entropy).await;
        self.give_back(place).await?;
        lease
    }

    /// Gives a lease back.
    pub async fn give_back(&self, lease: Lease) -> Result<(), SqlError> {
        let statement = "UPDATE hash_leases SET held_until = 0 WHERE slot = $1 AND held_until = $2";
        self.sql.query(statement, &[lease.slot.into(), lease.until.into()]).await.map(drop)
    }

    async fn wait(&self, clock: &impl Clock, entropy: &impl Entropy) -> Result<Option<Lease>, SqlError> {
        for pause in PAUSES_MS {
            let [random] = entropy.bytes::<1>();
            let longer = pause * u64::from(random) / 256;
            self.sql.rest();
            clock.sleep(Duration::from_millis(pause + longer)).await;
            if let Some(lease) = self.take_lease(clock.now()).await? {
                return Ok(Some(lease));
            }
        }
        Ok(None)
    }

    async fn take_lease(&self, now: UnixMillis) -> Result<Option<Lease>, SqlError> {
        self.take(1..=self.number, now, now + LEASE).await
    }

    async fn take_place(&self, now: UnixMillis) -> Result<Option<Lease>, SqlError> {
        self.take(self.number + 1..=self.number + WAITING, now, now + PLACE).await
    }

    /// Takes one of these that nobody holds. It is looked for by reading first: while all are held, those who wait keep
    /// nobody from writing.
    async fn take(
        &self,
        slots: RangeInclusive<i64>,
        now: UnixMillis,
        until: UnixMillis,
    ) -> Result<Option<Lease>, SqlError> {
        let (first, last) = slots.into_inner();
        let statement = "SELECT COUNT(*), COUNT(CASE WHEN held_until <= $1 THEN 1 END) FROM hash_leases
            WHERE slot >= $2 AND slot <= $3";
        let counted = self.sql.first(statement, &[now.into(), first.into(), last.into()]).await?;
        let (there, free): (i64, i64) = counted.unwrap_or_default();
        if there <= last - first {
            self.make(last).await?;
        } else if free == 0 {
            return Ok(None);
        }
        // Those that others are taking just now are passed over.
        let statement = format!(
            "UPDATE hash_leases SET held_until = $1 WHERE slot =
                (SELECT slot FROM hash_leases WHERE held_until <= $2 AND slot >= $3 AND slot <= $4
                ORDER BY held_until LIMIT 1{})
            RETURNING slot",
            self.sql.dialect().skip_locked()
        );
        let parameters = [until.into(), now.into(), first.into(), last.into()];
        let taken: Option<(i64,)> = self.sql.first(&statement, &parameters).await?;
        Ok(taken.map(|(slot,)| Lease { slot, until }))
    }

    /// Makes the rows up to this one that are not there yet.
    async fn make(&self, last: i64) -> Result<(), SqlError> {
        let statement = "WITH RECURSIVE slots (slot) AS
                (SELECT CAST(1 AS BIGINT) UNION ALL SELECT slot + 1 FROM slots WHERE slot < $1)
            INSERT INTO hash_leases (slot, held_until) SELECT slot, 0 FROM slots WHERE true
            ON CONFLICT (slot) DO NOTHING";
        self.sql.query(statement, &[last.into()]).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign_on::TABLES;
    use octo_core::sql::Migrated;
    use octo_core::testing::{FakeClock, FakeEntropy, ready};
    use octo_databases::on_both;

    #[test]
    fn there_are_so_many_leases_and_no_more_until_one_is_given_back_or_ends() {
        on_both(|shared| {
            let sql = shared.connect();
            let sql = Migrated::new(&sql, TABLES);
            let leases = Leases::new(&sql, 2);
            let (clock, entropy) = (FakeClock::at(UnixMillis(1_800_000_000_000)), FakeEntropy::default());
            let take = || ready(leases.take_lease(clock.now())).unwrap();
            let (first, second) = (take().unwrap(), take().unwrap());
            assert!(take().is_none());
            ready(leases.give_back(first)).unwrap();
            let again = take().unwrap();
            assert!(take().is_none());

            // Who waits for long enough gets one that nobody gave back.
            assert!(ready(leases.obtain(&clock, &entropy)).unwrap().is_some());
            clock.advance(LEASE);
            let (late, _other) = (take().unwrap(), take().unwrap());
            assert!(take().is_none());
            // A lease that ended cannot be given back: somebody else has its slot.
            for old in [again, second] {
                ready(leases.give_back(old)).unwrap();
            }
            assert!(take().is_none());
            ready(leases.give_back(late)).unwrap();
            assert!(take().is_some());
        });
    }

    #[test]
    fn so_many_wait_and_one_more_is_told_at_once_to_come_back() {
        on_both(|shared| {
            let sql = shared.connect();
            let sql = Migrated::new(&sql, TABLES);
            let leases = Leases::new(&sql, 2);
            let (clock, entropy) = (FakeClock::at(UnixMillis(1_800_000_000_000)), FakeEntropy::default());
            let began = clock.now();
            let _held = [(); 2].map(|()| ready(leases.take_lease(began)).unwrap().unwrap());
            let mut places: Vec<_> =
                (0..WAITING).map(|_| ready(leases.take_place(began)).unwrap().unwrap()).collect();
            assert!(ready(leases.take_place(began)).unwrap().is_none());
            assert!(ready(leases.obtain(&clock, &entropy)).unwrap().is_none());
            assert_eq!(clock.now(), began, "nobody has waited");

            // With a place it waits, here until the leases end.
            ready(leases.give_back(places.pop().unwrap())).unwrap();
            assert!(ready(leases.obtain(&clock, &entropy)).unwrap().is_some());
            assert!(clock.now() > began);
            // It has given its place back; and those of instances that were cut off end.
            assert!(ready(leases.take_place(clock.now())).unwrap().is_some());
            clock.advance(PLACE);
            assert!(ready(leases.take_place(clock.now())).unwrap().is_some());
        });
    }

    #[test]
    fn on_postgres_as_many_get_a_lease_at_once_as_there_are() {
        let shared = octo_databases::Shared::postgres();
        let now = UnixMillis(1_800_000_000_000);
        let taken: Vec<bool> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..12)
                .map(|_| {
                    scope.spawn(|| {
                        let sql = shared.connect();
                        let sql = Migrated::new(&sql, TABLES);
                        ready(Leases::new(&sql, 8).take_lease(now)).unwrap().is_some()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(taken.iter().filter(|taken| **taken).count(), 8);
    }
}
