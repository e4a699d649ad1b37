//! The user service of the original message handler (contract 000, sections 2.1, 2.3 and 6): its clients log in with a
//! form and carry their token in a cookie.
//!
//! Different on purpose: an address must be one, and a password must be worth the name (`legacy_rules`); nobody grants
//! himself anything; a logout ends the token, not only the cookie; the cookie is `Secure` where the client speaks
//! TLS; who changes his address or password has just logged in, or sends the old password as well. No mail is sent, so there are no verification tokens: an administrator verifies an account.

use std::time::Duration;

use http::{Method, StatusCode};
use octo_access::Role;
use octo_core::{Clock, Entropy, KeyValue, Problem, Settings, Sql};
use octo_http::{
    Caller, Request, Response,
    body::Fields,
    fastapi::{self, BOOLEAN, Body, DATE, Errors, INTEGER, Links, Place, STRING},
    form::Form,
    path, respond,
};
use octo_identity::{
    Refusal,
    accounts::{Account, Change, NewAccount},
    email::Email,
    identifier::Identifier,
    password::Password,
    shape::Shape,
    sign_on::LogIn,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    answers,
    routes::{Auth, Visit, refuse_forged},
    stop::{Stop, settled},
};

/// The original's user service was written with this version.
const PYDANTIC: Links = Links::Pydantic("2.5");

/// How long after a login its address and password may be changed without the old one.
const FRESH: Duration = Duration::from_secs(600);

/// `UserRead`
#[derive(Serialize)]
struct UserRead<'a> {
    id: i64,
    email: &'a str,
    is_active: bool,
    is_superuser: bool,
    is_verified: bool,
    paid_access: bool,
    free_messages_left: i64,
    refresh_at: String,
}

/// `UserUpdate`, of what can take effect.
struct UserUpdate {
    /// Not the original's.
    current_password: Option<String>,
    password: Option<String>,
    email: Option<Email>,
    paid_access: bool,
    is_active: Option<bool>,
    is_superuser: Option<bool>,
    is_verified: Option<bool>,
}

impl<S: Settings, D: Sql, K: KeyValue, C: Clock, E: Entropy> Auth<S, D, K, C, E> {
    /// `POST /auth/register`
    pub(crate) async fn handler_register(&self, fields: Fields, visit: &Visit) -> Result<Response, Problem> {
        settled(self.handler_registered(fields, visit).await)
    }

