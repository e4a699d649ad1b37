//! Starting, stopping and crashing.

use std::time::Duration;

use octo_host::{Host, StoreFault};
use tokio::net::TcpStream;

use super::client::{request, send};
use super::{guests, host, said};

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_lets_requests_finish() {
    let host = host().await;
    let address = host.addr();
    host.faults().key_value(StoreFault::Slow(Duration::from_millis(150)));
    let request = request("POST", &host.url("/probe/me/wasi-kv/increment/n"), "1");
    let in_progress = tokio::spawn(send(request));
    tokio::time::sleep(Duration::from_millis(50)).await;
    host.stop().await;
    assert_eq!(in_progress.await.unwrap().unwrap().body, "1");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_do_not_hold_up_a_stop() {
    let host = host().await;
    let _idle = TcpStream::connect(host.addr()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    tokio::time::timeout(Duration::from_secs(2), host.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_loses_what_is_in_progress() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Host::builder(guests()).state_dir(folder.path()).start();
    let host = start().await.unwrap();
    host.faults().key_value(StoreFault::Slow(Duration::from_millis(150)));
    let request = request("POST", &host.url("/probe/me/wasi-kv/increment/n"), "1");
    let in_progress = tokio::spawn(send(request));
    tokio::time::sleep(Duration::from_millis(50)).await;
    host.abort();
    assert!(in_progress.await.unwrap().is_err());
    tokio::time::sleep(Duration::from_millis(400)).await;
    let again = start().await.unwrap();
    assert_eq!(said(&again, "wasi-kv/increment/n", "0").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_goes_on_when_its_client_leaves() {
    let host = host().await;
    host.faults().key_value(StoreFault::Slow(Duration::from_millis(100)));
    let request = request("POST", &host.url("/probe/me/wasi-kv/increment/n"), "1");
    let left = tokio::time::timeout(Duration::from_millis(50), send(request)).await;
    assert!(left.is_err());
    tokio::time::sleep(Duration::from_millis(400)).await;
    host.faults().key_value(StoreFault::None);
    assert_eq!(said(&host, "wasi-kv/increment/n", "0").await, "1");
}
