//! How a row is tried: a message meets the response; then what the next message meets is looked at, and when.

use std::time::Duration;

use http::Method;
use octo_host::OutboundFault;
use serde_json::Value;

use super::rows::{BothRow, Class, FreeRow, Wait};
use super::{NOON, TestApp, User, WINDOW};

const FREE: &str = "free-provider";
const PAID: &str = "paid-provider";
/// Longer than this nobody waits: tokens would expire.
const PATIENCE: u64 = 600;

/// Where calls are counted, and by which clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The tests' own, which stands still.
    KeyValue,
    /// The server's, which does not.
    Redis,
}

impl Form {
    /// A wait in seconds, as it is told at once.
    fn seconds(self, wait: Wait) -> u64 {
        match (wait, self) {
            (Wait::Seconds(seconds), _) => seconds,
            // Aligned windows: 30 s of the hour are over, and the clocks may disagree by 250 ms.
            (Wait::Window, Form::KeyValue) => WINDOW.as_secs() - 30 + 1,
            (Wait::Window, Form::Redis) => WINDOW.as_secs(),
        }
    }

    /// Forgets all that was counted and learned, by the free provider as well.
    fn forget(self, app: &TestApp) {
        for keys in ["octo/gateway/*", "{octo:free}*", "octo/free-provider/*"] {
            let script =
                "for _, k in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', k) end return 1";
            app.redis().ask(&format!("EVAL \"{script}\" 0 {keys}")).unwrap();
        }
        if self == Form::Redis {
            app.vouch_for_a_fresh_provider();
        }
        app.clock().set(NOON);
        app.host().faults().outbound(FREE, OutboundFault::None);
        app.host().faults().outbound(PAID, OutboundFault::None);
        app.clear_records();
    }
}

/// The server's time in milliseconds, by which what passed during a row is allowed for.
fn server_time(app: &TestApp) -> u64 {
    let script = "local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000)";
    app.redis().ask(&format!("EVAL \"{script}\" 0")).unwrap().parse().unwrap()
}

/// Whether so many seconds are what is left of a wait, some of which may have passed since `began`.
fn is_left(form: Form, app: &TestApp, began: u64, wait: u64, seconds: u64) -> bool {
    let passed = if form == Form::Redis { server_time(app) - began } else { 0 };
    (wait * 1000).saturating_sub(passed).div_ceil(1000) <= seconds && seconds <= wait
}

fn calls(app: &TestApp) -> (usize, usize) {
    let calls = (app.calls_to(FREE), app.calls_to(PAID));
    app.clear_records();
    calls
}

fn provider_and_reason(body: &Value) -> (&str, &str) {
    (body["provider"].as_str().unwrap(), body["reason"].as_str().unwrap())
}

