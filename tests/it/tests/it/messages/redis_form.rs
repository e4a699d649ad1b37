//! Free calls counted in Redis (variable `redis_url`), on real time: the store's clock is the one that counts.

use std::time::Duration;

use futures::{StreamExt, stream};
use octo_host::Clock;
use tokio::time::Instant;

use crate::harness::{Counter, Setup, TestApp};

const LIMIT: i64 = 20;
const WINDOW_SECONDS: u64 = 2;
const IN_FLIGHT: usize = 24;
const LOAD: Duration = Duration::from_secs(9);

/// Three hosts over one Redis server that also counts.
async fn start(model: &str) -> TestApp {
    setup(model).counting_in(Counter::StoresRedis).start().await
}

/// The same with a provider that is known to have seen no call.
async fn start_fresh(model: &str) -> TestApp {
    let app = start(model).await;
    app.vouch_for_a_fresh_provider();
    app
}

fn setup(model: &str) -> Setup {
    TestApp::with("free_window_model", model)
        .with("free_limit", LIMIT)
        .with("free_window_seconds", WINDOW_SECONDS)
        .with("free_block_seconds", 1)
        .with("free_provider_timeout_ms", 400)
        .with("free_clock_skew_ms", 50)
        .by(Clock::system())
        .several(3)
}

/// Sends more than the free provider takes, for some windows, and looks into its books.
async fn no_window_is_overrun(model: &str) {
    let app = start_fresh(model).await;
    let ada = app.paying_user("ada").await;
    let began = Instant::now();
    let sent = stream::iter(0..)
        .take_while(|_| std::future::ready(began.elapsed() < LOAD))
        .map(|number: usize| {
            let ada = &ada;
            async move {
                // A load of three times the quota, not of all the machine can do.
                tokio::time::sleep(Duration::from_millis(IN_FLIGHT as u64 * 30)).await;
                ada.send_by(number % 3, "hello").await
            }
        })
        .buffer_unordered(IN_FLIGHT)
        .collect::<Vec<_>>()
        .await;

    let mut free = 0;
    for answer in &sent {
        let body = answer.expect(200);
        assert_eq!(body["response"], "olleh");
        free += i64::from(body["provider"] == "free");
    }
    let books = app.free_provider().books().await;
    assert_eq!(books.refused_total, 0);
    assert!(books.windows.iter().all(|calls| *calls <= LIMIT), "{:?}", books.windows);
    assert_eq!(books.taken_total, free);
    assert!(free >= LIMIT * 2, "only {free} of {} messages went free", sent.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn counted_in_redis_no_aligned_window_sees_a_call_too_many_on_three_hosts() {
    no_window_is_overrun("aligned").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_of_unknown_windows_is_safe_when_they_are_taken_for_sliding_ones() {
    no_window_is_overrun("sliding").await;
}

#[tokio::test]
async fn a_redis_that_may_have_forgotten_calls_sends_nothing_free_for_a_while() {
    let app = start("sliding").await;
    let mut ada = app.paying_user("ada").await;
    assert_eq!(ada.send("hello").await.expect(200)["reason"], "free_blocked");
    tokio::time::sleep(Duration::from_millis(2_600)).await;
    assert_eq!(ada.send("hello").await.expect(200)["provider"], "free");

    app.redis().ask("FLUSHALL").unwrap();
    ada.refresh(&app).await;
    assert_eq!(ada.send("hello").await.expect(200)["reason"], "free_blocked");
}

#[tokio::test]
async fn without_redis_the_counter_says_so_and_paying_users_are_answered() {
    // Nobody listens there: the counter's server is away, the key-value store is not.
    let app = setup("anchored").with("redis_url", "redis://127.0.0.1:1").start().await;
    let ada = app.paying_user("ada").await;
    assert_eq!(ada.send("hello").await.expect(200)["reason"], "counter_unavailable");
    assert_eq!(app.calls_to("free-provider"), 0);
}

#[tokio::test]
async fn a_redis_that_takes_no_writes_costs_money_and_is_used_again_when_it_does() {
    let app = setup("sliding").counting_in(Counter::OwnRedis).start().await;
    app.vouch_for_a_fresh_provider();
    let ada = app.paying_user("ada").await;
    assert_eq!(ada.send("hello").await.expect(200)["provider"], "free");
    // Half way through a failover: it became the replica of somebody who is not there.
    app.counter().ask("REPLICAOF 127.0.0.1 1").unwrap();
    let calls = app.calls_to("free-provider");
    for host in 0..3 {
        assert_eq!(ada.send_by(host, "hello").await.expect(200)["reason"], "counter_unavailable");
    }
    assert_eq!(app.calls_to("free-provider"), calls);
    app.counter().ask("REPLICAOF NO ONE").unwrap();
    assert_eq!(ada.send("hello").await.expect(200)["provider"], "free");
}
