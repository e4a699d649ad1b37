//! The database goes away and comes back: clients are told, nothing accepted is lost, and nobody restarts Octo.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::Method;
use octo_host::Clock;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::harness::{Answer, Call, PASSWORD, TestApp, User};

/// How long a person would wait before calling something broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes sure that a refusal is one a client can act upon, and says nothing about the database.
#[track_caller]
fn expect_told_to_come_back(answer: &Answer) {
    let problem = answer.expect(503);
    let kind = problem["type"].as_str().unwrap().trim_start_matches("urn:octo:problem:").to_owned();
    assert!(["database-unavailable", "unavailable", "too-busy"].contains(&kind.as_str()), "{problem}");
    assert!(answer.header("retry-after").parse::<u32>().is_ok(), "{:?}", answer.headers);
    for secret in ["postgres", "127.0.0.1", "SqlState", "octo_"] {
        assert!(!answer.text().contains(secret), "{problem}");
    }
}

/// What the load has come to.
#[derive(Default)]
struct Load {
    confirmed: AtomicUsize,
    refused: AtomicUsize,
    over: AtomicBool,
}

/// Returns once this has happened a few times more.
async fn a_few_more(count: &AtomicUsize) {
    let enough = count.load(Ordering::Relaxed) + 4;
    let grows = async {
        while count.load(Ordering::Relaxed) < enough {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, grows).await.expect("the load stands still");
}

/// Registers one account after another until the load is over; those whose making was confirmed.
fn register(worker: usize, host: SocketAddr, load: &Arc<Load>) -> JoinHandle<Vec<String>> {
    let load = Arc::clone(load);
    tokio::spawn(async move {
        let mut confirmed = Vec::new();
        for number in 0.. {
            if load.over.load(Ordering::Relaxed) {
                break;
            }
            let email = format!("w{worker}-{number}@example.com");
            // Each from a place of its own: nobody is slowed down.
            let place = format!("10.{worker}.{}.{}", number / 256 % 256, number % 256);
            let call = Call::new(host, Method::POST, "/auth/register").header("x-forwarded-for", &place);
            let answer = call.json(&json!({ "email": email, "password": PASSWORD })).await;
            if answer.status == 201 {
                confirmed.push(email);
                load.confirmed.fetch_add(1, Ordering::Relaxed);
            } else {
                expect_told_to_come_back(&answer);
                load.refused.fetch_add(1, Ordering::Relaxed);
                // Nobody sends again at once.
                sleep(Duration::from_millis(20)).await;
            }
        }
        confirmed
    })
}

/// The addresses of all accounts.
async fn accounts(administrator: &User) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut query = "limit=100".to_owned();
    loop {
        let page = administrator.call(Method::GET, &format!("/users?{query}")).await.expect(200);
        let users = page["items"].as_array().unwrap();
        all.extend(users.iter().map(|user| user["email"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => query = format!("limit=100&after={next}"),
            None => return all,
        }
    }
}

/// Sends requests until one is answered with success.
async fn recovered(app: &TestApp) {
    let one_succeeds = async {
        while app.log_in("root@example.com").await.status != 200 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, one_succeeds).await.expect("nobody can log in any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_stopped_and_started_under_load_keeps_what_it_confirmed() {
    let setup = TestApp::with("trusted_proxies", 1).several(2).over_its_own_postgres();
    // On a clock that runs: a lease that could not be given back ends by itself.
    let mut app = setup.by(Clock::system()).start().await;
    app.administrator().await;
    let load = Arc::new(Load::default());
    let hosts = app.addresses();
    let workers: Vec<_> = (0..4).map(|number| register(number, hosts[number % hosts.len()], &load)).collect();
    for crash in [false, true, false] {
        a_few_more(&load.confirmed).await;
        let postgres = app.postgres_mut();
        if crash {
            postgres.kill()
        } else {
            postgres.stop()
        }
        a_few_more(&load.refused).await;
        expect_told_to_come_back(&app.log_in("root@example.com").await);
        app.postgres_mut().restart().unwrap();
        recovered(&app).await;
    }
    load.over.store(true, Ordering::Relaxed);
    let mut confirmed = Vec::new();
    for worker in workers {
        confirmed.extend(worker.await.unwrap());
    }
    let there = accounts(app.administrator().await).await;
    assert!(confirmed.iter().all(|email| there.contains(email)), "{confirmed:?} {there:?}");
    let password = app.postgres_mut().password().to_owned();
    assert!(app.log().contains("the database is away") && !app.log().contains(&password));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_answered_while_the_database_hangs() {
    let setup = TestApp::setup().over_its_own_postgres().by(Clock::system());
    // In real time: that is what a host gives a request up by.
    let mut app = setup.giving_up_after(Duration::from_secs(2)).start().await;
    let ada = app.user("ada").await;
    app.postgres_mut().hang().unwrap();
    ada.send("hello").await.expect(200);
    assert_eq!(app.log_in(&ada.email).await.status, 504);
    app.postgres_mut().resume().unwrap();
    let one_succeeds = async { while app.log_in(&ada.email).await.status != 200 {} };
    timeout(PATIENCE, one_succeeds).await.expect("nobody can log in any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_never_there_is_away() {
    // The discard port (RFC 863), where nobody listens.
    let app =
        TestApp::with("database_url", "postgres://127.0.0.1:9").with("database_tls", "off").start().await;
    let answer = app.register("ada@example.com").await;
    answer.problem(503, "database-unavailable");
    expect_told_to_come_back(&answer);
}
