//! Sign-on: accounts, sessions and the keys that sign tokens.
//!
//! - `POST /auth/register`, `/auth/login`, `/auth/refresh`, `/auth/logout`
//! - `GET /users/me`, `GET` and `PATCH /users/{id}` (administrators)
//! - `POST /auth/administrators` makes the first administrator
//! - `GET /.well-known/jwks.json`
//!
//! The rules are `octo-identity`; here is what HTTP makes of them.

#![cfg(target_family = "wasm")]
// The entry macro expands to the component's exported function.
#![allow(unsafe_code)]

mod routes;

use octo_spin_kit::{Logged, SpinClock, SpinEntropy, SpinKeyValue, SpinSettings, SpinSql, serve};
use spin_sdk::http::{IncomingRequest, ResponseOutparam};

use crate::routes::{Auth, MAX_BODY};

#[spin_sdk::http_component]
async fn entry(incoming: IncomingRequest, out: ResponseOutparam) {
    let auth = Auth {
        settings: SpinSettings,
        sql: SpinSql::default(),
        store: SpinKeyValue::default(),
        clock: SpinClock,
        entropy: SpinEntropy,
        keys_asked_for: false.into(),
    };
    serve("auth", Logged::Every, MAX_BODY, incoming, out, async |request| auth.handle(request).await).await;
    auth.finish().await;
}
