//! Who asks.

use std::time::Duration;

use axum::extract::FromRequestParts;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header, request::Parts};
use octo_access::Role;
use octo_core::{HttpOut, Problem, ports::CallLimits, settings::switch};
use octo_http::{
    App, Caller, Error, Response, caller, cookie,
    fastapi::{self, BOOLEAN, Errors, Links, Place},
    same_site,
};
use octo_shop::{Carts, Customer, checkout::Buyer, customer};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{product_store::User, sql};

/// The cookie of a guest's cart.
const CART: &str = "cart";

/// How long a browser keeps it: as long as the cart is kept.
const CART_SECS: u64 = 30 * 24 * 3600;

/// Longest name that a client of the original gives itself.
const MAX_NAME: usize = 200;

/// Where `auth` tells of accounts as the original's user service does.
const USERS: &str = "http://auth.spin.internal/internal/shop-users/me";

const AUTH_LIMITS: CallLimits = CallLimits { timeout: Duration::from_secs(5), max_answer: 16 * 1024 };

/// Who asks.
#[derive(Clone, Debug)]
pub struct Shopper {
    /// Whose cart and orders are theirs.
    pub customer: Customer,
    /// Whether everybody's are theirs to see.
    pub is_administrator: bool,
    /// Whether they have paid access.
    pub paid_access: bool,
    token: Option<String>,
}

impl Shopper {
    fn without_account(customer: Customer) -> Self {
        Self { customer, is_administrator: false, paid_access: false, token: None }
    }

    fn of(caller: &Caller, token: Option<&str>) -> Result<Self, Problem> {
        let id = caller.claims.user_id();
        let id = id.ok_or_else(|| Problem::internal().because("a token without a number"))?;
        Ok(Self {
            customer: Customer::Account(id),
            is_administrator: caller.claims.role == Role::Admin,
            paid_access: caller.claims.paid_access,
            token: token.map(str::to_owned),
        })
    }

    /// What the shopper is called: the shop asks `auth` once, and remembers.
    ///
    /// # Errors
    /// When neither can be asked.
    pub async fn name(&self, app: &App) -> Result<String, Problem> {
        if let Customer::Named(name) = &self.customer {
            return Ok(name.clone());
        }
        let sql = sql(app);
        if let Some(name) = customer::name(&sql, &self.customer).await? {
            return Ok(name);
        }
        let name = self.user(app).await?.username;
        customer::remember(&sql, &self.customer, &name).await?;
        Ok(name)
    }

    /// The account as `auth` shows it to the original's clients.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn user(&self, app: &App) -> Result<User, Problem> {
        let token = format!("Bearer {}", self.token.as_deref().unwrap_or(""));
        let mut headers = HeaderMap::new();
        if let Ok(token) = HeaderValue::from_str(&token) {
            headers.insert(header::AUTHORIZATION, token);
        }
        let response = ask_auth(app, Method::GET, &headers, Vec::new()).await?;
        let away = |reason: String| Problem::unavailable().because(reason);
        if response.status() != StatusCode::OK {
            return Err(away(format!("`auth` answered {}", response.status())));
        }
        serde_json::from_slice(response.body()).map_err(|error| away(error.to_string()))
    }

    /// The shopper as somebody who orders.
    ///
    /// # Errors
    /// When it cannot be found out what the shopper is called.
    pub async fn buyer(&self, app: &App) -> Result<Buyer, Problem> {
        let name = self.name(app).await?;
        Ok(Buyer { customer: self.customer.clone(), name, paid_access: self.paid_access })
    }

    /// Whether this may be seen: it is the shopper's own, or the shopper is an administrator.
    pub fn may_see(&self, owner: &str) -> bool {
        self.is_administrator || self.customer.owner() == owner
    }
}

/// What `auth` says of the account whose token a request carries.
///
/// # Errors
/// When it does not answer.
pub async fn ask_auth(
    app: &App,
    method: Method,
    headers: &HeaderMap,
    body: Vec<u8>,
) -> Result<http::Response<Vec<u8>>, Problem> {
    let away = |reason: String| Problem::unavailable().because(reason);
    let mut request = Request::builder().method(method).uri(USERS);
    for name in [header::AUTHORIZATION, header::CONTENT_TYPE] {
        if let Some(value) = headers.get(&name) {
            request = request.header(name, value);
        }
    }
    let request = request.body(body).map_err(|error| away(error.to_string()))?;
    app.http.send(request, AUTH_LIMITS).await.map_err(|error| away(error.to_string()))
}

impl FromRequestParts<App> for Shopper {
    type Rejection = Error;

    /// For our own routes: an account.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let caller = Caller::from_request_parts(parts, app).await?;
        Ok(Self::of(&caller, caller::token(&parts.method, &parts.headers))?)
    }
}

/// A shopper who need not have an account: then a cookie says which cart it is.
#[derive(Debug)]
pub struct Visitor {
    /// Who asks.
    pub shopper: Shopper,
    cookie: Option<HeaderValue>,
}

