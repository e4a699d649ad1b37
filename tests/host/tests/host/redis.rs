//! Redis: behind key-value, and called by a component itself.

use std::sync::Arc;
use std::time::Duration;

use octo_host::{Host, Limits, Outcome, StoreFault};
use tokio::task::JoinSet;
use tokio::time::Instant;
use xtask::servers::Redis;

use super::client::{Answer, request, send};
use super::{answer, guests, host, probe, refused, said};

/// Longer than any default of a client library: the host must set no limit of its own, as Spin sets none.
const LONGER_THAN_DEFAULTS: Duration = Duration::from_millis(1_500);

/// A host whose default store is on that server.
async fn on(redis: &Redis) -> Host {
    let config = format!("[key_value_store.default]\ntype = \"redis\"\nurl = \"{}\"", redis.url());
    Host::builder(guests()).runtime_config(config).start().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_on_one_server_share_the_store_and_every_increment_counts() {
    let redis = Redis::start().unwrap();
    let hosts = [on(&redis).await, on(&redis).await, on(&redis).await].map(Arc::new);
    let mut all = Vec::new();
    for host in hosts.iter().cycle().take(90) {
        let host = Arc::clone(host);
        all.push(tokio::spawn(async move { said(&host, "wasi-kv/increment/n", "1").await }));
    }
    for one in all {
        one.await.unwrap();
    }
    assert_eq!(said(&hosts[0], "wasi-kv/increment/n", "0").await, "90");
    assert_eq!(said(&hosts[1], "kv/get/n", "").await, "90", "decimal text, as on Spin");
    said(&hosts[2], "kv/set/a", "x").await;
    assert_eq!(said(&hosts[0], "kv/exists/a", "").await, "true");
    said(&hosts[0], "kv/delete/a", "").await;
    assert_eq!(said(&hosts[1], "kv/keys/x", "").await, "n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_server_is_gone_fails_and_comes_back_with_it() {
    let mut redis = Redis::start().unwrap();
    let host = on(&redis).await;
    said(&host, "wasi-kv/increment/n", "1").await;
    redis.stop();
    refused(&host, "wasi-kv/increment/n", "1").await;
    refused(&host, "wasi-kv/increment/n", "1").await;
    redis.restart().unwrap();
    // The first answer after the return may still find the old connection dead.
    let _ = probe(&host, "wasi-kv/increment/n", "0").await;
    assert_eq!(said(&host, "wasi-kv/increment/n", "1").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_hangs_the_call_until_it_goes_on() {
    let redis = Redis::start().unwrap();
    let host = on(&redis).await;
    said(&host, "wasi-kv/increment/n", "1").await;
    redis.hang().unwrap();
    let waiting = tokio::spawn(send(request("POST", &host.url("/probe/me/wasi-kv/increment/n"), "1")));
    tokio::time::sleep(LONGER_THAN_DEFAULTS).await;
    assert!(!waiting.is_finished());
    redis.resume().unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().body, "2");
}

/// Sends one Redis operation through the probe.
async fn ask(host: &Host, redis: &Redis, what: &str, body: &str) -> String {
    let mut request = request("POST", &host.url(&format!("/probe/me/redis/{what}")), body);
    request.headers_mut().insert("redis-address", redis.url().parse().unwrap());
    send(request).await.unwrap().body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_uses_a_server_of_its_own() {
    let redis = Redis::start().unwrap();
    let host = host().await;
    assert_eq!(ask(&host, &redis, "get/a", "").await, "none");
    assert_eq!(ask(&host, &redis, "set/a", "x").await, "done");
    assert_eq!(ask(&host, &redis, "get/a", "").await, "x");
    assert_eq!(ask(&host, &redis, "incr/n", "").await, "1");
    assert_eq!(ask(&host, &redis, "sadd/s", "b a").await, "2");
    assert_eq!(ask(&host, &redis, "sadd/s", "b c").await, "1");
    assert_eq!(ask(&host, &redis, "srem/s", "c d").await, "1");
    assert_eq!(ask(&host, &redis, "smembers/s", "").await, "a,b");
    assert_eq!(ask(&host, &redis, "publish/c", "x").await, "done");
    assert_eq!(ask(&host, &redis, "del/a", "").await, "1");
    let answer =
        ask(&host, &redis, "execute/EVAL", "return{1,{'x',redis.status_reply('fine')},false} 0").await;
    let values = ["Int64(1)", "Binary([120])", "Status(\"fine\")", "Nil"];
    assert_eq!(answer, format!("[{}]", values.map(|value| format!("RedisResult::{value}")).join(", ")));
    assert!(ask(&host, &redis, "sadd/n", "x").await.contains("TypeError"));
    assert!(ask(&host, &redis, "execute/NOSUCH", "").await.contains("Other"));
    assert_eq!(host.store_calls().count("probe", "redis open"), 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_allowed_is_not_connected_to() {
    let host = host().await;
    let mut request = request("POST", &host.url("/probe/me/redis/get/a"), "");
    request.headers_mut().insert("redis-address", "redis://user:word@10.0.0.1".parse().unwrap());
    let answer = send(request).await.unwrap();
    assert!(answer.body.contains("InvalidAddress"), "{}", answer.body);
    let log = host.logs();
    assert!(log.iter().all(|line| !line.text.contains("word")), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_come_between_a_component_and_its_server() {
    let redis = Redis::start().unwrap();
    let host = host().await;
    host.faults().redis(StoreFault::Down);
    assert!(ask(&host, &redis, "incr/n", "").await.contains("connection refused"));
    host.faults().redis(StoreFault::WrongAnswer);
    assert_eq!(ask(&host, &redis, "incr/n", "").await, "-1");
    host.faults().redis(StoreFault::None);
    assert_eq!(ask(&host, &redis, "incr/n", "").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_waits_for_its_server_without_a_limit() {
    let redis = Redis::start().unwrap();
    let host = Arc::new(host().await);
    redis.hang().unwrap();
    // One that connects: the kernel takes the connection, and nobody greets.
    let (asking, address) = (Arc::clone(&host), redis.url());
    let opened = tokio::spawn(async move {
        let mut request = request("POST", &asking.url("/probe/me/redis/incr/n"), "");
        request.headers_mut().insert("redis-address", address.parse().unwrap());
        send(request).await.unwrap().body
    });
    tokio::time::sleep(LONGER_THAN_DEFAULTS).await;
    assert!(!opened.is_finished());
    redis.resume().unwrap();
    assert_eq!(opened.await.unwrap(), "1");

    // One whose answer the server itself holds back.
    let before = Instant::now();
    assert!(ask(&host, &redis, "execute/BLPOP", "nosuch 2").await.contains("Nil"));
    assert!(before.elapsed() >= Duration::from_secs(2), "{:?}", before.elapsed());
}

/// Has `impatient` call `worker`, which adds one to the counter `n` on that server.
fn call_impatiently(host: &Host, redis: &Redis) -> impl Future<Output = Answer> + Send + 'static {
    let mut request = request("POST", &host.url("/impatient/redis/incr/n"), "");
    request.headers_mut().insert("redis-address", redis.url().parse().unwrap());
    async { send(request).await.unwrap() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_holds_up_only_the_component_that_asked_it() {
    const CALLS: usize = 20;
    let redis = Redis::start().unwrap();
    let host = host().await;
    assert_eq!(call_impatiently(&host, &redis).await.body, "1");
    redis.hang().unwrap();
    let before = Instant::now();
    let calls: JoinSet<_> = (0..CALLS).map(|_| call_impatiently(&host, &redis)).collect();
    for call in calls.join_all().await {
        assert_eq!((call.status, call.body.as_str()), (504, "no answer in time"));
    }
    assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
    assert!(host.outbound_calls().iter().skip(1).all(|call| call.outcome == Outcome::Abandoned));
    // The callers are gone; who was called waits on, as on Spin, and others are served meanwhile.
    assert_eq!(host.instances(), CALLS);
    assert_eq!(answer(&host, "/answer").await, (200, "ok".into()));

    redis.resume().unwrap();
    while host.instances() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // What was asked for happens, though nobody waits for it any more.
    assert_eq!(call_impatiently(&host, &redis).await.body, (CALLS + 2).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_ends_with_the_time_for_a_request_and_closes_its_connection() {
    let redis = Redis::start().unwrap();
    let limits = Limits { request_time: Duration::from_millis(600), ..Limits::default() };
    let host = Host::builder(guests()).limits(limits).start().await.unwrap();
    redis.hang().unwrap();
    for _ in 0..5 {
        assert_eq!(call_impatiently(&host, &redis).await.status, 504);
    }
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(host.instances(), 0);
    redis.resume().unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    // One client: the one that asks.
    let clients = redis.ask("INFO clients").unwrap();
    assert!(clients.contains("connected_clients:1\r"), "{clients}");
}
