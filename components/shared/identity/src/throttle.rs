//! Attempts to log in, slowed down so that guessing is hopeless and nobody is locked out.
//!
//! Attempts are counted by three keys, each a digest, so that the table names neither accounts nor addresses:
//!
//! - The **pair** of account and source: after [`PAIR`]'s free attempts each must wait for longer than the one before.
//! - The **source**, over all accounts: one address cannot try one password on everybody. Where the platform says
//!   nothing of sources, nobody is slowed down for what others do.
//! - The **account**, over all sources: when many sources try it, a source that has never logged in to it before has
//!   to knock first, and is heard when it has waited.
//!
//! # Invariant: the right password works after the delay
//! No delay of the pair depends on what others do, except the wait after knocking, which begins with the source's own
//! first attempt. So attempts of others cannot postpone it. And a pair that has proven the right password before is
//! asked neither for its source nor for its account.
//!
//! Every attempt is counted before its password is looked at, in one statement that says whether it may go on: any
//! number of attempts at once is no way around the delay. The right password gives its own attempt back, and no more:
//! a guesser cannot wash his slate with an account of his own.
//!
//! Registrations are counted by their source, whatever becomes of them: each may cost a hash, and tells whether a name
//! is taken.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use octo_core::{Sql, SqlError, UnixMillis, time::millis};
use sha2::{Digest, Sha256};

/// How attempts under one key are slowed down.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Attempts without a delay.
    pub free: i64,
    /// The longest delay; they begin with a second and double.
    pub longest: Duration,
}

/// For one account from one source.
pub const PAIR: Policy = Policy { free: 5, longest: Duration::from_secs(900) };
/// For one source.
pub const SOURCE: Policy = Policy { free: 50, longest: Duration::from_secs(300) };
/// For one account; the delay is what a new source waits after knocking.
pub const ACCOUNT: Policy = Policy { free: 20, longest: Duration::from_secs(900) };
/// For registrations from one source; a school may register its pupils in one lesson.
pub const REGISTRATION: Policy = Policy { free: 200, longest: Duration::from_secs(30) };

/// Further free attempts of a pair that has proven the password: its owner may log in many times at once, and each
/// attempt is counted until its password is found right.
const TRUST: i64 = 45;
/// How long after the last attempt all of them are forgotten.
const MEMORY: Duration = Duration::from_secs(3600);
/// How long a pair that has proven the password is known.
const PROOF: Duration = Duration::from_secs(30 * 24 * 3600);
/// Rows removed with each attempt; an attempt makes up to three.
const SWEPT: i64 = 10;

impl Policy {
    /// The delay after `attempts` attempts.
    pub fn delay(&self, attempts: i64) -> Duration {
        match u32::try_from(attempts - self.free) {
            Ok(over) if over > 0 => {
                let seconds = 1_u64.checked_shl(over - 1).unwrap_or(u64::MAX);
                Duration::from_secs(seconds).min(self.longest)
            }
            _ => Duration::ZERO,
        }
    }
}

/// The attempt may go on; to be told whether the password was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    pair: String,
    others: Vec<String>,
}

/// The attempt may not go on before this time.
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
    sql: &'a S,
}

/// What is known under a key once an attempt is counted.
struct Counted {
    attempts: i64,
    first_at: UnixMillis,
    proven: bool,
}

impl<'a, S: Sql> Throttle<'a, S> {
    /// The attempts in `sql`.
    pub fn new(sql: &'a S) -> Self {
        Self { sql }
    }

    /// Asks for an attempt at the account `who` (its name as typed, normalised: there need not be one) from `source`.
    pub async fn begin(
        &self,
        who: &str,
        source: &str,
        now: UnixMillis,
    ) -> Result<Result<Turn, Wait>, SqlError> {
        self.sweep(now).await?;
        let pair_key = key("pair", &[who, source]);
        let pair = match self.count(&pair_key, PAIR, now).await? {
            Ok(pair) => pair,
            Err(wait) => return Ok(Err(wait)),
        };
        if pair.proven {
            return Ok(Ok(Turn { pair: pair_key, others: Vec::new() }));
        }
        let source_key = (!source.is_empty()).then(|| key("source", &[source]));
        if let Some(source_key) = &source_key
            && let Err(wait) = self.count(source_key, SOURCE, now).await?
        {
            return Ok(Err(wait));
        }
        let account_key = key("account", &[who]);
        let everybody = Policy { longest: Duration::ZERO, ..ACCOUNT };
        if let Ok(account) = self.count(&account_key, everybody, now).await? {
            let heard_at = pair.first_at + ACCOUNT.delay(account.attempts);
            if now < heard_at {
                return Ok(Err(Wait(heard_at)));
            }
        }
        Ok(Ok(Turn { pair: pair_key, others: source_key.into_iter().chain([account_key]).collect() }))
    }

