//! Free providers that are not ours: of every kind, stricter than they were said to be, and by another clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use octo_gateway::free_tier::WindowModel;
use octo_host::Clock;

use crate::harness::{Counter, Setup, TestApp, User};
use crate::mock_providers::{Fields, Latency, MockFree, MockPaid, Mood, repeated};

const CALLS: i64 = 20;
const WINDOW: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_millis(400);
/// Times between messages: three times as many as the provider takes.
const PAUSE: Duration = Duration::from_millis(1000 / 60);
/// Messages under way at most: more than there are on a machine that keeps pace. On another the load must not pile up, or
/// every call comes too late to go free.
const UNDER_WAY: usize = 8;
/// Against hanging.
const PATIENCE: Duration = Duration::from_secs(120);

/// Two hosts that count in Redis and are told of [`CALLS`] in [`WINDOW`].
fn told(model: WindowModel, free: &MockFree, paid: &MockPaid) -> Setup {
    TestApp::with("free_window_model", model.name())
        .with("free_limit", CALLS)
        .with("free_window_seconds", WINDOW.as_secs())
        .with("free_block_seconds", 1)
        .with("free_provider_timeout_ms", TIMEOUT.as_millis())
        .with("free_clock_skew_ms", 20)
        .with("store_timeout_ms", 5_000)
        .calling(free, paid)
        .by(Clock::system())
        .several(2)
        .counting_in(Counter::StoresRedis)
}

/// Sends messages until so many have gone free: one every [`PAUSE`], with so many at most under way. How long that takes
/// depends on the machine; that it comes to an end does not, unless free calls are given up for good.
async fn send_until_free(ada: &User, calls: i64, under_way: usize) {
    let went_free = AtomicI64::new(0);
    let began = tokio::time::Instant::now();
    let sent = futures::stream::iter(0..).map(async |number: usize| {
        tokio::time::sleep_until(began + PAUSE * number as u32).await;
        if went_free.load(Ordering::SeqCst) >= calls {
            return false;
        }
        let body = ada.send_by(number % 2, "hello").await.expect(200);
        assert_eq!(body["response"], "olleh");
        if body["provider"] == "free" {
            went_free.fetch_add(1, Ordering::SeqCst);
        }
        true
    });
    let all = sent.buffered(under_way).take_while(|sent| std::future::ready(*sent)).count();
    let sent = tokio::time::timeout(PATIENCE, all).await;
    assert!(sent.is_ok(), "{} free calls in {PATIENCE:?}", went_free.load(Ordering::SeqCst));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_provider_of_any_kind_sees_a_call_too_many_or_a_message_twice() {
    // One after another: all at once they would want more instances than a host has when the machine is slow.
    for model in WindowModel::ALL {
        let plan = MockFree::allowing(model, CALLS, WINDOW, WINDOW).taking(Latency::around(2.0, 10.0));
        let (free, paid) = (plan.start().await, MockPaid::start(Latency::NONE).await);
        let app = told(model, &free, &paid).start().await;
        app.vouch_for_a_fresh_provider();
        let ada = app.paying_user("ada").await;
        // Window after window, or block after block.
        send_until_free(&ada, 4 * CALLS, UNDER_WAY).await;
        assert_eq!(free.refused(), 0, "{model:?}");
        assert!(free.fullest_window() <= CALLS, "{model:?}: {}", free.fullest_window());
        for calls in [free.arrivals(), paid.arrivals()] {
            assert_eq!(repeated(calls.iter().map(|call| call.id.as_str())), None, "{model:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_takes_less_than_it_was_said_to_is_overrun_only_until_it_says_so() {
    for fields in [Fields::Draft, Fields::Three, Fields::None] {
        let plan = MockFree::allowing(WindowModel::Sliding, CALLS / 2, WINDOW, WINDOW);
        let plan = plan.taking(Latency::around(2.0, 10.0)).telling(fields);
        let (free, paid) = (plan.start().await, MockPaid::start(Latency::NONE).await);
        let app = told(WindowModel::Sliding, &free, &paid).start().await;
        app.vouch_for_a_fresh_provider();
        let ada = app.paying_user("ada").await;
        assert_eq!(ada.send("hello").await.expect(200)["provider"], "free");
        app.quiet().await;
        // With fields this response has told. Without, a refusal tells, and what is under way until then is refused as
        // well: so one message at a time. (Two: a call that the provider counts no more may still hold a slot, and then
        // the first refusal teaches one too many.)
        let (under_way, refusals) = if fields == Fields::None { (1, 2) } else { (UNDER_WAY, 0) };
        send_until_free(&ada, 2 * CALLS, under_way).await;
        assert!(free.refused() <= refusals, "{fields:?}: {} refused", free.refused());
    }
}

/// The provider's windows begin 1.5 s after ours. What goes out on either side of the beginning of one of ours
/// arrives in one of its. On real time, which the Redis server that counts goes by.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_by_another_clock_is_not_overrun_once_its_date_has_been_seen() {
    const WINDOW: Duration = Duration::from_secs(4);
    let (ours, ahead) = (Clock::system(), Clock::system());
    ahead.advance(Duration::from_millis(2_500));
    let free = MockFree::allowing(WindowModel::Aligned, CALLS, WINDOW, WINDOW).by(ahead).start().await;
    let paid = MockPaid::start(Latency::NONE).await;
    let setup = told(WindowModel::Aligned, &free, &paid).with("free_window_seconds", WINDOW.as_secs());
    let app = setup.start().await;
    app.vouch_for_a_fresh_provider();
    let ada = app.paying_user("ada").await;
    assert_eq!(ada.send("hello").await.expect(200)["provider"], "free");
    // Every call of before is over then.
    tokio::time::sleep(WINDOW + TIMEOUT + WINDOW).await;

    let period = WINDOW.as_millis() as u64;
    let begins = (ours.now_ms() / period + 2) * period;
    let mut free_calls = 0;
    for at in [begins - 500, begins + 100] {
        tokio::time::sleep(Duration::from_millis(at.saturating_sub(ours.now_ms()))).await;
        let answers = join_all((0..CALLS).map(|_| ada.send("hello"))).await;
        free_calls += answers.iter().filter(|answer| answer.expect(200)["provider"] == "free").count() as i64;
    }
    assert_eq!((free.refused(), free_calls), (0, CALLS));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_outside_that_misbehaves_costs_money_but_no_answer() {
    for mood in [Mood::Fails(500), Mood::Breaks, Mood::Hangs] {
        let free = MockFree::allowing(WindowModel::Sliding, CALLS, WINDOW, WINDOW).start().await;
        let paid = MockPaid::start(Latency::NONE).await;
        let app = told(WindowModel::Sliding, &free, &paid).start().await;
        app.vouch_for_a_fresh_provider();
        let ada = app.paying_user("ada").await;
        free.will(mood);
        let body = ada.send("hello").await.expect(200);
        assert_eq!((body["provider"].as_str(), body["reason"].as_str()), (Some("paid"), Some("free_failed")));
        free.will(Mood::Answers);
        assert_eq!(ada.send("hello").await.expect(200)["provider"], "free", "{mood:?}");
    }
}
