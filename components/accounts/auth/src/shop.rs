//! The user service of the original shop, as far as signing on goes (contract 003, section 2.4), under `/user-api`: its
//! clients have a user name, log in with a form and carry their token in the header.
//!
//! Different on purpose: a user name has a form, a password must be worth the name, and nobody becomes administrator by
//! his name; the last two only while `legacy_rules` is off. There is no token for whoever asks.

use http::{HeaderValue, StatusCode, header};
use octo_core::{Clock, Entropy, KeyValue, Problem, Settings, Sql};
use octo_http::{
    Request, Response, caller,
    fastapi::{self, Body, Errors, Links, Place, STRING},
    form::Form,
    respond,
};
use octo_identity::{
    Refusal,
    accounts::{Account, Change, NewAccount},
    identifier::Identifier,
    password::{Password, Rules},
    shape::Shape,
    sign_on::LogIn,
    text::short,
    username::Username,
};
use serde::Serialize;
use serde_json::{Map, json};

use crate::{
    routes::Auth,
    stop::{Stop, settled},
};

/// Names that make administrators, under the original's rules.
const ADMIN_PREFIX: &str = "admin_";

/// A user as the shop's clients read it, the keys in its order.
#[derive(Serialize)]
struct User<'a> {
    username: &'a str,
    full_name: &'a str,
    phone: &'a str,
    id: String,
    created_at: String,
    total_spent: f64,
    is_admin: bool,
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    service: &'static str,
}

#[derive(Serialize)]
struct Token<'a> {
    access_token: &'a str,
    token_type: &'static str,
}

impl<S: Settings, D: Sql, K: KeyValue, C: Clock, E: Entropy> Auth<S, D, K, C, E> {
    /// Everything under `/user-api`.
    pub(crate) async fn shop(&self, request: Request) -> Result<Response, Problem> {
        let path = request.uri().path().to_owned();
        let shorter = path.trim_end_matches('/');
        if path == "/user-api" {
            return Ok(moved("/user-api/"));
        }
        if shorter != path && methods(shorter).is_some() {
            return Ok(fastapi::redirect(&request, shorter));
        }
        let Some(allow) = methods(&path) else { return Ok(fastapi::not_found()) };
        settled(match (path.strip_prefix("/user-api").unwrap_or_default(), request.method().as_str()) {
            ("/", "GET") => Ok(respond::json(StatusCode::OK, &json!({ "message": "User Service API" }))),
            ("/health", "GET") => {
                Ok(respond::json(StatusCode::OK, &Health { status: "ok", service: "user-service" }))
            }
            ("/users/register", "POST") => self.shop_register(request).await,
            ("/token", "POST") => self.shop_token(request).await,
            ("/users/me", "GET") => self.shop_me(request).await,
            ("/users/me", "PUT") => self.shop_change_me(request).await,
            _ => Ok(fastapi::method_not_allowed(allow)),
        })
    }

    async fn shop_register(&self, request: Request) -> Result<Response, Stop> {
        self.refuse_other_sites(&request)?;
        let visit = self.visit(&request)?;
        let rules = self.config()?.password_rules;
        let mut body = Body::read(request, Links::None)?;
        let read = |body: &mut Body, name| body.required(name, &STRING);
        let username =
            read(&mut body, "username").and_then(|text| checked(&mut body, "username", Username::new(text)));
        let full_name =
            read(&mut body, "full_name").and_then(|text| checked(&mut body, "full_name", short(text)));
        let phone = read(&mut body, "phone").and_then(|text| checked(&mut body, "phone", short(text)));
        let password = read(&mut body, "password")
            .and_then(|text| checked(&mut body, "password", Password::chosen(text, rules)));
        let values = username.zip(full_name).zip(phone.zip(password));
        let ((username, full_name), (phone, password)) = body.finish(values)?;

        let becomes_admin = rules == Rules::Legacy && username.as_str().starts_with(ADMIN_PREFIX);
        let new = NewAccount { email: None, username: Some(username), full_name, phone };
        let sign_on = self.sign_on()?;
        let mut account = match sign_on.register(&new, &password, &visit.source).await {
            Ok(account) => account,
            Err(Refusal::Taken) => {
                return Err(fastapi::detail(StatusCode::BAD_REQUEST, "Username already registered").into());
            }
            Err(Refusal::PasswordRepeatsName) => {
                let mut errors = Errors::new(Place::Body, Links::None);
                errors.refuse("password", "value_error", &value_error(&Refusal::PasswordRepeatsName));
                return Err(errors.into_response().into());
            }
            Err(refusal) => return Err(refusal.into()),
        };
        if becomes_admin {
            account = sign_on.make_administrator_by_name(account.id).await?;
        }
        Ok(user(&account))
    }

