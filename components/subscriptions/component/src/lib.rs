//! Subscriptions: what gives users paid access.
//!
//! - [`own`]: our own routes, under `/subscriptions`.
//! - [`contract_001`]: the routes of the original subscription service, under `/api/v1/subscriptions`, with [`marshmallow`],
//!   [`python_json`] and [`werkzeug`] for what its bodies look like.
//! - [`accounts`]: what `auth` is asked and told.
//! - [`routes`]: which request is whose.
//!
//! The rules are `octo-subscriptions`; here is what HTTP makes of them.

#![cfg(target_family = "wasm")]
// The entry macro expands to the component's exported function.
#![allow(unsafe_code)]

mod accounts;
mod answers;
mod callers;
mod contract_001;
mod marshmallow;
mod own;
mod python_json;
mod routes;
mod werkzeug;

use octo_http::cors;
use octo_spin::{AnySql, Logged, SettingsBlock, SpinClock, SpinEntropy, SpinHttp, SpinKeyValue, serve};
use spin_sdk::http::{IncomingRequest, ResponseOutparam};

use crate::routes::{MAX_BODY, Service};

#[spin_sdk::http_component]
async fn entry(incoming: IncomingRequest, out: ResponseOutparam) {
    let settings = SettingsBlock::default();
    let service = Service {
        settings: &settings,
        sql: AnySql::new(&settings),
        store: SpinKeyValue::default(),
        http: SpinHttp,
        clock: SpinClock,
        entropy: SpinEntropy,
        unfinished: false.into(),
    };
    let handle = async |request| {
        cors::share(&service.settings, request, async |request| service.handle(request).await).await
    };
    serve("subscriptions", Logged::Every, MAX_BODY, incoming, out, handle).await;
    // The caller has the answer and does not wait for this.
    service.finish().await;
}
