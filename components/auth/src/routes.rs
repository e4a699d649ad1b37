//! The routes, each readable in one breath: who, what, do, answer.

use std::cell::Cell;

use http::{HeaderMap, Method, StatusCode, header};
use octo_core::{Clock, Entropy, KeyValue, Problem, Settings, Sql};
use octo_edge::{
    Caller, Request, Response,
    body::Fields,
    caller::{self, KeySource},
    cookie, respond,
};
use octo_identity::{
    Config, Refusal, SignOn, accounts::Account, email::Email, password::Password, refresh::RefreshToken,
    sign_on::Tokens,
};
use octo_token::Role;
use serde::Serialize;

/// Largest body read, in bytes: an address, a password and the JSON around them.
pub(crate) const MAX_BODY: usize = 16 * 1024;

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
        let path = request.uri().path().trim_end_matches('/').to_owned();
        match (path.as_str(), request.method()) {
            ("/auth/register", &Method::POST) => self.register(request).await,
            ("/auth/login", &Method::POST) => self.log_in(request).await,
            ("/auth/refresh", &Method::POST) => self.refresh(request).await,
            ("/auth/logout", &Method::POST) => self.log_out(request).await,
            ("/auth/administrators", &Method::POST) => self.make_first_administrator(request).await,
            (
                "/auth/register" | "/auth/login" | "/auth/refresh" | "/auth/logout" | "/auth/administrators",
                _,
            ) => Err(respond::method_not_allowed("POST")),
            ("/.well-known/jwks.json", &Method::GET) => self.keys().await,
            ("/.well-known/jwks.json", _) => Err(respond::method_not_allowed("GET")),
            ("/users/me", &Method::GET) => self.me(request).await,
            ("/users/me", _) => Err(respond::method_not_allowed("GET")),
            (path, method) => match path.strip_prefix("/users/").filter(|id| !id.contains('/')) {
                Some(id) if method == Method::GET => self.user(request, id).await,
                Some(id) if method == Method::PATCH => self.change_user(request, id).await,
                Some(_) => Err(respond::method_not_allowed("GET, PATCH")),
                None => Err(respond::not_found()),
            },
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

    /// `POST /auth/register`
    async fn register(&self, request: Request) -> Result<Response, Problem> {
        let mut fields = Fields::read(request)?;
        let email = fields.text("email", Email::new);
        let password = fields.text("password", Password::new);
        let (email, password) = fields.finish(email.zip(password))?;
        let account = self.sign_on()?.register(&email, &password).await?;
        Ok(account_answer(StatusCode::CREATED, &account))
    }

    /// `POST /auth/login`
    async fn log_in(&self, request: Request) -> Result<Response, Problem> {
        let secure = is_https(request.headers());
        let mut fields = Fields::read(request)?;
        let email = fields.text("email", Email::new);
        let password = fields.text("password", Password::presented);
        let (email, password) = fields.finish(email.zip(password))?;
        let tokens = self.sign_on()?.log_in(&email, &password).await?;
        Ok(tokens_answer(&tokens, secure))
    }

    /// `POST /auth/refresh`
    async fn refresh(&self, request: Request) -> Result<Response, Problem> {
        let secure = is_https(request.headers());
        let mut fields = Fields::read(request)?;
        let token = fields.text("refresh_token", Ok::<_, String>);
        let token = fields.finish(token)?;
        let token = RefreshToken::presented(token).ok_or(Refusal::BadRefreshToken)?;
        let tokens = self.sign_on()?.refresh(&token).await?;
        Ok(tokens_answer(&tokens, secure))
    }

    /// `POST /auth/logout`
    async fn log_out(&self, request: Request) -> Result<Response, Problem> {
        let secure = is_https(request.headers());
        let caller = self.caller(&request).await?;
        self.sign_on()?.end_session(&caller.claims.sid).await?;
        let mut response = respond::empty(StatusCode::NO_CONTENT);
        set_cookie(&mut response, "", 0, secure);
        Ok(response)
    }

    /// `POST /auth/administrators`
    async fn make_first_administrator(&self, request: Request) -> Result<Response, Problem> {
        let secret = caller::bearer(request.headers()).unwrap_or("").to_owned();
        let mut fields = Fields::read(request)?;
        let email = fields.text("email", Email::new);
        let email = fields.finish(email)?;
        let account = self.sign_on()?.make_first_administrator(&secret, &email).await?;
        Ok(account_answer(StatusCode::OK, &account))
    }

    /// `GET /users/me`
    async fn me(&self, request: Request) -> Result<Response, Problem> {
        let caller = self.caller(&request).await?;
        let id = caller.claims.user_id().ok_or_else(respond::not_found)?;
        let account = self.sign_on()?.account(id).await?.ok_or_else(respond::not_found)?;
        Ok(account_answer(StatusCode::OK, &account))
    }

    /// `GET /users/{id}`
    async fn user(&self, request: Request, id: &str) -> Result<Response, Problem> {
        self.administrator(&request).await?;
        let id = user_id(id)?;
        let account = self.sign_on()?.account(id).await?.ok_or_else(respond::not_found)?;
        Ok(account_answer(StatusCode::OK, &account))
    }

    /// `PATCH /users/{id}`
    async fn change_user(&self, request: Request, id: &str) -> Result<Response, Problem> {
        self.administrator(&request).await?;
        let id = user_id(id)?;
        let mut fields = Fields::read(request)?;
        let paid_access = fields.boolean("paid_access");
        let paid_access = fields.finish(paid_access)?;
        let changed = self.sign_on()?.set_paid_access(id, paid_access).await?;
        Ok(account_answer(StatusCode::OK, &changed.ok_or_else(respond::not_found)?))
    }

    /// `GET /.well-known/jwks.json`
    async fn keys(&self) -> Result<Response, Problem> {
        self.keys_asked_for.set(true);
        Ok(respond::json(StatusCode::OK, &self.sign_on()?.keys().await?))
    }

    fn sign_on(&self) -> Result<SignOn<'_, D, K, C, E>, Problem> {
        let config = Config::read(&self.settings)?;
        Ok(SignOn::new(&self.sql, &self.store, &self.clock, &self.entropy, config))
    }

    async fn caller(&self, request: &Request) -> Result<Caller, Problem> {
        caller::authenticate(caller::token(request.headers()), &self.store, self, &self.clock).await
    }

    async fn administrator(&self, request: &Request) -> Result<Caller, Problem> {
        let caller = self.caller(request).await?;
        match caller.claims.role {
            Role::Admin => Ok(caller),
            Role::User => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                "An administrator is needed",
                "Your account may not do this.",
            )),
        }
    }
}

