//! Performing notifications.

use octo_account_events::AccountDeleted;
use octo_core::async_trait;
use octo_core::{Clock, Sql, UnixMillis};
use octo_jobs::{Job, Outcome, Worker};

use crate::{Accounts, Notification, Register, Subscriber, notification::EVENTS};

/// Performs the notifications of the exchange.
#[derive(Debug)]
pub struct Consumer<'a, S, A, C> {
    /// Where the subscriptions are.
    pub sql: &'a S,
    /// Who is to know of them.
    pub accounts: &'a A,
    /// The time.
    pub clock: &'a C,
}

#[async_trait]
impl<S: Sql, A: Accounts, C: Clock> Worker for Consumer<'_, S, A, C> {
    /// Applies a notification and tells the accounts. Only then is there a reply, so whoever has it finds paid access
    /// as the subscription says. A crash or a failure in between leaves the accounts behind the register, until the
    /// notification is delivered again.
    async fn perform(&self, job: &Job) -> Outcome {
        if job.queue == EVENTS {
            return self.learn(job).await;
        }
        let notification = match Notification::read(&job.kind, &job.args) {
            Ok(notification) => notification,
            Err(unreadable) => return Outcome::Discard(unreadable.to_string()),
        };
        // Not the job's number: a dead letter that is replayed gets another one.
        let Some(correlation_id) = &job.correlation_id else {
            return Outcome::Discard("a notification needs a correlation id".into());
        };
        let register = Register::new(self.sql);
        let applied = match register.apply(notification, correlation_id, self.clock.now()).await {
            Ok(Some(applied)) => applied,
            Ok(None) => return Outcome::Discard("there is no such user or subscription".into()),
            Err(error) => return Outcome::Retry(error.to_string()),
        };
        let Subscriber { user_id, active, version } = applied.subscriber;
        if let Err(away) = self.accounts.note_subscribed(user_id, active > 0, version).await {
            return Outcome::Retry(away.to_string());
        }
        match serde_json::to_string(&applied.subscription) {
            Ok(reply) => Outcome::Done(reply),
            Err(error) => Outcome::Discard(error.to_string()),
        }
    }
}

impl<S: Sql, A: Accounts, C: Clock> Consumer<'_, S, A, C> {
    /// Learns what became of an account. Nobody needs to be told that a deleted one has no subscription.
    async fn learn(&self, job: &Job) -> Outcome {
        let AccountDeleted { account_id, deleted_at } = match AccountDeleted::read(&job.kind, &job.args) {
            Ok(event) => event,
            Err(unreadable) => return Outcome::Discard(unreadable.to_string()),
        };
        match Register::new(self.sql).end(account_id, UnixMillis(deleted_at)).await {
            Ok(()) => Outcome::Done("null".to_owned()),
            Err(error) => Outcome::Retry(error.to_string()),
        }
    }
}
