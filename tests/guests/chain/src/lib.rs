//! Relays one chained call: the floor of a gateway.
//!
//! The benchmark measures it to learn what one service-chaining hop costs. It calls `answer` and
//! passes the answer on.
#![cfg(target_family = "wasm")]
#![allow(unsafe_code, reason = "the entry macro expands to the component's exports")]

use spin_sdk::http::{IntoResponse, Request, Response, send};
use spin_sdk::http_component;

/// Answers what `answer` answers, or 502 when the call fails.
#[http_component]
async fn chain(_request: Request) -> impl IntoResponse {
    let call = Request::get("http://answer.spin.internal/").build();
    match send::<_, Response>(call).await {
        Ok(answer) => {
            let body = answer.into_body();
            Response::builder()
                .status(200)
                .header("content-type", "text/plain")
                .header("content-length", body.len().to_string())
                .body(body)
                .build()
        }
        Err(_) => Response::builder().status(502).build(),
    }
}
