//! What callers may ask for.

use std::time::Duration;

use octo_core::{
    Clock, Entropy, Sql, SqlError, UnixMillis, UtcDay, new_id,
    sql::{Migrated, Schema},
};
use octo_jobs::{Drained, Enqueued, Jobs, NewJob, Standing};

use crate::{Accounts, Consumer, Entry, Notification, Page, Refusal, Register, Subscription, schema::SCHEMA};

/// What subscriptions keep in the database.
const TABLES: &[&Schema] = &[&octo_jobs::SCHEMA, &SCHEMA];

/// Changes (purchases, cancels and restarts) that a user may ask for in a day (UTC): each leaves rows that stay.
pub const CHANGES_PER_DAY: i64 = 100;

/// How long what only keeps late deliveries from doing harm is kept: longer than any job.
const KEPT: Duration = Duration::from_secs(2 * 24 * 3600);

/// The user that the original system has from the start.
const SEEDED: (i64, &str) = (1, "Admin");

/// Whose subscriptions a caller may see and change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// Everybody's.
    Everybody,
    /// Those of the account with this number.
    Own(i64),
}

impl Authority {
    /// Whether it covers the subscriptions of this user.
    pub fn covers(self, user_id: i64) -> bool {
        match self {
            Authority::Everybody => true,
            Authority::Own(id) => id == user_id,
        }
    }
}

/// A request that leads to a notification.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub authority: Authority,
    /// What is to happen.
    pub notification: Notification,
    /// Of all requests with this key only the first is carried out. It names the caller and the route too.
    pub key: Option<&'a str>,
    /// How long the caller waits for the reply.
    pub wait: Duration,
}

/// A notification that was enqueued. It will be performed whether anybody waits for it or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Under what its reply is read.
    pub correlation_id: String,
    /// Whether it was enqueued by an earlier request with the same key.
    pub repeated: bool,
    /// How it stands.
    pub reply: Reply,
}

/// How a notification stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is still to be performed.
    Waiting,
    /// It was performed and left this.
    Done(Subscription),
    /// It was given up, for this reason; an administrator may replay it.
    Discarded(String),
}

/// Subscriptions over their ports.
#[derive(Debug)]
pub struct Subscriptions<'a, S, A, C, E> {
    sql: Migrated<'a, S>,
    accounts: &'a A,
    clock: &'a C,
    entropy: &'a E,
    legacy_rules: bool,
}

impl<'a, S: Sql, A: Accounts, C: Clock, E: Entropy> Subscriptions<'a, S, A, C, E> {
    /// Subscriptions over these ports.
    pub fn new(sql: &'a S, accounts: &'a A, clock: &'a C, entropy: &'a E, legacy_rules: bool) -> Self {
        Self { sql: Migrated::new(sql, TABLES), accounts, clock, entropy, legacy_rules }
    }

    /// Enqueues a notification, performs it if nothing is before it, and waits for its reply.
    ///
    /// # Errors
    /// When it is about a user or a subscription that the caller cannot know of, when the key was used for something
    /// else, and when the database or the accounts are away. Only with a key is it safe to ask again after the last.
    pub async fn publish(&self, request: &Request<'_>) -> Result<Published, Refusal> {
        let Request { authority, notification, key, wait } = *request;
        let user_id = self.check(authority, notification).await?;
        let is_new = match key {
            Some(key) => !Jobs::new(&self.sql).is_known(key).await?,
            None => true,
        };
        if is_new && authority != Authority::Everybody {
            self.take_change(user_id).await?;
        }
        let job = notification.job()?;
        let correlation_id = new_id(self.clock, self.entropy);
        let new =
            NewJob { unique_key: key, correlation_id: Some(&correlation_id), ..job.due(self.clock.now()) };
        let consumer = self.consumer();
        let jobs = consumer.jobs();
        let performer = jobs.performer(&self.sql, self.clock, self.entropy);
        let (enqueued, standing) = performer.call(&new, wait).await?;
        match enqueued {
            Enqueued::New(_) => {
                Ok(Published { correlation_id, repeated: false, reply: self.named(standing).await? })
            }
            Enqueued::Known { args: earlier, .. } if earlier != job.args => Err(Refusal::KeyReused),
            Enqueued::Known { correlation_id, .. } => {
                let correlation_id = correlation_id.ok_or(Refusal::NoSuchReply)?;
                Ok(Published { correlation_id, repeated: true, reply: self.named(standing).await? })
            }
        }
    }

    /// The reply to a notification.
    ///
    /// # Errors
    /// When there is none that the caller may see, and when the database is away.
    pub async fn reply(&self, authority: Authority, correlation_id: &str) -> Result<Reply, Refusal> {
        let standing = Jobs::new(&self.sql).reply(correlation_id).await?.ok_or(Refusal::NoSuchReply)?;
        match self.named(standing).await? {
            Reply::Done(subscription) if !authority.covers(subscription.user_id) => Err(Refusal::NoSuchReply),
            // Who knows the correlation id has published it, and nothing else is told.
            reply => Ok(reply),
        }
    }

