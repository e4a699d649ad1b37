//! Background work: has it done, and shows what failed.
//!
//! - `POST /internal/jobs/drain` has the components that perform jobs do so, for some seconds. Any scheduler may send it;
//!   the run command does every few seconds.
//! - `GET /internal/jobs` shows what waits.
//! - `/internal/jobs/dead` are the dead letters: an administrator looks at them, replays them, removes them.
//!
//! The rules are `octo-jobs`; what a job does is the business of the component that performs it.

#![cfg(target_family = "wasm")]
// The entry macro expands to the component's exported function.
#![allow(unsafe_code)]

mod answers;
mod audit;
mod callers;
mod performers;
mod routes;

use octo_spin::{AnySql, Logged, SettingsBlock, SpinClock, SpinEntropy, SpinHttp, SpinKeyValue, serve};
use spin_sdk::http::{IncomingRequest, ResponseOutparam};

use crate::routes::{Desk, MAX_BODY};

#[spin_sdk::http_component]
async fn entry(incoming: IncomingRequest, out: ResponseOutparam) {
    let settings = SettingsBlock::default();
    let desk = Desk {
        settings: &settings,
        sql: AnySql::new(&settings),
        store: SpinKeyValue::default(),
        http: SpinHttp,
        clock: SpinClock,
        entropy: SpinEntropy,
    };
    serve("jobs", Logged::Every, MAX_BODY, incoming, out, async |request| desk.handle(request).await).await;
}
