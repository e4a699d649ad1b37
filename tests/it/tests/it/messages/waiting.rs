//! Messages that would rather wait for a free slot (`Prefer: wait=N`).
//!
//! Tests move the clock, but a component sleeps in real time: a message that has booked a slot of the next window goes out
//! when [`LEFT`] has really passed. That is how long a test has to move the clock into that window. It takes milliseconds.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use octo_host::Clock;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::harness::{Answer, Counter, NOON, Setup, TestApp, User};

/// Of the first window, when a test begins.
const LEFT: Duration = Duration::from_secs(3);

/// From then to a little after the beginning of the next window.
const TO_THE_NEXT: Duration = Duration::from_millis(3_100);

/// Against hanging.
const PATIENCE: Duration = Duration::from_secs(30);

/// An application whose window ends in [`LEFT`].
async fn start(limit: i64) -> TestApp {
    let app = short(TestApp::with("free_limit", limit)).start().await;
    // Tests begin 30 s into a window of 60 s.
    app.clock().set(NOON + 30_000 - LEFT.as_millis() as u64);
    app
}

/// Calls that cannot last into the next window.
fn short(setup: Setup) -> Setup {
    setup.with("free_provider_timeout_ms", 400).with("free_clock_skew_ms", 50)
}

async fn send(user: &User, host: usize, message: &str, wait: u64) -> Answer {
    let call = user.call_on(host, http::Method::POST, "/messages").json(&json!({ "message": message }));
    call.header("prefer", &format!("wait={wait}")).await
}

/// How often the router counts a message until it sleeps: in the window that is full, among those of its sender, again in
/// the full window, and in the next one.
const WAITS: u64 = 4;

/// How often it counts one that may not wait: the first two of these, and the refusal.
const REFUSED: u64 = 3;

