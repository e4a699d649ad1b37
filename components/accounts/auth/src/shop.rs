//! The user service of the original shop, as far as signing on goes, under `/user-api`: its
//! clients have a user name, log in with a form and carry their token in the header.
//!
//! Different on purpose: a user name has a form, a password must be worth the name, and nobody becomes administrator by
//! his name. Under `legacy_rules` the original's own demonstrations work: weak passwords, administrators by their names, its
//! two demonstration accounts, and a token of one of them for anyone who asks.

use axum::extract::State;
use http::StatusCode;
use octo_core::Problem;
use octo_http::{
    App, Error, Request, Response,
    api::Mismatch,
    caller,
    extract::Whole,
    fastapi::{self, Body, Errors, FastApiError, Links, Place, STRING},
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
use serde_json::Map;
use utoipa::ToSchema;

use crate::guards::{self, ClientContext, config, sign_on};

/// Names that make administrators, under the original's rules.
const ADMIN_PREFIX: &str = "admin_";

/// A user as the shop's clients read it, the keys in its order.
#[derive(Serialize, ToSchema)]
#[schema(as = ShopUser)]
pub(crate) struct User<'a> {
    username: &'a str,
    full_name: &'a str,
    phone: &'a str,
    id: String,
    created_at: String,
    total_spent: f64,
    is_admin: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ShopHealth)]
pub(crate) struct Health {
    status: &'static str,
    service: &'static str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ShopTokenBody)]
pub(crate) struct Token<'a> {
    access_token: &'a str,
    token_type: &'static str,
}

/// What the shop sends to a request under `/user-api` that no route takes as it is.
pub(crate) fn refused(request: &Request, mismatch: Mismatch<'_>) -> Response {
    let path = request.uri().path();
    match mismatch {
        _ if path == "/user-api" => fastapi::moved("/user-api/"),
        Mismatch::Path => fastapi::not_found(),
        Mismatch::Method(allow) => fastapi::method_not_allowed(allow),
        Mismatch::Slash => fastapi::redirect(request, path.trim_end_matches('/')),
    }
}

/// A text for people.
#[derive(Serialize, ToSchema)]
#[schema(as = ShopRoot)]
pub(crate) struct Root {
    #[schema(example = "User Service API")]
    message: &'static str,
}

/// See what the shop's user service is
#[utoipa::path(
    get, path = "/user-api/", tag = "shop", operation_id = "shopRoot",
    responses((status = 200, description = "Its name.", body = Root))
)]
pub(crate) async fn root() -> Response {
    respond::json(StatusCode::OK, &Root { message: "User Service API" })
}

/// See whether the shop's user service is there
#[utoipa::path(
    get, path = "/user-api/health", tag = "shop", operation_id = "shopHealth",
    responses((status = 200, description = "It is.", body = Health))
)]
pub(crate) async fn health() -> Response {
    respond::json(StatusCode::OK, &Health { status: "ok", service: "user-service" })
}

/// The body of `POST /user-api/users/register`.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(crate) struct ShopRegistration {
    #[schema(example = "ada")]
    username: String,
    #[schema(example = "Ada Lovelace")]
    full_name: String,
    #[schema(example = "+44 20 7946 0000")]
    phone: String,
    #[schema(example = "correct horse battery staple")]
    password: String,
}

/// The form of `POST /user-api/token`.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(crate) struct ShopLogin {
    #[schema(example = "ada")]
    username: String,
    #[schema(example = "correct horse battery staple")]
    password: String,
}

/// The form of `PUT /user-api/users/me`.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(crate) struct ShopChange {
    full_name: Option<String>,
    phone: Option<String>,
}

