//! Sessions: one login and all its refreshes.

use std::time::Duration;

use octo_access::{Grants, Role, SessionRecord, claims::LONGEST_SECS};
use octo_core::{Sql, SqlError, UnixMillis};

use crate::{
    accounts::{self, PAID_ACCESS},
    password::Rules,
    shape::Shape,
};

/// Longest life an access token can be given, by any variable or shape.
pub const LONGEST_TOKEN: Duration = Duration::from_secs(LONGEST_SECS.unsigned_abs());

/// Characters kept of what a client says it is.
const CLIENT_CHARACTERS: usize = 120;

/// A session as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// What the client said it is when it logged in (`User-Agent`), cut short; may be empty.
    pub client: String,
    /// When it began.
    pub created_at: UnixMillis,
    /// When it ends at the latest.
    pub expires_at: UnixMillis,
    /// When it was given its newest access token.
    pub renewed_at: UnixMillis,
}

/// A session to begin.
#[derive(Debug)]
pub struct NewSession<'a> {
    /// Its id.
    pub id: &'a str,
    /// Whose it is.
    pub account: i64,
    /// The password hash that let it in.
    pub password_hash: &'a str,
    /// What the client says it is.
    pub client: &'a str,
    /// What its access tokens look like.
    pub shape: Shape,
    /// When it ends at the latest.
    pub expires_at: UnixMillis,
    /// The digest of its first access token.
    pub token_digest: &'a str,
}

/// The sessions in the database.
#[derive(Debug)]
pub struct Sessions<'a, S> {
    sql: &'a S,
    rules: Rules,
}

impl<'a, S: Sql> Sessions<'a, S> {
    /// The sessions in `sql`, of accounts as they are under `rules`.
    pub fn new(sql: &'a S, rules: Rules) -> Self {
        Self { sql, rules }
    }

