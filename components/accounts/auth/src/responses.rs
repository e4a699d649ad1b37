//! Our own answers.

use http::{StatusCode, header};
use octo_access::Role;
use octo_http::{Response, cookie, respond};
use octo_identity::{accounts::Account, audit::Entry, sessions::Session, sign_on::Tokens};
use serde::Serialize;
use utoipa::ToSchema;

use crate::guards::ClientContext;

/// An account as its owner and administrators see it.
#[derive(Serialize, ToSchema)]
#[schema(as = Account)]
pub(crate) struct AccountBody<'a> {
    id: i64,
    uuid: &'a str,
    email: Option<&'a str>,
    username: Option<&'a str>,
    full_name: &'a str,
    phone: &'a str,
    #[schema(value_type = String, example = "user")]
    role: Role,
    paid_access: bool,
    active: bool,
    verified: bool,
    #[schema(format = DateTime)]
    created_at: String,
}

impl<'a> From<&'a Account> for AccountBody<'a> {
    fn from(account: &'a Account) -> Self {
        Self {
            id: account.id,
            uuid: &account.uuid,
            email: account.email.as_deref(),
            username: account.username.as_deref(),
            full_name: &account.full_name,
            phone: &account.phone,
            role: account.grants.role,
            paid_access: account.grants.paid_access,
            active: account.active,
            verified: account.verified,
            created_at: account.created_at.to_string(),
        }
    }
}

/// What a login or a refresh gives (RFC 6749, section 5.1).
#[derive(Serialize, ToSchema)]
#[schema(as = Tokens)]
pub(crate) struct TokensBody<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    refresh_token: &'a str,
}

/// A session as its owner and administrators see it.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionBody<'a> {
    id: &'a str,
    client: &'a str,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    renewed_at: String,
    #[schema(format = DateTime)]
    expires_at: String,
    current: bool,
}

impl<'a> SessionBody<'a> {
    pub(crate) fn of(session: &'a Session, current: &str) -> Self {
        Self {
            id: &session.id,
            client: &session.client,
            created_at: session.created_at.to_string(),
            renewed_at: session.renewed_at.to_string(),
            expires_at: session.expires_at.to_string(),
            current: session.id == current,
        }
    }
}

/// An entry of the audit log.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(crate) struct EntryBody<'a> {
    id: i64,
    #[schema(format = DateTime)]
    at: String,
    actor: i64,
    subject: i64,
    act: &'a str,
    detail: &'a str,
}

impl<'a> From<&'a Entry> for EntryBody<'a> {
    fn from(entry: &'a Entry) -> Self {
        let Entry { id, at, actor, subject, act, detail } = entry;
        Self { id: *id, at: at.to_string(), actor: *actor, subject: *subject, act, detail }
    }
}

pub(crate) fn account(status: StatusCode, account: &Account) -> Response {
    respond::json(status, &AccountBody::from(account))
}

pub(crate) fn tokens(tokens: &Tokens, client: &ClientContext) -> Response {
    let body = TokensBody {
        access_token: &tokens.access,
        token_type: "Bearer",
        expires_in: tokens.expires_in,
        refresh_token: tokens.refresh.reveal(),
    };
    let mut response = respond::json(StatusCode::OK, &body);
    // A page of another site may have tokens of a person who logs in on it, but puts nobody's into a person's browser.
    if client.takes_cookie {
        set_cookie(&mut response, &tokens.access, tokens.expires_in, client.secure);
    }
    response
}

pub(crate) fn set_cookie(response: &mut Response, token: &str, max_age_seconds: u64, secure: bool) {
    if let Some(value) = cookie::session(token, max_age_seconds, secure) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}