    /// The subscription with this number.
    ///
    /// # Errors
    /// When there is none that the caller may see, and when the database is away.
    pub async fn subscription(&self, authority: Authority, id: i64) -> Result<Subscription, Refusal> {
        let found = self.register().by_id(id).await?;
        found.filter(|subscription| authority.covers(subscription.user_id)).ok_or(Refusal::NoSuchSubscription)
    }

    /// Subscriptions by their numbers: of one user, or all that the caller may see.
    ///
    /// # Errors
    /// When the user is not the caller's business, and when the database is away.
    pub async fn list(
        &self,
        authority: Authority,
        user_id: Option<i64>,
        page: Page,
    ) -> Result<Vec<Subscription>, Refusal> {
        let user_id = match (authority, user_id) {
            (_, Some(user_id)) if !authority.covers(user_id) => return Err(Refusal::NoSuchUser),
            (Authority::Own(id), None) => Some(id),
            (_, user_id) => user_id,
        };
        Ok(self.register().list(user_id, page).await?)
    }

    /// What changed a subscription, oldest first.
    ///
    /// # Errors
    /// When there is none that the caller may see, and when the database is away.
    pub async fn history(&self, authority: Authority, id: i64, page: Page) -> Result<Vec<Entry>, Refusal> {
        self.subscription(authority, id).await?;
        Ok(self.register().history(id, page).await?)
    }

    /// Performs notifications that are due, until there are none, or it is `until`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn drain(&self, until: UnixMillis) -> Result<Drained, SqlError> {
        let consumer = self.consumer();
        let jobs = consumer.jobs();
        let mut drained = jobs.performer(&self.sql, self.clock, self.entropy).drain(until).await?;
        let mut more = true;
        while more && self.clock.now() < until {
            more = self.register().sweep(self.clock.now() - KEPT).await?;
        }
        drained.more |= more;
        Ok(drained)
    }

    /// Counts a change that the user asks for.
    async fn take_change(&self, user_id: i64) -> Result<(), Refusal> {
        let now = self.clock.now();
        let today = UtcDay::containing(now);
        if self.register().take_change(user_id, today, CHANGES_PER_DAY).await? {
            return Ok(());
        }
        let seconds = today.next().start().since(now).as_secs() + 1;
        Err(Refusal::TooManyChanges { seconds })
    }

    /// How a notification stands, with the name that its reply leaves out.
    async fn named(&self, standing: Standing) -> Result<Reply, Refusal> {
        let mut reply = reply(standing)?;
        if let Reply::Done(subscription) = &mut reply {
            subscription.user = self.register().full_name(subscription.user_id).await?.unwrap_or_default();
        }
        Ok(reply)
    }

    /// Finds out at once what performing the notification could only find out later. A user that is to have a
    /// subscription is enrolled.
    /// Returns the number of the user whom it concerns.
    async fn check(&self, authority: Authority, notification: Notification) -> Result<i64, Refusal> {
        match notification {
            Notification::Purchased { user_id } => {
                let name = if authority.covers(user_id) { self.full_name(user_id).await? } else { None };
                let name = name.ok_or(Refusal::NoSuchUser)?;
                self.register().enrol(user_id, &name).await?;
                Ok(user_id)
            }
            Notification::Canceled { subscription_id } => {
                Ok(self.subscription(authority, subscription_id).await?.user_id)
            }
            Notification::Restarted { subscription_id } => {
                let user_id = self.subscription(authority, subscription_id).await?.user_id;
                match self.full_name(user_id).await {
                    Ok(None) => Err(Refusal::NoSuchSubscription),
                    // While the accounts are away it waits like everything else, and is refused in the end.
                    Ok(Some(_)) | Err(Refusal::Away(_)) => Ok(user_id),
                    Err(refusal) => Err(refusal),
                }
            }
        }
    }

    async fn full_name(&self, user_id: i64) -> Result<Option<String>, Refusal> {
        let known = self.accounts.full_name(user_id).await?;
        let (seeded, name) = SEEDED;
        Ok(known.or_else(|| (self.legacy_rules && user_id == seeded).then(|| name.to_owned())))
    }

    fn consumer(&self) -> Consumer<'_, Migrated<'a, S>, A, C> {
        Consumer { sql: &self.sql, accounts: self.accounts, clock: self.clock }
    }

    fn register(&self) -> Register<'_, Migrated<'a, S>> {
        Register::new(&self.sql)
    }
}

fn reply(standing: Standing) -> Result<Reply, Refusal> {
    Ok(match standing {
        Standing::Waiting => Reply::Waiting,
        Standing::Done(json) => Reply::Done(serde_json::from_str(&json)?),
        Standing::Discarded(reason) => Reply::Discarded(reason),
    })
}
