//! Who sends a request: the token in its header or cookie, checked.

use auto_impl::auto_impl;
use octo_core::async_trait;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, header};
use octo_access::{
    Claims, Grants, PublicKeys, Rejection, SessionRecord, Unverified,
    record::{JWKS_KEY, Vouched},
};
use octo_core::{Clock, HttpOut, KeyValue, Problem, SendError, StoreError, ports::CallLimits};
use serde::{Deserialize, Serialize};

use crate::{cookie, same_site};

/// Where a component asks for the keys when the store has lost them.
const JWKS_URL: &str = "http://auth.spin.internal/.well-known/jwks.json";
/// Long, for at first use `auth` may have to make them, for many at once.
const JWKS_LIMITS: CallLimits = CallLimits { timeout: Duration::from_secs(10), max_answer: 64 * 1024 };
/// Looks at the store after an answer that did not come in time, and the pause after each; together 10 s.
const LOOKS: usize = 25;
const PAUSE: Duration = Duration::from_millis(400);

/// A caller with an accepted token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Caller {
    /// The token's claims; role and paid access as they are now, if the shared store knows them.
    pub claims: Claims,
}

/// Where the public keys come from when the store has none.
#[async_trait]
#[auto_impl(&, Arc)]
pub trait KeySource: Send + Sync {
    /// The JWK Set.
    async fn jwks(&self) -> Result<Vec<u8>, NoKeys>;
}

/// Why there are no public keys to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKeys {
    /// `auth` has not said anything so far. It may be making them.
    Yet,
    /// It cannot be asked, or has none.
    Now,
}

/// Asks `auth`, as every component but `auth` itself does.
#[derive(Debug)]
pub struct AskAuth<H>(pub H);

#[async_trait]
impl<H: HttpOut> KeySource for AskAuth<H> {
    async fn jwks(&self) -> Result<Vec<u8>, NoKeys> {
        let request = http::Request::get(JWKS_URL)
            // Who asks has not found in the store what it needs: there may be newer keys than those published there.
            .header(header::CACHE_CONTROL, "no-cache")
            .body(Vec::new())
            .map_err(|_| NoKeys::Now)?;
        match self.0.send(request, JWKS_LIMITS).await {
            Ok(response) => Ok(response.into_body()),
            Err(SendError::TimedOut) => Err(NoKeys::Yet),
            Err(_) => Err(NoKeys::Now),
        }
    }
}

/// The credential in `Authorization: Bearer` (RFC 6750).
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, credential) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim())
}

/// The token of a request: the bearer credential, or else the session cookie, unless another site's page used it.
pub fn token<'a>(method: &Method, headers: &'a HeaderMap) -> Option<&'a str> {
    if headers.contains_key(header::AUTHORIZATION) {
        bearer(headers)
    } else if same_site::is_forged(method, headers) {
        None
    } else {
        cookie::read(headers, cookie::SESSION)
    }
}

/// Accepts or refuses the [`token`] of a request.
///
/// One read of the shared store in the common case: see `octo_access`. While the store is away nobody can
/// know whether a session has ended, and the signature alone decides: messages must not be refused for the
/// lack of a store, and a token lives for minutes.
pub async fn authenticate(
    token: Option<&str>,
    store: &impl KeyValue,
    source: &impl KeySource,
    clock: &impl Clock,
) -> Result<Caller, Problem> {
    let mut token =
        Unverified::parse(token.ok_or(Rejection::Missing).map_err(unauthorized)?).map_err(unauthorized)?;
    token.claims.check(clock.now()).map_err(unauthorized)?;

    let (vouched, grants) = match SessionRecord::read(store, &token.claims.sid).await {
        Ok(Some(record)) => {
            let (vouched, grants) = record.vouches_for(&token).map_err(unauthorized)?;
            (vouched, Some(grants))
        }
        Ok(None) | Err(StoreError(_)) => (Vouched::Unknown, None),
    };
    if vouched == Vouched::Unknown {
        let keys = public_keys(store, source, clock).await?;
        keys.verify(&token, clock.now()).map_err(unauthorized)?;
    }
    if let Some(Grants { role, paid_access }) = grants {
        token.claims = Claims { role, paid_access, ..token.claims };
    }
    Ok(Caller { claims: token.claims })
}

/// The keys that are published; from `auth` when there are none. At first use many ask it at once, and it may take long to
/// answer all of them; but the first who is answered has the keys published, so the others wait for that.
async fn public_keys(
    store: &impl KeyValue,
    source: &impl KeySource,
    clock: &impl Clock,
) -> Result<PublicKeys, Problem> {
    if let Ok(Some(keys)) = published(store).await {
        return Ok(keys);
    }
    match source.jwks().await {
        Ok(answer) => return PublicKeys::from_jwks(&answer).ok_or_else(Problem::unavailable),
        Err(NoKeys::Now) => return Err(Problem::unavailable()),
        Err(NoKeys::Yet) => {}
    }
    for _ in 0..LOOKS {
        if let Some(keys) = published(store).await? {
            return Ok(keys);
        }
        clock.sleep(PAUSE).await;
    }
    Err(Problem::unavailable())
}

async fn published(store: &impl KeyValue) -> Result<Option<PublicKeys>, StoreError> {
    Ok(store.get(JWKS_KEY).await?.as_deref().and_then(PublicKeys::from_jwks))
}

/// 401 with a challenge after RFC 6750. The client is not told which rule a token breaks, only what to do.
fn unauthorized(rejection: Rejection) -> Problem {
    let challenge = match rejection {
        Rejection::Missing => r#"Bearer realm="octo""#,
        _ => r#"Bearer realm="octo", error="invalid_token""#,
    };
    let detail = match rejection {
        Rejection::Missing => {
            "Log in with POST /auth/login and send the access token as `authorization: Bearer`."
        }
        _ => {
            "The access token is not valid, or not any more. Refresh it with POST /auth/refresh, or log in again."
        }
    };
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "A valid access token is needed", detail)
        .header(header::WWW_AUTHENTICATE, challenge)
}

#[cfg(test)]
#[path = "caller_tests.rs"]
mod tests;
