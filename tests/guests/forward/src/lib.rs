//! Forwards a request to a server outside: the floor of a gateway.
//!
//! The benchmark measures it to learn what a platform's own way from a client to a provider costs, in either lane. It passes
//! the body on to the address in its variable `upstream`, and the answer back, and does nothing else.
#![cfg(target_family = "wasm")]

use std::time::Duration;

use http::header;
use octo_core::{HttpOut, Problem, Settings, ports::CallLimits};
use octo_http::{Request, Response};
use octo_spin::{Logged, SettingsBlock, SpinHttp, serve};

const LIMITS: CallLimits = CallLimits { timeout: Duration::from_secs(10), max_answer: 64 * 1024 };

octo_spin::export!(async |exchange| serve("forward", Logged::Failures, 64 * 1024, exchange, forward).await);

async fn forward(request: Request) -> Result<Response, Problem> {
    let upstream = SettingsBlock::default().alone("upstream").unwrap_or_default();
    let call = http::Request::post(format!("{upstream}/forwarded"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(request.into_body()?)
        .map_err(|error| Problem::internal().because(error))?;
    let answer = SpinHttp.send(call, LIMITS).await.map_err(|error| Problem::internal().because(error))?;
    Ok(Response::new(answer.into_body()))
}
