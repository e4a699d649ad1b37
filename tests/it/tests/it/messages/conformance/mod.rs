//! What a provider's response means: the table of docs/FREE-TIER.md, row by row, on the key-value form and on the Redis
//! form. [`rows`] has the table, [`chat_rows`] what the usual chat APIs say in a body, [`tried`] is how a row is tried.

mod chat_rows;
mod rows;
mod tried;

use std::time::Duration;

use crate::harness::{Counter, NOON, Setup, TestApp, User};
use chat_rows::chat_rows;
use rows::{BothRow, FreeRow, both_rows, free_rows};
use tried::Form;

/// N, P and B. The tests' time is 30 s into an hour.
const CALLS: i64 = 10;
const WINDOW: Duration = Duration::from_secs(3_600);
const BLOCK: Duration = Duration::from_secs(10);

fn setup(model: &str) -> Setup {
    TestApp::with("free_limit", CALLS)
        .with("free_window_seconds", WINDOW.as_secs())
        .with("free_block_seconds", BLOCK.as_secs())
        .with("free_window_model", model)
        // A burst on a busy machine is no outage.
        .with("store_timeout_ms", 5_000)
        .over_redis()
}

async fn conforms(form: Form, app: &TestApp, free: Vec<FreeRow>, both: Vec<BothRow>) {
    let users: (User, User) = (app.paying_user("ada").await, app.user("bob").await);
    for row in free {
        tried::free(form, app, &users, &row).await;
    }
    for row in both {
        tried::both(form, app, &users.0, &row).await;
    }
    assert_eq!(app.clock().now_ms(), NOON);
}

/// The application's own free provider, read as a chat API is.
fn chat(setup: Setup) -> Setup {
    setup
        .with("free_provider_preset", "openai")
        .with("free_provider_path", "/process")
        .with("free_provider_template", r#"{"message":"{message}"}"#)
        .with("free_provider_response_pointer", "/response")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_response_means_what_the_table_says_counted_in_the_key_value_store() {
    let app = setup("aligned").start().await;
    let (free, both) = (free_rows(), both_rows());
    assert!(free.len() + both.len() >= 80, "{} rows", free.len() + both.len());
    conforms(Form::KeyValue, &app, free, both).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_response_means_what_the_table_says_counted_in_redis() {
    let app = setup("sliding").counting_in(Counter::StoresRedis).start().await;
    conforms(Form::Redis, &app, free_rows(), both_rows()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_errors_of_the_chat_apis_mean_what_the_table_says_counted_in_the_key_value_store() {
    let app = chat(setup("aligned")).start().await;
    conforms(Form::KeyValue, &app, chat_rows(), vec![]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_errors_of_the_chat_apis_mean_what_the_table_says_counted_in_redis() {
    let app = chat(setup("sliding")).counting_in(Counter::StoresRedis).start().await;
    conforms(Form::Redis, &app, chat_rows(), vec![]).await;
}
