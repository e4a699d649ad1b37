//! Passes a request on to the component `worker` and gives up after [`PATIENCE`], by dropping the call.
//!
//! It calls through the application's own adapter, because that is how the application gives up.
#![cfg(target_family = "wasm")]
#![allow(unsafe_code, reason = "the entry macro expands to the component's exports")]

use std::time::Duration;

use octo_core::{HttpOut, ports::CallLimits};
use octo_spin::SpinHttp;
use spin_sdk::http::{IntoResponse, Request, Response};
use spin_sdk::http_component;

const PATIENCE: Duration = Duration::from_millis(200);

/// The worker's answer, or 504 with the error.
#[http_component]
async fn impatient(request: Request) -> impl IntoResponse {
    let (status, body) = match call(request).await {
        Ok(answer) => (answer.status().as_u16(), answer.into_body()),
        Err(error) => (504, error.into_bytes()),
    };
    Response::builder().status(status).header("content-length", body.len().to_string()).body(body).build()
}

async fn call(request: Request) -> Result<http::Response<Vec<u8>>, String> {
    let header = |name| request.header(name).and_then(|value| value.as_str()).unwrap_or_default();
    let call = http::Request::post(format!("http://worker.spin.internal{}", header("spin-path-info")))
        .header("redis-address", header("redis-address"))
        .body(request.body().to_vec())
        .map_err(|error| error.to_string())?;
    let limits = CallLimits { timeout: PATIENCE, max_answer: 1 << 16 };
    SpinHttp.send(call, limits).await.map_err(|error| error.to_string())
}
