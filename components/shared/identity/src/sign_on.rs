//! The commands of sign-on.

use http::StatusCode;
use octo_core::{Clock, Entropy, KeyValue, Problem, Sql, SqlError, StoreError, UnixMillis, new_id};
use octo_token::{
    Claims, SessionRecord,
    claims::{AUDIENCE, ISSUER, digest},
    keys::{SigningFailed, jwks},
    record::JWKS_KEY,
};
use serde_json::Value;
use subtle::ConstantTimeEq;

use crate::{
    Config,
    accounts::{Account, Accounts},
    email::Email,
    password::{HashingFailed, Password},
    refresh::{Decision, RefreshToken, RefreshTokens, decide},
    schema::WithSchema,
    signing,
};

/// Sessions removed at each login: logins are what makes sessions, so none are left for long.
const SWEPT_PER_LOGIN: i64 = 10;

/// What a client gets for a login or a refresh.
pub struct Tokens {
    /// The access token.
    pub access: String,
    /// How long it holds, in seconds.
    pub expires_in: u64,
    /// The refresh token.
    pub refresh: RefreshToken,
}

/// Why a command is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The address belongs to an account already.
    #[error("the address is taken")]
    EmailTaken,
    /// No account has this address and password.
    #[error("wrong address or password")]
    BadCredentials,
    /// The refresh token is unknown, used up, or of a session that is over.
    #[error("the refresh token is not accepted")]
    BadRefreshToken,
    /// The first administrator cannot be made: wrong secret, or none is set.
    #[error("the bootstrap secret is not accepted")]
    BadBootstrapSecret,
    /// There is an administrator already, or no account with this address.
    #[error("there is an administrator already, or no such account")]
    NoFirstAdministrator,
    /// Something of ours failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Something of ours that failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The database.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// The shared store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The hash function.
    #[error(transparent)]
    Hashing(#[from] HashingFailed),
    /// The token library.
    #[error(transparent)]
    Signing(#[from] SigningFailed),
}

macro_rules! refusal_from_failures {
    ($($failure:ty),*) => {
        $(impl From<$failure> for Refusal {
            fn from(failure: $failure) -> Self {
                Refusal::Failed(failure.into())
            }
        })*
    };
}
refusal_from_failures!(SqlError, StoreError, HashingFailed, SigningFailed);

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let problem = |status, slug, title, detail: &str| Problem::new(status, slug, title, detail);
        match refusal {
            Refusal::EmailTaken => problem(
                StatusCode::CONFLICT,
                "account-exists",
                "There is an account with this address",
                "Log in with POST /auth/login, or register another address.",
            ),
            Refusal::BadCredentials => problem(
                StatusCode::UNAUTHORIZED,
                "bad-credentials",
                "The address or the password is wrong",
                "No account has this address and password.",
            ),
            Refusal::BadRefreshToken => problem(
                StatusCode::UNAUTHORIZED,
                "bad-refresh-token",
                "The refresh token is not accepted",
                "It is unknown, was used before, or its session is over. Log in again.",
            ),
            Refusal::BadBootstrapSecret => problem(
                StatusCode::FORBIDDEN,
                "bad-bootstrap-secret",
                "The bootstrap secret is not accepted",
                "Send the value of the variable `bootstrap_secret` as `authorization: Bearer`.",
            ),
            Refusal::NoFirstAdministrator => problem(
                StatusCode::CONFLICT,
                "no-first-administrator",
                "No first administrator was made",
                "There is an administrator already, or no account with this address. Register it first.",
            ),
            Refusal::Failed(Failure::Sql(error)) => error.into(),
            Refusal::Failed(Failure::Store(error)) => error.into(),
            Refusal::Failed(failure) => Problem::internal().because(failure),
        }
    }
}

/// Sign-on over its ports.
pub struct SignOn<'a, S, K, C, E> {
    sql: WithSchema<'a, S>,
    store: &'a K,
    clock: &'a C,
    entropy: &'a E,
    config: Config,
}

