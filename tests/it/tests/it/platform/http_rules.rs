//! What holds for every route, whichever component answers it.

use std::io::Write;
use std::time::Duration;

use flate2::{Compression, write::GzEncoder};
use futures::future::join_all;
use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Answer, PASSWORD, TestApp};

/// Routes that take GET, ours and the originals'.
const GOT: [&str; 38] = [
    "/",
    "/.well-known/jwks.json",
    "/api/",
    "/api/products/categories/list",
    "/api/system/health",
    "/api/v1/subscriptions",
    "/api/v1/subscriptions/",
    "/auth/audit",
    "/auth/healthz",
    "/auth/info",
    "/auth/ready",
    "/auth/sessions",
    "/cart-api/cart/",
    "/cart-api/health",
    "/free_provider/redirected",
    "/internal/jobs",
    "/internal/jobs/dead",
    "/messages/quota",
    "/messages/stats",
    "/metrics",
    "/order-api/health",
    "/order-api/orders/",
    "/paid_provider/redirected",
    "/shop/cart",
    "/shop/categories",
    "/shop/orders",
    "/shop/products",
    "/subscriptions",
    "/subscriptions/1",
    "/subscriptions/1/history",
    "/user-api",
    "/user-api/",
    "/user-api/health",
    "/user-api/users/me",
    "/users",
    "/users/1/sessions",
    "/users/me",
    "/welcome",
];

