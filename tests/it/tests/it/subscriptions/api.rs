//! Our own routes for subscriptions, and the paid access they give.

use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use http::{Method, Request};
use octo_host::{Clock, OutboundFault};
use serde_json::{Value, json};

use crate::harness::spin::not_on_spin;
use crate::harness::{Answer, TestApp, User};

const JOBS_KEY: &str = "the key of the scheduler";

async fn buy(user: &User) -> Value {
    user.call(Method::POST, "/subscriptions").await.expect(201)
}

async fn change(user: &User, host: usize, id: &Value, what: &str) -> Value {
    user.call_on(host, Method::POST, &format!("/subscriptions/{id}/{what}")).await.expect(200)
}

async fn history(user: &User, id: &Value) -> Vec<String> {
    let history = user.call(Method::GET, &format!("/subscriptions/{id}/history")).await.expect(200);
    let lines = history["items"].as_array().unwrap().iter();
    lines.map(|line| line["type"].as_str().unwrap().trim_start_matches("SUBSCRIPTION_").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_buys_cancels_and_restarts_and_sees_it_all() {
    not_on_spin("a clock that stands still");
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let answer = ada.call(Method::POST, "/subscriptions").await;
    let bought = answer.expect(201);
    let at = "2027-01-15T08:00:30.000Z";
    let expected = json!({
        "id": 1, "user_id": ada.id, "full_name": "", "status": "ACTIVE", "created_at": at, "updated_at": null
    });
    assert_eq!(bought, expected);
    assert_eq!(answer.header("location"), "/subscriptions/1");
    assert_eq!(ada.call(Method::GET, "/subscriptions/1").await.expect(200), expected);

    app.clock().advance(Duration::from_secs(1));
    let canceled = change(&ada, 0, &bought["id"], "cancel").await;
    assert_eq!(
        (&canceled["status"], &canceled["updated_at"]),
        (&json!("CANCELED"), &json!("2027-01-15T08:00:31.000Z"))
    );
    app.clock().advance(Duration::from_secs(1));
    assert_eq!(change(&ada, 0, &bought["id"], "cancel").await, canceled);
    change(&ada, 0, &bought["id"], "restart").await;
    let restarted = change(&ada, 0, &bought["id"], "restart").await;
    assert_eq!(restarted["status"], "ACTIVE");
    assert_eq!(history(&ada, &bought["id"]).await, ["PURCHASED", "CANCELED", "RESTARTED"]);
    assert_eq!(ada.call(Method::GET, "/subscriptions/1").await.expect(200), restarted);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_subscription_gives_and_takes_counts_with_the_next_message_on_every_host() {
    let app = TestApp::with("free_limit", 1).several(3).start().await;
    let ada = app.user("ada").await;
    ada.send("free").await.expect(200);
    let messages = async |expected: u16| {
        for host in 0..3 {
            let answer = ada.send_by(host, "hello").await;
            assert_eq!(answer.status, expected, "host {host}: {}", answer.text());
        }
    };
    // With one token, given before any of this.
    messages(429).await;
    let bought = buy(&ada).await;
    messages(200).await;
    for round in 0..3 {
        change(&ada, round, &bought["id"], "cancel").await;
        messages(429).await;
        change(&ada, 2 - round, &bought["id"], "restart").await;
        messages(200).await;
    }
    // While one of two goes on, so does paid access.
    let second = buy(&ada).await;
    change(&ada, 0, &bought["id"], "cancel").await;
    messages(200).await;
    change(&ada, 1, &second["id"], "cancel").await;
    messages(429).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_administrator_gave_a_subscription_does_not_take() {
    let app = TestApp::with("free_limit", 1).start().await;
    let ada = app.paying_user("ada").await;
    ada.send("free").await.expect(200);
    let bought = buy(&ada).await;
    change(&ada, 0, &bought["id"], "cancel").await;
    assert_eq!(ada.send("hello").await.expect(200)["provider"], "paid");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_has_their_own_and_an_administrator_has_all() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let root = app.administrator().await;
    let mine = buy(&ada).await;
    let id = &mine["id"];

    for (method, path) in [
        (Method::GET, format!("/subscriptions/{id}")),
        (Method::GET, format!("/subscriptions/{id}/history")),
        (Method::POST, format!("/subscriptions/{id}/cancel")),
        (Method::POST, format!("/subscriptions/{id}/restart")),
        (Method::GET, format!("/subscriptions?user_id={}", ada.id)),
        (Method::GET, "/subscriptions/99".to_owned()),
        (Method::GET, "/subscriptions/x".to_owned()),
        (Method::POST, "/subscriptions/99999999999999999999/cancel".to_owned()),
        (Method::GET, "/subscriptions/replies/x".to_owned()),
    ] {
        bob.call(method, &path).await.problem(404, "not-found");
    }
    let for_ada = || json!({ "user_id": ada.id });
    bob.call(Method::POST, "/subscriptions").json(&for_ada()).await.problem(404, "not-found");
    assert_eq!(
        bob.call(Method::GET, "/subscriptions").await.expect(200),
        json!({ "items": [], "next": null })
    );
    assert_eq!(history(&ada, id).await, ["PURCHASED"]);

    // The administrator.
    let given = root.call(Method::POST, "/subscriptions").json(&for_ada()).await.expect(201);
    assert_eq!(given["user_id"], ada.id);
    assert_eq!(change(root, 0, id, "cancel").await["status"], "CANCELED");
    root.call(Method::POST, "/subscriptions").json(&json!({ "user_id": 99 })).await.problem(404, "not-found");
    assert_eq!(history(root, id).await, ["PURCHASED", "CANCELED"]);

    for path in ["/subscriptions", "/subscriptions/1", "/subscriptions/1/history", "/subscriptions/replies/1"]
    {
        app.get(path).await.problem(401, "unauthorized");
        app.call(0, Method::DELETE, path).await.problem(405, "method-not-allowed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let root = app.administrator().await;
    for user in [&ada, &bob, &ada, &ada, &bob] {
        buy(user).await;
    }
    let page = async |user: &User, query: &str| {
        let page = user.call(Method::GET, &format!("/subscriptions{query}")).await.expect(200);
        let ids: Vec<_> =
            page["items"].as_array().unwrap().iter().map(|one| one["id"].as_i64().unwrap()).collect();
        (ids, page["next"].as_str().map(str::to_owned))
    };
    assert_eq!(page(&ada, "").await, (vec![1, 3, 4], None));
    let (ids, next) = page(&ada, "?limit=2").await;
    assert_eq!(ids, [1, 3]);
    assert_eq!(page(&ada, &format!("?limit=2&after={}", next.unwrap())).await, (vec![4], None));
    assert_eq!(page(root, "").await, (vec![1, 2, 3, 4, 5], None));
    let bobs = format!("?user_id={}", bob.id);
    let (ids, next) = page(root, &format!("{bobs}&limit=1")).await;
    assert_eq!(ids, [2]);
    assert_eq!(page(root, &format!("{bobs}&after={}", next.unwrap())).await, (vec![5], None));
    for query in ["limit=0", "limit=101", "limit=x", "after=x", "user_id=x"] {
        let problem =
            ada.call(Method::GET, &format!("/subscriptions?{query}")).await.problem(422, "invalid-fields");
        let name = query.split('=').next().unwrap();
        assert_eq!(problem["errors"][0]["pointer"], format!("/{name}"), "{problem}");
    }
    let lines = ada.call(Method::GET, "/subscriptions/1/history?limit=1").await.expect(200);
    assert_eq!(lines["items"].as_array().unwrap().len(), 1);
    assert!(lines["next"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_break_a_rule_are_told_which() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let post = || ada.call(Method::POST, "/subscriptions");
    for user_id in ["\"1\"", "1.5", "true", "[]", "99999999999999999999"] {
        let problem = post().body(format!("{{\"user_id\":{user_id}}}")).await.problem(422, "invalid-fields");
        assert_eq!(problem["errors"], json!([{ "pointer": "/user_id", "rule": "must be a whole number" }]));
    }
    post().body("[]").await.problem(422, "invalid-fields");
    post().body("{").await.problem(400, "malformed-body");
    post().header("content-type", "text/plain").body("{}").await.problem(415, "unsupported-content-type");
    post().body(vec![b' '; 100_000]).await.problem(413, "body-too-large");
    post().header("idempotency-key", "a b").await.problem(400, "invalid-idempotency-key");
    assert_eq!(ada.call(Method::GET, "/subscriptions").await.expect(200)["items"], json!([]));
    // Oneself, in three ways.
    for body in ["", "{}", r#"{"user_id":null}"#] {
        assert_eq!(post().body(body).await.expect(201)["user_id"], ada.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_requests_with_one_key_one_is_carried_out() {
    let app = TestApp::setup().several(3).start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let post = |user: &User, host: usize| {
        user.call_on(host, Method::POST, "/subscriptions").header("idempotency-key", "\"one\"")
    };
    let answers = join_all((0..9).map(|number| post(&ada, number % 3).into_future())).await;
    let bodies: Vec<_> = answers.iter().map(|answer| answer.expect(201)).collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    let first = |answer: &&Answer| answer.header("idempotency-replayed").is_empty();
    assert_eq!(answers.iter().filter(first).count(), 1);

    // Another body, another caller, another route.
    let root = app.administrator().await;
    post(root, 0).json(&json!({ "user_id": ada.id })).await.expect(201);
    post(root, 1).json(&json!({ "user_id": bob.id })).await.problem(422, "idempotency-key-reused");
    post(&bob, 2).await.expect(201);
    let cancel = || ada.call(Method::POST, "/subscriptions/1/cancel").header("idempotency-key", "one");
    let canceled = cancel().await.expect(200);
    change(&ada, 1, &json!(1), "restart").await;
    let again = cancel().await;
    assert_eq!((again.expect(200), again.header("idempotency-replayed")), (canceled, "true"));
    assert_eq!(history(&ada, &json!(1)).await, ["PURCHASED", "CANCELED", "RESTARTED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_reply_in_time_there_is_a_place_to_ask_for_it() {
    let setup = TestApp::with("subscriptions_reply_wait_ms", 100).with("jobs_key", JOBS_KEY);
    let app = setup.by(Clock::system()).start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    buy(&ada).await;
    app.host().faults().outbound("auth", OutboundFault::Status(503));
    let cancel = || ada.call(Method::POST, "/subscriptions/1/cancel").header("idempotency-key", "k");
    let accepted = cancel().await;
    let body = accepted.expect(202);
    let place = accepted.header("location").to_owned();
    assert_eq!(place, format!("/subscriptions/replies/{}", body["correlation_id"].as_str().unwrap()));
    assert_eq!((&body["status"], accepted.header("retry-after")), (&json!("waiting"), "1"));
    assert_eq!(ada.call(Method::GET, &place).await.expect(200), body);
    // Who asks again waits for the same.
    let waited = cancel().header("prefer", "wait=1").await;
    assert_eq!((waited.expect(202), waited.header("preference-applied")), (body, "wait=1"));

    // It is done without anybody who asks for it.
    app.quiet().await;
    app.host().faults().outbound("auth", OutboundFault::None);
    let done = async {
        while app.post("/internal/jobs/drain").bearer(JOBS_KEY).await.expect(200)["performed"] != 1 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), done).await.expect("the pause between attempts ends");
    let reply = ada.call(Method::GET, &place).await.expect(200);
    assert_eq!((&reply["status"], &reply["subscription"]["status"]), (&json!("done"), &json!("CANCELED")));
    bob.call(Method::GET, &place).await.problem(404, "not-found");
    assert_eq!(cancel().await.expect(200), reply["subscription"]);
    assert_eq!(history(&ada, &json!(1)).await, ["PURCHASED", "CANCELED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_replayed_and_still_happens_once() {
    let app = TestApp::with("subscriptions_reply_wait_ms", 0).with("jobs_key", JOBS_KEY).start().await;
    let (mut ada, root) = (app.user("ada").await, app.administrator().await);
    buy(&ada).await;
    app.host().faults().outbound("auth", OutboundFault::Status(503));
    let place = ada.call(Method::POST, "/subscriptions/1/cancel").await;
    let place = place.header("location").to_owned();
    app.quiet().await;
    let drain = async || app.post("/internal/jobs/drain").bearer(JOBS_KEY).await.expect(200);
    // After more than the longest pause it is tried again, and at last no more.
    for _ in 0..30 {
        app.clock().advance(Duration::from_secs(3601));
        drain().await;
    }

    app.host().faults().outbound("auth", OutboundFault::None);
    ada.refresh(&app).await;
    let root = app.log_in(&root.email).await.expect(200)["access_token"].as_str().unwrap().to_owned();
    assert_eq!(ada.call(Method::GET, &place).await.expect(200)["status"], "given_up");
    let dead = app.get("/internal/jobs/dead").bearer(&root).await.expect(200);
    assert_eq!(dead["items"][0]["attempts"], 20, "{dead}");
    let letter = format!("/internal/jobs/dead/{}/replay", dead["items"][0]["id"]);
    assert_eq!(app.post(&letter).bearer(&root).await.status, 202);
    assert_eq!(drain().await["performed"], 1);
    assert_eq!(ada.call(Method::GET, &place).await.expect(200)["status"], "done");
    assert_eq!(history(&ada, &json!(1)).await, ["PURCHASED", "CANCELED"]);
    assert_eq!(ada.call(Method::GET, "/users/me").await.expect(200)["paid_access"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_sign_on_is_away_nothing_is_bought_and_clients_are_told() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for fault in [OutboundFault::Refuse, OutboundFault::Status(500), OutboundFault::Cut] {
        app.host().faults().outbound("auth", fault);
        ada.call(Method::POST, "/subscriptions").await.problem(503, "unavailable");
    }
    app.host().faults().outbound("auth", OutboundFault::None);
    assert_eq!(buy(&ada).await["id"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_components_ask_of_each_other_is_closed_to_everybody_else() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let account = format!("/internal/accounts/{}", ada.id);
    let asks = [
        ("auth", Method::GET, account.clone()),
        ("auth", Method::PUT, format!("{account}/subscription")),
        ("subscriptions", Method::POST, "/internal/jobs/drain".to_owned()),
    ];
    for (component, method, path) in asks {
        // From outside the path leads nowhere, or to the component for background work.
        let outside = app.call(0, method.clone(), &path).bearer(&ada.access).await.status;
        assert_eq!(outside, if component == "auth" { 404 } else { 403 }, "{path}");
        for (authorization, status) in [("", 401), ("Bearer x", 401), (&*format!("Bearer {}", ada.access), 0)]
        {
            let call =
                Request::builder().method(method.clone()).uri(&path).header("authorization", authorization);
            // Headers that some proxies are trusted with elsewhere.
            let call = call.header("x-user-id", "1").header("x-user-role", "admin");
            let body = Bytes::from_static(br#"{"active":true,"version":1000}"#);
            let answer = app.host().call(component, call.body(body).unwrap()).await.unwrap();
            let refused = if status == 0 {
                [401, 403].contains(&answer.status().as_u16())
            } else {
                answer.status() == status
            };
            assert!(refused, "{component} {path} with {authorization:?}: {}", answer.status());
        }
    }
    assert_eq!(app.get("/users/me").bearer(&ada.access).await.expect(200)["paid_access"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_changes_subscriptions_100_times_a_day_and_no_more() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let first = ada.call(Method::POST, "/subscriptions").header("idempotency-key", "\"k\"").await;
    first.expect(201);
    for _ in 1..100 {
        ada.call(Method::POST, "/subscriptions/1/cancel").await.expect(200);
    }
    for path in ["/subscriptions", "/subscriptions/1/cancel", "/subscriptions/1/restart"] {
        let refused = ada.call(Method::POST, path).await;
        refused.problem(429, "too-many-changes");
        not_on_spin("a controlled clock");
        // It is 08:00:30 in the tests.
        assert_eq!(refused.header("retry-after"), "57571");
    }
    let purchase = json!({ "user_id": ada.id });
    let as_original = ada.call(Method::POST, "/api/v1/subscriptions").json(&purchase).await;
    as_original.problem(429, "too-many-changes");
    let repeat = ada.call(Method::POST, "/subscriptions").header("idempotency-key", "\"k\"").await;
    assert_eq!((repeat.status, repeat.header("idempotency-replayed")), (201, "true"));
    bob.call(Method::POST, "/subscriptions").await.expect(201);
}
