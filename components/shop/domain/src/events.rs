//! What the shop does in the background.

use octo_account_events::{AccountDeleted, account_deleted};
use octo_core::{Clock, Entropy, Sql, async_trait};
use octo_jobs::{Delivery, Failure, Handlers, Job, Run};
use serde::{Deserialize, Serialize};

use crate::{Config, Orders, automaton::AdvanceOrder, imports::ImportProducts};

/// What the jobs are carried out with.
#[derive(Debug)]
pub struct Shop<'a, S, C, E> {
    /// Where everything is.
    pub sql: &'a S,
    /// The time.
    pub clock: &'a C,
    /// Chance.
    pub entropy: &'a E,
    /// The variables.
    pub config: &'a Config,
}

/// Forgets who bought, when an account was deleted.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct ForgetCustomer(AccountDeleted);

impl Job for ForgetCustomer {
    const QUEUE: &'static str = "shop/account-events";
    const NAME: &'static str = account_deleted::NAME;
    type Reply = ();
}

impl<S: Sql, C: Clock, E: Entropy> Shop<'_, S, C, E> {
    /// The jobs of this system.
    pub fn jobs(&self) -> Handlers<'_, Self> {
        Handlers::new(self).on::<AdvanceOrder>().on::<ForgetCustomer>().on::<ImportProducts>()
    }

    /// The automatic steps of orders alone: for those who read an order whose step is due.
    pub fn steps(&self) -> Handlers<'_, Self> {
        Handlers::new(self).on::<AdvanceOrder>()
    }

    /// The imports alone: for those who began one.
    pub fn imports(&self) -> Handlers<'_, Self> {
        Handlers::new(self).on::<ImportProducts>()
    }
}

#[async_trait]
impl<'a, S: Sql, C: Clock, E: Entropy> Run<Shop<'a, S, C, E>> for ForgetCustomer {
    async fn run(self, _: &Delivery, shop: &Shop<'a, S, C, E>) -> Result<(), Failure> {
        Ok(Orders::new(shop.sql).forget(self.0.account_id).await?)
    }
}
