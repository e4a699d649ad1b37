//! Faults on purpose.

use std::time::Duration;

use octo_host::{Host, Limits, OutboundFault, Outcome, StoreFault};
use tokio::time::Instant;

use super::{guests, host, probe, refused, said};

const HIDDEN: &str = "http://hidden.spin.internal/log";

/// How often the called component has run: it writes a line each time.
fn runs(host: &Host) -> usize {
    host.logs().iter().filter(|line| &*line.component == "hidden").count() / 2
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_does_not_reach_the_service() {
    let host = host().await;
    host.faults().outbound("hidden", OutboundFault::Refuse);
    let error = refused(&host, "call/status", HIDDEN).await;
    assert!(error.contains("ConnectionRefused"), "{error}");
    assert_eq!(runs(&host), 0);
    host.faults().outbound("hidden", OutboundFault::None);
    assert_eq!(said(&host, "call/status", HIDDEN).await, "200");
    assert_eq!(runs(&host), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_call_was_handled_all_the_same() {
    let host = host().await;
    host.faults().outbound_times("hidden.spin.internal", OutboundFault::Cut, 1);
    let error = refused(&host, "call/status", HIDDEN).await;
    assert!(error.contains("HttpProtocolError"), "{error}");
    assert_eq!(runs(&host), 1);
    assert!(matches!(host.outbound_calls()[0].outcome, Outcome::Failed(_)));
    assert_eq!(said(&host, "call/status", HIDDEN).await, "200");
    assert_eq!(runs(&host), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_can_be_cut_after_its_head() {
    let host = host().await;
    host.faults().outbound("hidden", OutboundFault::CutMidBody);
    refused(&host, "call/body", "http://hidden.spin.internal/headers").await;
    assert_eq!(host.outbound_calls()[0].outcome, Outcome::Status(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_can_be_made_up() {
    let host = host().await;
    host.faults().outbound("hidden", OutboundFault::Status(503));
    assert_eq!(said(&host, "call/status", HIDDEN).await, "503");
    let answer = ::http::Response::builder().status(200).body("garbage".into()).unwrap();
    host.faults().outbound("hidden", OutboundFault::Respond(answer));
    assert_eq!(said(&host, "call/body", HIDDEN).await, "garbage");
    assert_eq!(runs(&host), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_service_answers_late() {
    let host = host().await;
    host.faults().outbound("hidden", OutboundFault::Slow(Duration::from_millis(150)));
    let before = Instant::now();
    assert_eq!(said(&host, "call/status", HIDDEN).await, "200");
    assert!(before.elapsed() >= Duration::from_millis(150));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_hangs_holds_its_caller_until_the_caller_is_stopped() {
    let limits = Limits { request_time: Duration::from_millis(200), ..Limits::default() };
    let host = Host::builder(guests()).limits(limits).start().await.unwrap();
    host.faults().outbound("hidden", OutboundFault::Hang);
    assert_eq!(probe(&host, "call/status", HIDDEN).await.status, 504);
    assert_eq!(runs(&host), 0);
    // The call's own task notices a moment later that nobody waits for it.
    while host.outbound_calls().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(host.outbound_calls()[0].outcome, Outcome::Abandoned);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_down_fails_every_operation() {
    let host = host().await;
    host.faults().key_value(StoreFault::Down);
    host.faults().sqlite(StoreFault::Down);
    for (what, body) in [("kv/get/a", ""), ("wasi-kv/increment/a", "1"), ("sql/default", "select 1")] {
        let error = refused(&host, what, body).await;
        assert!(error.contains("connection refused"), "{what}: {error}");
    }
    host.faults().key_value(StoreFault::None);
    assert_eq!(said(&host, "wasi-kv/increment/a", "1").await, "1");
    refused(&host, "sql/default", "select 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_can_be_slow_or_hang() {
    let limits = Limits { request_time: Duration::from_millis(500), ..Limits::default() };
    let host = Host::builder(guests()).limits(limits).start().await.unwrap();
    host.faults().key_value(StoreFault::Slow(Duration::from_millis(100)));
    let before = Instant::now();
    assert_eq!(said(&host, "wasi-kv/increment/a", "1").await, "1");
    assert!(before.elapsed() >= Duration::from_millis(200), "opened and incremented");
    let calls = host.store_calls();
    for (component, operation, time) in calls.times() {
        assert!(time >= Duration::from_millis(100), "{component} {operation} took {time:?}");
    }
    host.faults().key_value(StoreFault::Hang);
    assert_eq!(probe(&host, "wasi-kv/increment/a", "1").await.status, 504);
    host.faults().key_value(StoreFault::None);
    assert_eq!(said(&host, "wasi-kv/increment/a", "0").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_can_answer_wrongly() {
    let host = host().await;
    said(&host, "kv/set/a", "right").await;
    host.faults().key_value(StoreFault::WrongAnswer);
    host.faults().sqlite(StoreFault::WrongAnswer);
    assert_ne!(said(&host, "kv/get/a", "").await, "right");
    assert_eq!(said(&host, "wasi-kv/increment/n", "1").await, "-1");
    assert_eq!(said(&host, "sql/default", "select 1").await, "null");
    host.faults().key_value(StoreFault::None);
    assert_eq!(said(&host, "kv/get/a", "").await, "right");
    assert_eq!(said(&host, "wasi-kv/increment/n", "0").await, "0");
}