impl<'a, S: Sql, K: KeyValue, C: Clock, E: Entropy> SignOn<'a, S, K, C, E> {
    /// Sign-on with these ports.
    pub fn new(sql: &'a S, store: &'a K, clock: &'a C, entropy: &'a E, config: Config) -> Self {
        Self { sql: WithSchema(sql), store, clock, entropy, config }
    }

    /// Makes an account.
    pub async fn register(&self, email: &Email, password: &Password) -> Result<Account, Refusal> {
        let hash = password.hash(self.entropy)?;
        self.accounts().create(email, &hash, self.clock.now()).await?.ok_or(Refusal::EmailTaken)
    }

    /// Begins a session. An unknown address costs as much as a wrong password.
    pub async fn log_in(&self, email: &Email, password: &Password) -> Result<Tokens, Refusal> {
        let account = match self.accounts().with_password(email).await? {
            Some((account, hash)) if password.matches(&hash)? => account,
            Some(_) => return Err(Refusal::BadCredentials),
            None => {
                password.hash(self.entropy)?;
                return Err(Refusal::BadCredentials);
            }
        };
        let now = self.clock.now();
        let session = new_id(self.clock, self.entropy);
        let statement = "INSERT INTO sessions (id, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)";
        let expires_at = now + self.config.session;
        let parameters = [session.as_str().into(), account.id.into(), now.into(), expires_at.into()];
        self.sql.query(statement, &parameters).await?;

        let refresh = RefreshToken::generate(self.entropy);
        RefreshTokens::new(&self.sql).keep(&refresh, &session, now).await?;
        let access = self.mint(&account, &session).await?;
        self.sweep(now).await?;
        Ok(self.tokens(access, refresh))
    }

    /// Gives a new access token and the presented refresh token's successor.
    pub async fn refresh(&self, presented: &RefreshToken) -> Result<Tokens, Refusal> {
        let secret = signing::refresh_secret(&self.sql, self.entropy).await?;
        let successor = presented.successor(&secret).ok_or(Refusal::BadRefreshToken)?;
        let tokens = RefreshTokens::new(&self.sql);
        let known = tokens.find(presented, &successor).await?.ok_or(Refusal::BadRefreshToken)?;
        let now = self.clock.now();
        match decide(&known, now) {
            Decision::Rotate => {}
            Decision::Refuse => return Err(Refusal::BadRefreshToken),
            Decision::EndSession => {
                self.end_session(&known.session).await?;
                return Err(Refusal::BadRefreshToken);
            }
        }
        tokens.rotate(presented, &successor, &known.session, now).await?;
        let account = self.accounts().by_id(known.user).await?.ok_or(Refusal::BadRefreshToken)?;
        let access = self.mint(&account, &known.session).await?;
        Ok(self.tokens(access, successor))
    }

    /// Ends a session: from now on none of its tokens is accepted anywhere. Ending it twice is no error.
    pub async fn end_session(&self, session: &str) -> Result<(), Refusal> {
        // First the database, then the record: see the invariant in `octo_token::record`.
        let statement =
            "UPDATE sessions SET ended_at = $1, expires_at = $1 WHERE id = $2 AND ended_at IS NULL";
        self.sql.query(statement, &[self.clock.now().into(), session.into()]).await?;
        SessionRecord::Ended.write(self.store, session).await?;
        Ok(())
    }

    /// The account with this number.
    pub async fn account(&self, id: i64) -> Result<Option<Account>, Refusal> {
        Ok(self.accounts().by_id(id).await?)
    }

    /// Grants or takes paid access. Tokens minted from now on carry it.
    pub async fn set_paid_access(&self, id: i64, paid_access: bool) -> Result<Option<Account>, Refusal> {
        Ok(self.accounts().set_paid_access(id, paid_access).await?)
    }

