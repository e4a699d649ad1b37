//! Accounts, for their owners.

use http::StatusCode;
use octo_core::{Clock, Entropy, KeyValue, Problem, Settings, Sql};
use octo_http::{Request, Response, body::Fields, caller, respond};
use octo_identity::{
    accounts::{Change, NewAccount},
    email::Email,
    password::Password,
    text::short,
    username::Username,
};

use crate::{
    answers,
    routes::{Auth, Visit},
};

impl<S: Settings, D: Sql, K: KeyValue, C: Clock, E: Entropy> Auth<S, D, K, C, E> {
    /// `POST /auth/register`
    pub(crate) async fn own_register(&self, mut fields: Fields, visit: &Visit) -> Result<Response, Problem> {
        let rules = self.config()?.password_rules;
        let email = fields.text("email", Email::new);
        let password = fields.text("password", |text| Password::chosen(text, rules));
        let username = fields.maybe_text("username", Username::new);
        let full_name = fields.maybe_text("full_name", short);
        let phone = fields.maybe_text("phone", short);
        let values = email.zip(password).zip(username.zip(full_name.zip(phone)));
        let ((email, password), (username, (full_name, phone))) = fields.finish(values)?;
        let new = NewAccount {
            email: Some(email),
            username,
            full_name: full_name.unwrap_or_default(),
            phone: phone.unwrap_or_default(),
        };
        let account = self.sign_on()?.register(&new, &password, &visit.source).await?;
        Ok(answers::account(StatusCode::CREATED, &account))
    }

    /// `POST /auth/administrators`
    pub(crate) async fn make_first_administrator(&self, request: Request) -> Result<Response, Problem> {
        let secret = caller::bearer(request.headers()).unwrap_or("").to_owned();
        let mut fields = Fields::read(request)?;
        let email = fields.text("email", Email::new);
        let email = fields.finish(email)?;
        let account = self.sign_on()?.make_first_administrator(&secret, &email).await?;
        Ok(answers::account(StatusCode::OK, &account))
    }

    /// `GET /users/me`
    pub(crate) async fn me(&self, request: Request) -> Result<Response, Problem> {
        let (id, _) = self.owner(&request).await?;
        Ok(answers::account(StatusCode::OK, &self.sign_on()?.account(id).await?))
    }

    /// `PATCH /users/me`: what others see of an account needs its password to be changed.
    pub(crate) async fn change_me(&self, request: Request) -> Result<Response, Problem> {
        let (id, _) = self.owner(&request).await?;
        let visit = self.visit(&request)?;
        let mut fields = Fields::read(request)?;
        let email = fields.maybe_text("email", Email::new);
        let username = fields.maybe_text("username", Username::new);
        let full_name = fields.maybe_text("full_name", short);
        let phone = fields.maybe_text("phone", short);
        let password = fields.maybe_text("current_password", Password::presented);
        let values = email.zip(username).zip(full_name.zip(phone)).zip(password);
        let (((email, username), (full_name, phone)), password) = fields.finish(values)?;
        let sign_on = self.sign_on()?;
        let change = Change { email, username, full_name, phone, ..Change::default() };
        let known = match change.names().next() {
            Some(_) => {
                let password = password.ok_or_else(|| {
                    Problem::invalid(
                        "/current_password",
                        "is required to change the address or the user name",
                    )
                })?;
                sign_on.confirm(id, &password, &visit.source).await?;
                Some(password)
            }
            None => None,
        };
        let account = sign_on.change_own(id, &change, known.as_ref(), &visit.source).await?;
        Ok(answers::account(StatusCode::OK, &account))
    }

    /// `DELETE /users/me`
    pub(crate) async fn delete_me(&self, request: Request) -> Result<Response, Problem> {
        let (id, _) = self.owner(&request).await?;
        let visit = self.visit(&request)?;
        let mut fields = Fields::read(request)?;
        let password = fields.text("current_password", Password::presented);
        let password = fields.finish(password)?;
        let sign_on = self.sign_on()?;
        sign_on.confirm(id, &password, &visit.source).await?;
        sign_on.delete(id).await?;
        Ok(respond::empty(StatusCode::NO_CONTENT))
    }

    /// `POST /auth/password`: ends every session but the one it is sent in.
    pub(crate) async fn change_password(&self, request: Request) -> Result<Response, Problem> {
        let (id, caller) = self.owner(&request).await?;
        let visit = self.visit(&request)?;
        let rules = self.config()?.password_rules;
        let mut fields = Fields::read(request)?;
        let old = fields.text("current_password", Password::presented);
        let new = fields.text("new_password", |text| Password::chosen(text, rules));
        let (old, new) = fields.finish(old.zip(new))?;
        let sign_on = self.sign_on()?;
        sign_on.confirm(id, &old, &visit.source).await?;
        sign_on.set_password(id, &new, Some(&caller.claims.sid)).await?;
        Ok(respond::empty(StatusCode::NO_CONTENT))
    }
}