impl Visitor {
    /// The response, with the cookie that the browser needs from now on.
    #[must_use]
    pub fn remembered(self, mut response: Response) -> Response {
        if let Some(cookie) = self.cookie {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}

/// `Set-Cookie` for a guest's cart.
fn cart_cookie(value: &str, max_age: u64) -> Option<HeaderValue> {
    let text = format!("{CART}={value}; HttpOnly; Max-Age={max_age}; Path=/; SameSite=lax");
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The guest whose cookie this is. What is kept is its digest: who reads the database cannot use it.
fn guest(uuid: Uuid) -> Customer {
    Customer::Guest(BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(uuid.as_bytes())))
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Error;

    /// Who logs in takes over what is in the cart of the same browser.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let forged = same_site::is_forged(&parts.method, &parts.headers);
        let known = cookie::read(&parts.headers, CART).filter(|_| !forged);
        let known = known.and_then(|text| Uuid::try_parse(text).ok());
        if caller::token(&parts.method, &parts.headers).is_some() {
            let shopper = Shopper::from_request_parts(parts, app).await?;
            let Some(uuid) = known else { return Ok(Self { shopper, cookie: None }) };
            Carts::new(&sql(app)).take_over(&guest(uuid), &shopper.customer).await?;
            return Ok(Self { shopper, cookie: cart_cookie("", 0) });
        }
        let uuid = match known {
            Some(uuid) => uuid,
            None => Uuid::try_parse(&octo_shop::uuid(&app.entropy))
                .map_err(|error| Problem::internal().because(error))?,
        };
        let cookie = if parts.method.is_safe() { None } else { cart_cookie(&uuid.to_string(), CART_SECS) };
        Ok(Self { shopper: Shopper::without_account(guest(uuid)), cookie })
    }
}

/// What a request of an original's client says of who sends it.
#[derive(Debug)]
pub enum Presented {
    /// Nothing.
    Nothing,
    /// Something that is no token of ours, or not any more.
    Unusable,
    /// An account, or under `legacy_rules` a name.
    Shopper(Shopper),
}

/// Who sends a request. Under `legacy_rules` a client may give itself a name, in `X-User-ID` or in place of a token, as the
/// original has it. The name is no account's, whatever it is: it has a cart and orders of its own.
///
/// # Errors
/// When it cannot be found out.
pub async fn presented(parts: &mut Parts, app: &App) -> Result<Presented, Error> {
    let legacy = switch(&app.settings, "legacy_rules")?;
    let is_sent = parts.headers.contains_key(header::AUTHORIZATION);
    if let Some(token) = caller::token(&parts.method, &parts.headers).map(str::to_owned) {
        match Caller::from_request_parts(parts, app).await {
            Ok(caller) => return Ok(Presented::Shopper(Shopper::of(&caller, Some(&token))?)),
            Err(Error::Problem(problem)) if problem.status == StatusCode::UNAUTHORIZED => {}
            Err(error) => return Err(error),
        }
    }
    if legacy {
        let header = parts.headers.get("x-user-id").and_then(|value| value.to_str().ok());
        let name = header.or_else(|| caller::bearer(&parts.headers));
        if let Some(name) = name.filter(|name| (1..=MAX_NAME).contains(&name.len())) {
            return Ok(Presented::Shopper(Shopper::without_account(Customer::Named(name.to_owned()))));
        }
    }
    Ok(if is_sent { Presented::Unusable } else { Presented::Nothing })
}

/// A client of the original's cart and order services.
#[derive(Debug)]
pub struct Client(pub Shopper);

impl FromRequestParts<App> for Client {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let refused = |text| Err(fastapi::challenge(text).into());
        match presented(parts, app).await? {
            Presented::Shopper(shopper) => Ok(Self(shopper)),
            Presented::Nothing => refused("Authorization header missing"),
            Presented::Unusable => refused("Invalid authorization header"),
        }
    }
}

/// A client of the original's user service.
#[derive(Debug)]
pub struct UserClient(pub Shopper);

impl FromRequestParts<App> for UserClient {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let is_bearer = caller::bearer(&parts.headers).is_some();
        match presented(parts, app).await? {
            Presented::Shopper(shopper) if shopper.customer.account().is_some() => Ok(Self(shopper)),
            _ if is_bearer => Err(fastapi::challenge("Could not validate credentials").into()),
            _ => Err(fastapi::challenge("Not authenticated").into()),
        }
    }
}

/// Whether the sender of a request is an administrator to the original's cart and order services: by the account, or, under
/// `legacy_rules`, because the header `admin` says so.
///
/// # Errors
/// When the header cannot be read.
pub fn is_administrator(headers: &HeaderMap, app: &App, shopper: Option<&Shopper>) -> Result<bool, Error> {
    if shopper.is_some_and(|shopper| shopper.is_administrator) {
        return Ok(true);
    }
    let Some(value) = headers.get("admin") else { return Ok(false) };
    if !switch(&app.settings, "legacy_rules")? {
        return Ok(false);
    }
    let value = Value::from(value.to_str().unwrap_or(""));
    BOOLEAN.read(value.clone()).map_err(|rule| {
        let mut errors = Errors::new(Place::Header, Links::None);
        errors.refuse_value("admin", rule, value);
        errors.into_response().into()
    })
}