/// Register, as the shop's clients do
#[utoipa::path(
    post, path = "/user-api/users/register", tag = "shop", operation_id = "shopRegister",
    request_body = ShopRegistration,
    responses(
        (status = 200, description = "The account is made.", body = User),
        (status = 400, description = "There is such a user.", body = FastApiError),
        (status = 422, description = "A field is wrong.", body = FastApiError),
        (status = 429, description = "There were too many registrations from one place."),
    )
)]
pub(crate) async fn register(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    guards::refuse_other_sites(&app, &request)?;
    let client = ClientContext::of(&app, &request)?;
    let rules = config(&app)?.password_rules;
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
    let sign_on = sign_on(&app)?;
    let mut account = match sign_on.register(&new, &password, &client.source).await {
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

/// Log in, as the shop's clients do
#[utoipa::path(
    post, path = "/user-api/token", tag = "shop", operation_id = "shopToken",
    request_body(content = ShopLogin, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token.", body = Token),
        (status = 401, description = "The name or the password is wrong.", body = FastApiError),
        (status = 422, description = "A field is missing.", body = FastApiError),
        (status = 429, description = "There were too many attempts."),
    )
)]
pub(crate) async fn token(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    guards::refuse_other_sites(&app, &request)?;
    let client = ClientContext::of(&app, &request)?;
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
        client: &client.name,
        source: &client.source,
    };
    let sign_on = sign_on(&app)?;
    let mut tokens = sign_on.log_in(&login).await;
    if matches!(tokens, Err(Refusal::BadCredentials))
        && let Some(demonstration) = Demonstration::of(&app, &form)?
    {
        demonstration.register(&app, &client).await?;
        tokens = sign_on.log_in(&login).await;
    }
    match tokens {
        Ok(tokens) => {
            let body = Token { access_token: &tokens.access, token_type: "bearer" };
            Ok(respond::json(StatusCode::OK, &body))
        }
        Err(Refusal::BadCredentials) => Err(bad().into()),
        Err(refusal) => Err(refusal.into()),
    }
}

/// An account that the original has from the start, and Octo makes when it is first used under `legacy_rules`.
#[derive(Clone, Copy)]
struct Demonstration {
    username: &'static str,
    password: &'static str,
    is_administrator: bool,
}

const DEMONSTRATIONS: [Demonstration; 2] = [
    Demonstration { username: "swagger_user", password: "password123", is_administrator: false },
    SWAGGER_ADMIN,
];

const SWAGGER_ADMIN: Demonstration =
    Demonstration { username: "swagger_admin", password: "admin123", is_administrator: true };

impl Demonstration {
    /// The account whose name and password the form has, if there are such accounts.
    fn of(app: &App, form: &Form) -> Result<Option<Self>, Error> {
        if config(app)?.password_rules != Rules::Legacy {
            return Ok(None);
        }
        let is_meant = |account: &&Self| {
            form.get("username") == Some(account.username) && form.get("password") == Some(account.password)
        };
        Ok(DEMONSTRATIONS.iter().find(is_meant).copied())
    }

    /// Makes the account, unless there is one of this name.
    async fn register(self, app: &App, client: &ClientContext) -> Result<(), Error> {
        let broken = |rule: &dyn ToString| Problem::internal().because(rule.to_string());
        let username = Username::new(self.username.to_owned()).map_err(|rule| broken(&rule))?;
        let password =
            Password::chosen(self.password.to_owned(), Rules::Legacy).map_err(|rule| broken(&rule))?;
        let full_name = self.username.to_owned();
        let new = NewAccount { email: None, username: Some(username), full_name, phone: String::new() };
        let sign_on = sign_on(app)?;
        match sign_on.register(&new, &password, &client.source).await {
            Ok(account) if self.is_administrator => {
                sign_on.make_administrator_by_name(account.id).await?;
                Ok(())
            }
            Ok(_) | Err(Refusal::Taken) => Ok(()),
            Err(refusal) => Err(refusal.into()),
        }
    }
}

/// The token of a demonstration account.
#[derive(Serialize, ToSchema)]
#[schema(as = ShopAdminTokenBody)]
pub(crate) struct AdminToken<'a> {
    access_token: &'a str,
    token_type: &'static str,
    #[schema(example = "swagger_admin")]
    username: &'static str,
    is_admin: bool,
}

