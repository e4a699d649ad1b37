//! Accounts, for administrators.

use http::StatusCode;
use octo_access::Role;
use octo_core::{Clock, Entropy, KeyValue, Problem, Settings, Sql};
use octo_http::{Request, Response, body::Fields, query::Query, respond};
use octo_identity::{
    accounts::{Account, Change, Field, Search},
    sign_on::LONGEST_PAGE,
    text::nfc,
};
use serde_json::json;

use crate::{
    answers::{self, AccountBody, EntryBody},
    routes::{Auth, account_id},
};

impl<S: Settings, D: Sql, K: KeyValue, C: Clock, E: Entropy> Auth<S, D, K, C, E> {
    /// `GET /users`: all, or those whose `email` or `username` begins so; from the one `after` on, `limit` of
    /// them. `next` is the `after` of the page that follows.
    pub(crate) async fn users(&self, request: Request) -> Result<Response, Problem> {
        self.administrator(&request).await?;
        let query = Query::of(&request);
        let limit = query.limit(LONGEST_PAGE)?;
        let search = match (query.get("email"), query.get("username")) {
            (None, None) => Search::All { after: query.after()? },
            (Some(prefix), None) => names(&query, Field::Email, prefix),
            (None, Some(prefix)) => names(&query, Field::Username, prefix),
            (Some(_), Some(_)) => {
                return Err(Problem::invalid("username", "cannot be searched together with `email`"));
            }
        };
        let page = self.sign_on()?.accounts_page(&search, limit).await?;
        let next = page.last().filter(|_| page.len() as i64 == limit).and_then(|last| cursor(&search, last));
        let users: Vec<_> = page.iter().map(AccountBody::from).collect();
        Ok(respond::json(StatusCode::OK, &json!({ "users": users, "next": next })))
    }

    /// `GET /users/{id}`
    pub(crate) async fn user(&self, request: Request, id: &str) -> Result<Response, Problem> {
        self.administrator(&request).await?;
        Ok(answers::account(StatusCode::OK, &self.sign_on()?.account(account_id(id)?).await?))
    }

    /// `PATCH /users/{id}`
    pub(crate) async fn change_user(&self, request: Request, id: &str) -> Result<Response, Problem> {
        let actor = self.administrator(&request).await?;
        let id = account_id(id)?;
        let mut fields = Fields::read(request)?;
        let role = fields.maybe_text("role", |text| {
            Role::named(&text).ok_or_else(|| "must be `user`, `admin` or `service`".to_owned())
        });
        let paid_access = fields.maybe_boolean("paid_access");
        let active = fields.maybe_boolean("active");
        let verified = fields.maybe_boolean("verified");
        let values = role.zip(paid_access).zip(active.zip(verified));
        let ((role, paid_access), (active, verified)) = fields.finish(values)?;
        let change = Change { role, paid_access, active, verified, ..Change::default() };
        if change == Change::default() {
            return Err(Problem::invalid("", "must have `role`, `paid_access`, `active` or `verified`"));
        }
        Ok(answers::account(StatusCode::OK, &self.sign_on()?.change_as(actor, id, &change).await?))
    }

    /// `DELETE /users/{id}`
    pub(crate) async fn delete_user(&self, request: Request, id: &str) -> Result<Response, Problem> {
        let actor = self.administrator(&request).await?;
        self.sign_on()?.delete_as(actor, account_id(id)?).await?;
        Ok(respond::empty(StatusCode::NO_CONTENT))
    }

    /// `GET /users/{id}/sessions`
    pub(crate) async fn user_sessions(&self, request: Request, id: &str) -> Result<Response, Problem> {
        self.administrator(&request).await?;
        self.sessions_page(&request, account_id(id)?, "").await
    }

    /// `DELETE /users/{id}/sessions`
    pub(crate) async fn end_user_sessions(&self, request: Request, id: &str) -> Result<Response, Problem> {
        let actor = self.administrator(&request).await?;
        self.sign_on()?.end_all_sessions_as(actor, account_id(id)?).await?;
        Ok(respond::empty(StatusCode::NO_CONTENT))
    }

    /// `POST /auth/keys`: another key signs in an hour; the set that is published from now on.
    pub(crate) async fn replace_key(&self, request: Request) -> Result<Response, Problem> {
        let actor = self.administrator(&request).await?;
        Ok(respond::json(StatusCode::ACCEPTED, &self.sign_on()?.replace_key_as(actor).await?))
    }

    /// `GET /auth/audit`: what administrators did, oldest first; to one account with `user`.
    pub(crate) async fn audit(&self, request: Request) -> Result<Response, Problem> {
        self.administrator(&request).await?;
        let query = Query::of(&request);
        let limit = query.limit(LONGEST_PAGE)?;
        let subject = query.number("user")?;
        let log = self.sign_on()?.audit(subject, query.after()?, limit).await?;
        let next = log.last().filter(|_| log.len() as i64 == limit).map(|last| last.id.to_string());
        let entries: Vec<_> = log.iter().map(EntryBody::from).collect();
        Ok(respond::json(StatusCode::OK, &json!({ "entries": entries, "next": next })))
    }
}

/// Where the page after this account begins.
fn cursor(search: &Search, last: &Account) -> Option<String> {
    match search {
        Search::All { .. } => Some(last.id.to_string()),
        Search::Names { field: Field::Email, .. } => last.email.clone(),
        Search::Names { field: Field::Username, .. } => last.username.clone(),
    }
}

/// Those whose name begins with `prefix`, from the one `after` on.
fn names(query: &Query, field: Field, prefix: &str) -> Search {
    let after = query.get("after").unwrap_or("").to_owned();
    Search::Names { field, prefix: nfc(&prefix.trim().to_lowercase()).into_owned(), after }
}
