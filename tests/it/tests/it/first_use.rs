//! Many come at once to a deployment where nothing has been made yet: no tables, no keys, no counters. What is made on
//! first use is made once, or by all of them, and each is served.

use futures::future::join_all;
use http::Method;
use serde_json::json;

use super::TestApp;
use super::harness::forger::Forger;
use super::harness::{Answer, BOOTSTRAP_SECRET, Call, Counter, NOON, Setup};

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

/// The same request to all hosts at once, each of them many times.
async fn at_once(app: &TestApp, method: Method, path: &str, prepare: impl Fn(Call) -> Call) -> Vec<Answer> {
    let calls =
        (0..AT_ONCE).map(|number| prepare(app.call(number % HOSTS, method.clone(), path)).into_future());
    join_all(calls).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_messages_are_all_processed() {
    on_every_empty_deployment(async |app, genuine| {
        let token = genuine.token(1, "user", true, NOON);
        let message = json!({ "message": "hello" });
        let answers =
            at_once(&app, Method::POST, "/messages", |call| call.bearer(&token).json(&message)).await;
        for answer in &answers {
            assert_eq!(answer.expect(200)["response"], "olleh");
        }
        assert!(app.calls_to("free-provider") <= FREE);
        assert_eq!(app.calls_to("free-provider") + app.calls_to("paid-provider"), AT_ONCE);
    })
    .await;
}

/// Components ask one another with a key that the first of them makes; the tables of each are made by who misses them.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_purchases_and_the_first_looks_at_the_jobs_are_all_answered() {
    on_every_empty_deployment(async |app, genuine| {
        let token = genuine.token(1, "admin", false, NOON);
        // `auth` must have let the question in to say so.
        let nobody = json!({ "user_id": 7 });
        let bought = at_once(&app, Method::POST, "/subscriptions", |call| call.bearer(&token).json(&nobody));
        let looked = at_once(&app, Method::GET, "/internal/jobs", |call| call.bearer(&token));
        let drained = at_once(&app, Method::POST, "/internal/jobs/drain", |call| call.bearer(&token));
        let (bought, looked, drained) = futures::join!(bought, looked, drained);
        for answer in bought {
            assert_eq!(answer.expect(404)["detail"], "There is no such user.");
        }
        for answer in looked.iter().chain(&drained) {
            answer.expect(200);
        }
    })
    .await;
}

/// All hosts publish one key, and it is the one that signs.
#[tokio::test(flavor = "multi_thread")]
async fn the_key_that_is_made_first_is_everybodys() {
    on_every_empty_deployment(async |app, _| {
        let answers = at_once(&app, Method::GET, "/.well-known/jwks.json", |call| call).await;
        let set = answers[0].expect(200);
        for answer in &answers {
            assert_eq!(answer.expect(200), set);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_would_be_the_first_administrator_one_is() {
    on_every_empty_deployment(async |app, _| {
        let account = app.register("ada@example.com").await.expect(201);
        let email = json!({ "email": account["email"] });
        let answers = at_once(&app, Method::POST, "/auth/administrators", |call| {
            call.bearer(BOOTSTRAP_SECRET).json(&email)
        })
        .await;
        let (made, late): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!(made.len(), 1);
        for answer in late {
            answer.expect(409);
        }
    })
    .await;
}
