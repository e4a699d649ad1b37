//! The router: takes messages and sends each to the free or the paid provider.
//!
//! - `POST /messages` routes one message.
//! - `GET /messages/quota` shows the free tier.
//! - `GET /internal/settings` tells the run command whether the variables are right; no route leads there
//!   from outside.
//!
//! The rules are `octo-gateway`; here is what HTTP makes of them.

#![cfg(target_family = "wasm")]
// The entry macro expands to the component's exported function.
#![allow(unsafe_code)]

mod answers;
mod routes;

use octo_spin_kit::{SettingsBlock, SpinClock, SpinEntropy, SpinHttp, SpinKeyValue, SpinRedis, serve};
use spin_sdk::http::{IncomingRequest, ResponseOutparam};

use crate::routes::{MAX_BODY, Router};

#[spin_sdk::http_component]
async fn entry(incoming: IncomingRequest, out: ResponseOutparam) {
    serve("router", MAX_BODY, incoming, out, async |request| {
        let router = Router {
            settings: SettingsBlock::default(),
            store: SpinKeyValue::default(),
            http: SpinHttp,
            clock: SpinClock,
            entropy: SpinEntropy,
            redis: SpinRedis::at,
        };
        router.handle(request).await
    })
    .await;
}