    async fn handler_registered(&self, fields: Fields, visit: &Visit) -> Result<Response, Stop> {
        let mut body = Body::new(fields.into_members(), PYDANTIC);
        let email = body.required("email", &STRING);
        let password = body.required("password", &STRING);
        let demanded = body
            .required("paid_access", &BOOLEAN)
            .zip(body.required("free_messages_left", &INTEGER))
            .zip(body.required("refresh_at", &DATE));
        let flags = ["is_active", "is_superuser", "is_verified"].map(|name| body.optional(name, &BOOLEAN));
        let email = email.and_then(|text| address(&mut body, text));
        let values = email.zip(password).zip(demanded).filter(|_| flags.iter().all(Option::is_some));
        let ((email, password), _) = body.finish(values)?;

        let refused = |reason: String| refused_password("REGISTER_INVALID_PASSWORD", &reason);
        let rules = self.config()?.password_rules;
        let password = Password::chosen(password, rules).map_err(|error| refused(error.to_string()))?;
        let new = NewAccount { email: Some(email), ..NewAccount::default() };
        match self.sign_on()?.register(&new, &password, &visit.source).await {
            Ok(account) => self.user_read(StatusCode::CREATED, &account).await,
            Err(Refusal::Taken) => {
                Err(fastapi::detail(StatusCode::BAD_REQUEST, "REGISTER_USER_ALREADY_EXISTS").into())
            }
            Err(error @ Refusal::PasswordRepeatsName) => Err(refused(error.to_string()).into()),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// `POST /auth/login`. It gives a cookie and no token, so there is nothing in it for a page of another site.
    pub(crate) async fn handler_log_in(&self, request: Request, visit: &Visit) -> Result<Response, Problem> {
        refuse_forged(&request)?;
        let form = Form::read(request)?;
        let mut errors = Errors::new(Place::Body, PYDANTIC);
        if !matches!(form.get("grant_type"), None | Some("" | "password")) {
            let rule = "String should match pattern 'password'";
            errors.refuse("grant_type", "string_pattern_mismatch", rule);
        }
        let [username, password] = ["username", "password"].map(|name| errors.field(&form, name));
        let (username, password) = match errors.finish(username.zip(password)) {
            Ok(values) => values,
            Err(answer) => return Ok(answer),
        };
        let bad = || fastapi::detail(StatusCode::BAD_REQUEST, "LOGIN_BAD_CREDENTIALS");
        let who = Identifier::new(username.to_owned());
        let password = Password::presented(password.to_owned());
        let (Ok(who), Ok(password)) = (who, password) else { return Ok(bad()) };
        let shape = Shape::MessageHandler;
        let login =
            LogIn { who: &who, password: &password, shape, client: &visit.client, source: &visit.source };
        match self.sign_on()?.log_in(&login).await {
            Ok(tokens) => {
                let mut response = respond::empty(StatusCode::NO_CONTENT);
                answers::set_cookie(&mut response, &tokens.access, tokens.expires_in, visit.secure);
                Ok(response)
            }
            Err(Refusal::BadCredentials) => Ok(bad()),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// `POST /auth/logout`
    pub(crate) async fn handler_log_out(&self, request: Request) -> Result<Response, Problem> {
        settled(self.handler_logged_out(request).await)
    }

    async fn handler_logged_out(&self, request: Request) -> Result<Response, Stop> {
        let visit = self.visit(&request)?;
        let (_, caller) = self.cookie_holder(&request).await?;
        self.sign_on()?.log_out(&caller.claims).await?;
        let mut response = respond::empty(StatusCode::NO_CONTENT);
        answers::set_cookie(&mut response, "", 0, visit.secure);
        Ok(response)
    }

    /// `GET /users/me`
    pub(crate) async fn handler_me(&self, request: Request) -> Result<Response, Problem> {
        settled(self.handler_read_me(request).await)
    }

    async fn handler_read_me(&self, request: Request) -> Result<Response, Stop> {
        let account = self.handler_own(request).await?;
        self.user_read(StatusCode::OK, &account).await
    }

    /// `GET /welcome`
    pub(crate) async fn welcome(&self, request: Request) -> Result<Response, Problem> {
        settled(self.handler_own(request).await.map(|account| {
            let response = format!("Welcome, {}", name(&account));
            respond::json(StatusCode::OK, &Welcome { ok: true, response })
        }))
    }

    async fn handler_own(&self, request: Request) -> Result<Account, Stop> {
        let (id, _) = self.cookie_holder(&request).await?;
        self.sign_on()?.account(id).await.map_err(|refusal| match refusal {
            Refusal::NoSuchAccount => unauthorized().into(),
            refusal => refusal.into(),
        })
    }

    /// `PATCH /users/me`: address and password take effect, rights never.
    pub(crate) async fn handler_change_me(&self, request: Request) -> Result<Response, Problem> {
        settled(self.handler_changed_me(request).await)
    }

    async fn handler_changed_me(&self, request: Request) -> Result<Response, Stop> {
        let (id, caller) = self.cookie_holder(&request).await?;
        let source = self.visit(&request)?.source;
        let mut update = UserUpdate::read(request)?;
        let sign_on = self.sign_on()?;
        let account = sign_on.account(id).await.map_err(not_updated)?;
        if update.concerns_login(&account) {
            self.let_change_login(&account, &caller, update.current_password.take(), &source).await?;
        }
        let change = Change { email: update.email, ..Change::default() };
        let password = self.updated_password(update.password)?;
        if let Some(password) = &password {
            refuse_repetition(&change, password)?;
            let kept = Some(caller.claims.sid.as_str());
            sign_on.set_password(id, password, kept).await.map_err(not_updated)?;
        }
        let account =
            sign_on.change_own(id, &change, password.as_ref(), &source).await.map_err(not_updated)?;
        self.user_read(StatusCode::OK, &account).await
    }

    /// Address and password are changed by whoever has just logged in as this original's clients do, which know no
    /// other proof, or by whoever sends the password: a stolen token is not enough.
    async fn let_change_login(
        &self,
        account: &Account,
        caller: &Caller,
        current_password: Option<String>,
        source: &str,
    ) -> Result<(), Stop> {
        let sign_on = self.sign_on()?;
        if let Some(password) = current_password {
            let password = Password::presented(password).map_err(|_| not_proven())?;
            return Ok(sign_on.confirm(account.id, &password, source).await?);
        }
        match sign_on.begun(&caller.claims.sid).await? {
            Some((Shape::MessageHandler, at)) if self.clock.now().since(at) <= FRESH => Ok(()),
            _ => Err(not_proven().into()),
        }
    }

    /// `GET`, `PATCH` and `DELETE /users/{id}`, for superusers.
    pub(crate) async fn handler_user(&self, request: Request, id: &str) -> Result<Response, Problem> {
        settled(self.handler_administered(request, id).await)
    }

    async fn handler_administered(&self, request: Request, id: &str) -> Result<Response, Stop> {
        let (actor, caller) = self.cookie_holder(&request).await?;
        if caller.claims.role != Role::Admin || !self.sign_on()?.is_administrator(actor).await? {
            return Err(fastapi::detail(StatusCode::FORBIDDEN, "Forbidden").into());
        }
        let id = path::id(id).ok_or_else(fastapi::not_found)?;
        let sign_on = self.sign_on()?;
        let account = sign_on.account(id).await.map_err(not_updated)?;
        match *request.method() {
            Method::GET => self.user_read(StatusCode::OK, &account).await,
            Method::DELETE => {
                sign_on.delete_as(actor, id).await.map_err(not_updated)?;
                Ok(respond::empty(StatusCode::NO_CONTENT))
            }
            _ => {
                let mut update = UserUpdate::read(request)?;
                let password = self.updated_password(update.password.take())?;
                let change = update.change(account.grants.role);
                if let Some(password) = password {
                    refuse_repetition(&change, &password)?;
                    sign_on.set_password_as(actor, id, &password).await.map_err(not_updated)?;
                }
                let account = sign_on.change_as(actor, id, &change).await.map_err(not_updated)?;
                self.user_read(StatusCode::OK, &account).await
            }
        }
    }

    /// `POST /auth/request-verify-token`: the same answer whether there is such an account or not.
    pub(crate) async fn request_verify_token(&self, request: Request) -> Result<Response, Problem> {
        let checked = Body::read_embedded(request, PYDANTIC).and_then(|mut body| {
            let email = body.required("email", &STRING).and_then(|text| address(&mut body, text));
            body.finish(email)
        });
        Ok(match checked {
            Ok(_) => respond::json(StatusCode::ACCEPTED, &Value::Null),
            Err(answer) => answer,
        })
    }

    /// `POST /auth/verify`: nobody was ever sent a token.
    pub(crate) async fn verify(&self, request: Request) -> Result<Response, Problem> {
        let checked = Body::read_embedded(request, PYDANTIC).and_then(|mut body| {
            let token = body.required("token", &STRING);
            body.finish(token)
        });
        Ok(match checked {
            Ok(_) => fastapi::detail(StatusCode::BAD_REQUEST, "VERIFY_USER_BAD_TOKEN"),
            Err(answer) => answer,
        })
    }

    fn updated_password(&self, password: Option<String>) -> Result<Option<Password>, Stop> {
        let Some(password) = password else { return Ok(None) };
        match Password::chosen(password, self.config()?.password_rules) {
            Ok(password) => Ok(Some(password)),
            Err(error) => Err(refused_password("UPDATE_USER_INVALID_PASSWORD", &error.to_string()).into()),
        }
    }

    async fn cookie_holder(&self, request: &Request) -> Result<(i64, Caller), Stop> {
        self.owner(request).await.map_err(|problem| match problem.status {
            StatusCode::UNAUTHORIZED => unauthorized().into(),
            _ => problem.into(),
        })
    }

    async fn user_read(&self, status: StatusCode, account: &Account) -> Result<Response, Stop> {
        let free = self.sign_on()?.free_messages(account.id).await;
        let body = UserRead {
            id: account.id,
            email: name(account),
            is_active: account.active,
            is_superuser: account.is_admin(),
            is_verified: account.verified,
            paid_access: account.grants.paid_access,
            free_messages_left: free.left,
            refresh_at: free.refills_on.to_string(),
        };
        Ok(respond::json(status, &body))
    }
}

#[derive(Serialize)]
struct Welcome {
    ok: bool,
    response: String,
}

impl UserUpdate {
    fn read(request: Request) -> Result<Self, Stop> {
        let mut body = Body::read(request, PYDANTIC)?;
        let demanded = body
            .required("id", &INTEGER)
            .zip(body.required("free_messages_left", &INTEGER))
            .zip(body.required("refresh_at", &DATE));
        let paid_access = body.required("paid_access", &BOOLEAN);
        let current_password = body.optional("current_password", &STRING);
        let password = body.optional("password", &STRING);
        let email = body.optional("email", &STRING).and_then(|text| match text {
            Some(text) => address(&mut body, text).map(Some),
            None => Some(None),
        });
        let [active, superuser, verified] =
            ["is_active", "is_superuser", "is_verified"].map(|name| body.optional(name, &BOOLEAN));
        let flags = active.zip(superuser).zip(verified);
        let values = demanded.zip(paid_access).zip(current_password.zip(password).zip(email)).zip(flags);
        let (
            ((_, paid_access), ((current_password, password), email)),
            ((is_active, is_superuser), is_verified),
        ) = body.finish(values)?;
        Ok(Self { current_password, password, email, paid_access, is_active, is_superuser, is_verified })
    }

    fn concerns_login(&self, account: &Account) -> bool {
        let email = self.email.as_ref().map(Email::as_str);
        self.password.is_some() || email.is_some_and(|email| account.email.as_deref() != Some(email))
    }

    fn change(self, role: Role) -> Change {
        Change {
            email: self.email,
            paid_access: Some(self.paid_access),
            active: self.is_active,
            verified: self.is_verified,
            role: match self.is_superuser {
                Some(true) => Some(Role::Admin),
                Some(false) if role == Role::Admin => Some(Role::User),
                _ => None,
            },
            ..Change::default()
        }
    }
}

/// Accounts without an address are shown by their user name.
fn name(account: &Account) -> &str {
    account.email.as_deref().or(account.username.as_deref()).unwrap_or("")
}

fn address(body: &mut Body, text: String) -> Option<Email> {
    let email = Email::new(text);
    if email.is_err() {
        body.refuse("email", "value is not a valid email address");
    }
    email.ok()
}

fn unauthorized() -> Response {
    fastapi::detail(StatusCode::UNAUTHORIZED, "Unauthorized")
}

/// The new password must not be the new name; nothing was changed so far.
fn refuse_repetition(change: &Change, password: &Password) -> Result<(), Stop> {
    if change.names().any(|name| password.repeats(name)) {
        return Err(not_updated(Refusal::PasswordRepeatsName));
    }
    Ok(())
}

fn refused_password(code: &str, reason: &str) -> Response {
    fastapi::detail(StatusCode::BAD_REQUEST, json!({ "code": code, "reason": reason }))
}

fn not_proven() -> Response {
    let reason = "log in again with a form and send this within 10 minutes, or send `current_password`";
    refused_password("UPDATE_USER_INVALID_PASSWORD", reason)
}

fn not_updated(refusal: Refusal) -> Stop {
    match refusal {
        Refusal::NoSuchAccount => fastapi::not_found().into(),
        Refusal::Taken => fastapi::detail(StatusCode::BAD_REQUEST, "UPDATE_USER_EMAIL_ALREADY_EXISTS").into(),
        Refusal::PasswordRepeatsName => {
            refused_password("UPDATE_USER_INVALID_PASSWORD", &refusal.to_string()).into()
        }
        refusal => refusal.into(),
    }
}
