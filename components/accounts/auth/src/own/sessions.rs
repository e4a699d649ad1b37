//! Sessions, for their owners.

use http::StatusCode;
use octo_core::{Clock, Entropy, KeyValue, Problem, Settings, Sql};
use octo_http::{Request, Response, body::Fields, query::Query, respond};
use octo_identity::{
    Refusal,
    identifier::Identifier,
    password::Password,
    refresh::RefreshToken,
    shape::Shape,
    sign_on::{LONGEST_PAGE, LogIn},
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
        self.sessions_page(&request, id, &caller.claims.sid).await
    }

    /// The sessions of an account, newest first: from the one `after` on, `limit` of them. `next` is the `after` of the
    /// page that follows.
    pub(super) async fn sessions_page(
        &self,
        request: &Request,
        id: i64,
        current: &str,
    ) -> Result<Response, Problem> {
        let query = Query::of(request);
        let limit = query.limit(LONGEST_PAGE)?;
        let sessions = self.sign_on()?.living_sessions(id, query.get("after"), limit).await?;
        let next = sessions.last().filter(|_| sessions.len() as i64 == limit).map(|last| &last.id);
        let shown: Vec<_> = sessions.iter().map(|session| SessionBody::of(session, current)).collect();
        Ok(respond::json(StatusCode::OK, &json!({ "sessions": shown, "next": next })))
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
