//! The router: takes messages and sends each to the free or the paid provider.
//!
//! - `POST /messages` routes one message.
//! - `GET /messages/quota` shows the free tier.
//! - `GET /messages/stats` and `GET /metrics` tell what became of the messages.
//! - `POST /free_provider` and `POST /paid_provider` are the original's way to send a message (contract 000).
//! - `GET /internal/settings` tells the run command whether the variables are right; no route leads there
//!   from outside.
//!
//! The rules are `octo-gateway`; the stores are asked through `octo-admission-backend`; here is what HTTP makes of
//! them.

#![cfg(target_family = "wasm")]
// The entry macro expands to the component's exported function.
#![allow(unsafe_code)]

mod answers;
mod contract_000;
mod figures;
mod metered;
mod routes;

use octo_http::cors;
use octo_spin::{Logged, SettingsBlock, SpinClock, SpinEntropy, SpinHttp, SpinKeyValue, serve};
use spin_sdk::http::{IncomingRequest, ResponseOutparam};

use crate::routes::{MAX_BODY, Router};

#[spin_sdk::http_component]
async fn entry(incoming: IncomingRequest, out: ResponseOutparam) {
    let router = Router {
        settings: SettingsBlock::default(),
        store: SpinKeyValue::default(),
        http: SpinHttp,
        clock: SpinClock,
        entropy: SpinEntropy,
        unfinished: None.into(),
    };
    let handle = async |request| {
        cors::share(&router.settings, request, async |request| router.handle(request).await).await
    };
    serve("router", Logged::Every, MAX_BODY, incoming, out, handle).await;
    // The client has its answer and does not wait for this. Should it be cut off, a slot is held for longer
    // than it must be.
    router.finish().await;
}
