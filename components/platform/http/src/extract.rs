//! What handlers take from a request. Each that fails is a problem that says what to do.

use axum::{
    extract::{FromRequest, FromRequestParts},
    http::request::Parts,
};
use http::StatusCode;
use octo_access::Role;
use octo_core::{Problem, settings};
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq;

use crate::{
    App, Caller, Error, Request, ServiceKey,
    body::{self, Fields},
    caller,
    exchange::BodyError,
    query::Query,
    respond,
};

/// Put into a request's extensions when its body was not read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unread(pub(crate) BodyError);

impl FromRequestParts<App> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let token = caller::token(&parts.method, &parts.headers);
        Ok(caller::authenticate(token, &app.store, &app.keys, &app.clock).await?)
    }
}

/// The number of an account whose role is administrator.
#[derive(Clone, Copy, Debug)]
pub struct Admin(pub i64);

impl FromRequestParts<App> for Admin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let claims = Caller::from_request_parts(parts, app).await?.claims;
        match (claims.role, claims.user_id()) {
            (Role::Admin, Some(id)) => Ok(Self(id)),
            _ => Err(respond::forbidden("An administrator is needed").into()),
        }
    }
}

/// Another component of this application, by the key they share.
#[derive(Clone, Copy, Debug)]
pub struct Internal;

impl FromRequestParts<App> for Internal {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        if has_service_key(parts, app).await? {
            return Ok(Self);
        }
        let title = "The key of this application is needed";
        let detail = "This is for other components of this application.";
        Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", title, detail)
            .header(http::header::WWW_AUTHENTICATE, r#"Bearer realm="octo""#)
            .into())
    }
}

/// A system that works with ours: a component of this application, or an account with the role `service` or `admin`.
#[derive(Clone, Copy, Debug)]
pub struct Service;

impl FromRequestParts<App> for Service {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        // A token has points, a key has none.
        let is_token = caller::bearer(&parts.headers).is_some_and(|presented| presented.contains('.'));
        if !is_token && has_service_key(parts, app).await? {
            return Ok(Self);
        }
        service_account(parts, app, "A service is needed").await.map(|()| Self)
    }
}

/// Whether the bearer credential is the key of this component.
async fn has_service_key(parts: &Parts, app: &App) -> Result<bool, Error> {
    match caller::bearer(&parts.headers) {
        Some(presented) => Ok(ServiceKey::new(&app.store, app.name).accepts(presented).await?),
        None => Ok(false),
    }
}

/// An account with the role `service` or `admin`, or a refusal that says who is needed.
pub async fn service_account(parts: &mut Parts, app: &App, needed: &'static str) -> Result<(), Error> {
    match Caller::from_request_parts(parts, app).await?.claims.role {
        Role::Admin | Role::Service => Ok(()),
        Role::User => Err(respond::forbidden(needed).into()),
    }
}

/// Whether the bearer credential is the key in the variable `name`, which an operator gave to a program of theirs. An
/// empty variable is no key.
///
/// # Errors
/// When this component is not given the variable.
pub fn has_operator_key(headers: &http::HeaderMap, app: &App, name: &str) -> Result<bool, Problem> {
    let key = settings::text(&app.settings, name)?;
    let presented = caller::bearer(headers).unwrap_or("");
    Ok(!key.is_empty() && key.as_bytes().ct_eq(presented.as_bytes()).into())
}

/// A program that may collect metrics: it has the operator's `metrics_key`, or an access token.
#[derive(Clone, Copy, Debug)]
pub struct Collector;

impl FromRequestParts<App> for Collector {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        if !has_operator_key(&parts.headers, app, "metrics_key")? {
            Caller::from_request_parts(parts, app).await?;
        }
        Ok(Self)
    }
}

impl FromRequestParts<App> for Query {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Error> {
        Ok(Query::of(&parts.uri))
    }
}

/// The request itself, its body read: for handlers that tell the clients of several systems apart.
#[derive(Debug)]
pub struct Whole(pub Request);

impl FromRequest<App> for Whole {
    type Rejection = Error;

    async fn from_request(request: axum::extract::Request, _: &App) -> Result<Self, Error> {
        let (head, body) = request.into_parts();
        let body = match head.extensions.get::<Unread>() {
            Some(Unread(error)) => Err(*error),
            None => {
                axum::body::to_bytes(body, usize::MAX).await.map(Vec::from).map_err(|_| BodyError::Broken)
            }
        };
        Ok(Self(http::Request::from_parts(head, body)))
    }
}

impl FromRequest<App> for Fields {
    type Rejection = Error;

    async fn from_request(request: axum::extract::Request, app: &App) -> Result<Self, Error> {
        let Whole(request) = Whole::from_request(request, app).await?;
        Ok(Fields::read(request)?)
    }
}

/// A JSON body of any form. What is wrong with it is told with the place, as a JSON pointer (RFC 6901).
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: axum::extract::Request, app: &App) -> Result<Self, Error> {
        let Whole(request) = Whole::from_request(request, app).await?;
        Ok(Self(body::json(request)?))
    }
}
