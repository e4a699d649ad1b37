//! What loyalty hears of from other systems: accounts that come and go, and purchases.

use octo_account_events::{AccountDeleted, AccountRegistered, account_deleted, account_registered};
use octo_core::{Clock, Sql, SqlError, async_trait};
use octo_jobs::{Delivery, Failure, Handlers, Job, Run};
use serde::{Deserialize, Serialize};

use crate::{Config, Ledger, Refusal, expiry, members, transfer::MAX_POINTS};

/// What the jobs are carried out with.
#[derive(Debug)]
pub struct Events<'a, S, C> {
    /// Where the points are.
    pub sql: &'a S,
    /// The time.
    pub clock: &'a C,
    /// The variables.
    pub config: &'a Config,
}

/// Makes a new account a member.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct OpenMember(AccountRegistered);

impl Job for OpenMember {
    const QUEUE: &'static str = "loyalty/account-events";
    const NAME: &'static str = account_registered::NAME;
    type Reply = ();
}

/// Closes the member of an account that was deleted.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct CloseMember(AccountDeleted);

impl Job for CloseMember {
    const QUEUE: &'static str = "loyalty/account-events";
    const NAME: &'static str = account_deleted::NAME;
    type Reply = ();
}

/// Gives a member points for a purchase that is completed. The system that sells writes this job in the statement that
/// completes the purchase.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RewardPurchase {
    /// Who bought.
    pub account_id: i64,
    /// What the purchase is known by, such as `order/7`: each gives points once.
    pub purchase: String,
    /// What it cost, in the minor unit of its currency.
    pub total: i64,
}

impl Job for RewardPurchase {
    const QUEUE: &'static str = "loyalty/purchases";
    const NAME: &'static str = "reward-purchase/1";
    type Reply = ();
}

impl<'a, S: Sql, C: Clock> Events<'a, S, C> {
    /// The jobs of this system.
    pub fn jobs(&self) -> Handlers<'_, Self> {
        Handlers::new(self).on::<OpenMember>().on::<CloseMember>().on::<RewardPurchase>()
    }

    /// The ledger.
    pub fn ledger(&self) -> Ledger<'a, S> {
        Ledger::new(self.sql, self.config.daily_operations)
    }
}

/// Whether events about accounts wait, or are carried out at the moment.
///
/// # Errors
/// Those of the database.
pub async fn are_waiting(sql: &impl Sql) -> Result<bool, SqlError> {
    let statement = "SELECT id FROM jobs WHERE queue = $1 AND finalized_at IS NULL LIMIT 1";
    Ok(!sql.query(statement, &[OpenMember::QUEUE.into()]).await?.is_empty())
}

fn failure(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Sql(error) => error.into(),
        refusal => Failure::r#final(refusal),
    }
}

#[async_trait]
impl<'a, S: Sql, C: Clock> Run<Events<'a, S, C>> for OpenMember {
    async fn run(self, _: &Delivery, events: &Events<'a, S, C>) -> Result<(), Failure> {
        let (config, now) = (events.config, events.clock.now());
        let ends_at = config.end_of_points(now);
        Ok(members::open(events.sql, &self.0, config.registration_points, ends_at, now).await?)
    }
}

#[async_trait]
impl<'a, S: Sql, C: Clock> Run<Events<'a, S, C>> for CloseMember {
    async fn run(self, _: &Delivery, events: &Events<'a, S, C>) -> Result<(), Failure> {
        expiry::close(&events.ledger(), &self.0, events.clock.now()).await.map_err(failure)
    }
}

#[async_trait]
impl<'a, S: Sql, C: Clock> Run<Events<'a, S, C>> for RewardPurchase {
    async fn run(self, _: &Delivery, events: &Events<'a, S, C>) -> Result<(), Failure> {
        let points = events.config.points_for(self.total).min(MAX_POINTS);
        if points == 0 {
            return Ok(());
        }
        let now = events.clock.now();
        let ends_at = events.config.end_of_points(now);
        let rewarded =
            events.ledger().reward_purchase(self.account_id, &self.purchase, points, ends_at, now).await;
        match rewarded {
            Ok(_) => Ok(()),
            // The account's own event may come later; a dead letter tells of one that never does.
            Err(refusal @ Refusal::NoSuchMember) => Err(Failure::for_now(refusal)),
            Err(refusal) => Err(failure(refusal)),
        }
    }
}
