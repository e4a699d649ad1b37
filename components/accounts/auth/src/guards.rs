//! Who sends a request, and whether they may.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::{HeaderMap, Method, StatusCode, header, request::Parts};
use octo_access::Role;
use octo_core::{
    Clock, Entropy, KeyValue, Problem, SettingError, Settings, Sql, async_trait, settings, sql::Database,
};
use octo_http::{
    App, Caller, Error, Request,
    caller::{self, KeySource, NoKeys},
    cors, gzip, path, platform, respond, same_site, source,
};
use octo_identity::Config;

/// Sign-on on the ports of this component.
pub(crate) type SignOn<'a> =
    octo_identity::SignOn<'a, Arc<dyn Sql>, Arc<dyn KeyValue>, Arc<dyn Clock>, Arc<dyn Entropy>>;

pub(crate) fn sign_on(app: &App) -> Result<SignOn<'_>, Problem> {
    Ok(SignOn::new(&app.sql, &app.store, &app.clock, &app.entropy, config(app)?))
}

pub(crate) fn config(app: &App) -> Result<Config, Problem> {
    Ok(Config::read(&app.settings)?)
}

/// Whether the variables are right.
pub(crate) fn check_settings(settings: &dyn Settings) -> Result<(), SettingError> {
    Config::read(&settings)?;
    proxies(&settings)?;
    Database::read(&settings).map(drop)
}

fn proxies(settings: &impl Settings) -> Result<usize, SettingError> {
    settings::number(settings, "trusted_proxies", 0..=16)
}

/// The keys are here: no other component has to be asked.
struct OwnKeys(App);

/// The keys of access tokens, from where they are kept.
#[cfg_attr(not(target_family = "wasm"), allow(dead_code))]
pub(crate) fn own_keys(app: &App) -> Arc<dyn KeySource> {
    Arc::new(OwnKeys(app.clone()))
}

#[async_trait]
impl KeySource for OwnKeys {
    async fn jwks(&self) -> Result<Vec<u8>, NoKeys> {
        let keys = sign_on(&self.0).map_err(|_| NoKeys::Now)?.keys().await.map_err(|_| NoKeys::Now)?;
        Ok(keys.to_string().into_bytes())
    }
}

/// The owner of an account, by an accepted token.
#[derive(Debug)]
pub(crate) struct Owner {
    /// The account's number.
    pub(crate) id: i64,
    /// The token.
    pub(crate) caller: Caller,
}

impl FromRequestParts<App> for Owner {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let id = caller.claims.user_id().ok_or_else(respond::not_found)?;
        Ok(Self { id, caller })
    }
}

/// The same of a request that is looked at as a whole.
pub(crate) async fn owner(app: &App, request: &Request) -> Result<(i64, Caller), Problem> {
    let token = caller::token(request.method(), request.headers());
    let caller = caller::authenticate(token, &app.store, &app.keys, &app.clock).await?;
    let id = caller.claims.user_id().ok_or_else(respond::not_found)?;
    Ok((id, caller))
}

/// The number of an administrator's account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Administrator(pub(crate) i64);

impl FromRequestParts<App> for Administrator {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let Owner { id, caller } = Owner::from_request_parts(parts, app).await?;
        Ok(Self(administrator(app, id, &caller).await?))
    }
}

/// What a token says was true when it was signed, and what a record says when it was written: the database is asked.
pub(crate) async fn administrator(app: &App, id: i64, caller: &Caller) -> Result<i64, Error> {
    match caller.claims.role {
        Role::Admin if sign_on(app)?.is_administrator(id).await? => Ok(id),
        _ => Err(respond::forbidden("An administrator is needed").into()),
    }
}

/// What a login or a refresh needs to know of how the client came.
#[derive(Debug)]
pub(crate) struct ClientContext {
    /// Whether the client speaks TLS, to us or to the proxy in front.
    pub(crate) secure: bool,
    /// What the client says it is.
    pub(crate) name: String,
    /// Its network address.
    pub(crate) source: String,
    /// Whether it may be given a cookie: not when a page of another site made it ask.
    pub(crate) takes_cookie: bool,
    /// Whether it takes a body in gzip.
    pub(crate) gzip: bool,
}

impl ClientContext {
    pub(crate) fn of(app: &App, request: &Request) -> Result<Self, Problem> {
        Self::read(app, request.method(), request.headers())
    }

    fn read(app: &App, method: &Method, headers: &HeaderMap) -> Result<Self, Problem> {
        let name = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self {
            secure: platform::is_https(headers),
            name: name.unwrap_or("").to_owned(),
            source: source::of(headers, proxies(&app.settings)?),
            takes_cookie: !same_site::is_forged(method, headers),
            gzip: gzip::is_accepted(headers),
        })
    }
}

impl FromRequestParts<App> for ClientContext {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        Ok(Self::read(app, &parts.method, &parts.headers)?)
    }
}

/// Before an attempt or a registration is counted: a page of another site must not use up those of a person who looks
/// at it. Pages of origins that the operator allows may sign people on.
pub(crate) fn refuse_other_sites(app: &App, request: &Request) -> Result<(), Problem> {
    if cors::allows(&app.settings, request) { Ok(()) } else { refuse_forged(request) }
}

/// Whether the request could only have come from a page of another site.
pub(crate) fn refuse_forged(request: &Request) -> Result<(), Problem> {
    if !same_site::is_forged(request.method(), request.headers()) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "another-site",
        "A page of another site sent this request",
        "Log in from a page of this application, or from a program.",
    ))
}

/// The number of an account, as its path has it.
pub(crate) fn account_id(text: &str) -> Result<i64, Problem> {
    path::id(text).ok_or_else(respond::not_found)
}
