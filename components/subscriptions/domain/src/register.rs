//! The subscriptions in the database. Every function is one statement, or says which crash may fall between its two.

use octo_core::{
    Sql, SqlError, UnixMillis, UtcDay,
    sql::{FromRow, Row},
};

use crate::{Entry, Event, Notification, Subscriber, Subscription};

/// Most subscriptions, or lines of a history, in one answer.
pub const LONGEST_PAGE: i64 = 100;

/// Rows removed at a time.
const SWEPT: i64 = 200;

/// What a list begins after, and how long it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The number before the list; 0 to begin at the first.
    pub after: i64,
    /// At most this many, 1 to [`LONGEST_PAGE`].
    pub limit: i64,
}

/// What a notification led to, the first time it was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The subscription, as the notification left it.
    pub subscription: Subscription,
    /// Whose it is, as of now.
    pub subscriber: Subscriber,
}

/// The subscriptions in the database.
#[derive(Debug)]
pub struct Register<'a, S> {
    sql: &'a S,
}

pub(crate) const ENROL: &str =
    "INSERT INTO subscribers (user_id, full_name, active, version) VALUES ($1, $2, 0, 0)
    ON CONFLICT (user_id) DO UPDATE SET full_name = excluded.full_name
    WHERE subscribers.full_name <> excluded.full_name AND subscribers.ended_at IS NULL";

/// The subscriber must not end until it is written, so the statement takes its row.
pub(crate) fn purchase(lock: &str) -> String {
    format!(
        "INSERT INTO subscriptions (user_id, purchase, status, created_at)
        SELECT user_id, CAST($1 AS TEXT), 'ACTIVE', CAST($2 AS BIGINT) FROM subscribers
        WHERE user_id = $3 AND ended_at IS NULL{lock} ON CONFLICT (purchase) DO NOTHING"
    )
}

/// What the statement reads of the subscription and its subscriber must hold until it is written, so it takes their rows.
/// Of a deleted account nothing is restarted.
pub(crate) fn change(lock: &str) -> String {
    format!(
        "INSERT INTO subscription_notifications
            (correlation_id, subscription_id, type, changed, updated_at, created_at)
        SELECT CAST($1 AS TEXT), s.id, CAST($2 AS TEXT), CASE s.status WHEN $3 THEN 0 ELSE 1 END,
            CASE s.status WHEN $3 THEN s.updated_at ELSE $4 END, CAST($4 AS BIGINT)
        FROM subscriptions s JOIN subscribers u ON u.user_id = s.user_id
        WHERE s.id = $5 AND (u.ended_at IS NULL OR $3 = 'CANCELED'){lock}
        ON CONFLICT (correlation_id) DO NOTHING"
    )
}

/// The row is made for a user who never subscribed, too: somebody may be about to.
pub(crate) const END: &str =
    "INSERT INTO subscribers (user_id, full_name, active, version, ended_at, changes) VALUES ($1, '', 0, 0, $2, 0)
    ON CONFLICT (user_id) DO UPDATE SET full_name = '', ended_at = excluded.ended_at
    WHERE subscribers.ended_at IS NULL";

/// A user's day never goes back, whatever the clocks of instances say.
pub(crate) const TAKE_CHANGE: &str = "UPDATE subscribers SET
        changes = CASE WHEN changes_on < $2 THEN 1 ELSE changes + 1 END,
        changes_on = CASE WHEN changes_on < $2 THEN $2 ELSE changes_on END
    WHERE user_id = $1 AND (changes_on < $2 OR changes < $3) RETURNING changes";

pub(crate) const FULL_NAME: &str = "SELECT full_name FROM subscribers WHERE user_id = $1";

/// What was applied and changed nothing is kept only so that it is not applied again, and no job can do so any more.
pub(crate) const SWEEP_NOTIFICATIONS: &str =
    "DELETE FROM subscription_notifications WHERE id IN (SELECT n.id FROM subscription_notifications n
        WHERE n.changed = 0 AND n.created_at < $1
            AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.correlation_id = n.correlation_id)
        ORDER BY n.created_at LIMIT $2) RETURNING id";

pub(crate) const SWEEP_SUBSCRIBERS: &str =
    "DELETE FROM subscribers WHERE user_id IN (SELECT user_id FROM subscribers
        WHERE ended_at < $1 AND version = 0 ORDER BY ended_at LIMIT $2) RETURNING user_id";

pub(crate) const APPLIED: &str = "SELECT s.id, s.user_id, u.full_name, n.type, s.created_at, n.updated_at,
        u.active, u.version
    FROM subscription_notifications n
    JOIN subscriptions s ON s.id = n.subscription_id JOIN subscribers u ON u.user_id = s.user_id
    WHERE n.correlation_id = $1";

pub(crate) const BY_ID: &str = "SELECT s.id, s.user_id, u.full_name, s.status, s.created_at, s.updated_at
    FROM subscriptions s JOIN subscribers u ON u.user_id = s.user_id WHERE s.id = $1";

pub(crate) const ALL: &str = "SELECT s.id, s.user_id, u.full_name, s.status, s.created_at, s.updated_at
    FROM subscriptions s JOIN subscribers u ON u.user_id = s.user_id
    WHERE s.id > $1 ORDER BY s.id LIMIT $2";

