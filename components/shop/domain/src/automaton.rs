//! The automatic steps of orders: created, in processing, on its way, delivered.

use octo_core::{Clock, Entropy, Sql, async_trait};
use octo_jobs::{Delivery, Failure, Job, Run};
use serde::{Deserialize, Serialize};

use crate::{Orders, Shop, orders::Refusal};

/// Gives an order its next status. The statement that gave it the one before wrote this job, due when that ends.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AdvanceOrder {
    order: i64,
    /// How often its status had changed then. If it has changed since, somebody else has decided.
    revision: i64,
}

impl Job for AdvanceOrder {
    const QUEUE: &'static str = "shop/orders";
    const NAME: &'static str = "advance-order/1";
    type Reply = ();
}

#[async_trait]
impl<'a, S: Sql, C: Clock, E: Entropy> Run<Shop<'a, S, C, E>> for AdvanceOrder {
    async fn run(self, _: &Delivery, shop: &Shop<'a, S, C, E>) -> Result<(), Failure> {
        let orders = Orders::new(shop.sql);
        let order = match orders.by_id(self.order).await {
            Ok(order) => order,
            Err(Refusal::Sql(error)) => return Err(error.into()),
            Err(refusal) => return Err(Failure::r#final(refusal)),
        };
        let (Some(next), Some(due)) = (order.status.next(), order.next_at) else { return Ok(()) };
        if order.revision != self.revision {
            return Ok(());
        }
        // Reckoned from when the step was due: when nobody carried it out for a while, the next one is not late as well.
        let next_at = next.stays(shop.config, shop.entropy).map(|stays| due + stays);
        orders.advance(&order, next, next_at, shop.clock.now()).await?;
        Ok(())
    }
}
