//! What is done from time to time, whether anybody logs in or not: old sessions go, and what the end of an account leaves
//! to do is done.

use octo_core::async_trait;
use std::time::Duration;

use octo_access::{Role, SessionRecord};
use octo_account_events::{AccountDeleted, account_deleted};
use octo_core::{Clock, Entropy, KeyValue, Sql, UnixMillis};
use octo_jobs::{Delivery, Drained, Failure, Handlers, Job, Run};
use serde::{Deserialize, Serialize};

use super::SignOn;
use crate::{Refusal, password::Rules};

/// Sessions, or other rows, removed at a time.
const SWEPT: i64 = 100;
/// How long an account's deletion is remembered after everybody who had to know has a job for it.
const DELETION_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// Jobs.
    pub drained: Drained,
    /// Sessions of administrators by name that are administrators' no more.
    pub lowered: usize,
}

/// Forgets what sign-on keeps of an account that was deleted.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct ForgetAccount(AccountDeleted);

impl Job for ForgetAccount {
    const QUEUE: &'static str = "auth/account-events";
    const NAME: &'static str = account_deleted::NAME;
    type Reply = ();
}

#[async_trait]
impl<'a, S: Sql, K: KeyValue, C: Clock, E: Entropy> Run<SignOn<'a, S, K, C, E>> for ForgetAccount {
    async fn run(self, _: &Delivery, sign_on: &SignOn<'a, S, K, C, E>) -> Result<(), Failure> {
        sign_on.forget(self.0.account_id).await.map_err(Failure::for_now)
    }
}

impl<S: Sql, K: KeyValue, C: Clock, E: Entropy> SignOn<'_, S, K, C, E> {
    /// Does what is due, until it is `until`.
    ///
    /// # Errors
    /// Those of the database and of the store; what was not done is done the next time.
    pub async fn upkeep(&self, until: UnixMillis) -> Result<Upkeep, Refusal> {
        // What no statement would miss, such as who is administrator by name.
        self.sql.apply().await?;
        let lowered = self.lower_administrators_by_name().await?;
        let jobs = Handlers::new(self).on::<ForgetAccount>();
        let mut drained = jobs.performer(&self.sql, self.clock, self.entropy).drain(until).await?;
        drained.more |= self.sweep_until(until).await?;
        Ok(Upkeep { drained, lowered })
    }

    /// How many accounts are administrators by their names only, and are none now.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn administrators_without_right(&self) -> Result<i64, Refusal> {
        self.sql.apply().await?;
        match self.config.password_rules {
            Rules::Legacy => Ok(0),
            Rules::Modern => Ok(self.accounts().administrators_by_name().await?),
        }
    }

    /// Removes what is over; whether there may be more.
    async fn sweep_until(&self, until: UnixMillis) -> Result<bool, Refusal> {
        let mut more = true;
        while more {
            let now = self.clock.now();
            if now >= until {
                return Ok(true);
            }
            let sessions = self.sweep(now, SWEPT).await?;
            let deletions = self.accounts().forget_deletions(now - DELETION_KEPT, SWEPT).await?;
            let attempts = self.throttle().sweep(now).await?;
            more = attempts || sessions.max(deletions) as i64 == SWEPT;
        }
        Ok(false)
    }

    /// Forgets what is kept of an account that is deleted, besides what expires by itself.
    async fn forget(&self, account: i64) -> Result<(), Refusal> {
        self.end_all_sessions(account, None).await?;
        self.sessions().forget_clients(account).await?;
        Ok(self.allowance().forget(&account.to_string()).await?)
    }

    /// Takes the right out of the records of those who have it by their names only, when the rules that gave it are off.
    async fn lower_administrators_by_name(&self) -> Result<usize, Refusal> {
        if self.config.password_rules == Rules::Legacy {
            return Ok(0);
        }
        let mut lowered = 0;
        for session in self.sessions().of_administrators_by_name(self.clock.now()).await? {
            let record = SessionRecord::read(self.store, &session).await?;
            if matches!(record, Some(SessionRecord::Live { grants, .. }) if grants.role == Role::Admin) {
                self.renew_record(&session).await?;
                lowered += 1;
            }
        }
        Ok(lowered)
    }
}
