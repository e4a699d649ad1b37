//! The rate, and a source that fails in every way.

use std::time::Duration;

use http::Method;
use serde_json::json;

use super::source::{Sends, Source, daily};
use super::*;
use crate::harness::spin::not_on_spin;

/// Everything a source may send that is no rate for the day on which tests begin.
fn bad() -> Vec<Sends> {
    let this = |body: &str| Sends::This(200, body.to_owned());
    vec![
        this("<!doctype html><title>busy</title>"),
        this(""),
        this("{}"),
        this(r#"{"Date":"2027-01-15T11:30:00+03:00","Valute":{}}"#),
        this(&daily("2027-01-15", "84.004").replace("USD", "UAH")),
        this(&daily("2027-01-15", "0")),
        this(&daily("2027-01-15", "-84.004")),
        this(&daily("2027-01-15", "null")),
        this(&daily("2027-01-15", r#""84,0""#)),
        this(&daily("2027-01-15", "84.004").replace(r#""Nominal":1"#, r#""Nominal":0"#)),
        this(&daily("2026-12-31", "84.004")),
        this(&daily("2027-02-15", "84.004")),
        this(&"x".repeat(600_000)),
        Sends::This(403, daily("2027-01-15", "84.004")),
        Sends::This(302, daily("2027-01-15", "84.004")),
        Sends::This(500, daily("2027-01-15", "84.004")),
        Sends::Nothing,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_source_sends_a_parcel_waits_until_there_is_a_rate() {
    not_on_spin("a controlled clock");
    let source = Source::start().await;
    let app = setup().with("delivery_rate_origin", source.origin()).start().await;
    let ada = app.user("ada").await;
    for sends in bad() {
        source.will(sends);
        let registered = ada.call(Method::POST, "/parcels").json(&parcel()).await.expect(201);
        app.quiet().await;
        assert_eq!(state(&ada, &registered["id"]).await, "pending");
        ada.call(Method::POST, "/parcels/quote")
            .json(&json!({ "weight": 1, "value": 1 }))
            .await
            .problem(503, "no-rate");
        app.clock().advance(Duration::from_secs(3));
    }
    // What a source says of its troubles is for operators, and never breaks the page.
    let status = ada.call(Method::GET, "/parcels/rate").await.expect(200);
    assert_eq!((&status["rate"], &status["stale"]), (&json!(null), &json!(true)));
    source.will(Sends::This(200, daily("2027-01-16", "84.004")));
    app.clock().advance(Duration::from_secs(600));
    drain(&app, 0).await.expect(200);
    assert_eq!(count(&app, "priced"), bad().len().to_string());
    let dead = app.administrator().await.call(Method::GET, "/internal/jobs/dead").await.expect(200);
    assert_eq!(dead["items"], json!([]));
    check(&app);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_good_rate_is_used_and_named_while_the_source_is_bad_and_not_for_ever() {
    not_on_spin("a controlled clock");
    let source = Source::start().await;
    let app = setup().with("delivery_rate_origin", source.origin()).start().await;
    let quote = async || {
        let call = browser(&app, 0, Method::POST, "/parcels/quote");
        call.json(&json!({ "weight": 2, "value": 100 })).await
    };
    assert_eq!(quote().await.expect(200)["cost"]["amount"], "168.01");
    for sends in bad() {
        source.will(sends);
        app.clock().advance(Duration::from_secs(3601));
        assert_eq!(quote().await.expect(200)["rate"]["date"], "2027-01-15");
    }
    app.clock().advance(Duration::from_secs(15 * 24 * 3600));
    quote().await.problem(503, "no-rate");
    let status = browser(&app, 0, Method::GET, "/parcels/rate").await.expect(200);
    assert_eq!(status["stale"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_never_answers_holds_nobody_for_long() {
    let source = Source::start().await;
    source.will(Sends::Late(Duration::from_secs(60), daily("2027-01-15", "84.004")));
    let app = setup().with("delivery_rate_origin", source.origin()).start().await;
    let registered = browser(&app, 0, Method::POST, "/packages/").json(&phone()).await.expect(201);
    // The client has its response; the job gives up after its own time.
    let at = format!("/packages/status/{}/", registered["uuid"].as_str().unwrap());
    let status = browser(&app, 0, Method::GET, &at).await.expect(200);
    assert_eq!(status, json!({ "pending": true, "error": false, "id": null }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parcel_fails_after_its_last_attempt_and_is_priced_when_an_administrator_asks() {
    not_on_spin("a controlled clock");
    let source = Source::start().await;
    source.will(Sends::This(500, String::new()));
    let app = setup().with("delivery_rate_origin", source.origin()).start().await;
    let registered = browser(&app, 0, Method::POST, "/packages/").json(&phone()).await.expect(201);
    let at = format!("/packages/status/{}/", registered["uuid"].as_str().unwrap());
    app.quiet().await;
    for attempt in 2..=10 {
        let status = browser(&app, 0, Method::GET, &at).await.expect(200);
        assert_eq!(
            status,
            json!({ "pending": true, "error": false, "id": null }),
            "before attempt {attempt}"
        );
        app.clock().advance(Duration::from_secs(600));
        drain(&app, 0).await.expect(200);
    }
    let status = browser(&app, 0, Method::GET, &at).await.expect(200);
    assert_eq!(status, json!({ "pending": false, "error": true, "id": null }));
    source.will(Sends::This(200, daily("2027-01-15", "84.004")));
    let root = app.administrator().await;
    let begun = root.call(Method::POST, "/parcels/prices").await.expect(202);
    assert_eq!(begun["job"], "retry-failed-parcels");
    app.quiet().await;
    app.clock().advance(Duration::from_secs(3));
    drain(&app, 0).await.expect(200);
    let status = browser(&app, 0, Method::GET, &at).await.expect(200);
    assert_eq!(status, json!({ "pending": false, "error": false, "id": 1 }));
    check(&app);
}