pub(super) async fn free(form: Form, app: &TestApp, (ada, bob): &(User, User), row: &FreeRow) {
    form.forget(app);
    let what = format!("{form:?} {row:?}");
    let began = server_time(app);
    app.host().faults().outbound(FREE, row.reply.fault());
    let body = ada.send("hello").await.expect(200);
    match row.class {
        Class::Result(result) => {
            assert_eq!(provider_and_reason(&body), ("free", "free_available"), "{what}");
            assert_eq!((body["response"].as_str(), calls(app)), (Some(result), (1, 0)), "{what}");
        }
        Class::Failure(..) => {
            assert_eq!(provider_and_reason(&body), ("paid", "free_failed"), "{what}");
            assert_eq!((body["response"].as_str(), calls(app)), (Some("olleh"), (1, 1)), "{what}");
        }
    }
    app.quiet().await;

    // What the next message meets.
    app.host().faults().outbound(FREE, OutboundFault::None);
    let quota = ada.quota().await;
    assert_eq!(quota["limit"], row.next.limit, "{what}");
    let reason = row.next.closed.map(|(reason, _)| reason);
    assert_eq!(quota["closed_because"].as_str(), reason, "{what}");
    let wait = row.next.closed.map(|(_, wait)| form.seconds(wait));
    if let Some(wait) = wait {
        let told = quota["free_reopens_in_seconds"].as_u64().unwrap();
        assert!(is_left(form, app, began, wait, told), "{told}: {what}");
    }
    app.clear_records();
    // A second passes on a busy machine, and such a wait with it.
    let surely_closed = form == Form::KeyValue || wait.is_none_or(|wait| wait > 60);
    if let (Some(reason), true) = (reason, surely_closed) {
        assert_eq!(provider_and_reason(&ada.send("hello").await.expect(200)), ("paid", reason), "{what}");
        assert_eq!(calls(app), (0, 1), "{what}");
    }
    // And when.
    match wait {
        Some(wait) if form == Form::KeyValue && wait <= PATIENCE => {
            app.clock().advance(Duration::from_millis(wait * 1000 - 1));
            assert_eq!(ada.send("hello").await.expect(200)["provider"], "paid", "{what}");
            app.clock().advance(Duration::from_millis(1));
            assert_eq!(ada.send("hello").await.expect(200)["provider"], "free", "{what}");
        }
        None => {
            assert_eq!(ada.send("hello").await.expect(200)["provider"], "free", "{what}");
            assert_eq!(calls(app), (1, 0), "{what}");
        }
        Some(_) => {}
    }
    app.quiet().await;

    // Without paid access.
    form.forget(app);
    let began = server_time(app);
    app.host().faults().outbound(FREE, row.reply.fault());
    let response = bob.send("hello").await;
    assert_eq!(calls(app), (1, 0), "{what}");
    let Class::Failure(name, status) = row.class else {
        response.expect(200);
        return app.quiet().await;
    };
    let kind = if status == 422 { "message-refused" } else { "free-provider-failed" };
    let problem = response.problem(status, kind);
    assert_eq!(problem["providers"][0]["failure"], name, "{what}");
    // A bad result is no matter of the status; a refusal of what a message says comes with success.
    let code = (name != "bad_answer").then_some(row.reply.code());
    assert_eq!(problem["providers"][0]["status"].as_u64(), code.map(u64::from), "{what}");
    let again = problem["detail"].as_str().unwrap().contains("safe to send it again");
    assert_eq!(again, status != 422, "{what}");
    match (status, wait) {
        (422, _) => assert_eq!(response.header("retry-after"), "", "{what}"),
        (_, wait) => {
            let told = response.header("retry-after").parse().unwrap();
            assert!(is_left(form, app, began, wait.unwrap_or(1), told), "{told}: {what}");
        }
    }
    app.quiet().await;
}

pub(super) async fn both(form: Form, app: &TestApp, ada: &User, row: &BothRow) {
    form.forget(app);
    let what = format!("{form:?} {row:?}");
    let faults = app.host().faults();
    faults.outbound(FREE, row.free.fault());
    faults.outbound(PAID, row.paid.fault());
    let response = ada.call(Method::POST, "/messages").json(&serde_json::json!({ "message": "hello" })).await;
    let (status, kind, retry_after) = row.client;
    let problem = response.problem(status, kind);
    assert_eq!(response.header("retry-after"), retry_after, "{what}");
    assert_eq!(calls(app), (1, 1), "{what}");
    for (index, (provider, reply)) in [("free", &row.free), ("paid", &row.paid)].into_iter().enumerate() {
        let told = &problem["providers"][index];
        let code = (reply.code() >= 300).then_some(reply.code());
        assert_eq!(
            (told["provider"].as_str(), told["status"].as_u64()),
            (Some(provider), code.map(u64::from)),
            "{what}"
        );
    }
    let again = problem["detail"].as_str().unwrap().contains("safe to send it again");
    assert_eq!(again, status != 422, "{what}");

    // With the free provider still failing, the next message meets the paid one again, or is told when.
    faults.outbound(PAID, OutboundFault::None);
    if let Some(seconds) = row.paid_closed {
        let response = ada.send("hello").await;
        response.problem(503, "providers-failed");
        assert_eq!(
            (response.header("retry-after"), calls(app)),
            (seconds.to_string().as_str(), (1, 0)),
            "{what}"
        );
        app.clock().advance(Duration::from_secs(seconds));
    }
    assert_eq!(ada.send("hello").await.expect(200)["provider"], "paid", "{what}");
    assert_eq!(calls(app), (1, 1), "{what}");
    app.quiet().await;
}
