//! Performing notifications.

use octo_account_events::{AccountDeleted, account_deleted};
use octo_core::{Clock, Sql, UnixMillis, async_trait};
use octo_jobs::{Delivery, Failure, Handlers, Job, Run};
use serde::{Deserialize, Serialize};

use crate::{
    Accounts, Notification, Register, Subscriber, Subscription,
    notification::{Cancel, Purchase, Restart},
};

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

impl<S: Sql, A: Accounts, C: Clock> Consumer<'_, S, A, C> {
    /// The jobs of this system.
    pub fn jobs(&self) -> Handlers<'_, Self> {
        Handlers::new(self).on::<Purchase>().on::<Cancel>().on::<Restart>().on::<EndSubscriber>()
    }

    /// Applies a notification and tells the accounts. Only then is there a reply, so anyone who has it finds paid access
    /// as the subscription says. A crash or a failure in between leaves the accounts behind the register, until the
    /// notification is delivered again.
    async fn apply(&self, notification: Notification, delivery: &Delivery) -> Result<Subscription, Failure> {
        // Not the job's number: a dead letter that is replayed gets another one.
        let Some(correlation_id) = &delivery.correlation_id else {
            return Err(Failure::r#final("a notification needs a correlation id"));
        };
        let register = Register::new(self.sql);
        let applied = register.apply(notification, correlation_id, self.clock.now()).await?;
        let applied = applied.ok_or_else(|| Failure::r#final("there is no such user or subscription"))?;
        let Subscriber { user_id, active, version } = applied.subscriber;
        self.accounts.note_subscribed(user_id, active > 0, version).await.map_err(Failure::for_now)?;
        Ok(applied.subscription)
    }
}

/// Ends what an account that was deleted had. Nobody needs to be told that it has no subscription.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct EndSubscriber(AccountDeleted);

impl Job for EndSubscriber {
    const QUEUE: &'static str = "subscriptions/account-events";
    const NAME: &'static str = account_deleted::NAME;
    type Reply = ();
}

#[async_trait]
impl<'c, S: Sql, A: Accounts, C: Clock> Run<Consumer<'c, S, A, C>> for EndSubscriber {
    async fn run(self, _: &Delivery, consumer: &Consumer<'c, S, A, C>) -> Result<(), Failure> {
        let AccountDeleted { account_id, deleted_at } = self.0;
        Ok(Register::new(consumer.sql).end(account_id, UnixMillis(deleted_at)).await?)
    }
}

#[async_trait]
impl<'c, S: Sql, A: Accounts, C: Clock> Run<Consumer<'c, S, A, C>> for Purchase {
    async fn run(
        self,
        delivery: &Delivery,
        consumer: &Consumer<'c, S, A, C>,
    ) -> Result<Subscription, Failure> {
        consumer.apply(self.into(), delivery).await
    }
}

#[async_trait]
impl<'c, S: Sql, A: Accounts, C: Clock> Run<Consumer<'c, S, A, C>> for Cancel {
    async fn run(
        self,
        delivery: &Delivery,
        consumer: &Consumer<'c, S, A, C>,
    ) -> Result<Subscription, Failure> {
        consumer.apply(self.into(), delivery).await
    }
}

#[async_trait]
impl<'c, S: Sql, A: Accounts, C: Clock> Run<Consumer<'c, S, A, C>> for Restart {
    async fn run(
        self,
        delivery: &Delivery,
        consumer: &Consumer<'c, S, A, C>,
    ) -> Result<Subscription, Failure> {
        consumer.apply(self.into(), delivery).await
    }
}
