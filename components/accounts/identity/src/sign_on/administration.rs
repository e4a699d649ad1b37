//! What administrators do to others' accounts. Each act is noted in the audit log first.

use octo_access::Role;
use octo_core::{Clock, Entropy, KeyValue, Sql};
use serde_json::{Map, Value, json};

use super::SignOn;
use crate::{
    Refusal,
    accounts::{Account, Change, Search},
    audit::{Audit, Entry},
    password::Password,
};

/// Most accounts or entries in one answer.
pub const LONGEST_PAGE: i64 = 100;

impl<S: Sql, K: KeyValue, C: Clock, E: Entropy> SignOn<'_, S, K, C, E> {
    /// A page of accounts.
    pub async fn accounts_page(&self, search: &Search, limit: i64) -> Result<Vec<Account>, Refusal> {
        Ok(self.accounts().page(search, limit.clamp(1, LONGEST_PAGE)).await?)
    }

    /// Changes somebody's account.
    pub async fn change_as(&self, actor: i64, id: i64, change: &Change) -> Result<Account, Refusal> {
        self.note(actor, id, "change-account", &shown(change)).await?;
        // Who is administrator by name only can make others no more than that.
        let by_name = change.role.is_some() && self.accounts().is_administrator_by_name(actor).await?;
        self.change_by(id, change, None, by_name).await
    }

    /// Makes an account administrator because of its user name, which holds while the rules that do so (`legacy_rules`)
    /// are on.
    pub async fn make_administrator_by_name(&self, id: i64) -> Result<Account, Refusal> {
        let change = Change { role: Some(Role::Admin), ..Change::default() };
        self.note(0, id, "change-account", &shown(&change)).await?;
        self.change_by(id, &change, None, true).await
    }

    /// Whether this account may do everything now, whatever its tokens say.
    pub async fn is_administrator(&self, id: i64) -> Result<bool, Refusal> {
        let account = self.accounts().by_id(id).await?;
        Ok(account.is_some_and(|account| account.is_admin() && account.active))
    }

    /// Sets somebody's password, and ends all their sessions.
    pub async fn set_password_as(&self, actor: i64, id: i64, new: &Password) -> Result<(), Refusal> {
        self.note(actor, id, "set-password", &json!({})).await?;
        self.set_password(id, new, None).await
    }

    /// Deletes somebody's account.
    pub async fn delete_as(&self, actor: i64, id: i64) -> Result<(), Refusal> {
        self.account(id).await?;
        self.note(actor, id, "delete-account", &json!({})).await?;
        self.delete(id).await.map(drop)
    }

    /// Ends all sessions of somebody's account.
    pub async fn end_all_sessions_as(&self, actor: i64, id: i64) -> Result<(), Refusal> {
        self.account(id).await?;
        self.note(actor, id, "end-sessions", &json!({})).await?;
        self.end_all_sessions(id, None).await
    }

    /// A page of the audit log.
    pub async fn audit(&self, subject: Option<i64>, after: i64, limit: i64) -> Result<Vec<Entry>, Refusal> {
        Ok(Audit::new(&self.sql).list(subject, after, limit.clamp(1, LONGEST_PAGE)).await?)
    }

    /// Notes what an administrator is about to do to something that is no account.
    pub async fn note_act(&self, actor: i64, act: &str, detail: &Value) -> Result<(), Refusal> {
        self.note(actor, 0, act, detail).await
    }

    pub(super) async fn note(
        &self,
        actor: i64,
        subject: i64,
        act: &str,
        detail: &Value,
    ) -> Result<(), Refusal> {
        let now = self.clock.now();
        Ok(Audit::new(&self.sql).note(actor, subject, act, &detail.to_string(), now).await?)
    }
}

/// A change as the log keeps it: what rights it sets, and which personal data it touches, but not these data.
fn shown(change: &Change) -> Value {
    let mut shown = Map::new();
    let mut show = |name: &str, value: Option<Value>| {
        shown.extend(value.map(|value| (name.to_owned(), value)));
    };
    show("role", change.role.map(|role| role.name().into()));
    show("paid_access", change.paid_access.map(Value::from));
    show("active", change.active.map(Value::from));
    show("verified", change.verified.map(Value::from));
    show("email", change.email.as_ref().map(|_| "changed".into()));
    show("username", change.username.as_ref().map(|_| "changed".into()));
    show("full_name", change.full_name.as_ref().map(|_| "changed".into()));
    show("phone", change.phone.as_ref().map(|_| "changed".into()));
    shown.into()
}
