//! The single sign-on of the original loyalty system (contract 004, sections 2.1 and 2.4): JSON throughout, accounts known
//! by a UUID, conflicts told by 405.
//!
//! Different on purpose: a password must be worth the name (`legacy_rules`); a refresh token is opaque and no access
//! token; the answer to a lost refresh can be had again for 30 s; `info` refuses a bad token with 401, not 500;
//! pictures and birthdays are not kept.

use http::{HeaderValue, StatusCode, header};
use octo_core::{Clock, Entropy, KeyValue, Problem, Settings, Sql};
use octo_http::{Request, Response, body::Fields, caller, gzip, respond};
use octo_identity::{
    Refusal,
    accounts::NewAccount,
    email::Email,
    identifier::Identifier,
    password::Password,
    refresh::RefreshToken,
    shape::Shape,
    sign_on::{LogIn, Revoked, Tokens},
    text::short,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    routes::{Auth, Visit},
    stop::{Stop, settled},
};

/// A login's answer, the keys in the original's order.
#[derive(Serialize)]
struct Success<'a> {
    status: &'static str,
    user_id: &'a str,
    access_token: &'a str,
    refresh_token: &'a str,
}

#[derive(Serialize)]
struct Info<'a> {
    status: &'static str,
    user_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
}

#[derive(Serialize)]
struct Failure<'a> {
    status: &'static str,
    error: &'a str,
}

const SUCCESS: &str = "Success";

impl<S: Settings, D: Sql, K: KeyValue, C: Clock, E: Entropy> Auth<S, D, K, C, E> {
    /// `POST /auth/registration`
    pub(crate) async fn loyalty_register(&self, request: Request) -> Result<Response, Problem> {
        self.refuse_other_sites(&request)?;
        let visit = self.visit(&request)?;
        told(self.loyalty_registered(request, &visit).await, &visit)
    }

    async fn loyalty_registered(&self, request: Request, visit: &Visit) -> Result<Response, Stop> {
        let bytes =
            request.into_body().map_err(|_| failure(StatusCode::BAD_REQUEST, "failed to read body"))?;
        let members = serde_json::from_slice(&bytes).map_err(|_| undecodable())?;
        let mut fields = Checked::new(members);
        let email = fields.email()?;
        let password = fields.text("password")?.filter(|text| !text.is_empty());
        let name = fields.text("name")?.unwrap_or_default();
        let rules = self.config()?.password_rules;
        let password = match password {
            Some(text) => fields.take("Password", "not valid", Password::chosen(text, rules).ok()),
            None => fields.take("Password", "a required field", None),
        };
        let full_name = fields.take("Name", "not valid", short(name).ok());
        let ((email, password), full_name) = fields.finish(email.zip(password).zip(full_name))?;
        let sign_on = self.sign_on()?;
        let new = NewAccount { email: Some(email.clone()), full_name, ..NewAccount::default() };
        match sign_on.register(&new, &password, &visit.source).await {
            Ok(_) => {}
            Err(Refusal::Taken) => return Err(conflict("user already exists").into()),
            Err(Refusal::PasswordRepeatsName) => {
                return Err(failure(StatusCode::BAD_REQUEST, "field Password is not valid").into());
            }
            Err(refusal) => return Err(refusal.into()),
        }
        let who = email.into();
        Ok(success(&sign_on.log_in(&log_in(&who, &password, visit)).await?))
    }

    /// `POST /auth/login`
    pub(crate) async fn loyalty_log_in(&self, fields: Fields, visit: &Visit) -> Result<Response, Problem> {
        told(self.loyalty_logged_in(fields, visit).await, visit)
    }

