//! Forwards a request to a server outside: the floor of a gateway.
//!
//! The benchmark measures it to learn what a platform's own way from a client to a provider costs. It passes the body on
//! to the address in its variable `upstream`, and the answer back.
#![cfg(target_family = "wasm")]
#![allow(unsafe_code, reason = "the entry macro expands to the component's exports")]

use spin_sdk::http::{IntoResponse, Request, Response, send};
use spin_sdk::{http_component, variables};

/// Answers what the server answers, or 502 when the call fails.
#[http_component]
async fn forward(request: Request) -> impl IntoResponse {
    let upstream = variables::get("upstream").unwrap_or_default();
    let body = request.into_body();
    let call = Request::post(format!("{upstream}/forwarded"), body.clone())
        .header("content-type", "application/json")
        .header("content-length", body.len().to_string())
        .build();
    match send::<_, Response>(call).await {
        Ok(answer) => {
            let body = answer.into_body();
            Response::builder()
                .status(200)
                .header("content-type", "application/json")
                .header("content-length", body.len().to_string())
                .body(body)
                .build()
        }
        Err(_) => Response::builder().status(502).build(),
    }
}
