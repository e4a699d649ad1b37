//! No provider ever hears of a message whose token is not right.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::harness::forger::{Forger, authenticate, payload, unsigned};
use crate::harness::{Answer, Call, PASSWORD, TestApp};

/// The answer to a message with these headers; it must have gone nowhere.
async fn refused(app: &TestApp, call: Call, why: &str) -> Answer {
    let answer = call.json(&json!({ "message": "hello" })).await;
    assert_eq!(answer.status, 401, "{why}: {}", answer.text());
    answer.problem(401, "unauthorized");
    assert!(answer.header("www-authenticate").starts_with(r#"Bearer realm="octo""#), "{why}");
    assert!(app.provider_calls().is_empty(), "{why}");
    answer
}

/// Every way to present a token is refused, for a message and for whatever else needs one.
async fn refused_token(app: &TestApp, token: &str, why: &str) {
    let message = || app.post("/messages");
    let answer = refused(app, message().bearer(token), why).await;
    assert!(answer.header("www-authenticate").contains(r#"error="invalid_token""#), "{why}");
    refused(app, message().header("cookie", &format!("octo_handler_user={token}")), why).await;
    for path in ["/messages/quota", "/messages/stats", "/users/me", "/users/1", "/auth/sessions"] {
        app.get(path).bearer(token).await.problem(401, "unauthorized");
    }
    // The originals' routes, each where its clients carry the token.
    let cookie = format!("octo_handler_user={token}");
    for path in ["/users/me", "/users/1", "/welcome"] {
        app.get(path).header("cookie", &cookie).await.expect(401);
    }
    for path in ["/user-api/users/me", "/auth/info"] {
        app.get(path).bearer(token).await.expect(401);
    }
    for provider in ["free_provider", "paid_provider"] {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token)
            .append_pair("message", "hello")
            .finish();
        app.post(&format!("/{provider}?{query}")).await.expect(403);
    }
    assert!(app.provider_calls().is_empty(), "{why}");
}

fn changed(value: &Value, member: &str, to: Value) -> Value {
    let mut value = value.clone();
    value[member] = to;
    value
}

/// The claims with one of them said a second time.
fn twice(claims: &Value, member: &str, value: &str) -> String {
    claims.to_string().replacen('{', &format!("{{\"{member}\":\"{value}\","), 1)
}

/// The same bytes in base64 that no encoder makes: unused bits set, padding, another alphabet, white space.
fn spelled_otherwise(token: &str) -> Vec<String> {
    let last = token.chars().last().unwrap();
    let next = char::from(u8::try_from(u32::from(last)).unwrap() + 1);
    let cut = &token[..token.len() - 1];
    let dot = token.rfind('.').unwrap();
    vec![
        format!("{cut}{next}"),
        format!("{token}="),
        format!("{token}=="),
        format!("{}={}", &token[..dot], &token[dot..]),
        token.replace('-', "+").replace('_', "/") + "=",
        format!("{}%0A{}", &token[..10], &token[10..]),
    ]
}

fn without(value: &Value, member: &str) -> Value {
    let mut value = value.clone();
    value.as_object_mut().unwrap().remove(member);
    value
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_needs_a_token() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let message = || app.post("/messages");
    let missing = refused(&app, message(), "none").await;
    assert_eq!(missing.header("www-authenticate"), r#"Bearer realm="octo""#);
    for header in ["Bearer", "Bearer ", "Basic YWRhOmFkYQ==", &ada.access, &format!("Token {}", ada.access)] {
        refused(&app, message().header("authorization", header), header).await;
    }
    refused(&app, message().header("cookie", &format!("other={}", ada.access)), "another cookie").await;
    let path = format!("/messages?access_token={}", ada.access);
    refused(&app, app.post(&path), "in the query").await;
    // A bad header is not made good by a good cookie.
    let cookie = format!("octo_handler_user={}", ada.access);
    refused(&app, message().header("authorization", "Bearer x").header("cookie", &cookie), "both").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_none_of_ours_never_reaches_a_provider() {
    let genuine = Forger::new();
    let app = TestApp::with("signing_key", genuine.pem()).start().await;
    let ada = app.paying_user("ada").await;
    let (header, claims) = (genuine.header(), payload(&ada.access));
    let keys = app.get("/.well-known/jwks.json").await.expect(200);
    app.clear_records();

    // What follows is refused for the one thing that is wrong: without it, a forgery would be accepted.
    let with_claims = |claims: &Value| genuine.sign(&header, claims);
    let other_token_of_hers = with_claims(&changed(&claims, "jti", json!("another")));
    let accepted = app.post("/messages").bearer(&other_token_of_hers).json(&json!({ "message": "hello" }));
    accepted.await.expect(200);
    app.clear_records();

    for alg in ["none", "None", "NONE", "HS256", "RS256", "ES256"] {
        let header = changed(&header, "alg", json!(alg));
        let signature = ada.access.rsplit('.').next().unwrap();
        refused_token(&app, &format!("{}.", unsigned(&header, &claims)), alg).await;
        refused_token(&app, &format!("{}.{signature}", unsigned(&header, &claims)), alg).await;
        refused_token(&app, &genuine.sign(&header, &claims), alg).await;
    }

    let hs256 = changed(&header, "alg", json!("HS256"));
    let public = keys["keys"][0]["x"].as_str().unwrap();
    let public_bytes = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, public).unwrap();
    let public_jwk = keys["keys"][0].to_string();
    for secret in [public_bytes.as_slice(), public.as_bytes(), public_jwk.as_bytes(), b""] {
        refused_token(&app, &authenticate(secret, &hs256, &claims), "HS256 with the public key").await;
    }

    let stranger = Forger::new();
    for (token, why) in [
        (stranger.sign(&stranger.header(), &claims), "an unknown key"),
        (stranger.sign(&header, &claims), "another key under our key's id"),
        (stranger.sign(&without(&header, "kid"), &claims), "another key without an id"),
        (genuine.sign(&without(&header, "kid"), &claims), "no key id"),
        (genuine.sign(&changed(&header, "kid", json!("x")), &claims), "an unknown key id"),
        (stranger.sign(&changed(&header, "jwk", stranger.public_jwk()), &claims), "a key inside the token"),
        (
            genuine.sign(&changed(&header, "jku", json!("http://127.0.0.1/keys")), &claims) + "A",
            "a key elsewhere",
        ),
        (stranger.sign(&changed(&header, "jku", json!("http://127.0.0.1/keys")), &claims), "a key elsewhere"),
        (
            stranger.sign(&changed(&header, "x5u", json!("http://127.0.0.1/cert")), &claims),
            "a certificate elsewhere",
        ),
        (stranger.sign(&changed(&header, "kid", json!("../../auth/jwks")), &claims), "a path as key id"),
        (stranger.sign(&changed(&header, "kid", json!("' OR 1=1 --")), &claims), "a statement as key id"),
        (genuine.sign(&changed(&header, "typ", json!("JWT")), &claims), "another type"),
        (genuine.sign(&without(&header, "typ"), &claims), "no type"),
        (with_claims(&changed(&claims, "aud", json!("octo-refresh"))), "another audience"),
        (with_claims(&without(&claims, "aud")), "no audience"),
        (with_claims(&changed(&claims, "iss", json!("else"))), "another issuer"),
        (with_claims(&without(&claims, "exp")), "no end"),
        (with_claims(&changed(&claims, "exp", json!(claims["iat"]))), "expired when it was made"),
        (
            with_claims(&changed(&claims, "iat", json!(claims["iat"].as_i64().unwrap() + 60))),
            "from the future",
        ),
        (
            with_claims(&changed(&claims, "exp", json!(claims["iat"].as_i64().unwrap() + 3_601))),
            "longer than any token holds",
        ),
        (with_claims(&changed(&claims, "exp", json!(i64::MAX))), "for ever"),
        (with_claims(&changed(&claims, "sid", json!("../jwks"))), "a session id that is none"),
        (genuine.sign_text(&header.to_string(), &twice(&claims, "role", "admin")), "a claim said twice"),
        (genuine.sign_text(&header.to_string(), &twice(&claims, "sub", "999")), "a subject said twice"),
        (with_claims(&changed(&claims, "padding", json!("x".repeat(2_000)))), "too long"),
        (genuine.sign(&changed(&header, "padding", json!("x".repeat(2_000))), &claims), "too long a header"),
    ] {
        refused_token(&app, &token, why).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_changed_never_reaches_a_provider() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let parts: Vec<_> = ada.access.split('.').collect();
    let header = |text: &str| base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, text);
    for (member, to) in [("paid_access", json!(true)), ("role", json!("admin")), ("sub", json!("999"))] {
        let claims = changed(&payload(&ada.access), member, to);
        let token = format!("{}.{}.{}", parts[0], header(&claims.to_string()), parts[2]);
        refused_token(&app, &token, member).await;
    }
    for (token, why) in [
        (format!("{}.{}", parts[0], parts[1]), "no signature"),
        (format!("{}.{}.", parts[0], parts[1]), "an empty signature"),
        (format!("{}.{}.{}", parts[0], parts[1], header("short")), "a short signature"),
        (format!("{}.x", ada.access), "four parts"),
        (ada.access[..ada.access.len() - 1].to_owned(), "a character less"),
        (format!("{}A", ada.access), "a character more"),
        ("a.b.c".to_owned(), "no token"),
        ("x".repeat(20_000), "nothing but long"),
        (ada.refresh_token.clone(), "the refresh token"),
    ] {
        refused_token(&app, &token, why).await;
    }
    for token in spelled_otherwise(&ada.access) {
        refused_token(&app, &token, "the same token, spelled otherwise").await;
    }
    for length in (0..ada.access.len()).step_by(37) {
        let token = &ada.access[..length];
        if !token.is_empty() {
            refused_token(&app, token, "cut short").await;
        }
    }
    ada.send("hello").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_never_reaches_a_provider() {
    let app = TestApp::with("access_token_seconds", 60).start().await;
    let ada = app.user("ada").await;
    app.clock().advance(Duration::from_secs(59));
    ada.send("hello").await.expect(200);
    app.clear_records();
    app.clock().advance(Duration::from_secs(1));
    refused_token(&app, &ada.access, "expired").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_on_one_host_has_ended_on_all() {
    let app = TestApp::setup().several(3).start().await;
    let mut ada = app.user("ada").await;
    let first = ada.access.clone();
    ada.refresh(&app).await;
    for host in 0..3 {
        ada.send_by(host, "hello").await.expect(200);
    }
    assert_eq!(ada.call_on(1, Method::POST, "/auth/logout").await.status, 204);
    app.clear_records();
    for host in 0..3 {
        for token in [&ada.access, &first] {
            refused(&app, app.call(host, Method::POST, "/messages").bearer(token), "logged out").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_secret_never_appears_in_a_log() {
    let app = TestApp::with("free_limit", 1).start().await;
    let mut ada = app.paying_user("ada").await;
    let (first, first_refresh) = (ada.access.clone(), ada.refresh_token.clone());
    ada.refresh(&app).await;
    let message = "a message that is nobody's business";
    for _ in 0..2 {
        ada.send(message).await.expect(200);
    }
    app.get(&format!("/users/me?access_token={}", ada.access)).await.expect(401);
    app.post("/auth/login").json(&json!({ "username": ada.email, "password": "a wrong password" })).await;
    ada.call(Method::POST, "/auth/logout").await;
    ada.send(message).await.problem(401, "unauthorized");
    let reversed: String = message.chars().rev().collect();

    let log = app.log();
    assert!(log.contains("/auth/login") && log.contains("free_exhausted"), "{log}");
    for secret in [
        &first,
        &first_refresh,
        &ada.access,
        &ada.refresh_token,
        PASSWORD,
        "a wrong password",
        message,
        &reversed,
        crate::harness::BOOTSTRAP_SECRET,
        crate::harness::PAID_KEY,
        &ada.email,
    ] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
