//! Registering and pricing: once, whatever dies.

use std::time::Duration;

use futures::future::join_all;
use http::Method;
use serde_json::json;

use super::source::Source;
use super::*;
use crate::harness::spin::not_on_spin;

#[tokio::test(flavor = "multi_thread")]
async fn a_user_registers_waits_for_the_price_and_reads_how_it_came_about() {
    let app = setup().start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let answer = ada.call(Method::POST, "/parcels").header("prefer", "wait=20").json(&parcel()).await;
    let registered = answer.expect(201);
    assert_eq!(registered["cost"], json!({ "amount": "72.24", "currency": "RUB" }));
    assert_eq!((answer.header("location"), answer.header("preference-applied")), ("/parcels/1", "wait=20"));
    let receipt = ada.call(Method::GET, "/parcels/1/receipt").await.expect(200);
    assert_eq!(receipt["rate"]["source"], "http://rate-source.spin.internal");
    for path in ["/parcels/1", "/parcels/1/history", "/parcels/1/receipt"] {
        bob.call(Method::GET, path).await.problem(404, "no-such-parcel");
        app.get(path).await.problem(401, "unauthorized");
    }
    bob.call(Method::POST, "/parcels/1/cancel").await.problem(404, "no-such-parcel");
    assert_eq!(bob.call(Method::GET, "/parcels").await.expect(200)["items"], json!([]));
    let root = app.administrator().await;
    assert_eq!(root.call(Method::GET, "/parcels").await.expect(200)["items"].as_array().unwrap().len(), 1);
    not_on_spin("a day that is named here");
    let sums = root.call(Method::GET, "/parcels/sums?from=2027-01-15").await.expect(200);
    assert_eq!(sums["items"][0]["total"]["amount"], "72.24");
    let wrong =
        ada.call(Method::POST, "/parcels").json(&json!({ "name": "x" })).await.problem(422, "invalid-fields");
    assert_eq!(wrong["errors"][0], json!({ "pointer": "/weight", "rule": "is required" }));
    check(&app);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_registrations_with_one_key_one_is_carried_out() {
    let app = setup().several(3).start().await;
    let calls = (0..50).map(|number| {
        let call = browser(&app, number % 3, Method::POST, "/packages/");
        call.header("idempotency-key", "\"8e03978e\"").json(&phone()).into_future()
    });
    let answers = join_all(calls).await;
    let uuids: Vec<_> = answers.iter().map(|answer| answer.expect(201)["uuid"].clone()).collect();
    assert!(uuids.iter().all(|uuid| *uuid == uuids[0]), "{uuids:?}");
    app.quiet().await;
    drain(&app, 0).await;
    let list = browser(&app, 1, Method::GET, "/packages/").await.expect(200);
    assert_eq!(list["count"], 1);
    let mut other = phone();
    other["name"] = json!("Another");
    let reused = browser(&app, 0, Method::POST, "/packages/").header("idempotency-key", "\"8e03978e\"");
    reused.json(&other).await.problem(422, "idempotency-key-reused");
    check(&app);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_registrations_at_once_ask_the_source_once() {
    not_on_spin("several hosts");
    let source = Source::start().await;
    let app = setup().with("delivery_rate_origin", source.origin()).several(3).start().await;
    // The tables are there, as they are after the first request.
    app.get("/types/").await.expect(200);
    let calls = (0..200)
        .map(|number| browser(&app, number % 3, Method::POST, "/packages/").json(&phone()).into_future());
    for answer in join_all(calls).await {
        answer.expect(201);
    }
    app.quiet().await;
    app.clock().advance(Duration::from_secs(1));
    for host in 0..3 {
        drain(&app, host).await.expect(200);
    }
    assert_eq!((count(&app, "priced"), source.calls()), ("200".to_owned(), 1));
    check(&app);
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_die_leave_every_accepted_parcel_priced_once() {
    not_on_spin("several hosts");
    let mut app = setup().several(4).start().await;
    app.get("/types/").await.expect(200);
    let mut accepted = 0;
    for round in 0..3 {
        let calls = (0..24).map(|number| {
            let host = number % (4 - round);
            browser(&app, host, Method::POST, "/packages/").json(&phone()).attempt()
        });
        let answers = join_all(calls).await;
        accepted += answers.iter().flatten().filter(|answer| answer.status == 201).count();
        // What this host was doing is lost.
        app.crash(0);
    }
    app.quiet().await;
    // Leases of the dead end.
    app.clock().advance(Duration::from_secs(31));
    drain(&app, 0).await.expect(200);
    assert!(accepted > 0);
    let priced: usize = count(&app, "priced").parse().unwrap();
    assert!(priced >= accepted, "{priced} of {accepted}");
    assert_eq!(count(&app, "pending"), "0");
    check(&app);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_claimed_by_logging_in_and_forgotten_with_the_account() {
    let app = setup().start().await;
    browser(&app, 0, Method::POST, "/packages/").json(&phone()).await.expect(201);
    let ada = app.user("ada").await;
    let mine = ada.call(Method::GET, "/parcels").header("cookie", SESSION).await.expect(200);
    assert_eq!(mine["items"][0]["id"], 1);
    assert_eq!(browser(&app, 0, Method::GET, "/packages/1/").await.status, 404);
    let root = app.administrator().await;
    let deleted = root.call(Method::DELETE, &format!("/users/{}", ada.id)).await;
    assert_eq!(deleted.status, 204);
    app.quiet().await;
    drain(&app, 0).await.expect(200);
    let left = root.call(Method::GET, "/parcels/1").await.expect(200);
    assert_eq!(left["name"], "");
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_add_types_and_set_the_rate_and_both_are_audited() {
    let app = setup().start().await;
    let (ada, root) = (app.user("ada").await, app.administrator().await);
    ada.call(Method::POST, "/parcels/types")
        .json(&json!({ "name": "Книги" }))
        .await
        .problem(403, "forbidden");
    let added = root.call(Method::POST, "/parcels/types").json(&json!({ "name": "Книги" })).await.expect(201);
    assert_eq!(added, json!({ "id": 4, "name": "Книги" }));
    let taken = root.call(Method::POST, "/parcels/types").json(&json!({ "name": "Книги" })).await;
    taken.problem(409, "parcel-type-taken");
    root.call(Method::PATCH, "/parcels/types/4").json(&json!({ "name": "Books" })).await.expect(200);
    root.call(Method::PATCH, "/parcels/types/9")
        .json(&json!({ "name": "x" }))
        .await
        .problem(404, "no-such-parcel-type");
    let set = root.call(Method::PUT, "/parcels/rate").json(&json!({ "value": "100" })).await.expect(200);
    assert_eq!((&set["rate"]["value"], &set["stale"]), (&json!("100"), &json!(false)));
    root.call(Method::PUT, "/parcels/rate")
        .json(&json!({ "value": "0" }))
        .await
        .problem(422, "invalid-fields");
    let quote = ada
        .call(Method::POST, "/parcels/quote")
        .json(&json!({ "weight": 2, "value": 100 }))
        .await
        .expect(200);
    assert_eq!(quote["cost"]["amount"], "200.00");
    not_on_spin("a day that is named here");
    root.call(Method::POST, "/parcels/sums/2027-01-15/rebuild").await.problem(422, "invalid-fields");
    let rebuilt = root.call(Method::POST, "/parcels/sums/2027-01-14/rebuild").await.expect(200);
    assert_eq!(rebuilt["changed"], 0);
    let log = root.call(Method::GET, "/auth/audit").await;
    let acts = log.text();
    for act in ["add-parcel-type", "rename-parcel-type", "set-rate", "rebuild-parcel-sums"] {
        assert!(acts.contains(act), "{act} in {acts}");
    }
}
