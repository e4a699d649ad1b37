//! Uses each host interface by path, for the host's tests.
//!
//! The part of the path after the route says what to do (`/kv/set/KEY`, `/sql`, `/variable/NAME`, ...);
//! the answer is what the host said, 200 with the value or 500 with the error as Rust prints it.
#![cfg(target_family = "wasm")]
#![allow(unsafe_code, reason = "the entry macro expands to the component's exports")]

mod stores;

use std::fmt::Debug;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use spin_sdk::http::{IntoResponse, Request, Response, send};
use spin_sdk::{http_component, variables};

/// What the host said, as text.
type Said = Result<String, String>;

/// One request, one use of one interface.
#[http_component]
async fn probe(request: Request) -> impl IntoResponse {
    let (status, body) = match act(&request).await {
        Ok(value) => (200, value),
        Err(error) => (500, error),
    };
    Response::builder().status(status).header("content-length", body.len().to_string()).body(body).build()
}

async fn act(request: &Request) -> Said {
    let path = header(request, "spin-path-info");
    let body = String::from_utf8_lossy(request.body()).into_owned();
    let words: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match words.as_slice() {
        ["kv", operation, key] => stores::spin_key_value(operation, key, &body),
        ["wasi-kv", operation, key] => stores::wasi_key_value(operation, key, &body),
        ["sql", database] => stores::sql(database, &body),
        ["postgres", operation] => stores::postgres(&header(request, "postgres-address"), operation, &body),
        ["redis", operation, key] => stores::redis(&header(request, "redis-address"), operation, key, &body),
        ["variable", name] => said(variables::get(name)),
        ["environment", name] => said(std::env::var(name)),
        ["call", "status"] => call(&body, false).await,
        ["call", "body"] => call(&body, true).await,
        ["headers"] => Ok(headers(request)),
        ["echo"] => Ok(body),
        ["time"] => Ok(now().as_millis().to_string()),
        ["log"] => {
            println!("{body}");
            eprintln!("{body}");
            Ok(String::new())
        }
        ["trap"] => std::process::abort(),
        ["compute"] => loop {
            std::hint::black_box(now());
        },
        ["memory"] => Ok(vec![1_u8; 1 << 30].len().to_string()),
        _ => Err(format!("nothing to do for {path:?}")),
    }
}

/// Calls a URL, GET; the answer's status, or its body.
async fn call(url: &str, wants_body: bool) -> Said {
    let answer: Response = send(Request::get(url).build()).await.map_err(|e| format!("{e:?}"))?;
    Ok(if wants_body {
        String::from_utf8_lossy(answer.body()).into_owned()
    } else {
        answer.status().to_string()
    })
}

fn headers(request: &Request) -> String {
    let mut lines: Vec<String> =
        request.headers().map(|(name, value)| format!("{name}: {}", value.as_str().unwrap_or("?"))).collect();
    lines.sort();
    lines.join("\n")
}

fn header(request: &Request, name: &str) -> String {
    request.header(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
}

#[allow(clippy::disallowed_methods, reason = "the clock is what is probed")]
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A result of any interface, as text.
fn said<T: ToString, E: Debug>(result: Result<T, E>) -> Said {
    result.map(|value| value.to_string()).map_err(|error| format!("{error:?}"))
}