pub(crate) const OF_USER: &str = "SELECT s.id, s.user_id, u.full_name, s.status, s.created_at, s.updated_at
    FROM subscriptions s JOIN subscribers u ON u.user_id = s.user_id
    WHERE s.user_id = $3 AND s.id > $1 ORDER BY s.id LIMIT $2";

pub(crate) const HISTORY: &str = "SELECT id, type AS event, correlation_id, created_at
    FROM subscription_notifications WHERE subscription_id = $1 AND id > $2 AND changed = 1 ORDER BY id LIMIT $3";

pub(crate) const SUBSCRIBER: &str = "SELECT user_id, active, version FROM subscribers WHERE user_id = $1";

impl<'a, S: Sql> Register<'a, S> {
    /// The subscriptions in `sql`, which has the tables of [`SCHEMA`](crate::schema::SCHEMA).
    pub fn new(sql: &'a S) -> Self {
        Self { sql }
    }

    /// Lets a user subscribe, and notes the full name. Again and again.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn enrol(&self, user_id: i64, full_name: &str) -> Result<(), SqlError> {
        self.sql.query(ENROL, &[user_id.into(), full_name.into()]).await.map(drop)
    }

    /// Applies a notification, unless it was applied before; what it led to then, in either case. `None` when it is
    /// about nobody who was enrolled, or about no subscription. Anyone who crashes between the two statements has applied
    /// it, and the next one finds out.
    ///
    /// # Errors
    /// Those of the database. It may have been applied.
    pub async fn apply(
        &self,
        notification: Notification,
        correlation_id: &str,
        now: UnixMillis,
    ) -> Result<Option<Applied>, SqlError> {
        match notification {
            Notification::Purchased { user_id } => {
                let parameters = [correlation_id.into(), now.into(), user_id.into()];
                self.sql.query(&purchase(self.sql.dialect().lock()), &parameters).await?;
            }
            Notification::Canceled { subscription_id } | Notification::Restarted { subscription_id } => {
                let event = notification.event();
                let parameters = [
                    correlation_id.into(),
                    event.name().into(),
                    event.status().name().into(),
                    now.into(),
                    subscription_id.into(),
                ];
                self.sql.query(&change(self.sql.dialect().lock()), &parameters).await?;
            }
        }
        self.sql.first(APPLIED, &[correlation_id.into()]).await
    }

    /// Ends what is active of a user whose account was deleted, lets nothing begin again, and forgets the name. Again and
    /// again, before or after anything else.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn end(&self, user_id: i64, at: UnixMillis) -> Result<(), SqlError> {
        self.sql.query(END, &[user_id.into(), at.into()]).await.map(drop)
    }

    /// Counts a change that a user asks for on `day`, of which there may be `most`; whether it may be.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn take_change(&self, user_id: i64, day: UtcDay, most: i64) -> Result<bool, SqlError> {
        let parameters = [user_id.into(), day.0.into(), most.into()];
        Ok(!self.sql.query(TAKE_CHANGE, &parameters).await?.is_empty())
    }

    /// The full name of a user who has, or had, subscriptions.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn full_name(&self, user_id: i64) -> Result<Option<String>, SqlError> {
        Ok(self.sql.first(FULL_NAME, &[user_id.into()]).await?.map(|(name,)| name))
    }

    /// Removes a few rows that are older than `time` and that nobody needs any more; whether there may be more.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn sweep(&self, time: UnixMillis) -> Result<bool, SqlError> {
        let mut more = false;
        for statement in [SWEEP_NOTIFICATIONS, SWEEP_SUBSCRIBERS] {
            let swept = self.sql.query(statement, &[time.into(), SWEPT.into()]).await?;
            more |= swept.len() as i64 == SWEPT;
        }
        Ok(more)
    }

    /// The subscription with this number.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn by_id(&self, id: i64) -> Result<Option<Subscription>, SqlError> {
        self.sql.first(BY_ID, &[id.into()]).await
    }

    /// Subscriptions by their numbers: a user's, or all.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list(&self, user_id: Option<i64>, page: Page) -> Result<Vec<Subscription>, SqlError> {
        let (after, limit) = (page.after.into(), page.limit.into());
        match user_id {
            Some(user_id) => self.sql.fetch(OF_USER, &[after, limit, user_id.into()]).await,
            None => self.sql.fetch(ALL, &[after, limit]).await,
        }
    }

    /// What changed a subscription, oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn history(&self, id: i64, page: Page) -> Result<Vec<Entry>, SqlError> {
        self.sql.fetch(HISTORY, &[id.into(), page.after.into(), page.limit.into()]).await
    }

    /// The subscriber with this account.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn subscriber(&self, user_id: i64) -> Result<Option<Subscriber>, SqlError> {
        self.sql.first(SUBSCRIBER, &[user_id.into()]).await
    }
}

impl FromRow for Applied {
    fn from_row(mut row: Row) -> Option<Self> {
        let user_id = row.take("user_id")?;
        // Whether it changed anything or not, this is the status it left.
        let event: Event = row.take("type")?;
        let subscription = Subscription {
            id: row.take("id")?,
            user_id,
            user: row.take("full_name")?,
            status: event.status(),
            created_at: row.take("created_at")?,
            updated_at: row.take("updated_at")?,
        };
        let subscriber = Subscriber { user_id, active: row.take("active")?, version: row.take("version")? };
        Some(Applied { subscription, subscriber })
    }
}
