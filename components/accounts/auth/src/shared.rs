//! Routes that we share with the original systems. Their clients are told from ours by the content type, the fields they
//! send and how they carry their token (docs/COMPATIBILITY.md).

use axum::extract::{Path, State};
use http::header;
use octo_http::{
    App, Error, Request, Response,
    api::Mismatch,
    body::Fields,
    extract::Whole,
    fastapi::{self, FastApiError},
    form::Form,
};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    accounts::{self, AccountChange, NewAccountBody},
    administration::{self, GrantsChange},
    guards::{self, ClientContext},
    loyalty,
    message_handler::{self, UserRead},
    responses::{AccountBody, TokensBody},
    sessions::{self, Login, RefreshBody},
    shop,
};

/// Make an account
///
/// Clients of the message handler send its fields, and get its response.
#[utoipa::path(
    post, path = "/auth/register", tag = "accounts", operation_id = "register",
    request_body = NewAccountBody,
    responses(
        (status = 201, description = "The account is made.", body = inline(OwnAccount)),
        (status = 400, description = "The body cannot be read, or there is such a user of the message handler.", body = FastApiError),
        (status = 409, description = "There is an account with this address or user name."),
        (status = 422, description = "A field breaks a rule.", body = FastApiError),
        (status = 429, description = "There were too many registrations from one place."),
    )
)]
pub(crate) async fn register(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    guards::refuse_other_sites(&app, &request)?;
    let client = ClientContext::of(&app, &request)?;
    let fields = Fields::read(request)?;
    // The original's clients send their quota along.
    if ["paid_access", "free_messages_left", "refresh_at"].iter().any(|name| fields.has(name))
        && !fields.has("role")
    {
        message_handler::register(&app, fields, &client).await
    } else {
        accounts::register(&app, fields, &client).await
    }
}

/// Log in
///
/// With JSON and a `username`, which may be the address, you get tokens and a cookie. A form, or nothing at all, is the
/// message handler's; `email` in place of `username` the loyalty system's.
#[utoipa::path(
    post, path = "/auth/login", tag = "sessions", operation_id = "logIn",
    request_body(content((Login = "application/json"), (Login = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, description = "You are logged in.", body = TokensBody),
        (status = 201, description = "You are logged in, in the loyalty system's words.", body = loyalty::Success),
        (status = 204, description = "You are logged in with the message handler's cookie."),
        (status = 400, description = "The body cannot be read, or the message handler refuses you.", body = FastApiError),
        (status = 401, description = "The name or the password is wrong."),
        (status = 404, description = "The loyalty system knows no such user.", body = loyalty::Failure),
        (status = 422, description = "A field breaks a rule.", body = FastApiError),
        (status = 429, description = "There were too many attempts. `Retry-After` tells when the next is heard."),
    )
)]
pub(crate) async fn log_in(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    guards::refuse_other_sites(&app, &request)?;
    let client = ClientContext::of(&app, &request)?;
    let is_bare = !request.headers().contains_key(header::CONTENT_TYPE)
        && request.body().as_ref().is_ok_and(Vec::is_empty);
    if is_bare || Form::is_announced(request.headers()) {
        return message_handler::log_in(&app, request, &client).await;
    }
    let fields = Fields::read(request)?;
    if fields.has("email") && !fields.has("username") {
        loyalty::told(loyalty::log_in(&app, fields, &client).await, &client)
    } else {
        sessions::log_in(&app, fields, &client).await
    }
}

/// Get new tokens
///
/// Each refresh token is good for one use. The loyalty system's clients call it `token`.
#[utoipa::path(
    post, path = "/auth/refresh", tag = "sessions", operation_id = "refresh",
    request_body = RefreshBody,
    responses(
        (status = 200, description = "New tokens.", body = TokensBody),
        (status = 201, description = "New tokens, in the loyalty system's words.", body = loyalty::Success),
        (status = 401, description = "The refresh token is not accepted."),
        (status = 405, description = "The loyalty system's token is spent or of another kind.", body = loyalty::Failure),
        (status = 422, description = "A field breaks a rule."),
    )
)]
pub(crate) async fn refresh(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    let client = ClientContext::of(&app, &request)?;
    let fields = Fields::read(request)?;
    if fields.has("token") && !fields.has("refresh_token") {
        loyalty::told(loyalty::refresh(&app, fields).await, &client)
    } else {
        sessions::refresh(&app, fields, &client).await
    }
}

