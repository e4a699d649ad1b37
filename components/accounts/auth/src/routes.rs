//! Which request is whose: ours, or one of the original systems', whose clients are told apart by the path, the
//! content type, the fields they send and how they carry their token (docs/COMPATIBILITY.md).

use std::cell::Cell;

use http::{StatusCode, header};
use octo_core::{Clock, Entropy, KeyValue, Problem, Settings, Sql, settings};
use octo_http::{
    Request, Response, body::Fields, cors, fastapi, form::Form, gzip, path, platform, respond, same_site,
    source,
};
use octo_identity::{Config, SignOn};
use serde_json::Value;

use crate::{loyalty, own::start};

/// Largest body read, in bytes: names, a password, and what the originals' clients add (a small picture).
pub(crate) const MAX_BODY: usize = 256 * 1024;

/// Sign-on on its ports.
pub(crate) struct Auth<S, D, K, C, E> {
    pub(crate) settings: S,
    pub(crate) sql: D,
    pub(crate) store: K,
    pub(crate) clock: C,
    pub(crate) entropy: E,
    /// Somebody asked for the keys, and so has not found them in the shared store.
    pub(crate) keys_asked_for: Cell<bool>,
}

impl<S: Settings, D: Sql, K: KeyValue, C: Clock, E: Entropy> Auth<S, D, K, C, E> {
    /// Answers one request.
    pub(crate) async fn handle(&self, request: Request) -> Result<Response, Problem> {
        let request = gzip::decoded(request, MAX_BODY)?;
        let path = request.uri().path().to_owned();
        if path.starts_with("/user-api") {
            return self.shop(request).await;
        }
        let path = path.trim_end_matches('/');
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match (parts.as_slice(), request.method().as_str()) {
            (["auth", "register"], "POST") => self.register(request).await,
            (["auth", "login"], "POST") => self.log_in(request).await,
            (["auth", "refresh"], "POST") => self.refresh(request).await,
            (["auth", "logout"], "POST") => self.log_out(request).await,
            (["auth", "sessions"], "GET") => self.sessions(request).await,
            (["auth", "sessions"], "DELETE") => self.end_sessions(request).await,
            (["auth", "sessions", id], "DELETE") => self.end_session(request, id).await,
            (["auth", "password"], "POST") => self.change_password(request).await,
            (["auth", "revoke"], "POST") => self.revoke(request).await,
            (["auth", "introspect"], "POST") => self.introspect(request).await,
            (["auth", "administrators"], "POST") => self.make_first_administrator(request).await,
            (["auth", "audit"], "GET") => self.audit(request).await,
            (["auth", "keys"], "POST") => self.replace_key(request).await,
            ([".well-known", "jwks.json"], "GET") => self.keys().await,
            ([], "GET") => Ok(start::start(request.headers())),

            (["auth", "request-verify-token"], "POST") => self.request_verify_token(request).await,
            (["auth", "verify"], "POST") => self.verify(request).await,
            (["welcome"], "GET") => self.welcome(request).await,

            (["auth", "registration"], "POST") => self.loyalty_register(request).await,
            (["auth", "info"], "GET") => self.loyalty_info(request).await,
            (["auth", "ready" | "healthz"], "GET") => self.loyalty_ready(request).await,

            (["users"], "GET") => self.users(request).await,
            (["users", "me"], "GET") if is_originals(&request) => self.handler_me(request).await,
            (["users", "me"], "PATCH") if is_update(&request, Some("paid_access")) => {
                self.handler_change_me(request).await
            }
            (["users", "me"], "GET") => self.me(request).await,
            (["users", "me"], "PATCH") => self.change_me(request).await,
            (["users", "me"], "DELETE") => self.delete_me(request).await,
            (["users", id], "GET" | "DELETE") if is_originals(&request) => {
                self.handler_user(request, id).await
            }
            (["users", id], "PATCH") if is_update(&request, None) => self.handler_user(request, id).await,
            (["users", id], "GET") => self.user(request, id).await,
            (["users", id], "PATCH") => self.change_user(request, id).await,
            (["users", id], "DELETE") => self.delete_user(request, id).await,
            (["users", id, "sessions"], "GET") => self.user_sessions(request, id).await,
            (["users", id, "sessions"], "DELETE") => self.end_user_sessions(request, id).await,

            (["internal", "settings"], "GET") => self.settings().await,
            (["internal", "jobs", "drain"], "POST") => self.drain(request).await,
            (["internal", "audit"], "POST") => self.note_act(request).await,
            (["internal", "accounts", id], "GET") => self.account_for_service(request, id).await,
            (["internal", "accounts", id, "subscription"], "PUT") => self.note_subscribed(request, id).await,

            (parts, _) => refused(parts),
        }
    }

    /// `POST /auth/register`: the original's clients send their quota along.
    async fn register(&self, request: Request) -> Result<Response, Problem> {
        self.refuse_other_sites(&request)?;
        let visit = self.visit(&request)?;
        let fields = Fields::read(request)?;
        if ["paid_access", "free_messages_left", "refresh_at"].iter().any(|name| fields.has(name))
            && !fields.has("role")
        {
            self.handler_register(fields, &visit).await
        } else {
            self.own_register(fields, &visit).await
        }
    }

