//! Sessions, for their owners.

use http::StatusCode;
use octo_core::{Clock, Entropy, KeyValue, Problem, Settings, Sql};
use octo_edge::{Request, Response, body::Fields, respond};
use octo_identity::{
    Refusal, identifier::Identifier, password::Password, refresh::RefreshToken, shape::Shape, sign_on::LogIn,
};
use serde_json::json;

use crate::{
    answers::{self, SessionBody},
    routes::{Auth, Visit},
};

impl<S: Settings, D: Sql, K: KeyValue, C: Clock, E: Entropy> Auth<S, D, K, C, E> {
    /// `POST /auth/login`
    pub(crate) async fn own_log_in(&self, mut fields: Fields, visit: &Visit) -> Result<Response, Problem> {
        let who = fields.text("username", Identifier::new);
        let password = fields.text("password", Password::presented);
        let (who, password) = fields.finish(who.zip(password))?;
        let login = LogIn {
            who: &who,
            password: &password,
            shape: Shape::Own,
            client: &visit.client,
            source: &visit.source,
        };
        let tokens = self.sign_on()?.log_in(&login).await?;
        Ok(answers::tokens(&tokens, visit))
    }

    /// `POST /auth/refresh`
    pub(crate) async fn own_refresh(&self, mut fields: Fields, visit: &Visit) -> Result<Response, Problem> {
        let token = fields.text("refresh_token", Ok::<_, String>);
        let token = fields.finish(token)?;
        let token = RefreshToken::presented(token).ok_or(Refusal::UnknownRefreshToken)?;
        let tokens = self.sign_on()?.refresh(&token).await?;
        Ok(answers::tokens(&tokens, visit))
    }

    /// `POST /auth/logout`
    pub(crate) async fn own_log_out(&self, request: Request) -> Result<Response, Problem> {
        let visit = self.visit(&request)?;
        let caller = self.caller(&request).await?;
        self.sign_on()?.log_out(&caller.claims).await?;
        let mut response = respond::empty(StatusCode::NO_CONTENT);
        answers::set_cookie(&mut response, "", 0, visit.secure);
        Ok(response)
    }

    /// `GET /auth/sessions`
    pub(crate) async fn sessions(&self, request: Request) -> Result<Response, Problem> {
        let (id, caller) = self.owner(&request).await?;
        let sessions = self.sign_on()?.living_sessions(id).await?;
        let shown: Vec<_> =
            sessions.iter().map(|session| SessionBody::of(session, &caller.claims.sid)).collect();
        Ok(respond::json(StatusCode::OK, &json!({ "sessions": shown })))
    }

    /// `DELETE /auth/sessions`: all of them, this one too.
    pub(crate) async fn end_sessions(&self, request: Request) -> Result<Response, Problem> {
        let (id, _) = self.owner(&request).await?;
        self.sign_on()?.end_all_sessions(id, None).await?;
        Ok(respond::empty(StatusCode::NO_CONTENT))
    }

    /// `DELETE /auth/sessions/{id}`
    pub(crate) async fn end_session(&self, request: Request, session: &str) -> Result<Response, Problem> {
        let (id, _) = self.owner(&request).await?;
        self.sign_on()?.end_session(id, session).await?;
        Ok(respond::empty(StatusCode::NO_CONTENT))
    }
}
