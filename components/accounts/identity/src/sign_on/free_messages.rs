//! The free messages of an account, as clients of the original message handler read them.

use octo_core::{Clock, Entropy, KeyValue, Sql, UtcDay};
use octo_daily_quota::{Allowance, Standing, of_the_original};

use super::SignOn;

impl<S: Sql, K: KeyValue, C: Clock, E: Entropy> SignOn<'_, S, K, C, E> {
    pub(super) fn allowance(&self) -> Allowance<'_, K> {
        Allowance { store: self.store, per_day: of_the_original(self.config.free_daily_per_user) }
    }

    /// What is left of an account's free messages of the day. None while the store is away: no message goes free then.
    pub async fn free_messages(&self, account: i64) -> Standing {
        let now = self.clock.now();
        let standing = self.allowance().standing(&account.to_string(), now).await;
        standing.unwrap_or(Standing { left: 0, refills_on: UtcDay::containing(now).next() })
    }
}