/// Returns once the router has counted so often since the records were cleared.
async fn has_counted(app: &TestApp, times: u64) {
    let counted = || {
        let calls = app.host().store_calls();
        let own = calls
            .iter()
            .find(|(component, operation, _)| (*component, *operation) == ("router", "key-value increment"));
        own.map_or(0, |(_, _, calls)| calls)
    };
    let enough = async {
        while counted() < times {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, enough).await.unwrap_or_else(|_| panic!("counted {} times", counted()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_waits_goes_free_in_the_next_window_and_others_are_told_at_once() {
    let app = start(2).await;
    let (ada, eve, bob) = (app.user("ada").await, app.user("eve").await, app.paying_user("bob").await);
    for _ in 0..2 {
        assert_eq!(send(&ada, 0, "hello", 5).await.expect(200)["provider"], "free");
    }
    app.quiet().await;
    app.clear_records();
    let waiting = tokio::join!(send(&ada, 0, "hello", 5), send(&bob, 0, "hello", 5), async {
        has_counted(&app, 2 * WAITS).await;
        // Nobody overtakes: the next window is booked. Nor does anybody wait who does not want to.
        let in_vain = send(&eve, 0, "hello", 5).await;
        in_vain.problem(429, "free-quota-exhausted");
        ada.send("hello").await.problem(429, "free-quota-exhausted");
        assert_eq!(bob.send("hello").await.expect(200)["reason"], "free_exhausted");
        // They were told before any time had passed.
        app.clock().advance(TO_THE_NEXT);
    });
    for answer in [&waiting.0, &waiting.1] {
        assert_eq!(answer.expect(200)["reason"], "free_available");
        assert_eq!(answer.header("preference-applied"), "wait=5");
    }
    assert_eq!(app.log().matches(r#""waited_ms":3100"#).count(), 2, "{}", app.log());
    assert_eq!(app.log().matches("waited_ms").count(), 2, "{}", app.log());
    let books = app.free_provider().books().await;
    assert_eq!((books.windows, books.refused_total), (vec![2, 2], 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_is_too_short_is_not_waited() {
    let app = start(1).await;
    let ada = app.user("ada").await;
    ada.send("hello").await.expect(200);
    app.quiet().await;
    app.clear_records();
    send(&ada, 0, "hello", 1).await.problem(429, "free-quota-exhausted");
    app.quiet().await;
    assert!(!app.log().contains("waited_ms"), "{}", app.log());
    // It had no place in the next window either.
    app.clock().advance(TO_THE_NEXT);
    assert_eq!(ada.send("hello").await.expect(200)["provider"], "free");
}

/// On real time: a Redis server goes by a clock of its own, which no test can move.
#[tokio::test(flavor = "multi_thread")]
async fn messages_in_line_go_in_the_order_they_came_whichever_host_they_came_to() {
    const LINE: &str = "ZCARD {octo:free}:sliding:2000:line";
    let setup = TestApp::with("free_limit", 2).with("free_window_model", "sliding");
    let setup = short(setup.with("free_window_seconds", 2)).by(Clock::system()).several(2);
    let app = setup.counting_in(Counter::StoresRedis).start().await;
    app.vouch_for_a_fresh_provider();
    let ada = app.user("ada").await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let body = ada.send("hello").await.expect(200);
        assert_eq!(body["provider"], "free");
        ids.push(body["id"].as_str().unwrap().to_owned());
    }
    // Six in line: three windows' worth. Each comes when the one before it stands there, or has gone already.
    let gone = AtomicUsize::new(0);
    let stand = || app.counter().ask(LINE).unwrap().parse::<usize>().unwrap();
    let messages = (0..6_usize).map(async |number| {
        let its_turn = async {
            while stand() + gone.load(Ordering::SeqCst) < number {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, its_turn).await.expect("a message does not come to stand in line");
        let answer = send(&ada, number % 2, "hello", 20).await;
        gone.fetch_add(1, Ordering::SeqCst);
        let body = answer.expect(200);
        assert_eq!(
            (&body["reason"], answer.header("preference-applied")),
            (&json!("free_available"), "wait=20")
        );
        body["id"].as_str().unwrap().to_owned()
    });
    ids.extend(join_all(messages).await);
    app.quiet().await;
    assert_eq!(app.log().matches("waited_ms").count(), 6, "{}", app.log());
    let books = app.free_provider().books().await;
    // Two at a time; within a pair the order is the network's.
    let pair = |id: &String| ids.iter().position(|own| own == id).unwrap() / 2;
    let mut pairs: Vec<usize> = books.taken.iter().map(pair).collect();
    pairs.reverse();
    assert_eq!(pairs, [0, 0, 1, 1, 2, 2, 3, 3]);
    assert_eq!(books.refused_total, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_whose_clients_hang_up_take_a_quarter_of_a_window_at_most() {
    let app = start(8).await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    for _ in 0..8 {
        ada.send("hello").await.expect(200);
    }
    app.quiet().await;
    app.clear_records();
    let mut clients = Vec::new();
    for _ in 0..8 {
        let body = r#"{"message":"gone"}"#;
        let head = format!(
            "POST /messages HTTP/1.1\r\nhost: octo\r\nauthorization: Bearer {}\r\nprefer: wait=5\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            ada.access,
            body.len()
        );
        let mut client = TcpStream::connect(app.host().addr()).await.unwrap();
        client.write_all(head.as_bytes()).await.unwrap();
        clients.push(client);
    }
    // Two are let wait, and six are refused.
    has_counted(&app, 2 * WAITS + 6 * REFUSED).await;
    drop(clients);
    app.clock().advance(TO_THE_NEXT);
    let living = join_all((0..8).map(|_| bob.send("hello"))).await;
    assert_eq!(living.iter().filter(|answer| answer.status == 200).count(), 6);
    app.quiet().await;
    let books = app.free_provider().books().await;
    assert_eq!((books.windows, books.refused_total), (vec![8, 8], 0));
}
