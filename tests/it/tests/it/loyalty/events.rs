//! Accounts that come and go.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_account_has_its_points_once() {
    let app = setup().several(2).start().await;
    let ada = app.user("ada").await;
    let (first, second) = tokio::join!(points(&ada), points(&ada));
    assert_eq!((&first["balance"], &second["balance"]), (&json!(100), &json!(100)));
    drain(&app, 1).await;
    drain(&app, 0).await;
    assert_eq!(points(&ada).await["balance"], 100);
    check(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_deleted_takes_its_points_with_it() {
    let app = setup().start().await;
    let (ada, root) = (app.user("ada").await, app.administrator().await);
    let uuid = uuid(&ada).await;
    let body = json!({ "points": 30, "comment": "order of Ada Lovelace" });
    ada.call(Method::POST, "/points/holds").json(&body).await.expect(201);
    root.call(Method::DELETE, &format!("/users/{}", ada.id)).await;
    drain(&app, 0).await;
    root.call(Method::GET, &format!("/points/accounts/{uuid}")).await.problem(404, "no-such-points-account");
    let left = app.ask_database("SELECT COUNT(*) FROM points_transfers WHERE comment LIKE '%Lovelace%'");
    assert_eq!(left, "0");
    let points = app.ask_database(
        "SELECT COALESCE(SUM(balance + held), 0) FROM points_members WHERE closed_at IS NOT NULL",
    );
    assert_eq!(points, "0");
    check(&app).await;
}