    /// Asks for a registration from `source`.
    pub async fn register(&self, source: &str, now: UnixMillis) -> Result<Result<(), Wait>, SqlError> {
        if source.is_empty() {
            return Ok(Ok(()));
        }
        self.sweep(now).await?;
        let counted = self.count(&key("registration", &[source]), REGISTRATION, now).await?;
        Ok(counted.map(drop))
    }

    /// The password was right.
    pub async fn proven(&self, turn: &Turn) -> Result<(), SqlError> {
        let statement = "UPDATE login_attempts SET attempts = 0, not_before = 0, proven = 1 WHERE key = $1";
        self.sql.query(statement, &[turn.pair.as_str().into()]).await?;
        for key in &turn.others {
            let statement =
                "UPDATE login_attempts SET attempts = attempts - 1 WHERE key = $1 AND attempts > 0";
            self.sql.query(statement, &[key.as_str().into()]).await?;
        }
        Ok(())
    }

    /// Counts an attempt under `key` if it may be made now: one statement, so that each is counted and delayed for
    /// itself.
    async fn count(
        &self,
        key: &str,
        policy: Policy,
        now: UnixMillis,
    ) -> Result<Result<Counted, Wait>, SqlError> {
        // Attempts beyond the free ones, as far as they are looked at: Postgres shifts by no more than an INTEGER.
        let beyond = "login_attempts.attempts - $4 - $5 * login_attempts.proven";
        let doubled = format!("(CAST(1000 AS BIGINT) << CAST({beyond} AS INTEGER))");
        let statement = format!(
            "INSERT INTO login_attempts (key, attempts, first_at, last_at, not_before, proven)
            VALUES ($1, 1, $2, $2, $2, 0)
            ON CONFLICT (key) DO UPDATE SET
                first_at = CASE WHEN login_attempts.last_at < $3 THEN $2 ELSE login_attempts.first_at END,
                attempts = CASE WHEN login_attempts.last_at < $3 THEN 1 ELSE login_attempts.attempts + 1 END,
                not_before = $2 + CASE
                    WHEN login_attempts.last_at < $3
                        OR login_attempts.attempts < $4 + $5 * login_attempts.proven THEN 0
                    WHEN {beyond} >= 20
                        OR {doubled} > $6 THEN $6
                    ELSE {doubled} END,
                last_at = $2
            WHERE login_attempts.not_before <= $2 OR login_attempts.last_at < $3
            RETURNING attempts, first_at, proven"
        );
        let parameters = [
            key.into(),
            now.into(),
            (now - MEMORY).into(),
            policy.free.into(),
            TRUST.into(),
            millis(policy.longest).into(),
        ];
        let counted: Option<(i64, UnixMillis, bool)> = self.sql.first(&statement, &parameters).await?;
        if let Some((attempts, first_at, proven)) = counted {
            return Ok(Ok(Counted { attempts, first_at, proven }));
        }
        let statement = "SELECT not_before FROM login_attempts WHERE key = $1";
        let held: Option<(UnixMillis,)> = self.sql.first(statement, &[key.into()]).await?;
        // It may have been swept meanwhile.
        Ok(Err(Wait(held.map_or(now, |(not_before,)| not_before))))
    }

    async fn sweep(&self, now: UnixMillis) -> Result<(), SqlError> {
        for (proven, kept_for) in [(false, MEMORY), (true, PROOF)] {
            let statement = "DELETE FROM login_attempts WHERE key IN (SELECT key FROM login_attempts
                WHERE proven = $1 AND last_at < $2 ORDER BY last_at LIMIT $3)";
            self.sql.query(statement, &[proven.into(), (now - kept_for).into(), SWEPT.into()]).await?;
        }
        Ok(())
    }
}

fn key(kind: &str, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    format!("{kind}/{}", BASE64_URL_SAFE_NO_PAD.encode(hash.finalize()))
}

#[cfg(test)]
#[path = "throttle_tests.rs"]
mod tests;
