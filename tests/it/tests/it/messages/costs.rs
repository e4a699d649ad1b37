//! What a message costs in store calls, calls of providers and calls to the host at all, so that nobody makes it dearer
//! unnoticed.

use serde_json::json;

use crate::harness::{Counter, TestApp, in_wasi_0_3};

/// What was used since the records were last cleared, such as `router key-value get: 2`, once nothing more is
/// used: components go on after their response.
async fn used(app: &TestApp) -> Vec<String> {
    app.quiet().await;
    let calls = app.host().store_calls();
    let lines = calls.iter().filter_map(|(component, operation, mut count)| {
        if in_wasi_0_3() && component == "router" {
            // Counters have an interface of their own there, which cannot be given up: each increment follows a question that can.
            let increments = calls.count("router", "key-value increment");
            match operation {
                "key-value exists" => {
                    assert_eq!(count, increments);
                    return None;
                }
                "key-value open" if increments > 0 => count -= 1,
                _ => {}
            }
        }
        Some(format!("{component} {operation}: {count}"))
    });
    lines.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_free_message_takes_these_store_calls_and_one_call_of_a_provider() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    // The first message of a window does what is done once.
    ada.send("hello").await.expect(200);
    app.quiet().await;
    app.clear_records();
    ada.send("hello").await.expect(200);
    assert_eq!(
        used(&app).await,
        [
            "free-provider key-value get: 1",
            "free-provider key-value increment: 1",
            "free-provider key-value open: 1",
            "free-provider key-value set: 1",
            // The session and the gate; the window.
            "router key-value get: 2",
            "router key-value increment: 1",
            "router key-value open: 1",
        ]
    );
    assert_eq!(app.host().outbound_calls().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_paid_for_with_the_operators_key_takes_these_store_calls_and_one_call_of_a_provider() {
    let app = TestApp::with("free_limit", 1).start().await;
    assert_eq!(
        used_by_a_paid_message(&app).await,
        [
            "paid-provider key-value increment: 1",
            "paid-provider key-value open: 1",
            "paid-provider key-value set: 1",
            // The session, the gate of the free provider, the gate of the paid one; the window. After the
            // answer the gate again, and the figures.
            "router key-value get: 4",
            "router key-value increment: 2",
            "router key-value open: 1",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_that_octo_made_costs_either_side_one_more_read() {
    let app = TestApp::with("free_limit", 1).with("paid_provider_key", "").start().await;
    assert_eq!(
        used_by_a_paid_message(&app).await,
        [
            "paid-provider key-value get: 1",
            "paid-provider key-value increment: 1",
            "paid-provider key-value open: 1",
            "paid-provider key-value set: 1",
            "router key-value get: 5",
            "router key-value increment: 2",
            "router key-value open: 1",
        ]
    );
}

async fn used_by_a_paid_message(app: &TestApp) -> Vec<String> {
    let ada = app.paying_user("ada").await;
    // The first message takes the free call, the first paid one makes the key.
    for _ in 0..2 {
        ada.send("hello").await.expect(200);
    }
    app.quiet().await;
    app.clear_records();
    assert_eq!(ada.send("hello").await.expect(200)["provider"], "paid");
    assert_eq!(app.host().outbound_calls().len(), 1);
    used(app).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_never_ours_takes_no_store_call_and_one_that_was_changed_takes_two_reads() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.quiet().await;
    app.clear_records();
    let expired = crate::harness::forger::unsigned(&json!({}), &json!({ "exp": 0 }));
    for token in ["x.y.z", &format!("{expired}.")] {
        app.post("/messages").bearer(token).await.problem(401, "unauthorized");
    }
    assert_eq!(used(&app).await, [""; 0]);
    // The session, then the public keys.
    let tampered = format!("{}A", ada.access);
    app.post("/messages").bearer(&tampered).await.problem(401, "unauthorized");
    assert_eq!(used(&app).await, ["router key-value get: 2", "router key-value open: 1"]);
    assert!(app.host().outbound_calls().is_empty());
}

/// How often a free message may go to the host for anything: HTTP, streams, clocks, variables, stores. On a real Spin each costs
/// a span of its tracing at least, and a message's time is mostly theirs.
#[tokio::test(flavor = "multi_thread")]
async fn a_free_message_takes_so_many_calls_to_the_host() {
    // By component, with what is left to do after the response. The second lane's budget has room for the turns of its timers.
    let budgets: [(Counter, &[(&str, u64)]); 2] = if in_wasi_0_3() {
        [(Counter::KeyValue, &[("router", 140)]), (Counter::OwnRedis, &[("router", 160)])]
    } else {
        [(Counter::KeyValue, &[("router", 110)]), (Counter::OwnRedis, &[("router", 175), ("admission", 65)])]
    };
    for (counter, budget) in budgets {
        let app = TestApp::with("free_window_model", "aligned")
            .with("free_window_seconds", 60)
            .counting_in(counter)
            .start()
            .await;
        if counter != Counter::KeyValue {
            app.vouch_for_a_fresh_provider();
        }
        let ada = app.user("ada").await;
        ada.send("hello").await.expect(200);
        app.quiet().await;
        app.clear_records();
        assert_eq!(ada.send("hello").await.expect(200)["provider"], "free");
        app.quiet().await;
        let used = app.host().host_calls();
        println!("{counter:?}: {used:?}");
        for (component, most) in budget {
            let calls = used.get(*component).copied().unwrap_or_default();
            assert!((1..=*most).contains(&calls), "{counter:?}: {component} {calls} of {most}");
        }
    }
}
