//! Attempts at passwords, slowed down so that guessing is hopeless and nobody is locked out.
//!
//! An attempt is heard (its password is compared) only after it has taken a token from each bucket that counts for it:
//!
//! | bucket | at once | then one more every | counts for |
//! | --- | --- | --- | --- |
//! | [`PAIR`]: an account, from one source | 6 | 5 min | a source that is new to the account |
//! | [`SOURCE`]: a source, over all accounts | 50 | 1 min | the same |
//! | [`ACCOUNT`]: an account, over all new sources | 20 | 3 min | the same, but not in the source's turn |
//! | [`TURN`]: an account, from one source in its turn | 1 | turn | the same, in its turn |
//! | [`PROVEN`]: an account, from a source that has proven the password | 50 | 5 min | such a source, and nothing else |
//! | [`REGISTRATION`]: names asked for from a source | 200 | 30 s | registrations, and changes of a name |
//!
//! The right password gives back what its own attempt has taken, and no more: a guesser cannot wash his slate with an
//! account of his own. Logins and confirmations of a password have buckets of their own, except for the source's. All
//! keys are digests: the table names neither accounts nor addresses.
//!
//! # Attempts at once
//! Each bucket is taken from in one atomic statement ([`buckets`]). So within any time `t` a bucket lets through at most
//! `at_once + t / every` attempts that fail, whether they come one after the other or all at once. An attempt that gets
//! no token from one bucket gives back what it took from the others, and is not heard.
//!
//! # The right password works after the delay
//! While an account has no token left, each source has a **turn** of its own: a minute in every quarter of an hour, at a
//! time that follows from account and source alone ([`Schedule`]). In its turn the account's bucket is not asked. All
//! other buckets that count for a source are its own. So nothing that other sources do changes when it is heard: it
//! waits until its own buckets have a token, and then, if others have emptied the account's, until its turn. Who waits
//! as told is heard the second time at the latest. (The turns begin five minutes after the account's bucket was first
//! used, so an attack at once hears no more than the bucket holds.)
//!
//! # What is kept
//! A refused attempt is found out by reading, and writes nothing. A full bucket needs no row; rows are removed by
//! [`Throttle::sweep`] an hour after they have ended.

pub mod buckets;

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use octo_core::{Sql, SqlError, UnixMillis, time::millis};
use sha2::{Digest, Sha256};

use self::buckets::{Bucket, Buckets, Known, Limit};

/// For an account from one source that is new to it.
pub const PAIR: Limit = Limit { at_once: 6, every: Duration::from_secs(300) };
/// For one source, over all accounts to which it is new.
pub const SOURCE: Limit = Limit { at_once: 50, every: Duration::from_secs(60) };
/// For one account, over all sources that are new to it: at most 40 in any hour.
pub const ACCOUNT: Limit = Limit { at_once: 20, every: Duration::from_secs(180) };
/// For an account from one source in its turn: the next token is there when the turn is over.
pub const TURN: Limit = Limit { at_once: 1, every: TURN_LASTS };
/// For an account from one source that has proven the password: its owner may log in many times at once, and each
/// attempt counts until its password is found right.
pub const PROVEN: Limit = Limit { at_once: 50, every: Duration::from_secs(300) };
/// For names asked for from one source, whatever becomes of it; a school may register its pupils in one lesson.
pub const REGISTRATION: Limit = Limit { at_once: 200, every: Duration::from_secs(30) };

/// From one turn of a source to its next.
const ROUND: Duration = Duration::from_secs(900);
/// How long a turn lasts: who waits as told may be a little late.
const TURN_LASTS: Duration = Duration::from_secs(60);
/// From the first use of an account's bucket to the first turn.
const LEAD: Duration = Duration::from_secs(300);
/// How long a source that has proven the password is known to the account.
const PROOF: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long a row is kept after it has ended. The schedule of an account's turns is its row's: it must outlive every
/// wait that a client was told.
const KEPT: Duration = Duration::from_secs(3600);
/// Rows removed at a time: some milliseconds of a database's time.
const SWEPT: i64 = 1000;
/// How often an attempt looks again after others have taken the token it saw.
const LOOKS: usize = 3;

