//! A parcel has one carrier for ever.

use futures::future::join_all;
use http::Method;
use serde_json::json;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_companies_on_three_hosts_the_first_has_it() {
    let app = setup().several(3).start().await;
    browser(&app, 0, Method::POST, "/packages/").json(&phone()).await.expect(201);
    let root = app.administrator().await;
    let ask = |company: usize| {
        let call = root.call_on(company % 3, Method::POST, "/parcels/1/carrier");
        call.json(&json!({ "company_id": company })).into_future()
    };
    let answers = join_all((1..=100).map(ask)).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1);
    let winner = won[0].json();
    for answer in lost {
        assert_eq!(answer.problem(409, "parcel-carried")["company_id"], winner["company_id"]);
    }
    let company = usize::try_from(winner["company_id"].as_u64().unwrap()).unwrap();
    assert_eq!(ask(company).await.expect(200), winner, "the first response, again");
    app.quiet().await;
    drain(&app, 0).await.expect(200);
    assert_eq!(ask(company).await.expect(200), winner, "no background step changes it");
    assert_eq!(state(root, &json!(1)).await, "priced");
    check(&app);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_services_and_administrators_bind_carriers() {
    let app = setup().start().await;
    browser(&app, 0, Method::POST, "/packages/").json(&phone()).await.expect(201);
    let binding = json!({ "company_id": 7 });
    app.post("/parcels/1/carrier").json(&binding).await.problem(401, "unauthorized");
    let (ada, root) = (app.user("ada").await, app.administrator().await);
    ada.call(Method::POST, "/parcels/1/carrier").json(&binding).await.problem(403, "forbidden");
    root.call(Method::POST, "/parcels/9/carrier").json(&binding).await.problem(404, "no-such-parcel");
    root.call(Method::POST, "/parcels/1/carrier")
        .json(&json!({ "company_id": 0 }))
        .await
        .problem(422, "invalid-fields");
    root.call(Method::PATCH, &format!("/users/{}", ada.id))
        .json(&json!({ "role": "service" }))
        .await
        .expect(200);
    ada.call(Method::POST, "/parcels/1/carrier").json(&binding).await.expect(200);
    let refused = browser(&app, 0, Method::POST, "/parcels/1/cancel").await;
    assert_eq!(refused.problem(409, "parcel-carried")["company_id"], 7);
}
