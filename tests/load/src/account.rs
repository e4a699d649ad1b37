//! An account that may use both providers, and what it does once.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use http::Method;
use serde_json::{Value, json};

use crate::driver;

const EMAIL: &str = "load@example.com";
const USERNAME: &str = "load";

/// A bootstrap secret for one run.
pub(crate) fn random_secret() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).context("the machine gives no random bytes")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Registers an account, makes it the first administrator, lets it grant itself paid access and gives an
/// access token that says so.
pub(crate) async fn token_with_paid_access(at: SocketAddr, bootstrap_secret: &str) -> anyhow::Result<String> {
    let credentials = json!({ "email": EMAIL, "username": USERNAME, "password": random_secret()? });
    let account = call(at, Method::POST, "/auth/register", None, &credentials).await?;
    let id = account.get("id").context("the new account has no id")?;
    let email = json!({ "email": EMAIL });
    call(at, Method::POST, "/auth/administrators", Some(bootstrap_secret), &email).await?;
    let token = log_in(at, &credentials).await?;
    let grant = json!({ "paid_access": true });
    call(at, Method::PATCH, &format!("/users/{id}"), Some(&token), &grant).await?;
    Ok(token)
}

/// An account whose session has had two access tokens, both still good.
pub(crate) struct Account {
    pub(crate) username: &'static str,
    pub(crate) password: String,
    /// The session's record knows this one's digest.
    pub(crate) newest_token: String,
    /// And no longer this one's.
    pub(crate) older_token: String,
    /// Unused.
    pub(crate) refresh_token: String,
}

/// Registers an account, logs it in and refreshes.
pub(crate) async fn with_two_tokens(at: SocketAddr) -> anyhow::Result<Account> {
    let password = random_secret()?;
    let credentials = json!({ "email": EMAIL, "username": USERNAME, "password": password });
    call(at, Method::POST, "/auth/register", None, &credentials).await?;
    let first = call(at, Method::POST, "/auth/login", None, &credentials).await?;
    let refresh = json!({ "refresh_token": text(&first, "refresh_token")? });
    let second = call(at, Method::POST, "/auth/refresh", None, &refresh).await?;
    Ok(Account {
        username: USERNAME,
        password,
        newest_token: text(&second, "access_token")?,
        older_token: text(&first, "access_token")?,
        refresh_token: text(&second, "refresh_token")?,
    })
}

fn text(answer: &Value, member: &str) -> anyhow::Result<String> {
    let text = answer.get(member).and_then(Value::as_str);
    Ok(text.with_context(|| format!("the answer has no {member}"))?.to_owned())
}

/// Sends one message, whichever provider it goes to.
pub(crate) async fn send_message(at: SocketAddr, token: &str, message: &str) -> anyhow::Result<()> {
    call(at, Method::POST, "/messages", Some(token), &json!({ "message": message })).await.map(drop)
}

async fn log_in(at: SocketAddr, credentials: &Value) -> anyhow::Result<String> {
    let answer = call(at, Method::POST, "/auth/login", None, credentials).await?;
    text(&answer, "access_token")
}

async fn call(
    at: SocketAddr,
    method: Method,
    path: &str,
    bearer: Option<&str>,
    body: &Value,
) -> anyhow::Result<Value> {
    let name = format!("{method} {path}");
    let mut request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("host", at.to_string())
        .header("content-type", "application/json");
    if let Some(token) = bearer {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let (status, body) = driver::once(at, request.body(body.to_string().into())?).await?;
    if !status.is_success() {
        bail!("{name} answers {status}: {}", String::from_utf8_lossy(&body));
    }
    serde_json::from_slice(&body).with_context(|| format!("{name} answers no JSON"))
}
