//! Beginning, renewing and ending sessions.

use octo_access::{
    Claims, SessionRecord,
    claims::{AUDIENCE, ISSUER, digest},
    keys::jwks,
};
use octo_core::{Clock, Entropy, KeyValue, Sql, UnixMillis, new_id};

use super::{LONGEST_PAGE, SignOn};
use crate::{
    Refusal,
    accounts::Account,
    identifier::Identifier,
    password::Password,
    refresh::{Decision, RefreshToken, decide},
    sessions::{LONGEST_TOKEN, NewSession, Session},
    shape::Shape,
    signing,
    throttle::{Attempt, Purpose},
};

/// Sessions removed at each login: logins are what makes sessions, so none are left for long.
const SWEPT_PER_LOGIN: i64 = 10;
/// Sessions of one account that go on at once: beyond, a login ends those that were renewed longest ago.
pub(super) const MOST_SESSIONS: i64 = 500;

/// A login.
pub struct LogIn<'a> {
    /// Which account.
    pub who: &'a Identifier,
    /// Its password.
    pub password: &'a Password,
    /// What the client finds in its tokens.
    pub shape: Shape,
    /// What the client says it is.
    pub client: &'a str,
    /// Where it comes from, as far as attempts are counted by it.
    pub source: &'a str,
}

/// What a client gets for a login or a refresh.
pub struct Tokens {
    /// Whose they are.
    pub account: Account,
    /// The access token.
    pub access: String,
    /// How long it holds, in seconds.
    pub expires_in: u64,
    /// The refresh token.
    pub refresh: RefreshToken,
}

