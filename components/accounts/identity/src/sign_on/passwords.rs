//! Hashing and comparing passwords, within bounds.

use octo_core::{Clock, Entropy, KeyValue, Sql};

use super::SignOn;
use crate::{
    Refusal,
    hashing::Leases,
    password::{HashingFailed, Password},
    throttle::{Attempt, Permit, Throttle},
};

impl<S: Sql, K: KeyValue, C: Clock, E: Entropy> SignOn<'_, S, K, C, E> {
    /// Whether this is the password behind `hash`: one attempt. Without a hash nothing is, at the same cost.
    pub(super) async fn try_password(
        &self,
        attempt: &Attempt<'_>,
        password: &Password,
        hash: Option<&str>,
    ) -> Result<bool, Refusal> {
        let now = self.clock.now();
        let permit = match self.throttle().begin(attempt, now).await? {
            Ok(permit) => permit,
            Err(wait) => return Err(Refusal::TooManyAttempts { seconds: wait.seconds(now) }),
        };
        let matches = self.unless_busy(&permit, self.matches(password, hash).await).await?;
        let right = matches && self.opens(password);
        if right {
            self.throttle().proven(&permit, self.clock.now()).await?;
        }
        Ok(right)
    }

    /// Leave to ask for a name, by a registration or a change.
    pub(super) async fn permit_to_ask_for_a_name(&self, source: &str) -> Result<Permit, Refusal> {
        let now = self.clock.now();
        let permit = self.throttle().register(source, now).await?;
        permit.map_err(|wait| Refusal::TooManyRegistrations { seconds: wait.seconds(now) })
    }

    /// What came of something that was permitted. Nothing did when too many passwords are being hashed: then it does not
    /// count.
    pub(super) async fn unless_busy<T>(
        &self,
        permit: &Permit,
        done: Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        if matches!(done, Err(Refusal::TooBusy)) {
            self.throttle().give_back(permit, self.clock.now()).await?;
        }
        done
    }

    async fn matches(&self, password: &Password, hash: Option<&str>) -> Result<bool, Refusal> {
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
        self.sql.rest();
        let done = work();
        leases.give_back(lease).await?;
        Ok(done?)
    }

    /// What counts attempts.
    pub(super) fn throttle(&self) -> Throttle<'_, impl Sql> {
        Throttle::new(&self.sql)
    }
}
