//! The routes of the original loyalty service, as its own clients use them.

use std::io::{Read, Write};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use super::*;

#[track_caller]
fn is(answer: &Answer, status: u16, body: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (status, body));
}

fn error(text: &str) -> String {
    format!(r#"{{"status":"Error","error":"{text}"}}"#)
}

fn operation(uuid: &str, operation: &str, balance: i64) -> Value {
    json!({ "uuid": uuid, "operation": operation, "comment": "coffee", "balance": balance })
}

fn operate(app: &TestApp, token: &str, body: &Value) -> Call {
    app.post("/loyalty").header("authorization", token).json(body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_goes_the_originals_way_from_registration_to_the_last_point() {
    let app = setup().start().await;
    let new = json!({ "email": "ada@example.com", "password": crate::harness::PASSWORD, "name": "Ada" });
    let registered = app.post("/auth/registration").json(&new).await.expect(201);
    let (uuid, token) =
        (registered["user_id"].as_str().unwrap(), registered["access_token"].as_str().unwrap());
    // At once: the event is heard of by the first who asks.
    let balance = app.get(&format!("/loyalty/{uuid}")).bearer(token).await;
    is(&balance, 200, &format!(r#"{{"status":"Success","uuid":"{uuid}","balance":100}}"#));
    let withdrawn = operate(&app, token, &operation(uuid, "w", 20)).await;
    is(&withdrawn, 200, &format!(r#"{{"status":"Success","uuid":"{uuid}","balance":80}}"#));
    let negative = operate(&app, token, &operation(uuid, "w", 81)).await;
    is(&negative, 400, &error("withdraw such amount of loyalty leads to negative balance"));
    let deposit = operate(&app, token, &operation(uuid, "d", 5)).await;
    is(&deposit, 400, &error("only admins can deposit loyalty"));
    let minted = operate(&app, token, &operation(uuid, "registration", 5_000)).await;
    is(&minted, 400, &error("field Operation is not valid"));
    let rest = operate(&app, &format!("Bearer {token}"), &operation(uuid, "w", 80)).await;
    is(&rest, 200, &format!(r#"{{"status":"Success","uuid":"{uuid}"}}"#));
    let root = app.administrator().await;
    let deposited = operate(&app, &root.access, &operation(uuid, "d", 7)).await;
    is(&deposited, 200, &format!(r#"{{"status":"Success","uuid":"{uuid}","balance":7}}"#));
    is(&operate(&app, "x", &operation(uuid, "w", 1)).await, 400, &error("jwt token invalid"));
    let nobody = "7c2ab9ec-bddf-43ff-96a5-ff1e0785c909";
    is(&operate(&app, &root.access, &operation(nobody, "d", 1)).await, 400, &error("user not found"));
    check(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_is_its_owners_unless_legacy_rules_open_it() {
    for (rules, status) in [("off", 401), ("on", 200)] {
        let app = setup().with("legacy_rules", rules).start().await;
        let (ada, bob) = (app.user("ada").await, app.user("bob").await);
        let at = format!("/loyalty/{}", uuid(&ada).await);
        assert_eq!(app.get(&at).await.status, status, "{rules}");
        assert_eq!(ada.call(Method::GET, &at).await.status, 200);
        let expected = if rules == "on" { 200 } else { 404 };
        assert_eq!(bob.call(Method::GET, &at).await.status, expected);
        app.administrator().await.call(Method::GET, &at).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_slashes_methods_and_unknown_paths_are_as_in_the_original() {
    let app = setup().start().await;
    for path in ["/loyalty/ready", "/loyalty/healthz"] {
        is(&app.get(path).await, 200, r#"{"status":"Success"}"#);
    }
    let ada = app.user("ada").await;
    let uuid = uuid(&ada).await;
    let body = operation(&uuid, "w", 1);
    is(
        &ada.call(Method::POST, "/loyalty/").json(&body).await,
        200,
        &format!(r#"{{"status":"Success","uuid":"{uuid}","balance":99}}"#),
    );
    is(&ada.call(Method::GET, "/loyalty/7").await, 405, &error("invalid uuid"));
    is(&app.get("/loyalty/a/b").await, 404, "404 page not found\n");
    let refused = app.call(0, Method::DELETE, "/loyalty").await;
    is(&refused, 405, "");
    assert_eq!(refused.header("allow"), "POST");
    let required = "field Operation is a required field, field Comment is a required field, \
                    field Balance is a required field";
    let refused = ada.call(Method::POST, "/loyalty").json(&json!({ "uuid": uuid })).await;
    is(&refused, 400, &error(required));
    is(&ada.call(Method::POST, "/loyalty").body("{").await, 400, &error("failed to decode body"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_in_gzip_are_read_and_given_to_who_takes_them() {
    let app = setup().start().await;
    let ada = app.user("ada").await;
    let uuid = uuid(&ada).await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(operation(&uuid, "w", 1).to_string().as_bytes()).unwrap();
    let call = ada.call(Method::POST, "/loyalty").header("content-encoding", "gzip");
    let answer = call.header("accept-encoding", "gzip").body(encoder.finish().unwrap()).await;
    assert_eq!((answer.status, answer.header("content-encoding")), (200, "gzip"));
    let mut text = String::new();
    GzDecoder::new(&*answer.body).read_to_string(&mut text).unwrap();
    assert_eq!(text, format!(r#"{{"status":"Success","uuid":"{uuid}","balance":99}}"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_with_a_key_is_done_once_and_keeps_its_refusal() {
    let app = setup().start().await;
    let ada = app.user("ada").await;
    let uuid = uuid(&ada).await;
    let with_key = async |key: &str, points: i64| {
        let call = ada.call(Method::POST, "/loyalty").header("idempotency-key", key);
        call.json(&operation(&uuid, "w", points)).await
    };
    let first = with_key("a", 30).await;
    assert_eq!(with_key("a", 30).await.text(), first.text());
    with_key("a", 31).await.problem(422, "idempotency-key-reused");
    let negative = error("withdraw such amount of loyalty leads to negative balance");
    is(&with_key("b", 75).await, 400, &negative);
    let root = app.administrator().await;
    operate(&app, &root.access, &operation(&uuid, "d", 100)).await.expect(200);
    is(&with_key("b", 75).await, 400, &negative);
    assert_eq!(points(&ada).await["balance"], 170);
    check(&app).await;
}
