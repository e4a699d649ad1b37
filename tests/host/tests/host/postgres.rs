//! Postgres, called by a component.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use octo_host::{Host, StoreFault};
use xtask::servers::Postgres;

use super::client::{Answer, request, send};
use super::host;

/// The server of all tests that do not break it.
fn shared() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(|| Postgres::start().unwrap())
}

/// An address in the other form that there is: words instead of a URL.
fn address(server: &Postgres, database: &str) -> String {
    let (port, role, password) = (server.port(), server.role(), server.password());
    format!("host=127.0.0.1 port={port} user={role} password='{password}' dbname={database} sslmode=disable")
}

async fn probe(host: &Host, address: &str, operation: &str, lines: &str) -> Answer {
    let mut request = request("POST", &host.url(&format!("/probe/me/postgres/{operation}")), lines);
    request.headers_mut().insert("postgres-address", address.parse().unwrap());
    send(request).await.unwrap()
}

/// What the last of the statements answers.
async fn ask(host: &Host, address: &str, lines: &str) -> String {
    let answer = probe(host, address, "query", lines).await;
    assert_eq!(answer.status, 200, "{lines}: {}", answer.body);
    answer.body
}

/// The error the probe is told.
async fn refused(host: &Host, address: &str, lines: &str) -> String {
    let answer = probe(host, address, "query", lines).await;
    assert_eq!(answer.status, 500, "{lines}: {}", answer.body);
    answer.body
}

#[tokio::test(flavor = "multi_thread")]
async fn values_go_in_and_come_out_with_their_types() {
    let host = host().await;
    let address = address(shared(), &shared().database().unwrap());
    let table =
        "CREATE TABLE t (b BOOL, i2 INT2, i4 INT4, i8 INT8, f8 FLOAT8, s TEXT, v VARCHAR(9), x BYTEA)";
    let insert = "INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values = [
        "bool true",
        "int16 2",
        "int32 -4",
        "int64 9007199254740993",
        "float64 0.5",
        "text ä",
        "text v",
        "bytes 01",
    ];
    let nulls = ["null"; 8];
    assert_eq!(probe(&host, &address, "execute", table).await.body, "0");
    for values in [values, nulls] {
        let line = format!("{insert}\t{}", values.join("\t"));
        assert_eq!(probe(&host, &address, "execute", &line).await.body, "1");
    }
    let answer = ask(&host, &address, "SELECT * FROM t").await;
    let types = ["Boolean", "Int16", "Int32", "Int64", "Floating64", "Str", "Str", "Binary"];
    let names = ["b", "i2", "i4", "i8", "f8", "s", "v", "x"];
    let columns: Vec<String> =
        names.iter().zip(types).map(|(name, kind)| format!("{name}: DbDataType::{kind}")).collect();
    let row = "Boolean(true)|Int16(2)|Int32(-4)|Int64(9007199254740993)|Floating64(0.5)|text ä|text v|Binary([48, 49])";
    assert_eq!(answer, [&columns.join(", "), row, &["null"; 8].join("|")].join("\n"));
    assert_eq!(ask(&host, &address, "SELECT b FROM t WHERE i2 = 9").await, "", "columns without rows");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_host_fails_a_query_that_returns_no_row() {
    let address = address(shared(), &shared().database().unwrap());
    let strict = Host::builder(super::guests()).strict().start().await.unwrap();
    assert_eq!(probe(&strict, &address, "execute", "CREATE TABLE t (n INT8)").await.body, "0");
    assert_eq!(probe(&strict, &address, "execute", "UPDATE t SET n = 1").await.body, "0");
    for none in ["SELECT n FROM t", "UPDATE t SET n = 1 RETURNING n", "INSERT INTO t VALUES (1)"] {
        let error = refused(&strict, &address, none).await;
        assert!(error.contains("QueryFailed") && error.contains("returned no row"), "{error}");
    }
    assert_eq!(ask(&strict, &address, "SELECT n FROM t").await, "n: DbDataType::Int64\nInt64(1)");
    assert_eq!(ask(&host().await, &address, "SELECT n FROM t WHERE n = 2").await, "", "any other host");
}

