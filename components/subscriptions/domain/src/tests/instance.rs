//! Instances over one database: each may crash at any of its calls to a port.

use octo_core::{async_trait, testing::Locked};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use octo_account_events::{AccountDeleted, account_deleted};
use octo_core::{
    Clock, Sql, SqlError, SqlValue, UnixMillis,
    sql::{Dialect, Migrated, Row},
    testing::{FakeClock, FakeEntropy},
};
use octo_databases::{Database, Shared};
use octo_jobs::{Jobs, NewJob};

use crate::{Accounts, Authority, Away, Notification, Published, Refusal, Request, Subscriptions};

pub(super) const NOW: UnixMillis = UnixMillis(1_800_000_030_000);

/// The full names of the users there are.
pub(super) const USERS: [(i64, &str); 3] = [(1, "Ada"), (2, "Bob"), (3, "")];

/// Everything that outlives an instance.
pub(super) struct World {
    pub(super) database: Database,
    pub(super) accounts: FakeAccounts,
    pub(super) clock: FakeClock,
    pub(super) entropy: FakeEntropy,
    fuse: Fuse,
}

/// Accounts that take no older version than they have.
#[derive(Default)]
pub(super) struct FakeAccounts {
    /// Of each user, whether there is an active subscription, and as of which version.
    pub(super) noted: Locked<BTreeMap<i64, (bool, i64)>>,
    pub(super) down: Locked<bool>,
    /// The users whose accounts were deleted.
    pub(super) gone: Locked<BTreeSet<i64>>,
}

impl FakeAccounts {
    fn answer<T>(&self, answer: T) -> Result<T, Away> {
        if self.down.get() { Err(Away("taken away by the test".into())) } else { Ok(answer) }
    }
}

#[async_trait]
impl Accounts for FakeAccounts {
    async fn full_name(&self, user_id: i64) -> Result<Option<String>, Away> {
        if self.gone.borrow().contains(&user_id) {
            return self.answer(None);
        }
        self.answer(USERS.iter().find(|(id, _)| *id == user_id).map(|(_, name)| (*name).to_owned()))
    }

    async fn note_subscribed(&self, user_id: i64, active: bool, version: i64) -> Result<(), Away> {
        self.answer(())?;
        let mut noted = self.noted.borrow_mut();
        let known = noted.entry(user_id).or_default();
        if known.1 < version {
            *known = (active, version);
        }
        Ok(())
    }
}

/// Crashes an instance at one of its calls: before the call, or after it and before its answer is heard.
#[derive(Default)]
struct Fuse(Locked<Option<usize>>);

impl Fuse {
    async fn burn(&self) {
        match self.0.get() {
            Some(0) => pending().await,
            left => self.0.set(left.map(|left| left - 1)),
        }
    }
}

/// A port of an instance that may crash.
pub(super) struct Fused<'a, P> {
    port: &'a P,
    fuse: &'a Fuse,
}

#[async_trait]
impl Sql for Fused<'_, Database> {
    fn dialect(&self) -> Dialect {
        self.port.dialect()
    }

    async fn query(&self, statement: &str, parameters: &[SqlValue]) -> Result<Vec<Row>, SqlError> {
        self.fuse.burn().await;
        let answer = self.port.query(statement, parameters).await;
        self.fuse.burn().await;
        answer
    }
}

#[async_trait]
impl Accounts for Fused<'_, FakeAccounts> {
    async fn full_name(&self, user_id: i64) -> Result<Option<String>, Away> {
        self.fuse.burn().await;
        self.port.full_name(user_id).await
    }

    async fn note_subscribed(&self, user_id: i64, active: bool, version: i64) -> Result<(), Away> {
        self.fuse.burn().await;
        let answer = self.port.note_subscribed(user_id, active, version).await;
        self.fuse.burn().await;
        answer
    }
}

impl World {
    pub(super) fn new(shared: &Shared) -> Self {
        Self {
            database: shared.connect(),
            accounts: FakeAccounts::default(),
            clock: FakeClock::at(NOW),
            entropy: FakeEntropy::default(),
            fuse: Fuse::default(),
        }
    }