    /// Makes the first administrator, for whoever knows the bootstrap secret.
    pub async fn make_first_administrator(&self, secret: &str, email: &Email) -> Result<Account, Refusal> {
        let known = self.config.bootstrap_secret.as_deref().ok_or(Refusal::BadBootstrapSecret)?;
        if !bool::from(known.as_bytes().ct_eq(secret.as_bytes())) {
            return Err(Refusal::BadBootstrapSecret);
        }
        let made = self.accounts().make_first_administrator(email).await?;
        made.ok_or(Refusal::NoFirstAdministrator)
    }

    /// The JWK Set, from the database alone: whoever asks has found none in the shared store, which may be
    /// away.
    pub async fn keys(&self) -> Result<Value, Refusal> {
        let keys = signing::load(&self.sql, self.config.signing_key.clone()).await?;
        Ok(jwks(&keys.public))
    }

    /// Puts the JWK Set into the shared store, where components look for it first.
    pub async fn publish_keys(&self) -> Result<(), Refusal> {
        Ok(self.publish(&self.keys().await?).await?)
    }

    async fn publish(&self, set: &Value) -> Result<(), StoreError> {
        let text = set.to_string();
        if self.store.get(JWKS_KEY).await?.as_deref() != Some(text.as_bytes()) {
            self.store.set(JWKS_KEY, text.as_bytes()).await?;
        }
        Ok(())
    }

    /// Signs an access token for the session and vouches for it in the shared store.
    async fn mint(&self, account: &Account, session: &str) -> Result<String, Refusal> {
        let keys = signing::load(&self.sql, self.config.signing_key.clone()).await?;
        // The key is published before anything signed with it is given out.
        self.publish(&jwks(&keys.public)).await?;

        let now = self.clock.now();
        let claims = Claims {
            iss: ISSUER.into(),
            sub: account.id.to_string(),
            aud: AUDIENCE.into(),
            iat: now.as_secs(),
            exp: (now + self.config.access_token).as_secs(),
            jti: new_id(self.clock, self.entropy),
            sid: session.into(),
            role: account.role,
            paid_access: account.paid_access,
        };
        let token = keys.signing.sign(&claims)?;
        SessionRecord::Live { digest: digest(&token) }.write(self.store, session).await?;

        // Whoever ended the session meanwhile may have written the record before us.
        if !self.is_alive(session).await? {
            SessionRecord::Ended.write(self.store, session).await?;
            return Err(Refusal::BadRefreshToken);
        }
        Ok(token)
    }

    async fn is_alive(&self, session: &str) -> Result<bool, Refusal> {
        let statement = "SELECT 1 FROM sessions WHERE id = $1 AND ended_at IS NULL";
        Ok(!self.sql.query(statement, &[session.into()]).await?.is_empty())
    }

    /// Removes a few sessions that nobody can use any more, with everything kept for them.
    async fn sweep(&self, now: UnixMillis) -> Result<(), Refusal> {
        let statement = "SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2";
        // Until its last access token has expired, the record must go on refusing it.
        let over = now - self.config.access_token;
        let rows = self.sql.query(statement, &[over.into(), SWEPT_PER_LOGIN.into()]).await?;
        for session in rows.iter().filter_map(|row| row.first()?.text()) {
            SessionRecord::remove(self.store, session).await?;
            self.sql.query("DELETE FROM refresh_tokens WHERE session_id = $1", &[session.into()]).await?;
            self.sql.query("DELETE FROM sessions WHERE id = $1", &[session.into()]).await?;
        }
        Ok(())
    }

    fn accounts(&self) -> Accounts<'_, WithSchema<'a, S>> {
        Accounts::new(&self.sql)
    }

    fn tokens(&self, access: String, refresh: RefreshToken) -> Tokens {
        Tokens { access, expires_in: self.config.access_token.as_secs(), refresh }
    }
}

#[cfg(test)]
#[path = "sign_on_tests.rs"]
mod tests;
