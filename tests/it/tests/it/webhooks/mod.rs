//! Webhooks: what a program outside gets, checked with a library for receivers that nobody here wrote.

use std::{
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use xtask::{progress::Progress, python};

use crate::{
    harness::{Setup, TestApp},
    mock_providers::Server,
};

const JOBS_KEY: &str = "the key of the scheduler";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A program that takes events.
struct Receiver {
    inside: Arc<Inside>,
    server: Server,
}

#[derive(Default)]
struct Inside {
    taken: Mutex<Vec<(HeaderMap, String)>>,
    /// What it responds, the next last; 204 when there is nothing.
    statuses: Mutex<Vec<u16>>,
}

impl Receiver {
    async fn start() -> Self {
        let inside = Arc::new(Inside::default());
        let own = Arc::clone(&inside);
        let server = Server::of_requests(move |request| {
            let inside = Arc::clone(&own);
            async move {
                let (head, body) = request.into_parts();
                assert_eq!((head.method, head.uri.path()), (Method::POST, "/octo"));
                let body = body.collect().await.ok()?.to_bytes().to_vec();
                inside.taken.lock().unwrap().push((head.headers, String::from_utf8(body).unwrap()));
                let status = inside.statuses.lock().unwrap().pop().unwrap_or(204);
                Some(Response::builder().status(status).body(Full::<Bytes>::default()).unwrap())
            }
        })
        .await;
        Self { inside, server }
    }

    fn will(&self, statuses: &[u16]) {
        *self.inside.statuses.lock().unwrap() = statuses.iter().rev().copied().collect();
    }

    /// What came since the last time.
    fn taken(&self) -> Vec<(HeaderMap, String)> {
        std::mem::take(&mut self.inside.taken.lock().unwrap())
    }

    /// How often the event with this id came since the last time.
    fn came(&self, id: &Value) -> usize {
        let taken = self.taken();
        taken.iter().filter(|(headers, _)| *id == headers["webhook-id"].to_str().unwrap()).count()
    }

    fn setup(&self) -> Setup {
        let origin = format!("http://{}", self.server.address);
        TestApp::with("jobs_key", JOBS_KEY)
            .with("webhook_origin", origin)
            .with("webhook_path", "/octo")
            .with("webhook_secret", SECRET)
    }
}

async fn drain(app: &TestApp) -> Value {
    app.call(0, Method::POST, "/internal/jobs/drain").bearer(JOBS_KEY).await.expect(200)
}

/// The type and the data of each event.
fn events(taken: &[(HeaderMap, String)]) -> Vec<(String, Value)> {
    let mut events: Vec<_> = taken
        .iter()
        .map(|(_, body)| {
            let body: Value = serde_json::from_str(body).unwrap();
            (body["type"].as_str().unwrap().to_owned(), body["data"].clone())
        })
        .collect();
    events.sort_by(|one, other| one.0.cmp(&other.0));
    events
}

/// The signature that the library makes of a request.
fn signature(headers: &HeaderMap, body: &str) -> String {
    let script = "import sys, datetime, standardwebhooks as s\n\
        secret, id, at, body = sys.argv[1:]\n\
        at = datetime.datetime.fromtimestamp(int(at), tz=datetime.timezone.utc)\n\
        print(s.Webhook(secret).sign(msg_id=id, timestamp=at, data=body), end='')";
    let field = |name: &str| headers[name].to_str().unwrap().to_owned();
    let output = Command::new(python::program("python", Progress::Quiet).unwrap())
        .args(["-c", script, SECRET, &field("webhook-id"), &field("webhook-timestamp"), body])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_system_s_events_come_signed_and_once() {
    let receiver = Receiver::start().await;
    let app = receiver.setup().start().await;
    drain(&app).await;
    let ada = app.user("ada").await;
    let points = ada.call(Method::GET, "/points").await.expect(200);
    ada.call(Method::POST, "/points/redemptions")
        .json(&json!({ "points": 20, "comment": "a secret of Ada's" }))
        .await
        .expect(201);
    ada.call(Method::POST, "/subscriptions").await.expect(201);
    let parcel = json!({ "name": "Phone", "weight": "1.50", "value": "10.99", "type": 2 });
    ada.call(Method::POST, "/parcels").header("prefer", "wait=10").json(&parcel).await.expect(201);
    app.quiet().await;
    while drain(&app).await["performed"] != 0 {}
    let taken = receiver.taken();
    let came = events(&taken);
    let types: Vec<_> = came.iter().map(|(name, _)| name.as_str()).collect();
    let expected =
        ["account.registered", "parcel.priced", "points.changed", "points.changed", "subscription.changed"];
    assert_eq!(types, expected);
    assert_eq!(came[0].1, json!({ "account_id": ada.id, "uuid": points["uuid"] }));
    assert_eq!(came[1].1["currency"], "RUB");
    assert_eq!(came[4].1, json!({ "subscription": 1, "account_id": ada.id, "status": "active" }));
    let spent = came.iter().find(|(_, data)| data["kind"] == "redemption").unwrap();
    assert_eq!((&spent.1["points"], &spent.1["balance"]), (&json!(20), &json!(80)));
    for (headers, body) in &taken {
        assert_eq!(headers["webhook-signature"], signature(headers, body).as_str());
        assert!(!body.contains("secret"), "no words of a user's: {body}");
    }
    drain(&app).await;
    assert_eq!(receiver.taken(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_not_taken_comes_again_under_its_id_and_one_that_never_is_can_be_replayed() {
    let receiver = Receiver::start().await;
    let app = receiver.setup().start().await;
    let root = app.administrator().await;
    // The administrator's own account is told of first.
    while drain(&app).await["performed"] != 0 {}
    receiver.will(&[500, 302]);
    let test = root.call(Method::POST, "/webhooks/test").await.expect(202);
    app.quiet().await;
    for _ in 0..3 {
        app.clock().advance(Duration::from_secs(60));
        drain(&app).await;
    }
    assert_eq!(receiver.came(&test["id"]), 3, "until it is taken");
    receiver.will(&[410]);
    app.clock().advance(Duration::from_secs(1));
    let test = root.call(Method::POST, "/webhooks/test").await.expect(202);
    app.quiet().await;
    let dead = root.call(Method::GET, "/internal/jobs/dead").await.expect(200);
    let id = dead["items"][0]["id"].as_i64().unwrap();
    root.call(Method::POST, &format!("/internal/jobs/dead/{id}/replay")).await;
    drain(&app).await;
    assert_eq!(receiver.came(&test["id"]), 2, "a replay keeps the id");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_secret_nothing_is_written_and_only_administrators_try_it() {
    let app = TestApp::with("jobs_key", JOBS_KEY).start().await;
    drain(&app).await;
    let (ada, root) = (app.user("ada").await, app.administrator().await);
    ada.call(Method::POST, "/webhooks/test").await.problem(403, "forbidden");
    root.call(Method::POST, "/webhooks/test").await.problem(409, "webhooks-off");
    assert_eq!(app.ask_database("SELECT COUNT(*) FROM jobs WHERE kind = 'public-event/1'"), "0");
}