    /// What a new instance does until it is done, or crashes after `cut` steps of its calls; then `None`.
    pub(super) fn until_cut<T>(
        &self,
        cut: Option<usize>,
        act: impl AsyncFnOnce(&Fused<'_, Database>, &Fused<'_, FakeAccounts>) -> T,
    ) -> Option<T> {
        self.fuse.0.set(cut);
        let sql = Fused { port: &self.database, fuse: &self.fuse };
        let accounts = Fused { port: &self.accounts, fuse: &self.fuse };
        let polled = pin!(act(&sql, &accounts)).poll(&mut Context::from_waker(Waker::noop()));
        match polled {
            Poll::Ready(done) => Some(done),
            Poll::Pending => None,
        }
    }

    /// The same by an instance that does not crash.
    pub(super) fn act<T>(
        &self,
        act: impl AsyncFnOnce(&Fused<'_, Database>, &Fused<'_, FakeAccounts>) -> T,
    ) -> T {
        self.until_cut(None, act).expect("nothing here waits")
    }

    /// Publishes a notification with the right to.
    pub(super) fn publish_until_cut(
        &self,
        cut: Option<usize>,
        notification: Notification,
        key: Option<&str>,
    ) -> Option<Result<Published, Refusal>> {
        self.until_cut(cut, async |sql, accounts| {
            let subscriptions = Subscriptions::new(sql, accounts, &self.clock, &self.entropy, false);
            let wait = Duration::from_millis(300);
            let request = Request { authority: Authority::Everybody, notification, key, wait };
            subscriptions.publish(&request).await
        })
    }

    pub(super) fn publish(
        &self,
        notification: Notification,
        key: Option<&str>,
    ) -> Result<Published, Refusal> {
        self.publish_until_cut(None, notification, key).expect("nothing here waits")
    }

    /// Deletes an account: the event comes with it.
    pub(super) fn delete_account(&self, user_id: i64) {
        self.accounts.gone.borrow_mut().insert(user_id);
        let event = AccountDeleted { account_id: user_id, deleted_at: self.clock.now().0 };
        let new = NewJob {
            queue: "subscriptions/account-events",
            kind: account_deleted::NAME,
            args: &serde_json::to_string(&event).unwrap(),
            line: None,
            unique_key: None,
            correlation_id: None,
            priority: 0,
            scheduled_at: self.clock.now(),
            max_attempts: 20,
        };
        self.act(async |sql, _| {
            let sql = Migrated::new(sql, &[&octo_jobs::SCHEMA]);
            Jobs::new(&sql).enqueue(&new, self.clock.now()).await.unwrap();
        });
    }

    /// Performs what is due, until the instance crashes.
    pub(super) fn drain_until_cut(&self, cut: Option<usize>) {
        self.until_cut(cut, async |sql, accounts| {
            let subscriptions = Subscriptions::new(sql, accounts, &self.clock, &self.entropy, false);
            subscriptions.drain(self.clock_in(5)).await
        });
    }

    fn clock_in(&self, seconds: u64) -> UnixMillis {
        self.clock.now() + Duration::from_secs(seconds)
    }

    /// The notification with the subscription's own number for its place among all; 0 when there are not so many.
    pub(super) fn meant(&self, notification: Notification) -> Notification {
        let ids: Vec<(i64,)> = self.rows("SELECT id FROM subscriptions ORDER BY id");
        let id = |place: i64| ids.get(place as usize).map_or(0, |(id,)| *id);
        match notification {
            Notification::Purchased { .. } => notification,
            Notification::Canceled { subscription_id } => {
                Notification::Canceled { subscription_id: id(subscription_id) }
            }
            Notification::Restarted { subscription_id } => {
                Notification::Restarted { subscription_id: id(subscription_id) }
            }
        }
    }

    /// Rows of the database as they are.
    pub(super) fn rows<R: octo_core::sql::FromRow>(&self, statement: &str) -> Vec<R> {
        match octo_core::testing::ready(self.database.fetch(statement, &[])) {
            Err(SqlError::Missing(_)) => Vec::new(),
            rows => rows.unwrap(),
        }
    }
}
