//! Making, changing and deleting an account.

use octo_core::{Clock, Entropy, KeyValue, Sql, new_id};
use serde_json::json;
use subtle::ConstantTimeEq;

use super::SignOn;
use crate::{
    Refusal,
    accounts::{Account, Change, NewAccount, NotChanged},
    email::Email,
    identifier::Identifier,
    password::{Password, Rules},
    throttle::{Attempt, Permit, Purpose},
    username::Username,
};

impl<S: Sql, K: KeyValue, C: Clock, E: Entropy> SignOn<'_, S, K, C, E> {
    /// Makes an account, for somebody at `source`.
    pub async fn register(
        &self,
        new: &NewAccount,
        password: &Password,
        source: &str,
    ) -> Result<Account, Refusal> {
        match self.permit_unless_legacy(source).await? {
            Some(permit) => self.unless_busy(&permit, self.make(new, password).await).await,
            None => self.make(new, password).await,
        }
    }

    /// The demonstrations of the original systems register their crowds from one place.
    async fn permit_unless_legacy(&self, source: &str) -> Result<Option<Permit>, Refusal> {
        match self.config.password_rules {
            Rules::Modern => self.permit_to_ask_for_a_name(source).await.map(Some),
            Rules::Legacy => Ok(None),
        }
    }

    async fn make(&self, new: &NewAccount, password: &Password) -> Result<Account, Refusal> {
        let names = [new.email.as_ref().map(Email::as_str), new.username.as_ref().map(|name| name.as_str())];
        if names.into_iter().flatten().any(|name| password.repeats(name)) {
            return Err(Refusal::PasswordRepeatsName);
        }
        // Nobody waits for a hash that will not be used. Whether a name is taken is said in any case.
        if self.accounts().is_taken(new.email.as_ref(), new.username.as_ref(), 0).await? {
            return Err(Refusal::Taken);
        }
        let hash = self.within_lease(|| password.hash(self.entropy)).await?;
        let uuid = new_id(self.clock, self.entropy);
        let made = self.accounts().create(new, &uuid, &hash, self.clock.now()).await?;
        made.ok_or(Refusal::Taken)
    }

    /// How many accounts were made so far.
    pub async fn registered(&self) -> Result<i64, Refusal> {
        Ok(self.accounts().made().await?)
    }

    /// The account with this number.
    pub async fn account(&self, id: i64) -> Result<Account, Refusal> {
        self.accounts().by_id(id).await?.ok_or(Refusal::NoSuchAccount)
    }

    /// The account with this UUID, in letters of either case.
    pub async fn account_with_uuid(&self, uuid: &str) -> Result<Account, Refusal> {
        let uuid = uuid.to_ascii_lowercase();
        self.accounts().by_uuid(&uuid).await?.ok_or(Refusal::NoSuchAccount)
    }

    /// Changes an account. What it may do counts from the next request on, for every token it has.
    pub async fn change(&self, id: i64, change: &Change) -> Result<Account, Refusal> {
        self.change_by(id, change, None, false).await
    }

    pub(super) async fn change_by(
        &self,
        id: i64,
        change: &Change,
        password: Option<&Password>,
        by_name: bool,
    ) -> Result<Account, Refusal> {
        let hash = self.check_names(id, change, password).await?;
        let account = self.accounts().change(id, change, hash.as_deref(), by_name).await?;
        if change.active == Some(false) {
            self.end_all_sessions(id, None).await?;
        } else if change.concerns_sessions() {
            self.renew_records(id).await?;
        }
        Ok(account)
    }

    /// Changes what an account says of itself, for its owner at `source`, who may just have proven its password: that must
    /// not become its name. Asking for another address or user name tells whether it is taken, and so counts as much as a
    /// registration.
    pub async fn change_own(
        &self,
        id: i64,
        change: &Change,
        password: Option<&Password>,
        source: &str,
    ) -> Result<Account, Refusal> {
        let account = self.account(id).await?;
        let differs = |new: Option<&str>, old: &Option<String>| new.is_some() && new != old.as_deref();
        if differs(change.email.as_ref().map(Email::as_str), &account.email)
            || differs(change.username.as_ref().map(Username::as_str), &account.username)
        {
            self.permit_unless_legacy(source).await?;
        }
        self.change_by(id, change, password, false).await
    }

    /// Refuses a new name that is the account's password. Where nobody has typed the password, those that repeat the
    /// name are compared with its hash, which is returned: the name is changed only while it is still that one.
    async fn check_names(
        &self,
        id: i64,
        change: &Change,
        password: Option<&Password>,
    ) -> Result<Option<String>, Refusal> {
        if change.names().next().is_none() {
            return Ok(None);
        }
        let (account, hash) = self.accounts().by_id_with_password(id).await?.ok_or(Refusal::NoSuchAccount)?;
        let kept = [account.email.as_deref(), account.username.as_deref()];
        for name in change.names().filter(|name| !kept.contains(&Some(*name))) {
            let repeats = match password {
                Some(password) => password.repeats(name),
                None => {
                    self.within_lease(|| {
                        let mut is_password = Ok(false);
                        for guess in Password::repetitions(name) {
                            is_password = guess.matches(&hash);
                            if is_password != Ok(false) {
                                break;
                            }
                        }
                        is_password
                    })
                    .await?
                }
            };
            if repeats {
                return Err(Refusal::PasswordRepeatsName);
            }
        }
        Ok(Some(hash))
    }

    /// Notes whether a subscription of the account goes on, as of `version` of its subscriptions. What that means for
    /// paid access counts from the next request on. An older version than the one noted changes nothing.
    pub async fn note_subscribed(&self, id: i64, subscribed: bool, version: i64) -> Result<(), Refusal> {
        let noted = self.accounts().note_subscribed(id, subscribed, version).await?;
        noted.ok_or(Refusal::NoSuchAccount)?;
        // Also when it changed nothing: anyone who noted it may have crashed before this.
        self.renew_records(id).await
    }

    /// Checks the password of an account that somebody at `source` is logged in to: a session that was stolen is no way
    /// to guess it.
    pub async fn confirm(&self, id: i64, password: &Password, source: &str) -> Result<(), Refusal> {
        let (account, hash) = self.accounts().by_id_with_password(id).await?.ok_or(Refusal::NoSuchAccount)?;
        let whose = account.counted_as();
        let attempt = Attempt { purpose: Purpose::Confirmation, whose: &whose, source };
        match self.try_password(&attempt, password, Some(&hash)).await? {
            true => Ok(()),
            false => Err(Refusal::BadCredentials),
        }
    }

    /// Sets another password. Every session but `kept` ends: anyone who knew the old one is out.
    pub async fn set_password(&self, id: i64, new: &Password, kept: Option<&str>) -> Result<(), Refusal> {
        let known = self.accounts().by_id_with_password(id).await?;
        let (account, old_hash) = known.ok_or(Refusal::NoSuchAccount)?;
        if [&account.email, &account.username].into_iter().flatten().any(|name| new.repeats(name)) {
            return Err(Refusal::PasswordRepeatsName);
        }
        let hash = self.within_lease(|| new.hash(self.entropy)).await?;
        if !self.accounts().set_password(&account, &old_hash, &hash).await? {
            // Somebody has just set another one, or another name.
            return Err(Refusal::BadCredentials);
        }
        self.end_all_sessions(id, kept).await
    }

    /// Deletes an account with its sessions, and tells those who hold something of it. Deleting it twice is no error;
    /// says whether there was one.
    pub async fn delete(&self, id: i64) -> Result<bool, Refusal> {
        // The account first: from then on nobody can log in to it, and no session of it has a live record to be
        // written. Anyone who is interrupted in between has left a job that does the rest.
        let deleted = match self.accounts().delete(id, self.clock.now()).await {
            Ok(()) => true,
            Err(NotChanged::NoSuchAccount) => false,
            Err(error) => return Err(error.into()),
        };
        self.end_all_sessions(id, None).await?;
        Ok(deleted)
    }

    /// Makes the first administrator, for anyone who knows the bootstrap secret.
    pub async fn make_first_administrator(&self, secret: &str, email: &Email) -> Result<Account, Refusal> {
        let known = self.config.bootstrap_secret.as_deref().ok_or(Refusal::BadBootstrapSecret)?;
        if !bool::from(known.as_bytes().ct_eq(secret.as_bytes())) {
            return Err(Refusal::BadBootstrapSecret);
        }
        self.note(0, 0, "make-first-administrator", &json!({})).await?;
        let who = Identifier::from(email.clone());
        let (account, _) = self.accounts().with_password(&who).await?.ok_or(Refusal::NoFirstAdministrator)?;
        let made = self.accounts().make_first_administrator(account.id).await?;
        let account = made.ok_or(Refusal::NoFirstAdministrator)?;
        self.renew_records(account.id).await?;
        Ok(account)
    }
}