    /// `POST /auth/login`: a form, or nothing at all, is the message handler's, `email` the loyalty system's, `username` ours.
    async fn log_in(&self, request: Request) -> Result<Response, Problem> {
        self.refuse_other_sites(&request)?;
        let visit = self.visit(&request)?;
        let is_bare = !request.headers().contains_key(header::CONTENT_TYPE)
            && request.body().as_ref().is_ok_and(Vec::is_empty);
        if is_bare || Form::is_announced(request.headers()) {
            return self.handler_log_in(request, &visit).await;
        }
        let fields = Fields::read(request)?;
        if fields.has("email") && !fields.has("username") {
            self.loyalty_log_in(fields, &visit).await
        } else {
            self.own_log_in(fields, &visit).await
        }
    }

    /// `POST /auth/refresh`: the loyalty system calls the refresh token `token`.
    async fn refresh(&self, request: Request) -> Result<Response, Problem> {
        let visit = self.visit(&request)?;
        let fields = Fields::read(request)?;
        if fields.has("token") && !fields.has("refresh_token") {
            self.loyalty_refresh(fields, &visit).await
        } else {
            self.own_refresh(fields, &visit).await
        }
    }

    /// `POST /auth/logout`: the loyalty system sends the token in the body, the message handler in the cookie.
    async fn log_out(&self, request: Request) -> Result<Response, Problem> {
        let has_body = request.body().as_ref().is_ok_and(|body| !body.is_empty());
        if request.headers().contains_key(header::AUTHORIZATION) {
            self.own_log_out(request).await
        } else if has_body && !Form::is_announced(request.headers()) {
            let visit = self.visit(&request)?;
            self.loyalty_log_out(Fields::read(request)?, &visit).await
        } else {
            self.handler_log_out(request).await
        }
    }

    /// Puts the keys where they were not found. Only after the answer: that store may be away, and then
    /// nobody should wait for it.
    pub(crate) async fn finish(&self) {
        if self.keys_asked_for.get()
            && let Ok(sign_on) = self.sign_on()
        {
            // The next who asks tries again.
            let _unpublished = sign_on.publish_keys().await;
        }
    }

    pub(crate) fn sign_on(&self) -> Result<SignOn<'_, D, K, C, E>, Problem> {
        Ok(SignOn::new(&self.sql, &self.store, &self.clock, &self.entropy, self.config()?))
    }

    pub(crate) fn visit(&self, request: &Request) -> Result<Visit, Problem> {
        let headers = request.headers();
        let client = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        let proxies = settings::number(&self.settings, "trusted_proxies", 0..=16)?;
        Ok(Visit {
            secure: platform::is_https(headers),
            client: client.unwrap_or("").to_owned(),
            source: source::of(headers, proxies),
            takes_cookie: !same_site::is_forged(request),
            gzip: gzip::is_accepted(headers),
        })
    }

    /// Before an attempt or a registration is counted: a page of another site must not use up those of a person who looks
    /// at it. Pages of origins that the operator allows may sign people on.
    pub(crate) fn refuse_other_sites(&self, request: &Request) -> Result<(), Problem> {
        if cors::allows(&self.settings, request) { Ok(()) } else { refuse_forged(request) }
    }

    pub(crate) fn config(&self) -> Result<Config, Problem> {
        Ok(Config::read(&self.settings)?)
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

/// Nobody asks so. On a path that is an original's alone it is told in that system's way.
fn refused(parts: &[&str]) -> Result<Response, Problem> {
    match (parts, allowed(parts)) {
        (["auth", "request-verify-token" | "verify"] | ["welcome"], Some(allow)) => {
            Ok(fastapi::method_not_allowed(allow))
        }
        (["auth", "registration" | "info" | "ready" | "healthz"], Some(allow)) => {
            Ok(loyalty::method_not_allowed(allow))
        }
        (_, Some(allow)) => Err(respond::method_not_allowed(allow)),
        (_, None) => Err(respond::not_found()),
    }
}

/// The methods of a path that there is.
fn allowed(parts: &[&str]) -> Option<&'static str> {
    Some(match parts {
        ["auth", "sessions"] => "GET, DELETE",
        ["auth", "sessions", _] => "DELETE",
        ["auth", "audit" | "info" | "ready" | "healthz"] | [".well-known", "jwks.json"] | ["welcome"] => {
            "GET"
        }
        ["auth", name] if POSTED.contains(name) => "POST",
        [] | ["users"] => "GET",
        ["users", _] => "GET, PATCH, DELETE",
        ["users", _, "sessions"] => "GET, DELETE",
        _ => return None,
    })
}

const POSTED: [&str; 12] = [
    "keys",
    "register",
    "login",
    "refresh",
    "logout",
    "password",
    "revoke",
    "introspect",
    "administrators",
    "request-verify-token",
    "verify",
    "registration",
];

/// What a login or a refresh needs to know of how the client came.
pub(crate) struct Visit {
    /// Whether the client speaks TLS, to us or to the proxy in front.
    pub(crate) secure: bool,
    /// What the client says it is.
    pub(crate) client: String,
    /// Its network address.
    pub(crate) source: String,
    /// Whether it may be given a cookie: not when a page of another site made it ask.
    pub(crate) takes_cookie: bool,
    /// Whether it takes a body in gzip.
    pub(crate) gzip: bool,
}

/// The number of an account, as its path has it.
pub(crate) fn account_id(text: &str) -> Result<i64, Problem> {
    path::id(text).ok_or_else(respond::not_found)
}

/// Whether the request could only have come from a page of another site.
pub(crate) fn refuse_forged(request: &Request) -> Result<(), Problem> {
    if !same_site::is_forged(request) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "another-site",
        "A page of another site sent this request",
        "Log in from a page of this application, or from a program.",
    ))
}
