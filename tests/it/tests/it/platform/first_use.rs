//! Many come at once to a deployment where nothing has been made yet: no tables, no keys, no counters. What is made on
//! first use is made once, or by all of them, and each is served.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::harness::forger::Forger;
use crate::harness::{Answer, BOOTSTRAP_SECRET, Call, Counter, Setup, TestApp};

const AT_ONCE: usize = 200;
const HOSTS: usize = 3;
const FREE: usize = 50;

/// Three hosts over nothing, in each form, on either database; and a key that signs tokens, so that nobody has to be
/// there to be let in.
async fn on_every_empty_deployment(test: impl AsyncFn(TestApp, Forger)) {
    let forms: [fn(Setup) -> Setup; 3] = [
        |setup| setup.several_over_a_file(HOSTS),
        |setup| setup.several(HOSTS),
        |setup| setup.several(HOSTS).counting_in(Counter::OwnRedis),
    ];
    for form in forms {
        for database in [Setup::over_sqlite, Setup::over_postgres] {
            let genuine = Forger::new();
            let setup = TestApp::with("signing_key", genuine.pem()).with("free_limit", FREE);
            let app = database(form(setup)).start().await;
            test(app, genuine).await;
        }
    }
}

/// The answers' JSON; all must have this status.
fn all(app: &TestApp, answers: &[Answer], status: u16) -> Vec<Value> {
    if let Some(other) = answers.iter().find(|answer| answer.status != status) {
        let others = answers.iter().filter(|answer| answer.status != status).count();
        let log = app.log();
        let failed = log.lines().filter(|line| line.contains(r#""status":5"#)).take(5).collect::<Vec<_>>();
        panic!("{others} of {}: {}\n{}", answers.len(), other.text(), failed.join("\n"));
    }
    answers.iter().map(Answer::json).collect()
}

/// The same request to all hosts at once, each of them many times.
async fn at_once(app: &TestApp, method: Method, path: &str, prepare: impl Fn(Call) -> Call) -> Vec<Answer> {
    let calls =
        (0..AT_ONCE).map(|number| prepare(app.call(number % HOSTS, method.clone(), path)).into_future());
    join_all(calls).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_messages_are_all_processed() {
    on_every_empty_deployment(async |app, genuine| {
        let token = genuine.token(1, "user", true, app.now_ms());
        let message = json!({ "message": "hello" });
        let answers =
            at_once(&app, Method::POST, "/messages", |call| call.bearer(&token).json(&message)).await;
        let processed = all(&app, &answers, 200);
        assert!(processed.iter().all(|body| body["response"] == "olleh"));
        assert!(processed.iter().filter(|body| body["provider"] == "free").count() <= FREE);
    })
    .await;
}

/// Components ask one another with a key that the first of them makes; the tables of each are made by who misses them.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_purchases_and_the_first_looks_at_the_jobs_are_all_answered() {
    on_every_empty_deployment(async |app, genuine| {
        let token = genuine.token(1, "admin", false, app.now_ms());
        let kinds = [
            // `auth` must have let the question in to say that there is no such user.
            (Method::POST, "/subscriptions", json!({ "user_id": 7 })),
            (Method::GET, "/internal/jobs", Value::Null),
            (Method::POST, "/internal/jobs/drain", Value::Null),
        ];
        let of_kind = |(method, path, body): &(Method, &str, Value)| {
            let calls = (0..AT_ONCE / kinds.len() + 1).map(|number| {
                let call = app.call(number % HOSTS, method.clone(), path).bearer(&token);
                if body.is_null() { call.into_future() } else { call.json(body).into_future() }
            });
            join_all(calls)
        };
        let mut answers = join_all(kinds.iter().map(of_kind)).await;
        let (others, bought) = (answers.split_off(1).concat(), answers.concat());
        let refusals = all(&app, &bought, 404);
        assert!(refusals.iter().all(|refusal| refusal["detail"] == "There is no such user."));
        all(&app, &others, 200);
    })
    .await;
}

/// All hosts publish one key, and it is the one that signs.
#[tokio::test(flavor = "multi_thread")]
async fn the_key_that_is_made_first_is_everybodys() {
    on_every_empty_deployment(async |app, _| {
        let answers = at_once(&app, Method::GET, "/.well-known/jwks.json", |call| call).await;
        let sets = all(&app, &answers, 200);
        assert!(sets.iter().all(|set| *set == sets[0]), "{sets:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_would_be_the_first_administrator_one_is() {
    on_every_empty_deployment(async |app, _| {
        let emails = ["ada@example.com", "bob@example.com", "eve@example.com"];
        for email in emails {
            app.register(email).await.expect(201);
        }
        let next = AtomicUsize::new(0);
        let answers = at_once(&app, Method::POST, "/auth/administrators", |call| {
            let email = emails[next.fetch_add(1, Ordering::SeqCst) * 7 % emails.len()];
            call.bearer(BOOTSTRAP_SECRET).json(&json!({ "email": email }))
        })
        .await;
        let made: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert!(!made.is_empty());
        for answer in &made {
            assert_eq!(answer.json()["email"], made[0].json()["email"], "there are two");
        }
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            answer.expect(409);
        }
    })
    .await;
}
