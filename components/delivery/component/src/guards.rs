//! Whose parcels a caller may see and change.

use axum::extract::FromRequestParts;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, request::Parts};
use octo_access::Role;
use octo_core::Problem;
use octo_delivery::{Owner, Parcels};
use octo_http::{App, Caller, Error, caller, cookie};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::pricing::sql;

/// The cookie of an anonymous session, as the original names it.
pub(crate) const SESSION: &str = "session";

/// Who asks: an account, or a browser without one.
pub(crate) struct Visitor {
    /// Whose parcels are theirs.
    pub(crate) owner: Owner,
    /// Whether everybody's are theirs to see.
    pub(crate) is_administrator: bool,
}

impl Visitor {
    /// Whose parcels they may see; `None` for everybody's.
    pub(crate) fn sees(&self) -> Option<&Owner> {
        (!self.is_administrator).then_some(&self.owner)
    }
}

/// What the cookie says of an anonymous session.
pub(crate) enum Session {
    /// There is none.
    None,
    /// It is no UUID.
    Invalid,
    /// The session of this owner.
    Of(Owner),
}

impl Session {
    /// Any form of a UUID is the same session. What is kept is its digest: who reads the database cannot use it.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        match cookie::read(headers, SESSION) {
            None => Session::None,
            Some(text) => match Uuid::try_parse(text) {
                Ok(uuid) => {
                    let digest = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(uuid.as_bytes()));
                    Session::Of(Owner::Session(digest))
                }
                Err(_) => Session::Invalid,
            },
        }
    }
}

/// The account whose token the request carries, if it carries one. Who is logged in takes over what was registered in the
/// same browser before. A cookie's token that has expired does not keep the browser from its session.
pub(crate) async fn account(parts: &mut Parts, app: &App) -> Result<Option<Visitor>, Error> {
    if caller::token(&parts.method, &parts.headers).is_none() {
        return Ok(None);
    }
    let session = Session::of(&parts.headers);
    let claims = match Caller::from_request_parts(parts, app).await {
        Ok(caller) => caller.claims,
        Err(_) if caller::bearer(&parts.headers).is_none() && matches!(session, Session::Of(_)) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let id = claims.user_id().ok_or_else(|| Problem::internal().because("a token without a number"))?;
    let owner = Owner::Account(id);
    if let Session::Of(session) = session {
        Parcels::new(&sql(app)).claim(&session, &owner).await?;
    }
    Ok(Some(Visitor { owner, is_administrator: claims.role == Role::Admin }))
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Error;

    /// For our own routes: an account, or the session of a browser.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        if let Some(visitor) = account(parts, app).await? {
            return Ok(visitor);
        }
        match Session::of(&parts.headers) {
            Session::Of(owner) => Ok(Visitor { owner, is_administrator: false }),
            // The usual refusal of a request without a credential.
            Session::None | Session::Invalid => match Caller::from_request_parts(parts, app).await {
                Ok(_) => Err(Problem::internal().into()),
                Err(refusal) => Err(refusal),
            },
        }
    }
}