/// What somebody tries.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// What for.
    pub purpose: Purpose,
    /// Whose password: the same for an account by whichever of its names it is called. There need not be one.
    pub whose: &'a str,
    /// Where the attempt comes from.
    pub source: &'a str,
}

/// What a password is presented for. A thief who has a session and guesses the password that confirms what it may do
/// does not hold up its owner's logins; nor the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To begin a session.
    Login,
    /// To confirm, in a session, what needs the password.
    Confirmation,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Purpose::Login => "login",
            Purpose::Confirmation => "confirmation",
        }
    }
}

/// The right to one attempt: to be told what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    taken: Vec<Bucket>,
    at: UnixMillis,
    /// What the right password proves.
    proof: Option<String>,
}

/// The attempt is not heard before this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub UnixMillis);

impl Wait {
    /// How long that is from `now`, in seconds; at least one.
    pub fn seconds(self, now: UnixMillis) -> u64 {
        self.0.seconds_from(now).max(1)
    }
}

/// The attempts in the database.
#[derive(Debug)]
pub struct Throttle<'a, S> {
    buckets: Buckets<'a, S>,
}

impl<'a, S: Sql> Throttle<'a, S> {
    /// The attempts in `sql`.
    pub fn new(sql: &'a S) -> Self {
        Self { buckets: Buckets { sql } }
    }

    /// Asks for the right to an attempt.
    pub async fn begin(
        &self,
        attempt: &Attempt<'_>,
        now: UnixMillis,
    ) -> Result<Result<Permit, Wait>, SqlError> {
        let candidates = Candidates::of(attempt);
        for _ in 0..LOOKS {
            let known = self.buckets.known(candidates.keys()).await?;
            let buckets = match candidates.that_count(known, now) {
                Ok(buckets) => buckets,
                Err(wait) => return Ok(Err(wait)),
            };
            if let Some(taken) = self.take_all(buckets, now).await? {
                return Ok(Ok(Permit { taken, at: now, proof: Some(candidates.proof) }));
            }
            // Others were faster, and it is not known yet which bucket is empty.
        }
        Ok(Err(Wait(now + Duration::from_secs(1))))
    }

    /// Asks for the right to ask for a name: by a registration or a change of an account, from `source`.
    pub async fn register(&self, source: &str, now: UnixMillis) -> Result<Result<Permit, Wait>, SqlError> {
        let bucket = Bucket { key: key("registration", &[source]), limit: REGISTRATION };
        let [known] = self.buckets.known([&bucket.key]).await?;
        let ready_at = bucket.ready_at(known, now);
        if ready_at > now {
            return Ok(Err(Wait(ready_at)));
        }
        let taken = self.take_all(vec![bucket], now).await?;
        Ok(taken.map(|taken| Permit { taken, at: now, proof: None }).ok_or(Wait(now + REGISTRATION.every)))
    }

    /// The password was right.
    pub async fn proven(&self, permit: &Permit, now: UnixMillis) -> Result<(), SqlError> {
        if let Some(proof) = &permit.proof {
            self.buckets.note(proof, now + PROOF, now).await?;
        }
        self.give_back(permit, now).await
    }

    /// Nothing was compared.
    pub async fn give_back(&self, permit: &Permit, now: UnixMillis) -> Result<(), SqlError> {
        for bucket in &permit.taken {
            self.buckets.give_back(bucket, permit.at, now).await?;
            // The row of an account's bucket holds its schedule.
            if bucket.limit != ACCOUNT {
                self.buckets.tidy(bucket, now).await?;
            }
        }
        Ok(())
    }

    /// Removes what is over; whether there may be more of it.
    pub async fn sweep(&self, now: UnixMillis) -> Result<bool, SqlError> {
        self.buckets.sweep(now - KEPT, SWEPT).await
    }

