//! Tokens that somebody presents to have them judged or ended, whatever kind they are.

use octo_access::{Claims, PublicKeys, SessionRecord, Unverified};
use octo_core::{Clock, Entropy, KeyValue, Sql, UnixMillis};

use super::SignOn;
use crate::{
    Refusal,
    accounts::Account,
    refresh::{Decision, Known, RefreshToken, decide},
};

/// What is known of a token that is good now (RFC 7662).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Introspected {
    /// An access token; role and paid access as they are now.
    Access(Claims),
    /// A refresh token.
    Refresh {
        /// Whose it is.
        account: i64,
        /// Its session.
        session: String,
        /// When it ends at the latest.
        expires_at: UnixMillis,
    },
}

impl<S: Sql, K: KeyValue, C: Clock, E: Entropy> SignOn<'_, S, K, C, E> {
    /// What is known of a token; `None` when it is not good, for whatever reason. Changes nothing.
    pub async fn introspect(&self, token: &str) -> Result<Option<Introspected>, Refusal> {
        if let Some(mut claims) = self.genuine(token).await? {
            let now = self.clock.now();
            let record = self.sessions().record(&claims.sid).await?;
            let SessionRecord::Live { grants, .. } = record else { return Ok(None) };
            if claims.check(now).is_err() {
                return Ok(None);
            }
            claims.role = grants.role;
            claims.paid_access = grants.paid_access;
            return Ok(Some(Introspected::Access(claims)));
        }
        let Some(known) = self.known_refresh_token(token).await? else { return Ok(None) };
        if decide(&known, self.clock.now()) != Decision::Rotate {
            return Ok(None);
        }
        let Known { account, session, expires_at, .. } = known;
        Ok(Some(Introspected::Refresh { account, session, expires_at }))
    }

    /// Whether this is an access token whose time is not over, though its session may be.
    pub async fn is_access_token(&self, token: &str) -> Result<bool, Refusal> {
        let claims = self.genuine(token).await?;
        Ok(claims.is_some_and(|claims| claims.check(self.clock.now()).is_ok()))
    }

    /// Ends the session of a token, access or refresh (RFC 7009): anyone who has the token may end what it is good
    /// for. Says whether there was a session to end; one that has ended stays so.
    pub async fn revoke(&self, token: &str) -> Result<Revoked, Refusal> {
        let (account, session) = if let Some(claims) = self.genuine(token).await? {
            let Some(account) = claims.user_id() else { return Ok(Revoked::Unknown) };
            if claims.check(self.clock.now()).is_err() {
                return Ok(Revoked::Unknown);
            }
            (account, claims.sid)
        } else if let Some(known) = self.known_refresh_token(token).await? {
            (known.account, known.session)
        } else {
            return Ok(Revoked::Unknown);
        };
        let before = self.sessions().record(&session).await?;
        // An ended one too: anyone who was cut off while it renewed this session may have left its record alive.
        match self.end_session(account, &session).await {
            Ok(()) | Err(Refusal::NoSuchSession) => {}
            Err(refusal) => return Err(refusal),
        }
        Ok(if before == SessionRecord::Ended { Revoked::Before } else { Revoked::Now })
    }

    /// Whose access token this is.
    pub async fn owner(&self, claims: &Claims) -> Result<Account, Refusal> {
        self.account(claims.user_id().ok_or(Refusal::NoSuchAccount)?).await
    }

    /// The claims of an access token that we signed, whatever its time.
    async fn genuine(&self, token: &str) -> Result<Option<Claims>, Refusal> {
        let Ok(token) = Unverified::parse(token) else { return Ok(None) };
        let set = self.keys().await?.to_string();
        let Some(keys) = PublicKeys::from_jwks(set.as_bytes()) else { return Ok(None) };
        let when = UnixMillis(token.claims.iat.saturating_mul(1000));
        Ok(keys.verify(&token, when).is_ok().then_some(token.claims))
    }

    async fn known_refresh_token(&self, token: &str) -> Result<Option<Known>, Refusal> {
        let Some(token) = RefreshToken::presented(token.to_owned()) else { return Ok(None) };
        let secret = crate::signing::refresh_secret(&self.sql, self.entropy).await?;
        Ok(self.refresh_tokens().find(&token, &secret).await?.map(|(known, _)| known))
    }
}

/// What became of a token that was to be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// Its session ended.
    Now,
    /// Its session had ended before.
    Before,
    /// It is no token of ours, or its time is over.
    Unknown,
}
