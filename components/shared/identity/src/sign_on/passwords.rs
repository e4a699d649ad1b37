//! Hashing and comparing passwords, within bounds.

use octo_core::{Clock, Entropy, KeyValue, Sql};

use super::SignOn;
use crate::{
    Refusal,
    hashing::Leases,
    password::{HashingFailed, Password},
    throttle::{Throttle, Turn},
};

impl<S: Sql, K: KeyValue, C: Clock, E: Entropy> SignOn<'_, S, K, C, E> {
    /// Leave for an attempt at the account that `who` names.
    pub(super) async fn take_turn(&self, who: &str, source: &str) -> Result<Turn, Refusal> {
        let now = self.clock.now();
        match Throttle::new(&self.sql).begin(who, source, now).await? {
            Ok(turn) => Ok(turn),
            Err(wait) => Err(Refusal::TooManyAttempts { seconds: wait.seconds(now) }),
        }
    }

    /// Leave for a registration.
    pub(super) async fn take_turn_to_register(&self, source: &str) -> Result<(), Refusal> {
        let now = self.clock.now();
        let turn = Throttle::new(&self.sql).register(source, now).await?;
        turn.map_err(|wait| Refusal::TooManyRegistrations { seconds: wait.seconds(now) })
    }

    /// Whether this is the password behind `hash`. Without a hash nothing matches, at the same cost.
    pub(super) async fn matches(&self, password: &Password, hash: Option<&str>) -> Result<bool, Refusal> {
        self.within_lease(|| match hash {
            Some(hash) => password.matches(hash),
            None => password.match_nothing(self.entropy),
        })
        .await
    }

    /// Whether a password that is right lets anybody in: one that no account may have does not, while the rules that
    /// allowed it (`legacy_rules`) are off.
    pub(super) fn opens(&self, password: &Password) -> bool {
        password.check(self.config.password_rules).is_ok()
    }

    /// Does what hashes.
    pub(super) async fn within_lease<T>(
        &self,
        work: impl FnOnce() -> Result<T, HashingFailed>,
    ) -> Result<T, Refusal> {
        let leases = Leases::new(&self.sql, self.config.hash_slots);
        let lease = leases.obtain(self.clock, self.entropy).await?.ok_or(Refusal::TooBusy)?;
        let done = work();
        leases.give_back(lease).await?;
        Ok(done?)
    }
}