/// Get a token of the shop's demonstration administrator
///
/// Only under `legacy_rules`: then it is for anyone.
#[utoipa::path(
    get, path = "/user-api/swagger-admin-token", tag = "shop", operation_id = "shopAdminToken",
    responses(
        (status = 200, description = "The token.", body = AdminToken),
        (status = 404, description = "There is no such account.", body = FastApiError),
        (status = 429, description = "There were too many attempts."),
    )
)]
pub(crate) async fn admin_token(State(app): State<App>, client: ClientContext) -> Result<Response, Error> {
    let none = || fastapi::detail(StatusCode::NOT_FOUND, "Swagger admin user not found");
    if config(&app)?.password_rules != Rules::Legacy {
        return Err(none().into());
    }
    SWAGGER_ADMIN.register(&app, &client).await?;
    let who = Identifier::new(SWAGGER_ADMIN.username.to_owned()).map_err(|_| none())?;
    let password = Password::presented(SWAGGER_ADMIN.password.to_owned()).map_err(|_| none())?;
    let login = LogIn {
        who: &who,
        password: &password,
        shape: Shape::Shop,
        client: &client.name,
        source: &client.source,
    };
    match sign_on(&app)?.log_in(&login).await {
        Ok(tokens) => {
            let username = SWAGGER_ADMIN.username;
            let body =
                AdminToken { access_token: &tokens.access, token_type: "bearer", username, is_admin: true };
            Ok(respond::json(StatusCode::OK, &body))
        }
        // Somebody has changed the password.
        Err(Refusal::BadCredentials) => Err(none().into()),
        Err(refusal) => Err(refusal.into()),
    }
}

/// See one's account, as the shop's clients do
///
/// They ask `orders`, which adds what the account has spent.
#[utoipa::path(
    get, path = "/internal/shop-users/me", tag = "internal", operation_id = "shopGetMe",
    responses(
        (status = 200, description = "The account.", body = User),
        (status = 401, description = "The token is not accepted.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn me(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    let id = bearer_holder(&app, &request).await?;
    Ok(user(&shop_account(&app, id).await?))
}

/// Change one's account, as the shop's clients do
///
/// What is empty or no form changes nothing. They ask `orders`, which adds what the account has spent.
#[utoipa::path(
    put, path = "/internal/shop-users/me", tag = "internal", operation_id = "shopChangeMe",
    request_body(content = ShopChange, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The account as it is now.", body = User),
        (status = 401, description = "The token is not accepted.", body = FastApiError),
        (status = 422, description = "A field is wrong.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn change_me(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    let id = bearer_holder(&app, &request).await?;
    let form = Form::read(request)?;
    let mut body = Body::new(Map::new(), Links::None);
    let [full_name, phone] = ["full_name", "phone"].map(|name| {
        let text = form.get(name).filter(|text| !text.is_empty());
        text.map_or(Some(None), |text| checked(&mut body, name, short(text.to_owned())).map(Some))
    });
    let (full_name, phone) = body.finish(full_name.zip(phone))?;
    if full_name.is_none() && phone.is_none() {
        return Ok(user(&shop_account(&app, id).await?));
    }
    let change = Change { full_name, phone, ..Change::default() };
    Ok(user(&sign_on(&app)?.change(id, &change).await?))
}

async fn shop_account(app: &App, id: i64) -> Result<Account, Error> {
    sign_on(app)?.account(id).await.map_err(|refusal| match refusal {
        Refusal::NoSuchAccount => not_validated().into(),
        refusal => refusal.into(),
    })
}

async fn bearer_holder(app: &App, request: &Request) -> Result<i64, Error> {
    if caller::bearer(request.headers()).is_none() {
        return Err(fastapi::challenge("Not authenticated").into());
    }
    match guards::owner(app, request).await {
        Ok((id, _)) => Ok(id),
        Err(problem) if problem.status == StatusCode::UNAUTHORIZED => Err(not_validated().into()),
        Err(problem) => Err(problem.into()),
    }
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
        // The shop's business: `orders` knows it.
        total_spent: 0.0,
        is_admin: account.is_admin(),
    };
    respond::json(StatusCode::OK, &body)
}