/// Log out
///
/// The session ends, and its tokens at every component. The loyalty system's clients send the token in the body, the
/// message handler's in the cookie.
#[utoipa::path(
    post, path = "/auth/logout", tag = "sessions", operation_id = "logOut",
    responses(
        (status = 200, description = "You are logged out, in the loyalty system's words.", body = loyalty::StatusBody),
        (status = 204, description = "You are logged out."),
        (status = 400, description = "The token in the body is none."),
        (status = 405, description = "The token in the body was revoked before.", body = loyalty::Failure),
        (status = 415, description = "The body is no JSON."),
        (status = 422, description = "The body is of another form."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn log_out(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    let has_body = request.body().as_ref().is_ok_and(|body| !body.is_empty());
    if request.headers().contains_key(header::AUTHORIZATION) {
        sessions::log_out(&app, request).await
    } else if has_body && !Form::is_announced(request.headers()) {
        let client = ClientContext::of(&app, &request)?;
        loyalty::told(loyalty::log_out(&app, Fields::read(request)?).await, &client)
    } else {
        message_handler::log_out(&app, request).await
    }
}

/// An account, in our words or in the message handler's.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code)]
enum OwnAccount<'a> {
    Octo(AccountBody<'a>),
    MessageHandler(UserRead<'a>),
}

/// See one's account
#[utoipa::path(
    get, path = "/users/me", tag = "accounts", operation_id = "getOwnAccount",
    responses(
        (status = 200, description = "The account; with the cookie in the message handler's words.",
         body = inline(OwnAccount)),
        (status = 401, description = "There is no accepted token.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn me(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    if is_originals(&request) {
        message_handler::me(&app, request).await
    } else {
        accounts::me(&app, request).await
    }
}

/// Change one's account
///
/// What others see of it, its address and user name, needs the password.
#[utoipa::path(
    patch, path = "/users/me", tag = "accounts", operation_id = "changeOwnAccount",
    request_body = AccountChange,
    responses(
        (status = 200, description = "The account as it is now.", body = inline(OwnAccount)),
        (status = 400, description = "The message handler refuses the change.", body = FastApiError),
        (status = 401, description = "There is no accepted token.", body = FastApiError),
        (status = 409, description = "Another account has the address or user name."),
        (status = 429, description = "There were too many attempts with a wrong password."),
        (status = 422, description = "A field breaks a rule.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn change_me(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    if is_update(&request, Some("paid_access")) {
        message_handler::change_me(&app, request).await
    } else {
        accounts::change_me(&app, request).await
    }
}

/// See an account
#[utoipa::path(
    get, path = "/users/{id}", tag = "administration", operation_id = "getUser",
    params(("id" = i64, Path, description = "The account's number.", minimum = 0)),
    responses(
        (status = 200, description = "The account.", body = inline(OwnAccount)),
        (status = 401, description = "There is no accepted token.", body = FastApiError),
        (status = 403, description = "You are no administrator.", body = FastApiError),
        (status = 404, description = "There is no such account.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn user(
    State(app): State<App>,
    Path(id): Path<String>,
    Whole(request): Whole,
) -> Result<Response, Error> {
    if is_originals(&request) {
        message_handler::user(&app, request, &id).await
    } else {
        administration::user(&app, request, &id).await
    }
}

/// Change an account
#[utoipa::path(
    patch, path = "/users/{id}", tag = "administration", operation_id = "changeUser",
    params(("id" = i64, Path, description = "The account's number.", minimum = 0)),
    request_body = GrantsChange,
    responses(
        (status = 200, description = "The account as it is now.", body = inline(OwnAccount)),
        (status = 401, description = "There is no accepted token.", body = FastApiError),
        (status = 403, description = "You are no administrator.", body = FastApiError),
        (status = 404, description = "There is no such account.", body = FastApiError),
        (status = 409, description = "It is the last active administrator."),
        (status = 422, description = "A field breaks a rule.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn change_user(
    State(app): State<App>,
    Path(id): Path<String>,
    Whole(request): Whole,
) -> Result<Response, Error> {
    if is_update(&request, None) {
        message_handler::user(&app, request, &id).await
    } else {
        administration::change_user(&app, request, &id).await
    }
}

/// Delete an account
#[utoipa::path(
    delete, path = "/users/{id}", tag = "administration", operation_id = "deleteUser",
    params(("id" = i64, Path, description = "The account's number.", minimum = 0)),
    responses(
        (status = 204, description = "It is gone, and its subscriptions end."),
        (status = 401, description = "There is no accepted token.", body = FastApiError),
        (status = 403, description = "You are no administrator.", body = FastApiError),
        (status = 404, description = "There is no such account.", body = FastApiError),
        (status = 409, description = "It is the last active administrator."),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn delete_user(
    State(app): State<App>,
    Path(id): Path<String>,
    Whole(request): Whole,
) -> Result<Response, Error> {
    if is_originals(&request) {
        message_handler::user(&app, request, &id).await
    } else {
        administration::delete_user(&app, request, &id).await
    }
}

/// Whether a request to a path that we share with the message handler is from one of its clients: they carry
/// their token in the cookie, ours in the header.
fn is_originals(request: &Request) -> bool {
    !request.headers().contains_key(header::AUTHORIZATION)
}

/// Members of a change that only theirs has.
const ONLY_THEIRS: [&str; 7] =
    ["id", "password", "free_messages_left", "refresh_at", "is_active", "is_superuser", "is_verified"];

/// The same of a change: theirs has one of its own members, or the one that is `further` theirs.
fn is_update(request: &Request, further: Option<&str>) -> bool {
    let body = request.body().as_ref().ok().and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    let has = |name| body.as_ref().is_some_and(|body| body.get(name).is_some());
    is_originals(request) && ONLY_THEIRS.into_iter().chain(further).any(has)
}

/// On a path that is an original's alone, a request that no route takes is told so in that system's way.
pub(crate) fn refused(request: &Request, mismatch: Mismatch<'_>) -> Option<Response> {
    let path = request.uri().path();
    if path.starts_with("/user-api") {
        return Some(shop::refused(request, mismatch));
    }
    let Mismatch::Method(allow) = mismatch else { return None };
    match path.trim_end_matches('/') {
        "/auth/request-verify-token" | "/auth/verify" | "/welcome" => {
            Some(fastapi::method_not_allowed(allow))
        }
        "/auth/registration" | "/auth/info" | "/auth/ready" | "/auth/healthz" => {
            Some(loyalty::method_not_allowed(allow))
        }
        _ => None,
    }
}