    async fn loyalty_logged_in(&self, fields: Fields, visit: &Visit) -> Result<Response, Stop> {
        let mut fields = Checked::new(fields.into_members());
        let who = fields.text("email")?.filter(|text| text.contains('@'));
        let who = fields.take("Email", "not valid", who.and_then(|text| Identifier::new(text).ok()));
        let password = fields.text("password")?.unwrap_or_default();
        let who = fields.finish(who)?;
        let unknown = || failure(StatusCode::NOT_FOUND, "user not found");
        let password = Password::presented(password).map_err(|_| unknown())?;
        match self.sign_on()?.log_in(&log_in(&who, &password, visit)).await {
            Ok(tokens) => Ok(success(&tokens)),
            Err(Refusal::BadCredentials) => Err(unknown().into()),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// `POST /auth/refresh`
    pub(crate) async fn loyalty_refresh(&self, fields: Fields, visit: &Visit) -> Result<Response, Problem> {
        told(self.loyalty_refreshed(fields).await, visit)
    }

    async fn loyalty_refreshed(&self, fields: Fields) -> Result<Response, Stop> {
        let token = Checked::new(fields.into_members()).token()?;
        let sign_on = self.sign_on()?;
        let presented = RefreshToken::presented(token.clone());
        let refreshed = match presented {
            Some(presented) => sign_on.refresh(&presented).await,
            None => Err(Refusal::UnknownRefreshToken),
        };
        match refreshed {
            Ok(tokens) => Ok(success(&tokens)),
            Err(Refusal::SpentRefreshToken) => Err(conflict("token revoked").into()),
            Err(Refusal::UnknownRefreshToken) if sign_on.is_access_token(&token).await? => {
                Err(conflict("token wrong type, expected refresh").into())
            }
            Err(Refusal::UnknownRefreshToken) => Err(token_error().into()),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// `POST /auth/logout`, by an access or a refresh token.
    pub(crate) async fn loyalty_log_out(&self, fields: Fields, visit: &Visit) -> Result<Response, Problem> {
        told(self.loyalty_logged_out(fields).await, visit)
    }

    async fn loyalty_logged_out(&self, fields: Fields) -> Result<Response, Stop> {
        let token = Checked::new(fields.into_members()).token()?;
        match self.sign_on()?.revoke(&token).await? {
            Revoked::Now => Ok(respond::json(StatusCode::OK, &json!({ "status": SUCCESS }))),
            Revoked::Before => Err(conflict("token revoked").into()),
            Revoked::Unknown => Err(token_error().into()),
        }
    }

    /// `GET /auth/info`: the token in the header, with or without `Bearer`.
    pub(crate) async fn loyalty_info(&self, request: Request) -> Result<Response, Problem> {
        let visit = self.visit(&request)?;
        told(self.loyalty_informed(request).await, &visit)
    }

    async fn loyalty_informed(&self, request: Request) -> Result<Response, Stop> {
        let refused = || failure(StatusCode::UNAUTHORIZED, "token error");
        let headers = request.headers();
        let bare = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = caller::bearer(headers).or(bare);
        let caller = match caller::authenticate(token, &self.store, self, &self.clock).await {
            Ok(caller) => caller,
            Err(problem) if problem.status == StatusCode::UNAUTHORIZED => return Err(refused().into()),
            Err(problem) => return Err(problem.into()),
        };
        match self.sign_on()?.owner(&caller.claims).await {
            Ok(account) => {
                let email = account.email.as_deref();
                Ok(respond::json(StatusCode::OK, &Info { status: SUCCESS, user_id: &account.uuid, email }))
            }
            Err(Refusal::NoSuchAccount) => Err(refused().into()),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// `GET /auth/ready`, which asks the database, and `GET /auth/healthz`.
    pub(crate) async fn loyalty_ready(&self, request: Request) -> Result<Response, Problem> {
        let visit = self.visit(&request)?;
        let asks_database = request.uri().path().contains("ready");
        if asks_database && self.sign_on()?.keys().await.is_err() {
            return told(Ok(failure(StatusCode::INTERNAL_SERVER_ERROR, "internal server error")), &visit);
        }
        told(Ok(respond::json(StatusCode::OK, &json!({ "status": SUCCESS }))), &visit)
    }
}

/// The members of a body, read as the original reads them: a wrong type is a body that cannot be decoded, and what
/// breaks a rule is told by the field's inner name, all of it in one text.
struct Checked {
    members: Map<String, Value>,
    errors: Vec<String>,
}

impl Checked {
    fn new(members: Map<String, Value>) -> Self {
        Self { members, errors: Vec::new() }
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, Stop> {
        match self.members.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(undecodable().into()),
        }
    }

    fn email(&mut self) -> Result<Option<Email>, Stop> {
        let email = self.text("email")?.and_then(|text| Email::new(text).ok());
        Ok(self.take("Email", "not valid", email))
    }

    fn token(mut self) -> Result<String, Stop> {
        let token = self.text("token")?.filter(|token| !token.is_empty());
        let token = self.take("Token", "not valid", token);
        Ok(self.finish(token)?)
    }

    fn take<T>(&mut self, inner_name: &str, what: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.errors.push(format!("field {inner_name} is {what}"));
        }
        value
    }

    fn finish<T>(self, values: Option<T>) -> Result<T, Response> {
        values.ok_or_else(|| failure(StatusCode::BAD_REQUEST, &self.errors.join(", ")))
    }
}

/// The answer, in gzip for whoever takes it.
fn told(result: Result<Response, Stop>, visit: &Visit) -> Result<Response, Problem> {
    let response = settled(result)?;
    Ok(if visit.gzip { gzip::encoded(response) } else { response })
}

/// A login in the shape these clients know.
fn log_in<'a>(who: &'a Identifier, password: &'a Password, visit: &'a Visit) -> LogIn<'a> {
    LogIn { who, password, shape: Shape::Loyalty, client: &visit.client, source: &visit.source }
}

fn success(tokens: &Tokens) -> Response {
    let body = Success {
        status: SUCCESS,
        user_id: &tokens.account.uuid,
        access_token: &tokens.access,
        refresh_token: tokens.refresh.reveal(),
    };
    respond::json(StatusCode::CREATED, &body)
}

fn failure(status: StatusCode, error: &str) -> Response {
    respond::json(status, &Failure { status: "Error", error })
}

/// The path takes other methods: no body says so.
pub(crate) fn method_not_allowed(allow: &'static str) -> Response {
    let mut response = respond::empty(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

fn undecodable() -> Response {
    failure(StatusCode::BAD_REQUEST, "failed to decode request")
}

fn conflict(error: &str) -> Response {
    failure(StatusCode::METHOD_NOT_ALLOWED, error)
}

fn token_error() -> Response {
    failure(StatusCode::BAD_REQUEST, "token error")
}
