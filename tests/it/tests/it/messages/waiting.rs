//! Messages that would rather wait for a free slot (`Prefer: wait=N`), on real time.

use std::time::Duration;

use futures::future::join_all;
use octo_host::Clock;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::harness::{Answer, Counter, Setup, TestApp, User};

const WINDOW: Duration = Duration::from_secs(2);

fn setup(limit: i64) -> Setup {
    TestApp::with("free_limit", limit)
        .with("free_window_seconds", WINDOW.as_secs())
        .with("free_provider_timeout_ms", 400)
        .with("free_clock_skew_ms", 50)
        .by(Clock::system())
}

/// Sleeps until a window is just a little old.
async fn window_begins() {
    let window = WINDOW.as_millis() as u64;
    sleep(Duration::from_millis(window - Clock::system().now_ms() % window + 100)).await;
}

async fn send(user: &User, host: usize, message: &str, wait: u64) -> Answer {
    let call = user.call_on(host, http::Method::POST, "/messages").json(&json!({ "message": message }));
    call.header("prefer", &format!("wait={wait}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_waits_goes_free_in_the_next_window_and_others_are_told_at_once() {
    let app = setup(2).start().await;
    let (ada, bob) = (app.user("ada").await, app.paying_user("bob").await);
    window_begins().await;
    for _ in 0..2 {
        assert_eq!(send(&ada, 0, "hello", 5).await.expect(200)["provider"], "free");
    }
    let began = Instant::now();
    let waiting = tokio::join!(send(&ada, 0, "hello", 5), send(&bob, 0, "hello", 5), async {
        sleep(Duration::from_millis(200)).await;
        // Nobody overtakes: the next window is booked. Nor does anybody wait who does not want to.
        let in_vain = send(&ada, 0, "hello", 3).await;
        in_vain.problem(429, "free-quota-exhausted");
        ada.send("hello").await.problem(429, "free-quota-exhausted");
        assert_eq!(bob.send("hello").await.expect(200)["reason"], "free_exhausted");
        assert!(began.elapsed() < Duration::from_secs(1), "those who need not wait do not");
    });
    for answer in [&waiting.0, &waiting.1] {
        assert_eq!(answer.expect(200)["reason"], "free_available");
        assert_eq!(answer.header("preference-applied"), "wait=5");
    }
    assert!(began.elapsed() > Duration::from_millis(1_500), "they waited for the window");
    let books = app.free_provider().books().await;
    assert_eq!((books.windows, books.refused_total), (vec![2, 2], 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_is_too_short_is_not_waited() {
    let app = setup(1).start().await;
    let ada = app.user("ada").await;
    window_begins().await;
    ada.send("hello").await.expect(200);
    let began = Instant::now();
    let answer = send(&ada, 0, "hello", 1).await;
    answer.problem(429, "free-quota-exhausted");
    assert!(began.elapsed() < Duration::from_millis(500));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_in_line_go_in_the_order_they_came_whichever_host_they_came_to() {
    let setup = setup(2).with("free_window_model", "sliding").several(2);
    let app = setup.counting_in(Counter::StoresRedis).start().await;
    app.vouch_for_a_fresh_provider();
    let ada = app.user("ada").await;
    for _ in 0..2 {
        assert_eq!(ada.send("hello").await.expect(200)["provider"], "free");
    }
    // Six in line: three windows' worth.
    let began = Instant::now();
    let messages = (0..6_usize).map(|number| {
        let ada = &ada;
        async move {
            sleep(Duration::from_millis(50 * number as u64)).await;
            let answer = send(ada, number % 2, "hello", 20).await;
            assert_eq!(answer.expect(200)["reason"], "free_available");
            (number, began.elapsed())
        }
    });
    let mut ended = join_all(messages).await;
    assert!(ended.iter().all(|(_, elapsed)| *elapsed > Duration::from_millis(1_500)), "{ended:?}");
    ended.sort_by_key(|(_, elapsed)| *elapsed);
    // Two at a time; within a pair the order is the network's.
    let pairs: Vec<usize> = ended.iter().map(|(number, _)| number / 2).collect();
    assert_eq!(pairs, [0, 0, 1, 1, 2, 2]);
    assert_eq!(app.free_provider().books().await.refused_total, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_whose_clients_hang_up_take_a_quarter_of_a_window_at_most() {
    // Two at first, then two more: whether one after the other or at once.
    let app = setup(8).start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    window_begins().await;
    for _ in 0..8 {
        ada.send("hello").await.expect(200);
    }
    let hang_up = async |_| {
        let stream = tokio::net::TcpStream::connect(app.host().addr()).await.unwrap();
        let body = r#"{"message":"gone"}"#;
        let head = format!(
            "POST /messages HTTP/1.1\r\nhost: octo\r\nauthorization: Bearer {}\r\nprefer: wait=5\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            ada.access,
            body.len()
        );
        let mut stream = stream;
        tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.unwrap();
        sleep(Duration::from_millis(300)).await;
    };
    join_all((0..8).map(hang_up)).await;
    window_begins().await;
    let living = join_all((0..8).map(|_| bob.send("hello"))).await;
    assert_eq!(living.iter().filter(|answer| answer.status == 200).count(), 6);
    app.quiet().await;
    let books = app.free_provider().books().await;
    assert_eq!((books.windows, books.refused_total), (vec![8, 8], 0));
}
