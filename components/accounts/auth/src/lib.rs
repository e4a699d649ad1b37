//! Sign-on: accounts, sessions and the keys that sign tokens.
//!
//! - [`own`]: our own routes: accounts, sessions, tokens, administration
//! - [`message_handler`], [`shop`], [`loyalty`]: the same accounts for the clients of the original systems
//! - [`routes`]: which request is whose
//!
//! The rules are `octo-identity`; here is what HTTP makes of them.

#![cfg(target_family = "wasm")]
// The entry macro expands to the component's exported function.
#![allow(unsafe_code)]

mod answers;
mod callers;
mod loyalty;
mod message_handler;
mod own;
mod routes;
mod shop;
mod stop;

use octo_http::{Bodies, cors};
use octo_spin::{AnySql, Logged, SpinClock, SpinEntropy, SpinKeyValue, SpinSettings, serve};
use spin_sdk::http::{IncomingRequest, ResponseOutparam};

use crate::routes::{Auth, MAX_BODY};

#[spin_sdk::http_component]
async fn entry(incoming: IncomingRequest, out: ResponseOutparam) {
    let auth = Auth {
        settings: SpinSettings,
        sql: AnySql::new(SpinSettings),
        store: SpinKeyValue::default(),
        clock: SpinClock,
        entropy: SpinEntropy,
        keys_asked_for: false.into(),
    };
    let handle = async |request| {
        cors::share(&auth.settings, request, async |request| auth.handle(request).await).await
    };
    let bodies = Bodies { most: MAX_BODY, gzip: true };
    serve("auth", Logged::Every, bodies, incoming, out, handle).await;
    auth.finish().await;
}