    /// Takes a token from each bucket, or from none.
    async fn take_all(&self, buckets: Vec<Bucket>, now: UnixMillis) -> Result<Option<Vec<Bucket>>, SqlError> {
        let mut taken = Vec::new();
        for bucket in buckets {
            if !self.buckets.take(&bucket, now).await? {
                self.give_back(&Permit { taken, at: now, proof: None }, now).await?;
                return Ok(None);
            }
            taken.push(bucket);
        }
        Ok(Some(taken))
    }
}

/// The buckets that may count for an attempt, and what is known of its place.
struct Candidates {
    proof: String,
    proven: Bucket,
    source: Bucket,
    pair: Bucket,
    account: Bucket,
    turn: Bucket,
    /// Where in a round the source's turn begins.
    offset: Duration,
}

impl Candidates {
    fn of(attempt: &Attempt<'_>) -> Self {
        let Attempt { purpose, whose, source } = *attempt;
        let bucket = |kind: &str, parts: &[&str], limit| Bucket {
            key: key(&format!("{}-{kind}", purpose.name()), parts),
            limit,
        };
        Self {
            proof: key("proof", &[whose, source]),
            proven: bucket("proven", &[whose, source], PROVEN),
            source: Bucket { key: key("source", &[source]), limit: SOURCE },
            pair: bucket("pair", &[whose, source], PAIR),
            account: bucket("account", &[whose], ACCOUNT),
            turn: bucket("turn", &[whose, source], TURN),
            offset: offset(whose, source),
        }
    }

    fn keys(&self) -> [&str; 6] {
        let Self { proof, proven, source, pair, account, turn, .. } = self;
        [proof, &proven.key, &source.key, &pair.key, &account.key, &turn.key]
    }

    /// The buckets the attempt must take a token from; or when it is heard, whatever others do.
    fn that_count(&self, known: [Option<Known>; 6], now: UnixMillis) -> Result<Vec<Bucket>, Wait> {
        let [proof, proven, source, pair, account, turn] = known;
        let take = |ready_at: UnixMillis, buckets: &[&Bucket]| {
            if ready_at > now { Err(Wait(ready_at)) } else { Ok(buckets.iter().copied().cloned().collect()) }
        };
        if proof.is_some_and(|proof| proof.until > now) {
            return take(self.proven.ready_at(proven, now), &[&self.proven]);
        }
        let own_at = self.source.ready_at(source, now).max(self.pair.ready_at(pair, now));
        match account {
            Some(known) if self.account.ready_at(account, now) > now => {
                let schedule = Schedule { since: known.since, offset: self.offset };
                let turn_at = schedule.turn_at(own_at.max(self.turn.ready_at(turn, now)));
                take(turn_at, &[&self.source, &self.pair, &self.turn])
            }
            _ => take(own_at, &[&self.source, &self.pair, &self.account]),
        }
    }
}

/// When a source has its turn at an account.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    /// When the account's bucket was first used.
    since: UnixMillis,
    /// Where in a round the turn begins.
    offset: Duration,
}

impl Schedule {
    /// The first time from `time` on that is in a turn.
    fn turn_at(self, time: UnixMillis) -> UnixMillis {
        let first = self.since + self.offset;
        if time <= first {
            return first;
        }
        let into_round = (time.0 - first.0) % millis(ROUND);
        if into_round < millis(TURN_LASTS) {
            return time;
        }
        UnixMillis(time.0 - into_round) + ROUND
    }
}

/// From `LEAD` to the last moment at which a turn fits into the round, as even as the digest is.
fn offset(whose: &str, source: &str) -> Duration {
    let digest = digest(&[whose, source]);
    let number = digest.iter().take(8).fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
    let seconds = (ROUND - TURN_LASTS - LEAD).as_secs() + 1;
    LEAD + Duration::from_secs(number % seconds)
}

fn key(kind: &str, parts: &[&str]) -> String {
    format!("{kind}/{}", BASE64_URL_SAFE_NO_PAD.encode(digest(parts)))
}

fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().into()
}

#[cfg(test)]
#[path = "throttle_tests.rs"]
mod tests;
