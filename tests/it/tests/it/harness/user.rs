//! Somebody with an account, logged in.

use http::Method;
use serde_json::{Value, json};

use super::{Answer, Call, TestApp};

/// A logged-in account and how to reach the hosts as it.
pub(crate) struct User {
    pub(crate) id: i64,
    pub(crate) email: String,
    pub(crate) access: String,
    pub(crate) refresh_token: String,
    addresses: Vec<std::net::SocketAddr>,
}

impl User {
    pub(crate) fn new(app: &TestApp, account: &Value, tokens: &Value) -> Self {
        Self {
            id: account["id"].as_i64().unwrap(),
            email: account["email"].as_str().unwrap().to_owned(),
            access: text(tokens, "access_token"),
            refresh_token: text(tokens, "refresh_token"),
            addresses: app.addresses(),
        }
    }

    /// Takes new tokens for the old.
    pub(crate) async fn refresh(&mut self, app: &TestApp) {
        let tokens = app.post("/auth/refresh").json(&json!({ "refresh_token": self.refresh_token }));
        let tokens = tokens.await.expect(200);
        self.access = text(&tokens, "access_token");
        self.refresh_token = text(&tokens, "refresh_token");
    }

    /// Sends a message to the first host.
    pub(crate) async fn send(&self, message: &str) -> Answer {
        self.send_by(0, message).await
    }

    /// Sends a message to one of the hosts.
    pub(crate) async fn send_by(&self, host: usize, message: &str) -> Answer {
        self.call_on(host, Method::POST, "/messages").json(&json!({ "message": message })).await
    }

    /// What `GET /messages/quota` says.
    pub(crate) async fn quota(&self) -> Value {
        self.call(Method::GET, "/messages/quota").await.expect(200)
    }

    /// A request with the access token to the first host.
    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        self.call_on(0, method, path)
    }

    /// A request with the access token to one of the hosts.
    pub(crate) fn call_on(&self, host: usize, method: Method, path: &str) -> Call {
        Call::new(self.addresses[host], method, path).bearer(&self.access)
    }
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_else(|| panic!("no {member} in {value}")).to_owned()
}