#[tokio::test(flavor = "multi_thread")]
async fn types_nobody_can_be_given_are_unsupported() {
    let host = host().await;
    let address = address(shared(), &shared().database().unwrap());
    let answer = ask(&host, &address, "SELECT now() AS t, 1.5 AS n, NULL::uuid AS u").await;
    let other = "DbDataType::Other";
    assert_eq!(answer, format!("t: {other}, n: {other}, u: {other}\nUnsupported|Unsupported|null"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_must_have_the_type_of_its_placeholder() {
    let host = host().await;
    let address = address(shared(), &shared().database().unwrap());
    let error = refused(&host, &address, "SELECT CAST($1 AS INT4)\tint64 1").await;
    assert!(error.contains("QueryFailed") && error.contains("kind: ToSql(0)"), "{error}");
    let error = refused(&host, &address, "SELECT $1\tuint64 1").await;
    assert!(error.contains("ValueConversionFailed"), "{error}");
    let error = refused(&host, &address, "SELECT CAST($1 AS INT8)").await;
    assert!(error.contains("QueryFailed") && error.contains("Parameters(0, 1)"), "{error}");
    assert_eq!(
        ask(&host, &address, "SELECT CAST($1 AS INT8) AS n\tint64 1").await,
        "n: DbDataType::Int64\nInt64(1)"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_statement_has_its_sqlstate_in_the_text() {
    let host = host().await;
    let address = address(shared(), &shared().database().unwrap());
    // Refused when it is prepared, and when it runs.
    for (statement, code) in [
        ("SELECT * FROM nosuch", "42P01"),
        ("SELECT 'code: SqlState(E23505)'::int8", "22P02"),
        ("CREATE TABLE t (n INT8 UNIQUE)\nINSERT INTO t VALUES (1)\nINSERT INTO t VALUES (1)", "23505"),
    ] {
        let error = refused(&host, &address, statement).await;
        assert!(error.contains("QueryFailed"), "{error}");
        let (_, state) = error.split_once("SqlState(E").unwrap();
        assert!(state.starts_with(code), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_used_again_but_never_by_two_at_once() {
    let host = Arc::new(host().await);
    let address = address(shared(), &shared().database().unwrap());
    let own = "SELECT pg_backend_pid() AS pid";
    let first = ask(&host, &address, &format!("SET application_name = 'changed'\n{own}")).await;
    assert_eq!(ask(&host, &address, own).await, first);
    assert_eq!(
        ask(&host, &address, "SELECT current_setting('application_name') AS n").await,
        "n: DbDataType::Str\ntext "
    );

    let together = format!("SELECT pg_sleep(0.3)\n{own}");
    let (one, two) = tokio::join!(ask(&host, &address, &together), ask(&host, &address, &together));
    assert_ne!(one, two);
    assert_eq!(host.store_calls().count("probe", "postgres open"), 5);
    assert_eq!(host.store_calls().count("probe", "postgres query"), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_fails_and_comes_back() {
    let mut server = Postgres::start().unwrap();
    let host = host().await;
    let address = address(&server, &server.database().unwrap());
    ask(&host, &address, "CREATE TABLE t (n INT8)").await;
    server.stop();
    let error = refused(&host, &address, "SELECT 1").await;
    assert!(error.contains("ConnectionFailed"), "{error}");
    server.restart().unwrap();
    // The connections from before are found dead when they are taken, and others are made.
    assert_eq!(
        ask(&host, &address, "INSERT INTO t VALUES (7) RETURNING n").await,
        "n: DbDataType::Int64\nInt64(7)"
    );
    let ended = refused(&host, &address, "SELECT pg_terminate_backend(pg_backend_pid())").await;
    assert!(ended.contains("SqlState(E57P01)") || ended.contains("kind: Closed"), "{ended}");
    assert_eq!(ask(&host, &address, "SELECT n FROM t").await, "n: DbDataType::Int64\nInt64(7)");

    server.hang().unwrap();
    let (host, asked) = (Arc::new(host), address.clone());
    let asking = Arc::clone(&host);
    let waiting = tokio::spawn(async move { ask(&asking, &asked, "SELECT n FROM t").await });
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(!waiting.is_finished(), "no time limit of the host's own, as on Spin");
    server.resume().unwrap();
    assert_eq!(waiting.await.unwrap(), "n: DbDataType::Int64\nInt64(7)");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_allowed_servers_are_connected_to() {
    let host = host().await;
    for (address, reason) in [
        ("postgres://user:word@10.0.0.1:5432/db", "address postgres://10.0.0.1:5432 is not permitted"),
        ("host=127.0.0.1,10.0.0.1 user=user password=word", "address postgres://10.0.0.1 is not permitted"),
        ("host=/run/postgresql user=user password=word", "Unix sockets are not supported"),
        ("nonsense", "invalid connection string"),
    ] {
        let error = refused(&host, address, "SELECT 1").await;
        assert!(error.contains("ConnectionFailed") && error.contains(reason), "{address}: {error}");
    }
    let log = host.logs();
    assert!(log.iter().all(|line| !line.text.contains("word")), "{log:?}");
    let error =
        refused(&host, &address(shared(), "postgres").replace("disable", "require"), "SELECT 1").await;
    assert!(error.contains("ConnectionFailed") && error.contains("TLS"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_come_between_a_component_and_its_server() {
    let host = host().await;
    let address = address(shared(), &shared().database().unwrap());
    ask(&host, &address, "CREATE TABLE t (n INT8)").await;
    host.faults().postgres(StoreFault::Down);
    assert!(refused(&host, &address, "SELECT 1").await.contains("ConnectionFailed(\"connection refused"));
    host.faults().postgres(StoreFault::WrongAnswer);
    assert_eq!(ask(&host, &address, "INSERT INTO t VALUES (1)").await, "\nnull");
    host.faults().postgres(StoreFault::None);
    assert_eq!(ask(&host, &address, "SELECT count(*) AS n FROM t").await, "n: DbDataType::Int64\nInt64(0)");
}
