//! Signing keys come and go, and nobody notices.

use std::time::Duration;

use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::harness::forger::Forger;
use crate::harness::{Setup, TestApp, User};

const DAY: Duration = Duration::from_secs(24 * 3600);
const HOUR: Duration = Duration::from_secs(3600);

fn key_of(token: &str) -> String {
    let header = token.split('.').next().unwrap();
    let header = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, header).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

async fn published(app: &TestApp) -> Vec<String> {
    let set = app.get("/.well-known/jwks.json").await.expect(200);
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// Every token is accepted by every host and component, by its signature: the store forgets what vouches for it.
async fn all_accepted(app: &TestApp, users: &[&User]) {
    app.redis().flush().unwrap();
    for user in users {
        for host in 0..app.addresses().len() {
            let call = |path| user.call_on(host, Method::GET, path).into_future();
            for answer in join_all([call("/users/me"), call("/messages/quota")]).await {
                assert_eq!(answer.status, 200, "{}", answer.text());
            }
        }
    }
}

fn setup() -> Setup {
    TestApp::with("signing_key_days", 1).with("access_token_seconds", 3600).several(3)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_published_before_it_signs_and_until_its_tokens_end() {
    let app = setup().start().await;
    let first = published(&app).await;
    assert_eq!(first.len(), 1);
    app.clock().advance(DAY);
    let ada = app.user("ada").await;
    assert_eq!(key_of(&ada.access), first[0]);
    let both = published(&app).await;
    assert_eq!((both.len(), &both[0]), (2, &first[0]));
    app.clock().advance(HOUR - Duration::from_secs(1));
    let bob = app.user("bob").await;
    assert_eq!(key_of(&bob.access), first[0]);
    app.clock().advance(Duration::from_secs(1));
    let eve = app.user("eve").await;
    assert_eq!(key_of(&eve.access), both[1]);
    all_accepted(&app, &[&bob, &eve]).await;
    app.clock().advance(HOUR - Duration::from_secs(2));
    all_accepted(&app, &[&bob, &eve]).await;
    app.clock().advance(Duration::from_secs(120));
    assert_eq!(published(&app).await, both[1..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_under_load_loses_no_request() {
    let app = setup().start().await;
    let mut users = Vec::new();
    for number in 0..4 {
        users.push(app.user(&format!("user{number}")).await);
    }
    let mut keys = Vec::new();
    for _ in 0..12 {
        let rounds = users.iter_mut().enumerate().map(async |(number, user)| {
            user.refresh(&app).await;
            for host in 0..3 {
                let answer = user.call_on((host + number) % 3, Method::GET, "/messages/quota").await;
                assert_eq!(answer.status, 200, "{}", answer.text());
            }
            key_of(&user.access)
        });
        let step = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            app.clock().advance(Duration::from_secs(1800));
        };
        let (signed, ()) = futures::join!(join_all(rounds), step);
        keys.extend(signed);
        app.clock().advance(DAY / 8);
        for user in &mut users {
            user.refresh(&app).await;
        }
    }
    keys.sort();
    keys.dedup();
    assert!(keys.len() >= 2, "keys were changed: {}", keys.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_replaces_the_key_and_the_operator_gives_one() {
    let app = TestApp::setup().over_redis().start().await;
    let ada = app.user("ada").await;
    let root = app.administrator().await;
    ada.call(Method::POST, "/auth/keys").await.problem(403, "forbidden");
    let set = root.call(Method::POST, "/auth/keys").await.expect(202);
    assert_eq!(set["keys"].as_array().unwrap().len(), 2);
    let log = root.call(Method::GET, "/auth/audit?user=0").await.expect(200);
    assert_eq!(log["items"][1]["act"], "replace-signing-key");
    let next = published(&app).await[1].clone();
    app.clock().advance(HOUR);
    assert_eq!(key_of(&app.user("bob").await.access), next);

    let (old, new) = (Forger::new(), Forger::new());
    let app = app.restart(&[("signing_key", &old.pem()), ("published_key", &new.pem())]).await;
    let eve = app.user("eve").await;
    let app = app.restart(&[("signing_key", &new.pem()), ("published_key", &old.pem())]).await;
    let zoe = app.user("zoe").await;
    assert_ne!(key_of(&eve.access), key_of(&zoe.access));
    for user in [&eve, &zoe] {
        app.redis().flush().unwrap();
        let message = app.post("/messages").bearer(&user.access).json(&json!({ "message": "hello" }));
        message.await.expect(200);
    }
}