impl<S: Sql, K: KeyValue, C: Clock, E: Entropy> SignOn<'_, S, K, C, E> {
    /// Begins a session.
    pub async fn log_in(&self, login: &LogIn<'_>) -> Result<Tokens, Refusal> {
        let (account, hash) = self.check_password(login).await?;
        let now = self.clock.now();
        let id = new_id(self.clock, self.entropy);
        let (access, expires_in) = self.sign(&account, &id, login.shape).await?;
        let new = NewSession {
            id: &id,
            account: account.id,
            password_hash: &hash,
            client: login.client,
            shape: login.shape,
            expires_at: now + self.config.session,
            token_digest: &digest(&access),
        };
        if !self.sessions().begin(&new, now).await? {
            // Meanwhile the account was deleted, or has another password.
            return Err(Refusal::BadCredentials);
        }
        let refresh = RefreshToken::generate(self.entropy);
        self.refresh_tokens().keep(&refresh, &id, now).await?;
        if self.renew_record(&id).await? == SessionRecord::Ended {
            return Err(Refusal::BadCredentials);
        }
        for oldest in self.sessions().end_oldest(account.id, MOST_SESSIONS, now).await? {
            SessionRecord::Ended.write(self.store, &oldest).await?;
        }
        self.sweep(now, SWEPT_PER_LOGIN).await?;
        Ok(Tokens { account, access, expires_in, refresh })
    }

    /// The account and its password hash. An unknown name costs as much as a wrong password. One account's attempts are
    /// counted together, by whichever of its names it is called.
    async fn check_password(&self, login: &LogIn<'_>) -> Result<(Account, String), Refusal> {
        let known = self.accounts().with_password(login.who).await?;
        let whose = match &known {
            Some((account, _)) => account.counted_as(),
            None => format!("nobody {}", login.who.as_str()),
        };
        let attempt = Attempt { purpose: Purpose::Login, whose: &whose, source: login.source };
        // Nobody logs in to one that is not active.
        let known = known.filter(|(account, _)| account.active);
        let hash = known.as_ref().map(|(_, hash)| hash.as_str());
        let right = self.try_password(&attempt, login.password, hash).await?;
        known.filter(|_| right).ok_or(Refusal::BadCredentials)
    }

    /// Gives a new access token and the presented refresh token's successor.
    pub async fn refresh(&self, presented: &RefreshToken) -> Result<Tokens, Refusal> {
        let secret = signing::refresh_secret(&self.sql, self.entropy).await?;
        let tokens = self.refresh_tokens();
        let (known, successor) =
            tokens.find(presented, &secret).await?.ok_or(Refusal::UnknownRefreshToken)?;
        let now = self.clock.now();
        match decide(&known, now) {
            Decision::Rotate => {}
            Decision::Refuse => {
                if known.ended_at.is_some() {
                    // Once more: anyone who was cut off while it renewed this session may have left its record alive.
                    SessionRecord::Ended.write(self.store, &known.session).await?;
                }
                return Err(Refusal::SpentRefreshToken);
            }
            Decision::EndSession => {
                self.end_session(known.account, &known.session).await?;
                return Err(Refusal::SpentRefreshToken);
            }
        }
        let refresh = tokens.rotate(successor, &known.session, now).await?;
        let account = self.accounts().by_id(known.account).await?.ok_or(Refusal::SpentRefreshToken)?;
        let (access, expires_in) = self.sign(&account, &known.session, known.shape).await?;
        self.sessions().renew(&known.session, &digest(&access), now).await?;
        if self.renew_record(&known.session).await? == SessionRecord::Ended {
            return Err(Refusal::SpentRefreshToken);
        }
        Ok(Tokens { account, access, expires_in, refresh })
    }

    /// A page of the sessions of an account that go on, newest first: those after the one with the id `after`.
    pub async fn living_sessions(
        &self,
        account: i64,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<Session>, Refusal> {
        let limit = limit.clamp(1, LONGEST_PAGE);
        Ok(self.sessions().living(account, after, self.clock.now(), limit).await?)
    }

    /// What the tokens of a session look like, and when it began; `None` when it is not known.
    pub async fn begun(&self, session: &str) -> Result<Option<(Shape, UnixMillis)>, Refusal> {
        Ok(self.sessions().begun(session).await?)
    }

    /// Ends a session of an account: from now on none of its tokens is accepted anywhere. Ending it twice is no
    /// error.
    pub async fn end_session(&self, account: i64, session: &str) -> Result<(), Refusal> {
        // First the database, then the record: see the invariant in `octo_access::record`.
        if !self.sessions().end(account, session, self.clock.now()).await? {
            return Err(Refusal::NoSuchSession);
        }
        SessionRecord::Ended.write(self.store, session).await?;
        Ok(())
    }

    /// Ends the session of a token that was accepted. There may be nothing left of it in the database.
    pub async fn log_out(&self, claims: &Claims) -> Result<(), Refusal> {
        let account = claims.user_id().ok_or(Refusal::NoSuchSession)?;
        match self.end_session(account, &claims.sid).await {
            Err(Refusal::NoSuchSession) => Ok(SessionRecord::Ended.write(self.store, &claims.sid).await?),
            result => result,
        }
    }

    /// Ends all sessions of an account but `kept`.
    pub async fn end_all_sessions(&self, account: i64, kept: Option<&str>) -> Result<(), Refusal> {
        self.sessions().end_all(account, kept.unwrap_or(""), self.clock.now()).await?;
        self.renew_records(account).await
    }

    /// Signs an access token. It counts for nothing until the session's record allows it.
    async fn sign(&self, account: &Account, session: &str, shape: Shape) -> Result<(String, u64), Refusal> {
        let keys = signing::load(&self.sql, &self.config.keys, self.clock.now()).await?;
        // The key is published before anything signed with it is given out.
        self.publish(&jwks(&keys.public)).await?;
        let now = self.clock.now();
        let lifetime = shape.lifetime(self.config.access_token);
        let mut further = shape.further_claims(account);
        if shape == Shape::MessageHandler {
            let free = self.free_messages(account.id).await;
            further.insert("free_messages_left".into(), free.left.into());
            further.insert("refresh_at".into(), free.refills_on.to_string().into());
        }
        let claims = Claims {
            iss: ISSUER.into(),
            sub: account.id.to_string(),
            aud: AUDIENCE.into(),
            iat: now.as_secs(),
            exp: (now + lifetime).as_secs(),
            jti: new_id(self.clock, self.entropy),
            sid: session.into(),
            role: account.grants.role,
            paid_access: account.grants.paid_access,
            further,
        };
        Ok((keys.signing.sign(&claims)?, lifetime.as_secs()))
    }

    /// Makes the record of a session what the database says; see the invariant in `octo_access::record`. Every
    /// further round is another writer's doing, who then has done its own.
    pub(super) async fn renew_record(&self, session: &str) -> Result<SessionRecord, Refusal> {
        let mut written = self.sessions().record(session).await?;
        loop {
            written.write(self.store, session).await?;
            let now = self.sessions().record(session).await?;
            if now == written {
                return Ok(now);
            }
            written = now;
        }
    }

    /// The same for all sessions of an account whose tokens may still be somewhere.
    pub(super) async fn renew_records(&self, account: i64) -> Result<(), Refusal> {
        for session in self.sessions().with_tokens(account, self.clock.now()).await? {
            self.renew_record(&session).await?;
        }
        Ok(())
    }

    /// Removes a few sessions that nobody can use any more, with everything kept for them; how many.
    pub(super) async fn sweep(&self, now: UnixMillis, limit: i64) -> Result<usize, Refusal> {
        // Until its last access token has expired, the record must go on refusing it.
        let over = self.sessions().over(now - LONGEST_TOKEN, limit).await?;
        for session in &over {
            SessionRecord::remove(self.store, session).await?;
            self.sessions().forget(session).await?;
        }
        Ok(over.len())
    }
}
