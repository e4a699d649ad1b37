//! Many at once: one account for a name, one successor for a token, and no token that outlives its logout. Each over
//! stores on this machine, and over three hosts that share a Redis server.

use futures::future::{join, join_all};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, PASSWORD, Setup, TestApp};

fn both() -> [Setup; 2] {
    [TestApp::setup(), TestApp::setup().several(3)]
}

fn refresh(app: &TestApp, number: usize, token: &str) -> impl Future<Output = Answer> {
    let call = app.call(number % app.addresses().len(), Method::POST, "/auth/refresh");
    call.json(&json!({ "refresh_token": token })).into_future()
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap().to_owned()
}

async fn is_accepted(app: &TestApp, token: &str) -> bool {
    let mut statuses = Vec::new();
    for host in 0..app.addresses().len() {
        for path in ["/users/me", "/messages/quota"] {
            statuses.push(app.call(host, Method::GET, path).bearer(token).await.status);
        }
    }
    statuses.dedup();
    assert_eq!(statuses.len(), 1, "hosts and components agree");
    statuses == [200]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_registrations_of_one_name_make_one_account() {
    for setup in both() {
        let app = setup.start().await;
        let body = |number: usize| {
            let email = if number.is_multiple_of(2) { "ada@example.com" } else { "ADA@example.com " };
            json!({ "email": email, "password": PASSWORD })
        };
        let answers = join_all((0..100).map(|number| {
            let call = app.call(number % app.addresses().len(), Method::POST, "/auth/register");
            call.json(&body(number)).into_future()
        }))
        .await;
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(made, 1);
        // Anyone who found everybody hashing is told to come back.
        let told = |answer: &&Answer| matches!(answer.status, 201 | 409 | 503);
        assert_eq!(answers.iter().filter(told).count(), 100);
        app.register("ada@example.com").await.problem(409, "account-exists");
        app.log_in("ada@example.com").await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_refreshes_of_one_token_make_one_successor() {
    for setup in both() {
        let app = setup.start().await;
        let ada = app.user("ada").await;
        let answers = join_all((0..50).map(|number| refresh(&app, number, &ada.refresh_token))).await;
        let successor = text(&answers[0].expect(200), "refresh_token");
        for answer in &answers {
            let tokens = answer.expect(200);
            assert_eq!(tokens["refresh_token"], successor);
        }
        assert!(is_accepted(&app, &text(&answers[49].expect(200), "access_token")).await);
        refresh(&app, 0, &successor).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_beside_a_logout_leaves_no_living_token() {
    for setup in both() {
        let app = setup.start().await;
        for round in 0..12 {
            let ada = app.user(&format!("ada{round}")).await;
            let log_out =
                ada.call_on(round % app.addresses().len(), Method::POST, "/auth/logout").into_future();
            let refreshes = join_all((0..4).map(|number| refresh(&app, number, &ada.refresh_token)));
            // Whichever is polled first is sent first.
            let (ended, refreshed) = if round % 2 == 0 {
                join(log_out, refreshes).await
            } else {
                let (refreshed, ended) = join(refreshes, log_out).await;
                (ended, refreshed)
            };
            assert_eq!(ended.status, 204);
            assert!(!is_accepted(&app, &ada.access).await);
            for answer in refreshed {
                assert!(matches!(answer.status, 200 | 401), "{}", answer.text());
                if answer.status == 200 {
                    let tokens = answer.json();
                    assert!(!is_accepted(&app, &text(&tokens, "access_token")).await);
                    let again = refresh(&app, 0, &text(&tokens, "refresh_token")).await;
                    again.problem(401, "bad-refresh-token");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_refresh_token_ends_its_family() {
    for setup in both() {
        let app = setup.start().await;
        let ada = app.user("ada").await;
        let second = refresh(&app, 1, &ada.refresh_token).await.expect(200);
        let third = refresh(&app, 2, &text(&second, "refresh_token")).await.expect(200);
        // Many thieves at once.
        let answers = join_all((0..10).map(|number| refresh(&app, number, &ada.refresh_token))).await;
        for answer in answers {
            answer.problem(401, "bad-refresh-token");
        }
        for tokens in [&second, &third] {
            refresh(&app, 0, &text(tokens, "refresh_token")).await.problem(401, "bad-refresh-token");
            assert!(!is_accepted(&app, &text(tokens, "access_token")).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_changes_while_tokens_are_renewed_counts_for_each_of_them() {
    for setup in both() {
        let app = setup.start().await;
        let ada = app.paying_user("ada").await;
        let root = app.administrator().await;
        let path = format!("/users/{}", ada.id);
        let mut token = ada.refresh_token.clone();
        for round in 0..6 {
            let paid = round % 2 == 0;
            let grant = root.call_on(round % app.addresses().len(), Method::PATCH, &path);
            let grant = grant.json(&json!({ "paid_access": !paid })).into_future();
            let (_, refreshed) =
                join(grant, join_all((0..4).map(|number| refresh(&app, number, &token)))).await;
            for answer in &refreshed {
                let access = text(&answer.expect(200), "access_token");
                let known = root.call(Method::POST, "/auth/introspect").form(&[("token", &access)]).await;
                assert_eq!(known.expect(200)["paid_access"], !paid);
            }
            token = text(&refreshed[0].json(), "refresh_token");
        }
        // The last change gave it, and so says the profile.
        let tokens = refresh(&app, 0, &token).await.expect(200);
        let me = app.get("/users/me").bearer(&text(&tokens, "access_token")).await.expect(200);
        assert_eq!(me["paid_access"], true);
    }
}