/// An account as its owner and administrators see it.
#[derive(Serialize)]
struct AccountBody<'a> {
    id: i64,
    email: &'a str,
    role: Role,
    paid_access: bool,
    created_at: String,
}

/// What a login or a refresh gives (RFC 6749, section 5.1).
#[derive(Serialize)]
struct TokensBody<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    refresh_token: &'a str,
}

/// The keys are here: no other component has to be asked.
impl<S: Settings, D: Sql, K: KeyValue, C: Clock, E: Entropy> KeySource for Auth<S, D, K, C, E> {
    async fn jwks(&self) -> Option<Vec<u8>> {
        let keys = self.sign_on().ok()?.keys().await.ok()?;
        Some(keys.to_string().into_bytes())
    }
}

fn user_id(text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| respond::not_found())
}

fn account_answer(status: StatusCode, account: &Account) -> Response {
    let body = AccountBody {
        id: account.id,
        email: &account.email,
        role: account.role,
        paid_access: account.paid_access,
        created_at: account.created_at.to_string(),
    };
    respond::json(status, &body)
}

fn tokens_answer(tokens: &Tokens, secure: bool) -> Response {
    let body = TokensBody {
        access_token: &tokens.access,
        token_type: "Bearer",
        expires_in: tokens.expires_in,
        refresh_token: tokens.refresh.reveal(),
    };
    let mut response = respond::json(StatusCode::OK, &body);
    set_cookie(&mut response, &tokens.access, tokens.expires_in, secure);
    response
}

fn set_cookie(response: &mut Response, token: &str, max_age_seconds: u64, secure: bool) {
    if let Some(value) = cookie::session(token, max_age_seconds, secure) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// Whether the client speaks TLS, to us or to the proxy in front.
fn is_https(headers: &HeaderMap) -> bool {
    let starts = |name: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|text| text.starts_with("https"))
    };
    starts("x-forwarded-proto") || starts("spin-full-url")
}
