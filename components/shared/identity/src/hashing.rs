//! The work of hashing, bounded: a hash takes 19 MiB and some tens of milliseconds of a core, and anybody may ask for
//! one.
//!
//! All instances that share the database share a number of leases; who has none waits for a while, and is then told
//! to come back. A lease ends by itself, so an instance that was cut off holds nobody up for long.

use std::time::Duration;

use octo_core::{Clock, Entropy, Sql, SqlError, UnixMillis};

/// How long a lease lasts when nobody gives it back; many times what a hash takes.
const LEASE: Duration = Duration::from_secs(5);
/// The pauses before asking again, in milliseconds, each drawn out by up to as much again; together longer than a
/// lease, and less than twice as long and a second.
const PAUSES_MS: [u64; 14] = [10, 20, 40, 80, 160, 300, 500, 500, 500, 500, 500, 500, 500, 1000];

/// Leave to hash.
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

    /// Waits for a lease; `None` when there was none for so long.
    pub async fn obtain(
        &self,
        clock: &impl Clock,
        entropy: &impl Entropy,
    ) -> Result<Option<Lease>, SqlError> {
        for pause in PAUSES_MS {
            if let Some(lease) = self.take(clock.now()).await? {
                return Ok(Some(lease));
            }
            let [random] = entropy.bytes::<1>();
            let longer = pause * u64::from(random) / 256;
            clock.sleep(Duration::from_millis(pause + longer)).await;
        }
        self.take(clock.now()).await
    }

    /// Gives a lease back.
    pub async fn give_back(&self, lease: Lease) -> Result<(), SqlError> {
        let statement = "UPDATE hash_leases SET held_until = 0 WHERE slot = $1 AND held_until = $2";
        self.sql.query(statement, &[lease.slot.into(), lease.until.into()]).await.map(drop)
    }

    /// Takes a lease that nobody holds; the outer condition decides between two who found the same one.
    async fn take(&self, now: UnixMillis) -> Result<Option<Lease>, SqlError> {
        let until = now + LEASE;
        let statement = "UPDATE hash_leases SET held_until = $1
            WHERE held_until <= $2 AND slot =
                (SELECT slot FROM hash_leases WHERE held_until <= $2 AND slot <= $3 ORDER BY held_until LIMIT 1)
            RETURNING slot";
        let parameters = [until.into(), now.into(), self.number.into()];
        let taken: Option<(i64,)> = self.sql.first(statement, &parameters).await?;
        if let Some((slot,)) = taken {
            return Ok(Some(Lease { slot, until }));
        }
        let statement = "INSERT INTO hash_leases (slot, held_until)
            SELECT COALESCE(MAX(slot), 0) + 1, $1 FROM hash_leases WHERE true HAVING COALESCE(MAX(slot), 0) < $2
            ON CONFLICT (slot) DO NOTHING RETURNING slot";
        let made: Option<(i64,)> = self.sql.first(statement, &[until.into(), self.number.into()]).await?;
        Ok(made.map(|(slot,)| Lease { slot, until }))
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
            let take = || ready(leases.take(clock.now())).unwrap();
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
}
