//! Points by our own routes.

use std::time::Duration;

use futures::future::join_all;

use super::*;
use crate::harness::spin::not_on_spin;

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_withdrawals_of_a_point_on_three_hosts_a_hundred_succeed() {
    let app = setup().several(3).start().await;
    let ada = app.user("ada").await;
    assert_eq!(points(&ada).await["balance"], 100);
    let redeem = |number: usize| {
        let call = ada.call_on(number % 3, Method::POST, "/points/redemptions");
        call.json(&spend(1)).into_future()
    };
    let answers = join_all((0..200).map(redeem)).await;
    let (done, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!((done.len(), refused.len()), (100, 100));
    for answer in refused {
        assert_eq!(answer.problem(409, "too-few-points")["missing"], 1);
    }
    let mut balances: Vec<_> = done.iter().map(|answer| answer.json()["balance"].as_i64().unwrap()).collect();
    balances.sort_unstable();
    assert_eq!(balances, (0..100).collect::<Vec<_>>(), "each left another balance");
    assert_eq!(points(&ada).await["balance"], 0);
    check(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_copies_of_one_request_are_one_withdrawal() {
    let app = setup().several(3).start().await;
    let ada = app.user("ada").await;
    assert_eq!(points(&ada).await["balance"], 100);
    let redeem = |number: usize| {
        let call =
            ada.call_on(number % 3, Method::POST, "/points/redemptions").header("idempotency-key", "k");
        call.json(&spend(30)).into_future()
    };
    let answers = join_all((0..50).map(redeem)).await;
    let first = answers[0].expect(201);
    assert!(answers.iter().all(|answer| answer.expect(201) == first));
    let replayed =
        answers.iter().filter(|answer| answer.headers.contains_key("idempotency-replayed")).count();
    assert_eq!(replayed, 49);
    assert_eq!(points(&ada).await["balance"], 70);
    check(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn points_end_whether_or_not_anybody_writes_it_down() {
    not_on_spin("another clock");
    let app = setup().with("loyalty_points_valid_days", 10).start().await;
    let ada = app.user("ada").await;
    let told = points(&ada).await;
    assert_eq!(
        (&told["balance"], &told["ending"][0]["ends_at"]),
        (&json!(100), &json!("2027-01-26T00:00:00.000Z"))
    );
    app.clock().advance(Duration::from_secs(11 * 24 * 3600));
    let mut ada = ada;
    ada.refresh(&app).await;
    let told = points(&ada).await;
    assert_eq!((&told["balance"], &told["ending"]), (&json!(0), &json!([])));
    let refused = ada.call(Method::POST, "/points/redemptions").json(&spend(1)).await;
    assert_eq!(refused.problem(409, "too-few-points")["missing"], 1);
    drain(&app, 0).await;
    let history = ada.call(Method::GET, "/points/history").await.expect(200);
    let kinds: Vec<_> =
        history["items"].as_array().unwrap().iter().map(|item| item["kind"].clone()).collect();
    assert_eq!(kinds, ["expiry", "registration"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_is_captured_or_released_and_one_that_is_forgotten_comes_back() {
    let app = setup().start().await;
    let mut ada = app.user("ada").await;
    points(&ada).await;
    let hold = async |ada: &User, points: i64| {
        let body = json!({ "points": points, "comment": "order 7", "valid_seconds": 3600 });
        ada.call(Method::POST, "/points/holds").json(&body).await.expect(201)
    };
    let settle = async |ada: &User, hold: &Value, how: &str| {
        ada.call(Method::POST, &format!("/points/holds/{}/{how}", hold["id"])).await
    };
    let (one, two) = (hold(&ada, 60).await, hold(&ada, 30).await);
    let told = points(&ada).await;
    assert_eq!((&told["balance"], &told["held"]), (&json!(10), &json!(90)));
    let captured = settle(&ada, &one, "capture").await.expect(200);
    assert_eq!(settle(&ada, &one, "release").await.problem(409, "hold-settled")["transfer"], captured["id"]);
    app.clock().advance(Duration::from_secs(3601));
    ada.refresh(&app).await;
    drain(&app, 0).await;
    let told = points(&ada).await;
    assert_eq!((&told["balance"], &told["held"]), (&json!(40), &json!(0)));
    settle(&ada, &two, "capture").await.problem(409, "hold-settled");
    let bob = app.user("bob").await;
    settle(&bob, &one, "capture").await.problem(404, "no-such-transfer");
    check(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_award_adjust_and_take_back_and_the_audit_log_says_so() {
    let app = setup().start().await;
    let (ada, root) = (app.user("ada").await, app.administrator().await);
    let at = format!("/points/accounts/{}", uuid(&ada).await);
    ada.call(Method::POST, &format!("{at}/awards")).json(&spend(5)).await.problem(403, "forbidden");
    let award = root.call(Method::POST, &format!("{at}/awards")).json(&spend(50)).await.expect(201);
    let adjustment = json!({ "points": -120, "reason": "counted twice" });
    let adjusted = root.call(Method::POST, &format!("{at}/adjustments")).json(&adjustment).await.expect(201);
    assert_eq!(adjusted["balance"], 30);
    let reversal = format!("/points/transfers/{}/reversal", award["id"]);
    let reason = json!({ "reason": "a mistake" });
    let refused = root.call(Method::POST, &reversal).json(&reason).await;
    assert_eq!(refused.problem(409, "too-few-points")["missing"], 20);
    let back = format!("/points/transfers/{}/reversal", adjusted["id"]);
    let first = root.call(Method::POST, &back).json(&reason).await.expect(201);
    assert_eq!(root.call(Method::POST, &back).json(&reason).await.expect(201), first);
    assert_eq!(root.call(Method::POST, &reversal).json(&reason).await.expect(201)["balance"], 100);
    let audit = root.call(Method::GET, "/auth/audit?limit=100").await.expect(200).to_string();
    for act in ["award-points", "adjust-points", "reverse-points"] {
        assert!(audit.contains(act), "{act} in {audit}");
    }
    // Who lost the role loses it at once.
    let bob = app.user("bob").await;
    let promote = async |role: &str| {
        let call = root.call(Method::PATCH, &format!("/users/{}", bob.id));
        call.json(&json!({ "role": role })).await.expect(200);
    };
    promote("admin").await;
    bob.call(Method::GET, "/points/accounts").await.expect(200);
    promote("user").await;
    bob.call(Method::GET, "/points/accounts").await.problem(403, "forbidden");
    bob.call(Method::POST, &format!("{at}/awards")).json(&spend(5)).await.problem(403, "forbidden");
    check(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_its_owners_in_json_and_in_csv() {
    let app = setup().start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let at = format!("/loyalty/accounts/{}/statement", uuid(&ada).await);
    ada.call(Method::POST, "/points/redemptions").json(&spend(20)).await.expect(201);
    let statement = ada.call(Method::GET, &at).await.expect(200);
    assert_eq!((&statement["opening"], &statement["closing"]), (&json!(0), &json!(80)));
    let csv = ada.call(Method::GET, &at).header("accept", "text/csv").await;
    assert!(csv.text().ends_with(",redemption,-20,80,coffee\r\n"), "{}", csv.text());
    bob.call(Method::GET, &at).await.problem(404, "no-such-points-account");
    app.get(&at).await.problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_does_so_much_in_a_day() {
    let app = setup().with("loyalty_daily_operations", 3).start().await;
    let ada = app.user("ada").await;
    points(&ada).await;
    for _ in 0..3 {
        ada.call(Method::POST, "/points/redemptions").json(&spend(1)).await.expect(201);
    }
    let refused = ada.call(Method::POST, "/points/redemptions").json(&spend(1)).await;
    refused.problem(429, "too-many-operations");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() <= 24 * 3600 + 1);
}
