//! Sign-on over gRPC, by a client that nobody here wrote: grpcio, which learns the messages by reflection. Only the lane of WASI
//! 0.3 serves it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use http::Method;
use octo_host::OutboundFault;
use serde_json::{Value, json};
use xtask::{progress::Progress, python, workspace};

use crate::harness::{PASSWORD, Setup, TestApp, in_wasi_0_3, not_on_spin};

const SCRIPT: &str = "tests/it/tests/it/accounts/grpc_client.py";
const UNKNOWN: &str = "22f23689-9b67-4ef9-a693-5ef2d18ee111";

/// The client, on a connection of its own.
struct Client {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Client {
    fn of(app: &TestApp) -> Self {
        let mut child = Command::new(python::program("python", Progress::Quiet).unwrap())
            .arg(workspace::root().join(SCRIPT))
            .arg(app.addresses()[0].to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (orders, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, orders, answers: BufReader::new(answers) }
    }

    fn tell(&mut self, orders: &Value) -> Value {
        tokio::task::block_in_place(|| {
            writeln!(self.orders, "{orders}").unwrap();
            let mut line = String::new();
            self.answers.read_line(&mut line).unwrap();
            serde_json::from_str(&line).expect("the client has ended")
        })
    }

    /// One call, with or without a method of the service.
    fn send(&mut self, order: Value) -> Value {
        self.tell(&json!([order]))[0].take()
    }

    fn call(&mut self, method: &str, message: Value) -> Value {
        self.send(json!({ "method": method, "message": message }))
    }

    /// The message of a call that succeeds.
    #[track_caller]
    fn ok(&mut self, method: &str, message: Value) -> Value {
        let mut answer = self.call(method, message);
        assert_eq!(answer["code"], "OK", "{method}: {answer}");
        answer["message"].take()
    }

    #[track_caller]
    fn fails(&mut self, method: &str, message: Value, code: &str, text: &str) {
        let answer = self.call(method, message);
        assert_eq!((&answer["code"], &answer["text"]), (&json!(code), &json!(text)), "{method}");
    }

    fn log_in(&mut self, email: &str) -> (String, String) {
        let tokens = self.ok("Login", json!({ "email": email, "password": PASSWORD }));
        let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
        (text("access_token"), text("refresh_token"))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The application and a client of it. None in the other lane, which has no such routes.
async fn start(setup: Setup) -> Option<(TestApp, Client)> {
    let app = setup.start().await;
    if !in_wasi_0_3() {
        assert_eq!(app.post("/auth.Auth/Login").await.status, 404);
        return None;
    }
    let client = Client::of(&app);
    Some((app, client))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_does_what_the_originals_did_in_its_codes_and_texts() {
    let Some((app, mut client)) = start(TestApp::setup()).await else { return };
    let services = client.tell(&json!("services"));
    assert!(services.as_array().unwrap().contains(&json!("auth.Auth")), "{services}");

    let ada = json!({ "email": "ada@example.com", "password": PASSWORD });
    for method in ["Register", "Login"] {
        client.fails(method, json!({}), "INVALID_ARGUMENT", "email is required");
        client.fails(method, json!({ "password": PASSWORD }), "INVALID_ARGUMENT", "email is required");
        client.fails(method, json!({ "email": "x" }), "INVALID_ARGUMENT", "password is required");
    }
    let wrong = "field Email is not valid, field Password is not valid";
    client.fails("Register", json!({ "email": "x", "password": "x" }), "INVALID_ARGUMENT", wrong);
    let user = client.ok("Register", ada.clone())["user_id"].as_str().unwrap().to_owned();
    assert_eq!((user.len(), user.matches('-').count()), (36, 4), "{user}");
    client.fails("Register", ada.clone(), "ALREADY_EXISTS", "user already exists");

    for (email, password) in [("ada@example.com", "wrong"), ("bob@example.com", PASSWORD), ("x", "x")] {
        let message = json!({ "email": email, "password": password });
        client.fails("Login", message, "INVALID_ARGUMENT", "invalid credentials");
    }
    let (access, refresh) = client.log_in("ada@example.com");
    let info = app.get("/auth/info").bearer(&access).await.expect(200);
    assert_eq!((&info["user_id"], &info["email"]), (&json!(user), &json!("ada@example.com")));
    let sessions = app.get("/auth/sessions").bearer(&access).await.expect(200);
    let clients: Vec<_> = sessions["items"].as_array().unwrap().iter().map(|it| &it["client"]).collect();
    assert!(clients.len() == 1 && clients[0].as_str().unwrap().starts_with("grpc-python/"), "{sessions}");

    let text = "Provide valid refresh token";
    client.fails("Refresh", json!({ "refresh_token": access }), "INVALID_ARGUMENT", text);
    client.fails("Refresh", json!({ "refresh_token": "none" }), "INTERNAL", "internal error");
    client.fails("Refresh", json!({}), "INTERNAL", "internal error");
    let newer = client.ok("Refresh", json!({ "refresh_token": refresh }));
    let newest = client.ok("Refresh", json!({ "refresh_token": newer["refresh_token"] }));
    for spent in [json!(refresh), newest["refresh_token"].clone()] {
        client.fails("Refresh", json!({ "refresh_token": spent }), "UNAUTHENTICATED", text);
    }

    client.fails("IsAdmin", json!({}), "INVALID_ARGUMENT", "userid is required");
    for unknown in [UNKNOWN, "7", "../users/me"] {
        client.fails("IsAdmin", json!({ "user_id": unknown }), "INTERNAL", "internal error");
    }
    assert_eq!(client.ok("IsAdmin", json!({ "user_id": user })), json!({ "is_admin": false }));
    let root = app.administrator().await;
    let uuid = root.call(Method::GET, "/users/me").await.expect(200)["uuid"].clone();
    assert_eq!(client.ok("IsAdmin", json!({ "user_id": uuid })), json!({ "is_admin": true }));

    let (access, refresh) = client.log_in("ada@example.com");
    for unknown in ["", "none", "a.b.c", &refresh] {
        client.fails("Validate", json!({ "token": unknown }), "UNKNOWN", "fail to parse token");
    }
    assert_eq!(client.ok("Validate", json!({ "token": access })), json!({ "success": true }));
    client.fails("Logout", json!({ "token": "none" }), "INVALID_ARGUMENT", "bad token");
    client.fails("Logout", json!({}), "INVALID_ARGUMENT", "bad token");
    assert_eq!(client.ok("Logout", json!({ "token": access })), json!({ "success": true }));
    for token in [&access, &refresh] {
        client.fails("Logout", json!({ "token": token }), "INVALID_ARGUMENT", "bad token");
    }
    client.fails("Validate", json!({ "token": access }), "UNKNOWN", "token has been revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_over_http_is_refused_over_grpc_and_the_reverse() {
    let Some((app, mut client)) = start(TestApp::setup()).await else { return };
    let ada = app.user("ada").await;
    assert_eq!(client.ok("Validate", json!({ "token": ada.access })), json!({ "success": true }));
    assert_eq!(ada.call(Method::POST, "/auth/logout").await.status, 204);
    client.fails("Validate", json!({ "token": ada.access }), "UNKNOWN", "token has been revoked");
    let refused = "Provide valid refresh token";
    client.fails("Refresh", json!({ "refresh_token": ada.refresh_token }), "UNAUTHENTICATED", refused);

    let (access, refresh) = client.log_in("ada@example.com");
    app.get("/users/me").bearer(&access).await.expect(200);
    client.ok("Logout", json!({ "token": refresh }));
    app.get("/users/me").bearer(&access).await.problem(401, "unauthorized");
    let refresh = json!({ "refresh_token": refresh });
    app.post("/auth/refresh").json(&refresh).await.problem(401, "bad-refresh-token");
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_count_whichever_way_they_come_and_where_they_come_from() {
    let Some((app, mut client)) = start(TestApp::with("trusted_proxies", 1)).await else { return };
    not_on_spin("a controlled clock");
    let (ada, bob) = ("ada@example.com", "bob@example.com");
    app.register(ada).await.expect(201);
    app.register(bob).await.expect(201);
    let over_grpc = |client: &mut Client, source: &str, email: &str, password: &str| {
        client.send(json!({
            "method": "Login",
            "message": { "email": email, "password": password },
            "metadata": { "x-forwarded-for": format!("198.51.100.1, {source}") },
        }))
    };
    let over_http = async |source: &str, email: &str, password: &str| {
        let body = json!({ "username": email, "password": password });
        app.post("/auth/login").header("x-forwarded-for", source).json(&body).await
    };
    for _ in 0..3 {
        let guess = over_grpc(&mut client, "192.0.2.1", ada, "wrong");
        assert_eq!(guess["text"], "invalid credentials", "{guess}");
        over_http("192.0.2.1", ada, "wrong").await.problem(401, "bad-credentials");
    }
    let refused = over_grpc(&mut client, "192.0.2.1", ada, PASSWORD);
    assert_eq!(
        (&refused["code"], &refused["text"]),
        (&json!("RESOURCE_EXHAUSTED"), &json!("too many attempts"))
    );
    assert_eq!(refused["metadata"]["retry-after"], "300", "{refused}");
    over_http("192.0.2.1", ada, PASSWORD).await.problem(429, "too-many-attempts");
    // Elsewhere nobody has guessed, and what a client says of itself without the key is not believed.
    assert_eq!(over_grpc(&mut client, "192.0.2.2", ada, PASSWORD)["code"], "OK");
    over_http("192.0.2.3", ada, PASSWORD).await.expect(200);
    let forged = app
        .post("/auth/login")
        .header("x-forwarded-for", "192.0.2.1")
        .header("octo-relayed-source", "192.0.2.9")
        .header("octo-relayed-key", "a guess")
        .json(&json!({ "username": ada, "password": PASSWORD }))
        .await;
    forged.problem(429, "too-many-attempts");
    app.clock().advance(Duration::from_secs(300));
    assert_eq!(over_grpc(&mut client, "192.0.2.1", ada, PASSWORD)["code"], "OK");
    assert_eq!(over_grpc(&mut client, "192.0.2.1", bob, PASSWORD)["code"], "OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_calls_at_once_on_one_connection_are_each_ones_own() {
    let Some((app, mut client)) = start(TestApp::setup()).await else { return };
    let ada = app.user("ada").await;
    let orders: Vec<Value> = (0..50)
        .map(|number| {
            let (method, message) = match number % 3 {
                0 => ("Validate", json!({ "token": ada.access })),
                1 => ("Validate", json!({ "token": format!("none{number}") })),
                _ => ("IsAdmin", json!({ "user_id": UNKNOWN })),
            };
            let metadata = json!({ "x-trace-id": format!("4bf92f3577b34da6-{number}") });
            json!({ "method": method, "message": message, "metadata": metadata })
        })
        .collect();
    let answers = client.tell(&json!(orders));
    for (number, answer) in answers.as_array().unwrap().iter().enumerate() {
        let expected = match number % 3 {
            0 => ("OK", ""),
            1 => ("UNKNOWN", "fail to parse token"),
            _ => ("INTERNAL", "internal error"),
        };
        assert_eq!((answer["code"].as_str().unwrap(), answer["text"].as_str().unwrap()), expected);
        assert_eq!(answer["metadata"]["x-request-id"], format!("4bf92f3577b34da6-{number}"));
    }
    app.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_id_is_the_request_id_in_the_log_of_both_components() {
    let Some((app, mut client)) = start(TestApp::setup()).await else { return };
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let answer = client.send(json!({
        "method": "Login",
        "message": { "email": "ada@example.com", "password": "a secret of Ada's" },
        "metadata": { "x-trace-id": trace, "timestamp": "1700000000", "user-id": "7" },
    }));
    assert_eq!(answer["metadata"]["x-request-id"], trace);
    app.quiet().await;
    let log = app.log();
    let lines: Vec<Value> = log
        .lines()
        .filter(|line| line.contains(trace))
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let of = |name: &str| lines.iter().find(|line| line["component"] == name).expect(name);
    assert_eq!(of("auth")["path"], "/auth/login");
    let own = of("grpc");
    assert_eq!((&own["path"], &own["grpc_status"]), (&json!("/auth.Auth/Login"), &json!("InvalidArgument")));
    assert_eq!((&own["client_timestamp"], &own["client_user_id"]), (&json!("1700000000"), &json!("7")));
    assert!(!log.contains("a secret of Ada's"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_call_ends_with_a_clear_status() {
    let Some((app, mut client)) = start(TestApp::setup()).await else { return };
    let mut raw = |path: &str, bytes: &str| {
        let answer = client.send(json!({ "path": path, "bytes": bytes }));
        answer["code"].as_str().unwrap().to_owned()
    };
    for path in ["/auth.Auth/Nothing", "/auth.Other/Login", "/grpc.reflection.v1.ServerReflection/Nothing"] {
        assert_eq!(raw(path, ""), "UNIMPLEMENTED", "{path}");
    }
    assert_eq!(raw("/auth.Auth/Login", "ffffff"), "INTERNAL");
    // A token of 80 000 bytes: its field, its length, its letters.
    let large = format!("0a80f104{}", "61".repeat(80_000));
    assert_eq!(raw("/auth.Auth/Validate", &large), "RESOURCE_EXHAUSTED");
    let huge = format!("0a80f104{}", "61".repeat(2_000_000));
    assert_eq!(raw("/auth.Auth/Validate", &huge), "RESOURCE_EXHAUSTED");
    // The connection is as good as before.
    client.fails("Validate", json!({ "token": "none" }), "UNKNOWN", "fail to parse token");

    app.host().faults().outbound("auth", OutboundFault::Slow(Duration::from_secs(5)));
    let late = client.send(json!({ "method": "Validate", "message": { "token": "x" }, "timeout": 0.2 }));
    assert_eq!(late["code"], "DEADLINE_EXCEEDED");
    assert_eq!(app.post("/auth.Auth/Login").json(&json!({})).await.status, 415);
    assert_eq!(app.get("/auth.Auth/Login").await.status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_on_that_is_away_is_unavailable_and_no_session_seems_to_have_ended() {
    let Some((app, mut client)) = start(TestApp::setup()).await else { return };
    not_on_spin("faults");
    let ada = app.user("ada").await;
    client.ok("Validate", json!({ "token": ada.access }));
    app.host().faults().outbound("auth", OutboundFault::Refuse);
    for method in ["Validate", "Logout"] {
        let answer = client.call(method, json!({ "token": ada.access }));
        assert_eq!(answer["code"], "UNAVAILABLE", "{method}: {answer}");
    }
}