/// An application with an administrator, who is user 1, and her subscription, which is number 1.
async fn furnished() -> TestApp {
    let app = TestApp::start().await;
    let root = app.administrator().await;
    assert_eq!(root.id, 1);
    assert_eq!(root.call(Method::POST, "/subscriptions").await.expect(201)["id"], 1);
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_answered_as_get_without_a_body() {
    let app = furnished().await;
    let root = app.administrator().await;
    let fields = |answer: &Answer| {
        let of_the_moment = ["x-request-id", "date"];
        let fields = answer.headers.iter().filter(|(name, _)| !of_the_moment.contains(&name.as_str()));
        let mut fields: Vec<_> = fields.map(|(name, value)| format!("{name}: {value:?}")).collect();
        fields.sort();
        fields
    };
    for path in GOT {
        let (get, head) = (root.call(Method::GET, path).await, root.call(Method::HEAD, path).await);
        assert!(matches!(get.status, 200 | 301), "{path}: {} {}", get.status, get.text());
        assert_eq!((head.status, head.text().as_str()), (get.status, ""), "{path}");
        assert_eq!(fields(&head), fields(&get), "{path}");
        assert_eq!(get.header("content-length"), get.body.len().to_string(), "{path}");
    }
    // Where GET is refused, so is HEAD; where there is nothing, there is nothing.
    for (path, status) in
        [("/messages", 405), ("/auth/login", 405), ("/users/2", 404), ("/subscriptions/2", 404)]
    {
        assert_eq!(root.call(Method::HEAD, path).await.status, status, "{path}");
    }
    assert_eq!(app.call(0, Method::HEAD, "/users/me").await.status, 401);

    // Nothing follows the head, so the next response on the connection is found where it begins.
    let mut stream = TcpStream::connect(app.host().addr()).await.unwrap();
    stream.write_all(b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\nGET /nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    let (head, rest) = answers.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && rest.starts_with("HTTP/1.1 404"), "{answers}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_is_decoded_once_before_it_is_compared() {
    let app = furnished().await;
    let root = app.administrator().await;
    for (encoded, plain) in [
        ("/users/%31", "/users/1"),
        ("/users/m%65", "/users/me"),
        ("/users/%31/%73essions", "/users/1/sessions"),
        ("/auth/%69nfo", "/auth/info"),
        ("/user-api/%68ealth", "/user-api/health"),
        ("/messages/%71uota", "/messages/quota"),
        ("/free_provider/%72edirected", "/free_provider/redirected"),
        ("/subscriptions/%31", "/subscriptions/1"),
        ("/internal/jobs/%64ead", "/internal/jobs/dead"),
    ] {
        let [encoded, plain] = [encoded, plain].map(|path| root.call(Method::GET, path).into_future());
        let (encoded, plain) = (encoded.await, plain.await);
        assert_eq!((encoded.status, encoded.text()), (200, plain.text()));
    }
    let change = root.call(Method::PUT, "/api/v1/subscriptions/%31/st%61tus");
    assert_eq!(change.json(&json!({ "canceled": true })).await.status, 200);
    for path in [
        "/users/%2531",
        "/users/%",
        "/users/1%2Fsessions",
        "/users/%3",
        "/subscriptions/%2531",
        "/messages/%2571uota",
    ] {
        assert_eq!(root.call(Method::GET, path).await.status, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_has_one_spelling() {
    let app = furnished().await;
    let root = app.administrator().await;
    let cookie = format!("octo_handler_user={}", root.access);
    for id in
        ["+1", "%2B1", "-1", "01", "1.0", "%201", "1%20", "0x1", "1e0", "99999999999999999999", "%D9%A1"]
    {
        for path in [format!("/users/{id}"), format!("/users/{id}/sessions"), format!("/subscriptions/{id}")]
        {
            root.call(Method::GET, &path).await.problem(404, "not-found");
        }
        assert_eq!(root.call(Method::POST, &format!("/subscriptions/{id}/cancel")).await.status, 404, "{id}");
        let dead = format!("/internal/jobs/dead/{id}");
        root.call(Method::DELETE, &dead).await.problem(404, "no-such-dead-letter");
        root.call(Method::POST, &format!("{dead}/replay")).await.problem(404, "no-such-dead-letter");
        let original = app.get(&format!("/users/{id}")).header("cookie", &cookie).await;
        assert_eq!(original.expect(404), json!({ "detail": "Not Found" }), "{id}");
    }
    for path in ["/users?after=%2B1", "/subscriptions?limit=%2B1", "/internal/jobs/dead?after=1.0"] {
        root.call(Method::GET, path).await.problem(422, "invalid-fields");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_a_coding_that_is_not_taken_is_told_so() {
    let app = TestApp::start().await;
    let ada = app.paying_user("ada").await;
    app.clear_records();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(br#"{"message":"hello"}"#).unwrap();
    let gzip = encoder.finish().unwrap();
    for (path, codings, taken) in [
        ("/messages", &["gzip", "br", "gzip, gzip"][..], "identity"),
        ("/free_provider?token=x&message=y", &["gzip", "zstd"], "identity"),
        ("/subscriptions", &["gzip", "deflate"], "identity"),
        ("/api/v1/subscriptions", &["gzip"], "identity"),
        ("/internal/jobs/drain", &["x-gzip"], "identity"),
        ("/auth/login", &["br", "deflate", "gzip, gzip", "gzip, br"], "gzip, identity"),
        ("/user-api/token", &["zstd"], "gzip, identity"),
    ] {
        for coding in codings {
            let call = ada.call(Method::POST, path).header("content-type", "application/json");
            let answer = call.header("content-encoding", coding).body(gzip.clone()).await;
            answer.problem(415, "unsupported-content-encoding");
            assert_eq!(answer.header("accept-encoding"), taken, "{path} {coding}");
        }
    }
    assert!(app.provider_calls().is_empty());
    let plain = ada.call(Method::POST, "/messages").header("content-encoding", "identity");
    plain.json(&json!({ "message": "hello" })).await.expect(200);
    let login = json!({ "username": ada.email, "password": PASSWORD }).to_string();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(login.as_bytes()).unwrap();
    let call = app.post("/auth/login").header("content-type", "application/json");
    call.header("content-encoding", "gzip").body(encoder.finish().unwrap()).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_response_is_sniffed_or_kept() {
    let app = furnished().await;
    let root = app.administrator().await;
    let form = [("username", root.email.as_str()), ("password", PASSWORD)];
    let tokens = app.log_in(&root.email).await.expect(200);
    let access = tokens["access_token"].as_str().unwrap().to_owned();
    let mut answers = vec![
        ("a login by form", app.post("/auth/login").form(&form).await),
        ("a message", root.send("hello").await),
        ("a problem", app.post("/messages").await),
        ("a method", root.call(Method::DELETE, "/messages").await),
        ("an original's page", app.get("/api/v1/subscriptions/else").await),
        ("an original's list", app.post("/user-api/token").await),
        ("a redirection", app.get("/user-api").await),
        ("a purchase", root.call(Method::POST, "/subscriptions").header("idempotency-key", "k").await),
        ("a logout", app.post("/auth/logout").bearer(&access).await),
    ];
    for path in GOT {
        answers.push((path, root.call(Method::GET, path).await));
    }
    for (what, answer) in answers {
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}: {}", answer.status);
        assert_eq!(answer.header("cache-control"), "no-store", "{what}: {}", answer.status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_call_themselves_is_no_element_of_an_originals_page() {
    let app = TestApp::start().await;
    let name = "<script>alert('ü & \"o\"')</script>";
    let account = json!({ "email": "ada@example.com", "password": PASSWORD, "full_name": name });
    app.post("/auth/register").json(&account).await.expect(201);
    let access = app.log_in("ada@example.com").await.expect(200)["access_token"].as_str().unwrap().to_owned();
    let purchase = app.post("/api/v1/subscriptions").bearer(&access).json(&json!({ "user_id": 1 })).await;
    assert_eq!((purchase.status, purchase.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(!purchase.text().contains(['<', '>', '&']), "{}", purchase.text());
    let row: serde_json::Value = serde_json::from_str(purchase.json().as_str().unwrap()).unwrap();
    assert_eq!(row["user"], name);
    let wrong = json!({ "user_id": 1, "<img src=x>": 1 });
    let refused = app.post("/api/v1/subscriptions").bearer(&access).json(&wrong).await;
    assert!(!refused.text().contains('<'), "{}", refused.text());
    assert_eq!(refused.expect(400), json!({ "<img src=x>": ["Unknown field."] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_says_what_this_is_to_programs_and_to_people() {
    let app = TestApp::start().await;
    let answer = app.get("/").await;
    let start = answer.expect(200);
    assert_eq!((answer.header("content-type"), answer.header("vary")), ("application/json", "accept"));
    assert_eq!(start["name"], "Octo");
    let first = &start["first_request"];
    let method: Method = first["method"].as_str().unwrap().parse().unwrap();
    app.call(0, method, first["path"].as_str().unwrap()).json(&first["body"]).await.expect(201);

    let text = app.get("/").header("accept", "text/plain").await;
    assert_eq!((text.status, text.header("content-type")), (200, "text/plain; charset=utf-8"));
    let url = format!("curl -X POST http://{}/auth/register", app.host().addr());
    assert!(text.text().contains(&url), "{}", text.text());
    let answer = app.post("/").await;
    answer.problem(405, "method-not-allowed");
    assert_eq!(answer.header("allow"), "GET, HEAD");
    assert_eq!(app.get("/nothing").await.status, 404);
}

/// Sends the head of a request and a part of its body; what comes back although the rest never does.
async fn dawdle(app: &TestApp, path: &str, token: &str, trickles: bool) -> String {
    let mut stream = TcpStream::connect(app.host().addr()).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: 3000\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut answer, mut out) = stream.into_split();
    let trickle = async {
        while trickles && out.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        std::future::pending::<()>().await
    };
    let mut text = Vec::new();
    let read = async {
        // The connection closes after the response, for the rest of the body is not wanted.
        let _ = answer.read_to_end(&mut text).await;
    };
    tokio::select! {
        () = read => {}
        () = trickle => {}
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_in_time_is_not_waited_for() {
    let app = TestApp::start().await;
    let root = app.administrator().await;
    let paths = ["/auth/register", "/messages", "/subscriptions", "/internal/jobs/drain"];
    let slow = paths.iter().flat_map(|path| [(path, false), (path, true)]);
    let answers = join_all(slow.map(async |(path, trickles)| {
        let answer = dawdle(&app, path, &root.access, trickles).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{path}: {answer}");
        assert!(answer.contains("urn:octo:problem:body-too-slow"), "{path}: {answer}");
    }));
    // Nobody else notices.
    let (_, message) = futures::join!(answers, root.send("hello"));
    message.expect(200);
    app.quiet().await;
    assert!(app.provider_calls().len() <= 1);
}
