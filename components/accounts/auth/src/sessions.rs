//! Logging in and out, and the sessions there are.

use axum::extract::{Path, State};
use http::StatusCode;
use octo_http::{App, Error, Items, Page, Request, Response, body::Fields, page::PageParams, respond};
use octo_identity::{
    Refusal, identifier::Identifier, password::Password, refresh::RefreshToken, shape::Shape, sign_on::LogIn,
};
use utoipa::ToSchema;

use crate::{
    guards::{self, ClientContext, Owner, sign_on},
    responses::{self, SessionBody},
};

/// Who logs in.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(crate) struct Login {
    /// The address or the user name.
    #[schema(example = "ada@example.com")]
    username: String,
    #[schema(example = "correct horse battery staple")]
    password: String,
}

/// `POST /auth/login`
pub(crate) async fn log_in(app: &App, mut fields: Fields, client: &ClientContext) -> Result<Response, Error> {
    let who = fields.text("username", Identifier::new);
    let password = fields.text("password", Password::presented);
    let (who, password) = fields.finish(who.zip(password))?;
    let login = LogIn {
        who: &who,
        password: &password,
        shape: Shape::Own,
        client: &client.name,
        source: &client.source,
    };
    let tokens = sign_on(app)?.log_in(&login).await?;
    Ok(responses::tokens(&tokens, client))
}

/// The token that is used up.
#[derive(ToSchema)]
#[schema(as = Refresh)]
#[allow(dead_code)]
pub(crate) struct RefreshBody {
    refresh_token: String,
}

/// `POST /auth/refresh`
pub(crate) async fn refresh(
    app: &App,
    mut fields: Fields,
    client: &ClientContext,
) -> Result<Response, Error> {
    let token = fields.text("refresh_token", Ok::<_, String>);
    let token = fields.finish(token)?;
    let token = RefreshToken::presented(token).ok_or(Refusal::UnknownRefreshToken)?;
    let tokens = sign_on(app)?.refresh(&token).await?;
    Ok(responses::tokens(&tokens, client))
}

/// `POST /auth/logout`
pub(crate) async fn log_out(app: &App, request: Request) -> Result<Response, Error> {
    let client = ClientContext::of(app, &request)?;
    let (_, caller) = guards::owner(app, &request).await?;
    sign_on(app)?.log_out(&caller.claims).await?;
    let mut response = respond::empty(StatusCode::NO_CONTENT);
    responses::set_cookie(&mut response, "", 0, client.secure);
    Ok(response)
}

/// See one's sessions
///
/// Newest first.
#[utoipa::path(
    get, path = "/auth/sessions", tag = "sessions", operation_id = "listSessions",
    params(PageParams),
    responses((status = 200, description = "A page of them.", body = Items<SessionBody>)),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn sessions(
    State(app): State<App>,
    Owner { id, caller }: Owner,
    page: Page,
) -> Result<Response, Error> {
    list(&app, &page, id, &caller.claims.sid).await
}

/// The sessions of an account, newest first.
pub(crate) async fn list(app: &App, page: &Page, id: i64, current: &str) -> Result<Response, Error> {
    let sessions = sign_on(app)?.living_sessions(id, page.after(), page.limit).await?;
    let show = |session| SessionBody::of(session, current);
    Ok(respond::json(StatusCode::OK, &page.items(&sessions, show, |session| &session.id)))
}

/// End all of one's sessions
///
/// This one too.
#[utoipa::path(
    delete, path = "/auth/sessions", tag = "sessions", operation_id = "endSessions",
    responses((status = 204, description = "They are over.")),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn end_sessions(State(app): State<App>, Owner { id, .. }: Owner) -> Result<Response, Error> {
    sign_on(&app)?.end_all_sessions(id, None).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// End a session
#[utoipa::path(
    delete, path = "/auth/sessions/{id}", tag = "sessions", operation_id = "endSession",
    params(("id" = String, Path, description = "The session's id.")),
    responses(
        (status = 204, description = "It is over."),
        (status = 404, description = "You have no such session."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn end_session(
    State(app): State<App>,
    Owner { id, .. }: Owner,
    Path(session): Path<String>,
) -> Result<Response, Error> {
    sign_on(&app)?.end_session(id, &session).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}