    async fn shop_token(&self, request: Request) -> Result<Response, Stop> {
        self.refuse_other_sites(&request)?;
        let visit = self.visit(&request)?;
        let form = Form::read(request)?;
        let mut errors = Errors::new(Place::Body, Links::None);
        let [username, password] = ["username", "password"].map(|name| errors.field(&form, name));
        let (username, password) = errors.finish(username.zip(password))?;
        let bad = || fastapi::challenge("Incorrect username or password");
        let who = Identifier::new(username.to_owned()).map_err(|_| bad())?;
        let password = Password::presented(password.to_owned()).map_err(|_| bad())?;
        let login = LogIn {
            who: &who,
            password: &password,
            shape: Shape::Shop,
            client: &visit.client,
            source: &visit.source,
        };
        match self.sign_on()?.log_in(&login).await {
            Ok(tokens) => {
                let body = Token { access_token: &tokens.access, token_type: "bearer" };
                Ok(respond::json(StatusCode::OK, &body))
            }
            Err(Refusal::BadCredentials) => Err(bad().into()),
            Err(refusal) => Err(refusal.into()),
        }
    }

    async fn shop_me(&self, request: Request) -> Result<Response, Stop> {
        let id = self.bearer_holder(&request).await?;
        Ok(user(&self.shop_account(id).await?))
    }

    /// Takes the fields of a form; what is empty or no form changes nothing.
    async fn shop_change_me(&self, request: Request) -> Result<Response, Stop> {
        let id = self.bearer_holder(&request).await?;
        let form = Form::read(request)?;
        let mut body = Body::new(Map::new(), Links::None);
        let [full_name, phone] = ["full_name", "phone"].map(|name| {
            let text = form.get(name).filter(|text| !text.is_empty());
            text.map_or(Some(None), |text| checked(&mut body, name, short(text.to_owned())).map(Some))
        });
        let (full_name, phone) = body.finish(full_name.zip(phone))?;
        if full_name.is_none() && phone.is_none() {
            return Ok(user(&self.shop_account(id).await?));
        }
        let change = Change { full_name, phone, ..Change::default() };
        Ok(user(&self.sign_on()?.change(id, &change).await?))
    }

    async fn shop_account(&self, id: i64) -> Result<Account, Stop> {
        self.sign_on()?.account(id).await.map_err(|refusal| match refusal {
            Refusal::NoSuchAccount => not_validated().into(),
            refusal => refusal.into(),
        })
    }

    async fn bearer_holder(&self, request: &Request) -> Result<i64, Stop> {
        if caller::bearer(request.headers()).is_none() {
            return Err(fastapi::challenge("Not authenticated").into());
        }
        match self.owner(request).await {
            Ok((id, _)) => Ok(id),
            Err(problem) if problem.status == StatusCode::UNAUTHORIZED => Err(not_validated().into()),
            Err(problem) => Err(problem.into()),
        }
    }
}

/// The methods of a path that there is.
fn methods(path: &str) -> Option<&'static str> {
    match path {
        "/user-api/" | "/user-api/health" => Some("GET"),
        "/user-api/users/register" | "/user-api/token" => Some("POST"),
        "/user-api/users/me" => Some("GET, PUT"),
        _ => None,
    }
}

/// 301, as the original's gateway answers where only a slash is missing.
fn moved(path: &'static str) -> Response {
    let mut response = respond::empty(StatusCode::MOVED_PERMANENTLY);
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(path));
    response
}

fn not_validated() -> Response {
    fastapi::challenge("Could not validate credentials")
}

fn checked<T, E: ToString>(body: &mut Body, name: &str, value: Result<T, E>) -> Option<T> {
    match value {
        Ok(value) => Some(value),
        Err(rule) => {
            body.refuse(name, &value_error(&rule));
            None
        }
    }
}

fn value_error(rule: &impl ToString) -> String {
    format!("Value error, {}", rule.to_string())
}

fn user(account: &Account) -> Response {
    let body = User {
        username: account.username.as_deref().or(account.email.as_deref()).unwrap_or(""),
        full_name: &account.full_name,
        phone: &account.phone,
        id: format!("{:08}", account.id),
        // Microseconds and no zone, as the original's clock writes it.
        created_at: account.created_at.to_string().replace('Z', "000"),
        // The shop's business, when it is there.
        total_spent: 0.0,
        is_admin: account.is_admin(),
    };
    respond::json(StatusCode::OK, &body)
}
