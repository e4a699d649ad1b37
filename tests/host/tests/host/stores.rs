//! Key-value and SQLite, with Spin's semantics.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use octo_host::Host;

use super::{guests, host, refused, said};

#[tokio::test(flavor = "multi_thread")]
async fn both_key_value_interfaces_see_one_store() {
    let host = host().await;
    assert_eq!(said(&host, "kv/get/a", "").await, "none");
    said(&host, "kv/set/a", "one").await;
    assert_eq!(said(&host, "wasi-kv/get/a", "").await, "one");
    assert_eq!(said(&host, "kv/exists/a", "").await, "true");
    said(&host, "wasi-kv/set/b", "two").await;
    assert_eq!(said(&host, "kv/keys/x", "").await, "a,b");
    said(&host, "kv/delete/a", "").await;
    said(&host, "kv/delete/a", "").await;
    assert_eq!(said(&host, "kv/keys/x", "").await, "b");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_is_eight_little_endian_bytes_in_sqlite() {
    let host = host().await;
    assert_eq!(said(&host, "wasi-kv/increment/n", "0").await, "0");
    assert_eq!(said(&host, "wasi-kv/increment/n", "258").await, "258");
    assert_eq!(said(&host, "kv/get/n", "").await, "[2, 1, 0, 0, 0, 0, 0, 0]");
}

#[tokio::test(flavor = "multi_thread")]
async fn increments_at_once_are_all_counted() {
    let host = host().await;
    let url = host.url("/probe/me/wasi-kv/increment/n");
    let all: Vec<_> = (0..100)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { super::post(&url, "1").await.body })
        })
        .collect();
    let mut seen = Vec::new();
    for one in all {
        seen.push(one.await.unwrap().parse::<i64>().unwrap());
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=100).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_not_declared_is_denied() {
    let host = host().await;
    assert!(refused(&host, "kv/get/other:a", "").await.contains("AccessDenied"));
    assert!(refused(&host, "sql/other", "select 1").await.contains("AccessDenied"));
    assert_eq!(said(&host, "call/status", "http://hidden.spin.internal/kv/get/a").await, "500");
}

#[tokio::test(flavor = "multi_thread")]
async fn compare_and_swap_is_refused() {
    assert!(refused(&host().await, "wasi-kv/swap/a", "").await.contains("unsound"));
}

#[tokio::test(flavor = "multi_thread")]
async fn state_outlives_the_host_in_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Host::builder(guests()).state_dir(folder.path()).start();
    let first = start().await.unwrap();
    said(&first, "kv/set/a", "kept").await;
    said(&first, "sql/default", "create table t(a)\ninsert into t values (1)").await;
    first.stop().await;
    let second = start().await.unwrap();
    assert_eq!(said(&second, "kv/get/a", "").await, "kept");
    assert_eq!(said(&second, "sql/default", "select a from t").await, "integer 1");
    second.abort();
    let mut files: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".db"))
        .collect();
    files.sort();
    assert_eq!(files, ["sqlite_db.db", "sqlite_key_value.db"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn state_is_for_its_owner_only() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("above/state");
    let host = Host::builder(guests()).state_dir(&folder).start().await.unwrap();
    said(&host, "kv/set/a", "kept").await;
    said(&host, "sql/default", "create table t(a)\ninsert into t values (1)").await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&place.path().join("above")), mode(&folder)), (0o700, 0o700));
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 3, "the databases, and a log at least: {files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_do_not_share_state_unless_told_to() {
    let (one, two) = (host().await, host().await);
    said(&one, "kv/set/a", "one").await;
    assert_eq!(said(&two, "kv/get/a", "").await, "none");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sqlite_type_comes_back() {
    let row = said(&host().await, "sql/default", "select 1, 2.5, 'x', x'00ff', null").await;
    assert_eq!(row, "integer 1|real 2.5|text x|blob [0, 255]|null");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_statement_is_an_error_in_words() {
    let error = refused(&host().await, "sql/default", "select * from nowhere").await;
    assert!(error.contains("no such table"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_transaction_ends_with_its_connection() {
    let host = host().await;
    said(&host, "sql/default", "create table t(a)\nbegin immediate\ninsert into t values (1)").await;
    assert_eq!(said(&host, "sql/default", "select count(*) from t").await, "integer 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_wait_for_each_other() {
    let host = host().await;
    said(&host, "sql/default", "create table t(a)\ninsert into t values (0)").await;
    let add = "begin immediate\nupdate t set a = a + 1\ncommit";
    let url = host.url("/probe/me/sql/default");
    let all: Vec<_> = (0..30)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { super::post(&url, add).await.status })
        })
        .collect();
    for one in all {
        assert_eq!(one.await.unwrap(), 200);
    }
    assert_eq!(said(&host, "sql/default", "select a from t").await, "integer 30");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_file_cannot_be_attached() {
    let host = host().await;
    let error = refused(&host, "sql/default", "attach '/tmp/other.db' as other").await;
    assert!(error.contains("not authorized"), "{error}");
    said(&host, "sql/default", "attach ':memory:' as other").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn store_calls_are_counted_by_component_and_operation() {
    let host = host().await;
    said(&host, "wasi-kv/increment/n", "1").await;
    said(&host, "sql/default", "select 1\nselect 2").await;
    let calls = host.store_calls();
    assert_eq!(calls.count("probe", "key-value open"), 1);
    assert_eq!(calls.count("probe", "key-value increment"), 1);
    assert_eq!(calls.count("probe", "sqlite execute"), 2);
    assert_eq!((calls.of("probe"), calls.of("answer"), calls.total()), (5, 0, 5));
    host.clear_records();
    assert_eq!(host.store_calls().total(), 0);
}
