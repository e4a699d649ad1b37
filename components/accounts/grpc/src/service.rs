//! The methods: what the original's clients send, and what `auth` makes of it, in the original's codes and texts.
//!
//! Different on purpose: who tries too often is told so (`RESOURCE_EXHAUSTED`), and sign-on that is away is `UNAVAILABLE`, also
//! for `Logout`, whose clients would otherwise take a session for ended that is not; an address must be one; a refresh token
//! is no access token.

use http::{Method, StatusCode};
use octo_core::async_trait;
use serde_json::json;
use tonic::{Request, Response, Status};

use crate::{
    proto::{
        IsAdminRequest, IsAdminResponse, LoginRequest, LoginResponse, LogoutRequest, LogoutResponse,
        RefreshRequest, RefreshResponse, RegisterRequest, RegisterResponse, ValidateRequest,
        ValidateResponse, auth_server::Auth,
    },
    sign_on::{As, Reply, SignOn, failed},
};

/// `auth.Auth`, for one call.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) sign_on: SignOn,
}

type Answer<T> = Result<Response<T>, Status>;

#[async_trait]
impl Auth for Service {
    // By the route that begins no session: nobody would have its tokens.
    async fn register(&self, request: Request<RegisterRequest>) -> Answer<RegisterResponse> {
        let RegisterRequest { email, password } = request.into_inner();
        credentials(&email, &password)?;
        let body = json!({ "email": email, "password": password });
        let reply = self.post(As::Client, "/auth/register", body).await?;
        match reply.status {
            StatusCode::CREATED => Ok(Response::new(RegisterResponse { user_id: reply.text("uuid")? })),
            StatusCode::CONFLICT => Err(Status::already_exists("user already exists")),
            StatusCode::UNPROCESSABLE_ENTITY => Err(Status::invalid_argument(reply.wrong_fields())),
            _ => Err(reply.otherwise()),
        }
    }

    async fn login(&self, request: Request<LoginRequest>) -> Answer<LoginResponse> {
        let LoginRequest { email, password } = request.into_inner();
        credentials(&email, &password)?;
        let body = json!({ "email": email, "password": password });
        let reply = self.post(As::Client, "/auth/login", body).await?;
        match reply.status {
            StatusCode::CREATED => Ok(Response::new(LoginResponse {
                access_token: reply.text("access_token")?,
                refresh_token: reply.text("refresh_token")?,
            })),
            // No such user, or what can be no user's address.
            StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST => {
                Err(Status::invalid_argument("invalid credentials"))
            }
            _ => Err(reply.otherwise()),
        }
    }

    async fn refresh(&self, request: Request<RefreshRequest>) -> Answer<RefreshResponse> {
        let body = json!({ "token": request.into_inner().refresh_token });
        let reply = self.post(As::Client, "/auth/refresh", body).await?;
        match (reply.status, reply.error()) {
            (StatusCode::CREATED, _) => Ok(Response::new(RefreshResponse {
                access_token: reply.text("access_token")?,
                refresh_token: reply.text("refresh_token")?,
            })),
            (StatusCode::METHOD_NOT_ALLOWED, "token revoked") => {
                Err(Status::unauthenticated("Provide valid refresh token"))
            }
            (StatusCode::METHOD_NOT_ALLOWED, _) => {
                Err(Status::invalid_argument("Provide valid refresh token"))
            }
            _ => Err(reply.otherwise()),
        }
    }

    async fn is_admin(&self, request: Request<IsAdminRequest>) -> Answer<IsAdminResponse> {
        let IsAdminRequest { user_id } = request.into_inner();
        if user_id.is_empty() {
            return Err(Status::invalid_argument("userid is required"));
        }
        if !is_uuid(&user_id) {
            return Err(failed("no such account"));
        }
        let path = format!("/internal/administrators/{user_id}");
        let reply = self.sign_on.ask(As::Component, Method::GET, &path, None).await?;
        match reply.status {
            StatusCode::OK => {
                let is_admin = reply.body().get("is_admin").and_then(|value| value.as_bool());
                let is_admin = is_admin.ok_or_else(|| failed("no `is_admin`"))?;
                Ok(Response::new(IsAdminResponse { is_admin }))
            }
            StatusCode::NOT_FOUND => Err(failed("no such account")),
            _ => Err(reply.otherwise()),
        }
    }

    async fn logout(&self, request: Request<LogoutRequest>) -> Answer<LogoutResponse> {
        let body = json!({ "token": request.into_inner().token });
        let reply = self.post(As::Client, "/auth/logout", body).await?;
        match reply.status {
            StatusCode::OK => Ok(Response::new(LogoutResponse { success: true })),
            StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED => {
                Err(Status::invalid_argument("bad token"))
            }
            _ => Err(reply.otherwise()),
        }
    }

    async fn validate(&self, request: Request<ValidateRequest>) -> Answer<ValidateResponse> {
        let body = json!({ "token": request.into_inner().token });
        let reply = self.post(As::Component, "/internal/tokens", body).await?;
        if reply.status != StatusCode::OK {
            return Err(reply.otherwise());
        }
        match reply.body().as_str() {
            Some("good") => Ok(Response::new(ValidateResponse { success: true })),
            Some("ended") => Err(Status::unknown("token has been revoked")),
            Some("unknown") => Err(Status::unknown("fail to parse token")),
            _ => Err(failed("no state of a token")),
        }
    }
}

impl Service {
    async fn post(&self, whom: As, path: &str, body: serde_json::Value) -> Result<Reply, Status> {
        self.sign_on.ask(whom, Method::POST, path, Some(body)).await
    }
}

/// What must be there, in the original's order.
fn credentials(email: &str, password: &str) -> Result<(), Status> {
    for (text, missing) in [(email, "email is required"), (password, "password is required")] {
        if text.is_empty() {
            return Err(Status::invalid_argument(missing));
        }
    }
    Ok(())
}

/// Whether this is a UUID, and so safe in a path.
fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}