    /// Begins a session of an account that is there, active, and has the password that let it in; whether it was
    /// so.
    pub async fn begin(&self, new: &NewSession<'_>, now: UnixMillis) -> Result<bool, SqlError> {
        // On Postgres a new password could otherwise miss this session while it is not committed.
        let lock = self.sql.dialect().lock_shared();
        let statement = format!(
            "INSERT INTO sessions (id, account_id, client, shape, created_at, expires_at,
                token_digest, token_made_at)
             SELECT $1, id, $2, $3, $4, $5, $6, $4 FROM accounts
             WHERE id = $7 AND active = 1 AND password_hash = $8{lock} RETURNING id"
        );
        let client: String = new.client.chars().take(CLIENT_CHARACTERS).collect();
        let parameters = [
            new.id.into(),
            client.into(),
            new.shape.name().into(),
            now.into(),
            new.expires_at.into(),
            new.token_digest.into(),
            new.account.into(),
            new.password_hash.into(),
        ];
        Ok(!self.sql.query(&statement, &parameters).await?.is_empty())
    }

    /// What the tokens of a session look like, and when it began.
    pub async fn begun(&self, id: &str) -> Result<Option<(Shape, UnixMillis)>, SqlError> {
        let statement = "SELECT shape, created_at FROM sessions WHERE id = $1";
        let row: Option<(String, UnixMillis)> = self.sql.first(statement, &[id.into()]).await?;
        let Some((shape, created_at)) = row else { return Ok(None) };
        let shape = Shape::named(&shape).ok_or_else(|| SqlError::damaged("a row of `sessions`"))?;
        Ok(Some((shape, created_at)))
    }

    /// Notes the newest access token of a session.
    pub async fn renew(&self, id: &str, token_digest: &str, now: UnixMillis) -> Result<(), SqlError> {
        let statement = "UPDATE sessions SET token_digest = $1, token_made_at = $2 WHERE id = $3";
        self.sql.query(statement, &[token_digest.into(), now.into(), id.into()]).await.map(drop)
    }

    /// What the record of a session should say.
    pub async fn record(&self, id: &str) -> Result<SessionRecord, SqlError> {
        let role = accounts::role(self.rules);
        let statement = format!(
            "SELECT s.token_digest, {role}, {PAID_ACCESS} FROM sessions s
             JOIN accounts a ON a.id = s.account_id
             WHERE s.id = $1 AND s.ended_at IS NULL AND a.active = 1"
        );
        let row: Option<(String, String, bool)> = self.sql.first(&statement, &[id.into()]).await?;
        let Some((digest, role, paid_access)) = row else { return Ok(SessionRecord::Ended) };
        let role = Role::named(&role).ok_or_else(|| SqlError::damaged("a row of `accounts`"))?;
        Ok(SessionRecord::Live { digest, grants: Grants { role, paid_access } })
    }

    /// The sessions of an account that go on, newest first: those after the one with the id `after`, or from the newest
    /// on, at most `limit`.
    pub async fn living(
        &self,
        account: i64,
        after: Option<&str>,
        now: UnixMillis,
        limit: i64,
    ) -> Result<Vec<Session>, SqlError> {
        let columns = "id, client, created_at, expires_at, token_made_at";
        let rows = match after {
            None => {
                let statement = format!(
                    "SELECT {columns} FROM sessions WHERE account_id = $1 AND ended_at IS NULL
                        AND expires_at > $2 ORDER BY id DESC LIMIT $3"
                );
                self.sql.fetch(&statement, &[account.into(), now.into(), limit.into()]).await?
            }
            Some(after) => {
                let statement = format!(
                    "SELECT {columns} FROM sessions WHERE account_id = $1 AND id < $4 AND ended_at IS NULL
                        AND expires_at > $2 ORDER BY id DESC LIMIT $3"
                );
                let parameters = [account.into(), now.into(), limit.into(), after.into()];
                self.sql.fetch(&statement, &parameters).await?
            }
        };
        let session = |(id, client, created_at, expires_at, renewed_at)| Session {
            id,
            client,
            created_at,
            expires_at,
            renewed_at,
        };
        Ok(rows.into_iter().map(session).collect())
    }

    /// The sessions of an account that may have an access token somewhere, and so need their records right.
    pub async fn with_tokens(&self, account: i64, now: UnixMillis) -> Result<Vec<String>, SqlError> {
        let statement = "SELECT id FROM sessions WHERE account_id = $1 AND token_made_at > $2";
        let parameters = [account.into(), (now - LONGEST_TOKEN).into()];
        Ok(ids(self.sql.fetch(statement, &parameters).await?))
    }

    /// Ends a session of an account; whether it has such a session. An ended one stays as it is.
    pub async fn end(&self, account: i64, id: &str, now: UnixMillis) -> Result<bool, SqlError> {
        let statement = "UPDATE sessions SET ended_at = COALESCE(ended_at, $1),
            expires_at = CASE WHEN ended_at IS NULL THEN $1 ELSE expires_at END
            WHERE id = $2 AND account_id = $3 RETURNING id";
        let parameters = [now.into(), id.into(), account.into()];
        Ok(!self.sql.query(statement, &parameters).await?.is_empty())
    }

    /// Ends all sessions of an account but `kept`.
    pub async fn end_all(&self, account: i64, kept: &str, now: UnixMillis) -> Result<(), SqlError> {
        let statement = "UPDATE sessions SET ended_at = $1, expires_at = $1
            WHERE account_id = $2 AND id <> $3 AND ended_at IS NULL";
        self.sql.query(statement, &[now.into(), account.into(), kept.into()]).await.map(drop)
    }

    /// Ends the sessions of an account that were renewed longest ago, but for the `kept` others; their ids.
    pub async fn end_oldest(
        &self,
        account: i64,
        kept: i64,
        now: UnixMillis,
    ) -> Result<Vec<String>, SqlError> {
        let statement = "UPDATE sessions SET ended_at = $1, expires_at = $1 WHERE id IN (
                SELECT id FROM sessions WHERE account_id = $2 AND ended_at IS NULL AND expires_at > $1
                ORDER BY token_made_at DESC, id DESC LIMIT 100 OFFSET $3)
            RETURNING id";
        Ok(ids(self.sql.fetch(statement, &[now.into(), account.into(), kept.into()]).await?))
    }

    /// Forgets what clients of an account said they are.
    pub async fn forget_clients(&self, account: i64) -> Result<(), SqlError> {
        let statement = "UPDATE sessions SET client = '' WHERE account_id = $1 AND client <> ''";
        self.sql.query(statement, &[account.into()]).await.map(drop)
    }

    /// Sessions of administrators by name that may have an access token somewhere.
    pub async fn of_administrators_by_name(&self, now: UnixMillis) -> Result<Vec<String>, SqlError> {
        let statement = "SELECT s.id FROM accounts a JOIN sessions s ON s.account_id = a.id
            WHERE a.role = 'legacy-admin' AND s.token_made_at > $1";
        Ok(ids(self.sql.fetch(statement, &[(now - LONGEST_TOKEN).into()]).await?))
    }

    /// A few sessions that ended before `time`.
    pub async fn over(&self, time: UnixMillis, limit: i64) -> Result<Vec<String>, SqlError> {
        let statement = "SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2";
        Ok(ids(self.sql.fetch(statement, &[time.into(), limit.into()]).await?))
    }

    /// Forgets a session and its refresh tokens.
    pub async fn forget(&self, id: &str) -> Result<(), SqlError> {
        self.sql.query("DELETE FROM refresh_families WHERE session_id = $1", &[id.into()]).await?;
        self.sql.query("DELETE FROM refresh_tokens WHERE session_id = $1", &[id.into()]).await?;
        self.sql.query("DELETE FROM sessions WHERE id = $1", &[id.into()]).await.map(drop)
    }
}

fn ids(rows: Vec<(String,)>) -> Vec<String> {
    rows.into_iter().map(|(id,)| id).collect()
}
