//! Background work over HTTP: who may have it done, and what administrators see of what failed.

use http::Method;
use serde_json::{Value, json};

use super::TestApp;

const KEY: &str = "the key of the scheduler";
const DRAIN: &str = "/internal/jobs/drain";

#[tokio::test(flavor = "multi_thread")]
async fn only_a_scheduler_a_service_or_an_administrator_has_work_done() {
    let app = TestApp::with("jobs_key", KEY).start().await;
    app.post(DRAIN).await.problem(401, "unauthorized");
    for key in ["another key", "", "the key of the scheduleR"] {
        app.post(DRAIN).bearer(key).await.problem(401, "unauthorized");
    }
    let ada = app.user("ada").await;
    ada.call(Method::POST, DRAIN).await.problem(403, "forbidden");
    let nothing = json!({ "performed": 0, "failed": 0, "more": false });
    assert_eq!(app.post(DRAIN).bearer(KEY).await.expect(200), nothing);
    let root = app.administrator().await;
    assert_eq!(root.call(Method::POST, DRAIN).await.expect(200), nothing);
    root.call(Method::PATCH, &format!("/users/{}", ada.id))
        .json(&json!({ "role": "service" }))
        .await
        .expect(200);
    ada.call(Method::POST, DRAIN).await.expect(200);
    app.get(DRAIN).bearer(KEY).await.problem(405, "method-not-allowed");
    // A scheduler that finds nothing to do leaves no lines behind.
    assert!(!app.log().contains(r#""path":"/internal/jobs/drain","status":200"#), "{}", app.log());
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
    for path in ["/internal/jobs", "/internal/jobs/dead"] {
        app.get(path).await.problem(401, "unauthorized");
        app.get(path).bearer(KEY).await.problem(401, "unauthorized");
        ada.call(Method::GET, path).await.problem(403, "forbidden");
    }
    assert_eq!(root.call(Method::GET, "/internal/jobs").await.expect(200), json!({ "queues": [] }));
    let dead = root.call(Method::GET, "/internal/jobs/dead").await.expect(200);
    assert_eq!(dead, json!({ "dead": [], "next": Value::Null }));
    root.call(Method::GET, "/internal/jobs/dead?limit=0").await.problem(422, "invalid-fields");
    for id in ["1", "x", "99999999999999999999"] {
        let path = format!("/internal/jobs/dead/{id}");
        root.call(Method::DELETE, &path).await.problem(404, "no-such-dead-letter");
        root.call(Method::POST, &format!("{path}/replay")).await.problem(404, "no-such-dead-letter");
    }
}
