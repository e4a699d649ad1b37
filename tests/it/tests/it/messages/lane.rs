//! Requests that share an instance, as they do in the lane of WASI 0.3: they see nothing of each other. In the lane of WASI 0.2
//! each has an instance of its own, and the same holds.

use std::collections::HashSet;
use std::time::Duration;

use futures::future::join_all;
use octo_gateway::free_tier::WindowModel;
use octo_host::{Clock, StoreFault};

use crate::harness::{Counter, TestApp, in_wasi_0_3};
use crate::mock_providers::{Latency, MockFree, MockPaid, Mood};

const MESSAGES: usize = 48;

/// A provider that takes its time, so that messages are under way together, and the application that calls it.
async fn start(counter: Counter, calls: i64, per_user: i64) -> (MockFree, MockPaid, TestApp) {
    let day = Duration::from_secs(86_400);
    let slow = || Latency::around(50.0, 100.0);
    let free = MockFree::allowing(WindowModel::Aligned, calls, day, day).taking(slow()).start().await;
    let paid = MockPaid::start(slow()).await;
    let app = TestApp::with("free_limit", calls)
        .with("free_window_seconds", day.as_secs())
        .with("free_window_model", "aligned")
        .with("free_daily_per_user", per_user)
        .calling(&free, &paid)
        .counting_in(counter)
        .by(Clock::system())
        .start()
        .await;
    if counter != Counter::KeyValue {
        app.vouch_for_a_fresh_provider();
    }
    (free, paid, app)
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_two_users_at_once_are_each_ones_own() {
    for counter in [Counter::KeyValue, Counter::OwnRedis] {
        let (free, _paid, app) = start(counter, 1_000, 20).await;
        let (ada, bob) = (app.user("ada").await, app.paying_user("bob").await);
        app.quiet().await;
        app.clear_records();
        let sent = join_all((0..MESSAGES).map(async |number| {
            let sender = if number % 2 == 0 { &ada } else { &bob };
            let message = format!("message {number}");
            // One after the other, for an instance that has just been made takes on what comes next.
            tokio::time::sleep(Duration::from_millis(4) * number as u32).await;
            (number, message.clone(), sender.send(&message).await)
        }))
        .await;
        let mut ids = HashSet::new();
        let (mut free_of, mut paid_of, mut refused_of) = ([0, 0], [0, 0], [0, 0]);
        for (number, message, answer) in sent {
            let sender = number % 2;
            if answer.status == 200 {
                let body = answer.expect(200);
                assert_eq!(body["response"], message.chars().rev().collect::<String>());
                assert!(ids.insert(body["id"].as_str().unwrap().to_owned()), "an id twice: {body}");
                let of = if body["provider"] == "free" { &mut free_of } else { &mut paid_of };
                of[sender] += 1;
            } else {
                answer.problem(429, "free-allowance-used");
                refused_of[sender] += 1;
            }
        }
        // Twenty free messages a day for each; who has paid access pays for the rest.
        assert_eq!((free_of, paid_of, refused_of), ([20, 20], [0, 4], [4, 0]));
        assert_eq!(free.arrivals().len(), 40);
        app.quiet().await;
        let opened = app.host().store_calls().count("router", "key-value open") as usize;
        if in_wasi_0_3() {
            assert!((1..=MESSAGES / 2).contains(&opened), "{opened} instances");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_messages_of_one_moment_count_is_one_question_to_the_store() {
    let (free, _paid, app) = start(Counter::KeyValue, 40, 0).await;
    let ada = app.user("ada").await;
    app.quiet().await;
    app.clear_records();
    app.host().faults().key_value_of("router", StoreFault::Slow(Duration::from_millis(5)));
    let answers = join_all((0..MESSAGES).map(async |_| ada.send("hello").await)).await;
    let processed = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!((processed, free.arrivals().len()), (40, 40));
    app.quiet().await;
    let counted = app.host().store_calls().count("router", "key-value increment") as usize;
    // Asked alone, one for each, and two more for each of the eight that are refused: a slot is given back, and they are counted.
    let alone = MESSAGES + 2 * (MESSAGES - 40);
    if in_wasi_0_3() {
        assert!((2..alone).contains(&counted), "{counted} increments");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_and_a_call_that_fails_take_nothing_of_the_others_along() {
    for counter in [Counter::KeyValue, Counter::OwnRedis] {
        let (free, _paid, app) = start(counter, 1_000, 20).await;
        free.will(Mood::RefusesBadOnes(400));
        let users = join_all((0..3).map(async |number| app.user(&format!("user{number}")).await)).await;
        let sent = join_all((0..MESSAGES).map(async |number| {
            let user = &users[number % 3];
            match number % 4 {
                // It leaves while the provider is at work.
                0 => {
                    let sent = tokio::time::timeout(Duration::from_millis(20), user.send("hello")).await;
                    assert!(sent.is_err());
                }
                1 => drop(user.send("bad").await.problem(422, "message-refused")),
                _ => assert_eq!(user.send("hello").await.expect(200)["response"], "olleh"),
            }
        }))
        .await;
        assert_eq!(sent.len(), MESSAGES);
        app.quiet().await;
        // What was sent and left behind may have been processed, and is counted as such: nobody is called twice.
        assert!(free.arrivals().len() <= MESSAGES);
        assert_eq!(users[0].send("hello").await.expect(200)["response"], "olleh");
    }
}
