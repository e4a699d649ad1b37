//! Background work over HTTP: who may have it done, and what administrators see of what failed.

use std::time::Duration;

use futures::future::join_all;
use http::Method;
use octo_host::OutboundFault;
use serde_json::{Value, json};

use crate::harness::{Setup, TestApp};

const KEY: &str = "the key of the scheduler";
const DRAIN: &str = "/internal/jobs/drain";
/// In the log when a drain did something.
const DRAINED: &str = r#""path":"/internal/jobs/drain","status":200"#;

/// Has everybody hear of the accounts there are, so that nothing waits.
async fn hear_of_accounts(app: &TestApp) {
    while app.post(DRAIN).bearer(KEY).await.expect(200)["performed"] != 0 {}
    app.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_scheduler_a_service_or_an_administrator_has_work_done() {
    let app = TestApp::with("jobs_key", KEY).start().await;
    app.post(DRAIN).await.problem(401, "unauthorized");
    for key in ["another key", "", "the key of the scheduleR"] {
        app.post(DRAIN).bearer(key).await.problem(401, "unauthorized");
    }
    let ada = app.user("ada").await;
    ada.call(Method::POST, DRAIN).await.problem(403, "forbidden");
    let root = app.administrator().await;
    hear_of_accounts(&app).await;
    let lines = app.log().matches(DRAINED).count();
    let nothing = json!({ "performed": 0, "failed": 0, "more": false });
    assert_eq!(app.post(DRAIN).bearer(KEY).await.expect(200), nothing);
    assert_eq!(root.call(Method::POST, DRAIN).await.expect(200), nothing);
    root.call(Method::PATCH, &format!("/users/{}", ada.id))
        .json(&json!({ "role": "service" }))
        .await
        .expect(200);
    ada.call(Method::POST, DRAIN).await.expect(200);
    app.get(DRAIN).bearer(KEY).await.problem(405, "method-not-allowed");
    // A scheduler that finds nothing to do leaves no lines behind.
    assert_eq!(app.log().matches(DRAINED).count(), lines, "{}", app.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_in_the_variables_an_empty_one_opens_nothing() {
    let app = TestApp::start().await;
    app.post(DRAIN).bearer("").await.problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_see_what_waits() {
    let app = TestApp::with("jobs_key", KEY).start().await;
    let (ada, root) = (app.user("ada").await, app.administrator().await);
    hear_of_accounts(&app).await;
    for path in ["/internal/jobs", "/internal/jobs/dead"] {
        app.get(path).await.problem(401, "unauthorized");
        app.get(path).bearer(KEY).await.problem(401, "unauthorized");
        ada.call(Method::GET, path).await.problem(403, "forbidden");
    }
    assert_eq!(
        root.call(Method::GET, "/internal/jobs").await.expect(200),
        json!({ "items": [], "next": Value::Null })
    );
    let dead = root.call(Method::GET, "/internal/jobs/dead").await.expect(200);
    assert_eq!(dead, json!({ "items": [], "next": Value::Null }));
    root.call(Method::GET, "/internal/jobs/dead?limit=0").await.problem(422, "invalid-fields");
    for id in ["1", "x", "99999999999999999999"] {
        let path = format!("/internal/jobs/dead/{id}");
        root.call(Method::DELETE, &path).await.problem(404, "no-such-dead-letter");
        root.call(Method::POST, &format!("{path}/replay")).await.problem(404, "no-such-dead-letter");
    }
}

/// Has one host do what is due until nothing waits; how much it did.
async fn drain(app: &TestApp, host: usize) -> u64 {
    let mut performed = 0;
    loop {
        let done = app.call(host, Method::POST, DRAIN).bearer(KEY).await.expect(200);
        assert_eq!(done["failed"], 0);
        performed += done["performed"].as_u64().unwrap();
        let queues = app.administrator().await.call_on(host, Method::GET, "/internal/jobs").await.expect(200);
        if queues["items"].as_array().unwrap().iter().all(|queue| queue["waiting"] == 0) {
            return performed;
        }
    }
}

/// Six subscriptions are canceled and restarted six times each while `auth` does what it is told and its answers are
/// lost; then all hosts do at once what waits.
async fn hosts_share_a_queue(setup: Setup, hosts: usize) {
    const SUBSCRIPTIONS: usize = 6;
    const CHANGES: usize = 6;
    let setup = setup.with("jobs_key", KEY).with("subscriptions_reply_wait_ms", 0).several(hosts);
    let app = setup.start().await;
    let ada = app.user("ada").await;
    app.administrator().await;
    hear_of_accounts(&app).await;
    for _ in 0..SUBSCRIPTIONS {
        ada.call(Method::POST, "/subscriptions").await.expect(201);
    }
    app.hosts().iter().for_each(|host| host.faults().outbound("auth", OutboundFault::Cut));
    for change in 0..CHANGES {
        let what = ["cancel", "restart"][change % 2];
        for id in 1..=SUBSCRIPTIONS {
            let path = format!("/subscriptions/{id}/{what}");
            ada.call_on((id + change) % hosts, Method::POST, &path).await.expect(202);
        }
    }
    app.quiet().await;
    app.hosts().iter().for_each(|host| host.faults().outbound("auth", OutboundFault::None));
    app.clock().advance(Duration::from_secs(2));

    let performed = join_all((0..hosts).map(|host| drain(&app, host))).await;
    assert_eq!(performed.iter().sum::<u64>(), (SUBSCRIPTIONS * CHANGES) as u64, "{performed:?}");
    for id in 1..=SUBSCRIPTIONS {
        let history = ada.call(Method::GET, &format!("/subscriptions/{id}/history")).await.expect(200);
        let lines = history["items"].as_array().unwrap().iter();
        let types: Vec<_> = lines.map(|line| line["type"].as_str().unwrap()).collect();
        // In another order, some would have changed nothing.
        let mut expected = vec!["SUBSCRIPTION_PURCHASED"];
        for _ in 0..CHANGES / 2 {
            expected.extend(["SUBSCRIPTION_CANCELED", "SUBSCRIPTION_RESTARTED"]);
        }
        assert_eq!(types, expected, "subscription {id}");
    }
    let me = ada.call(Method::GET, "/users/me").await.expect(200);
    assert_eq!(me["paid_access"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_share_a_queue_in_sqlite() {
    hosts_share_a_queue(TestApp::setup(), 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_share_a_queue_in_postgres() {
    hosts_share_a_queue(TestApp::setup().over_postgres(), 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hosts_share_a_queue_in_postgres() {
    hosts_share_a_queue(TestApp::setup().over_postgres(), 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_seen_replayed_and_then_done() {
    let setup = TestApp::with("jobs_key", KEY).with("subscriptions_reply_wait_ms", 0);
    let app = setup.start().await;
    let (ada, root) = (app.user("ada").await, app.administrator().await);
    hear_of_accounts(&app).await;
    ada.call(Method::POST, "/subscriptions").await.expect(201);
    app.host().faults().outbound("auth", OutboundFault::Status(503));
    let waiting = ada.call(Method::POST, "/subscriptions/1/cancel").await;
    let reply = waiting.header("location").to_owned();
    waiting.expect(202);
    app.quiet().await;
    for _ in 1..20 {
        app.clock().advance(Duration::from_secs(3600));
        // A scheduler has no token; administrators' end meanwhile.
        let done = app.post(DRAIN).bearer(KEY).await.expect(200);
        assert_eq!((&done["performed"], &done["failed"]), (&json!(0), &json!(1)));
    }
    app.host().faults().outbound("auth", OutboundFault::None);
    let tokens = app.log_in(&root.email).await.expect(200);
    let as_root = |method: Method, path: &str| {
        app.call(0, method, path).bearer(tokens["access_token"].as_str().unwrap())
    };
    let queues = as_root(Method::GET, "/internal/jobs").await.expect(200);
    assert_eq!(
        queues["items"],
        json!([{ "queue": "subscriptions/canceled", "waiting": 0, "oldest_at": null, "dead": 1 }])
    );
    let dead = as_root(Method::GET, "/internal/jobs/dead").await.expect(200);
    let letter = &dead["items"][0];
    assert_eq!((&letter["kind"], &letter["attempts"]), (&json!("SUBSCRIPTION_CANCELED"), &json!(20)));
    assert_eq!(letter["args"]["subscription_id"], 1);
    assert!(letter["error"].as_str().unwrap().contains("503"), "{letter}");

    let replay = format!("/internal/jobs/dead/{}/replay", letter["id"]);
    assert_eq!(as_root(Method::POST, &replay).await.status, 202);
    as_root(Method::POST, &replay).await.problem(404, "no-such-dead-letter");
    let log = as_root(Method::GET, "/auth/audit").await.expect(200);
    let acts: Vec<_> = log["items"].as_array().unwrap().iter().map(|entry| &entry["act"]).collect();
    assert!(acts.contains(&&json!("replay-dead-letter")), "{log}");
    let done = app.post(DRAIN).bearer(KEY).await.expect(200);
    assert_eq!((&done["performed"], &done["failed"]), (&json!(1), &json!(0)));
    assert_eq!(as_root(Method::GET, &reply).await.expect(200)["status"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_is_done_after_the_answer() {
    let app = TestApp::with("subscriptions_reply_wait_ms", 0).start().await;
    let ada = app.user("ada").await;
    ada.call(Method::POST, "/subscriptions").await.expect(201);
    app.host().faults().outbound("auth", OutboundFault::Status(503));
    ada.call(Method::POST, "/subscriptions/1/cancel").await.expect(202);
    app.quiet().await;
    app.host().faults().outbound("auth", OutboundFault::None);
    app.clock().advance(Duration::from_secs(2));
    // It comes behind the first, and nobody calls for either.
    let answer = ada.call(Method::POST, "/subscriptions/1/restart").await;
    answer.expect(202);
    let reply = answer.header("location").to_owned();
    let done = async {
        while ada.call(Method::GET, &reply).await.expect(200)["status"] != "done" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), done).await.expect("it was not done after the answer");
}
