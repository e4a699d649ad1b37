//! Calls as they come over HTTP/2, their frames and all, to fakes of what is around.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use octo_core::{
    Clock, SendError, UnixMillis, async_trait,
    sql::NoSql,
    testing::{FakeHttp, ready},
};
use octo_http::{App, ServiceKey, testing};
use prost::Message;
use serde_json::{Value, json};
use tonic::Code;
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, ServerReflectionResponse, server_reflection_request::MessageRequest,
    server_reflection_response::MessageResponse,
};

use crate::{
    call::LARGEST,
    proto::{
        IsAdminRequest, IsAdminResponse, LoginRequest, LoginResponse, LogoutRequest, LogoutResponse,
        RefreshRequest, RefreshResponse, RegisterRequest, RegisterResponse, ValidateRequest,
        ValidateResponse,
    },
    serve,
};

/// What came back: the status, the metadata before and after the messages, and the messages.
struct Outcome {
    http: u16,
    code: Code,
    text: String,
    headers: HeaderMap,
    messages: Vec<Vec<u8>>,
    log: Value,
}

/// An application in which `auth` responds so, one response for each question.
fn app(replies: Vec<Result<Response<Vec<u8>>, SendError>>) -> (App, Arc<FakeHttp>) {
    let http = Arc::new(replies.into_iter().fold(FakeHttp::default(), FakeHttp::will));
    let app = testing::app("grpc", &[], NoSql);
    (App { http: http.clone(), ..app }, http)
}

fn reply(status: u16, body: &Value) -> Result<Response<Vec<u8>>, SendError> {
    Ok(Response::builder().status(status).body(body.to_string().into_bytes()).unwrap())
}

/// A message as it stands in a body.
fn frame(message: &[u8]) -> Vec<u8> {
    [&[0], &(message.len() as u32).to_be_bytes()[..], message].concat()
}

fn call(path: &str, body: Vec<u8>) -> Request<Full<Bytes>> {
    Request::post(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("user-agent", "grpc-python/1.0")
        .header("spin-client-addr", "192.0.2.7:4711")
        .body(Full::new(body.into()))
        .unwrap()
}

fn send(app: &App, request: Request<Full<Bytes>>) -> Outcome {
    let (response, log) = ready(serve(app, request));
    let (head, body) = response.into_parts();
    let body = ready(body.collect()).unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    let field = |name: &str| trailers.get(name).cloned();
    let text = field("grpc-message").map(|text| text.to_str().unwrap().replace("%20", " "));
    let mut bytes = &body.to_bytes()[..];
    let mut messages = Vec::new();
    while let Some((start, rest)) = bytes.split_first_chunk::<5>() {
        let length = u32::from_be_bytes(start[1..].try_into().unwrap()) as usize;
        messages.push(rest[..length].to_vec());
        bytes = &rest[length..];
    }
    let status = field("grpc-status").expect("every response says what became of the call");
    Outcome {
        http: head.status.as_u16(),
        code: Code::from_bytes(status.as_bytes()),
        text: text.unwrap_or_default(),
        headers: head.headers,
        messages,
        log: serde_json::from_str(&log).unwrap(),
    }
}

/// The message of a response, or the code and text of the failure.
type Told<A> = Result<A, (Code, String)>;

/// The message that comes back for one, or the code and text of the failure; and what `auth` was asked.
fn asked<A: Message + Default>(
    method: &str,
    message: &impl Message,
    replies: Vec<Result<Response<Vec<u8>>, SendError>>,
) -> (Told<A>, Option<Request<Vec<u8>>>, Outcome) {
    let (app, http) = app(replies);
    let outcome = send(&app, call(&format!("/auth.Auth/{method}"), frame(&message.encode_to_vec())));
    assert_eq!(outcome.http, 200);
    let result = match outcome.code {
        Code::Ok => Ok(A::decode(outcome.messages[0].as_slice()).unwrap()),
        code => Err((code, outcome.text.clone())),
    };
    let request = http.requests.borrow_mut().pop();
    (result, request, outcome)
}

/// The failure that a response of `auth` becomes.
fn failure<A: Message + Default>(
    method: &str,
    message: &impl Message,
    status: u16,
    body: &Value,
) -> (Code, String) {
    asked::<A>(method, message, vec![reply(status, body)]).0.err().unwrap()
}

fn said(code: Code, text: &str) -> (Code, String) {
    (code, text.to_owned())
}

fn error(text: &str) -> Value {
    json!({ "status": "Error", "error": text })
}

fn tokens() -> Value {
    json!({ "status": "Success", "user_id": "u", "access_token": "a", "refresh_token": "r" })
}

#[test]
fn register_makes_an_account_and_no_session() {
    let message = RegisterRequest { email: "ada@example.com".into(), password: "secret words".into() };
    let (result, request, outcome) =
        asked("Register", &message, vec![reply(201, &json!({ "id": 7, "uuid": "u-u" }))]);
    assert_eq!(result, Ok(RegisterResponse { user_id: "u-u".into() }));
    let request = request.unwrap();
    assert_eq!(request.uri(), "http://auth.spin.internal/auth/register");
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(body, json!({ "email": "ada@example.com", "password": "secret words" }));
    assert!(!outcome.log.to_string().contains("secret"), "{}", outcome.log);

    let failed = |status, body: Value| failure::<RegisterResponse>("Register", &message, status, &body);
    assert_eq!(failed(409, json!({})), said(Code::AlreadyExists, "user already exists"));
    let rules = json!({ "errors": [{ "pointer": "/email" }, { "pointer": "/password" }] });
    let wrong = "field Email is not valid, field Password is not valid";
    assert_eq!(failed(422, rules), said(Code::InvalidArgument, wrong));
    assert_eq!(failed(500, json!({})), said(Code::Internal, "internal error"));
}

#[test]
fn what_is_missing_is_said_in_the_originals_order_and_nobody_is_asked() {
    for (email, password, text) in [
        ("", "", "email is required"),
        ("", "secret", "email is required"),
        ("ada@example.com", "", "password is required"),
    ] {
        let (email, password) = (email.to_owned(), password.to_owned());
        let register = RegisterRequest { email: email.clone(), password: password.clone() };
        let (result, request, _) = asked::<RegisterResponse>("Register", &register, vec![]);
        assert_eq!((result, request.is_none()), (Err(said(Code::InvalidArgument, text)), true));
        let login = LoginRequest { email, password };
        let (result, request, _) = asked::<LoginResponse>("Login", &login, vec![]);
        assert_eq!((result, request.is_none()), (Err(said(Code::InvalidArgument, text)), true));
    }
    let (result, request, _) = asked::<IsAdminResponse>("IsAdmin", &IsAdminRequest::default(), vec![]);
    assert_eq!(result, Err(said(Code::InvalidArgument, "userid is required")));
    assert!(request.is_none());
}

#[test]
fn login_gives_tokens_or_says_that_the_credentials_are_wrong() {
    let message = LoginRequest { email: "ada@example.com".into(), password: "secret".into() };
    let (result, request, _) = asked("Login", &message, vec![reply(201, &tokens())]);
    assert_eq!(result, Ok(LoginResponse { access_token: "a".into(), refresh_token: "r".into() }));
    assert_eq!(request.unwrap().uri(), "http://auth.spin.internal/auth/login");
    let failed = |status, text| failure::<LoginResponse>("Login", &message, status, &error(text));
    let wrong = said(Code::InvalidArgument, "invalid credentials");
    assert_eq!(failed(404, "user not found"), wrong);
    assert_eq!(failed(400, "field Email is not valid"), wrong);
    assert_eq!(failed(500, "internal server error"), said(Code::Internal, "internal error"));
}

#[test]
fn refresh_tells_an_access_token_from_a_spent_one() {
    let message = RefreshRequest { refresh_token: "r".into() };
    let (result, request, _) = asked("Refresh", &message, vec![reply(201, &tokens())]);
    assert_eq!(result, Ok(RefreshResponse { access_token: "a".into(), refresh_token: "r".into() }));
    assert_eq!(request.unwrap().body(), br#"{"token":"r"}"#);
    let failed = |status, text| failure::<RefreshResponse>("Refresh", &message, status, &error(text));
    let text = "Provide valid refresh token";
    assert_eq!(failed(405, "token wrong type, expected refresh"), said(Code::InvalidArgument, text));
    assert_eq!(failed(405, "token revoked"), said(Code::Unauthenticated, text));
    assert_eq!(failed(400, "token error"), said(Code::Internal, "internal error"));
    assert_eq!(failed(404, "user not found"), said(Code::Internal, "internal error"));
}

#[test]
fn is_admin_asks_as_a_component_and_only_about_uuids() {
    let uuid = "22f23689-9b67-4ef9-a693-5ef2d18ee111";
    let message = IsAdminRequest { user_id: uuid.into() };
    for is_admin in [true, false] {
        let (result, request, _) =
            asked("IsAdmin", &message, vec![reply(200, &json!({ "is_admin": is_admin }))]);
        assert_eq!(result, Ok(IsAdminResponse { is_admin }));
        let request = request.unwrap();
        assert_eq!(request.uri().path(), format!("/internal/administrators/{uuid}"));
        assert!(request.headers().contains_key("authorization"));
    }
    let failed = |status| failure::<IsAdminResponse>("IsAdmin", &message, status, &json!({}));
    assert_eq!(failed(404), said(Code::Internal, "internal error"));
    assert_eq!(failed(401), said(Code::Internal, "internal error"));
    for user_id in ["7", "../../users/me", &format!("{}/", &uuid[..35])] {
        let message = IsAdminRequest { user_id: user_id.into() };
        let (result, request, _) = asked::<IsAdminResponse>("IsAdmin", &message, vec![]);
        assert_eq!((result, request.is_none()), (Err(said(Code::Internal, "internal error")), true));
    }
}

#[test]
fn logout_says_bad_token_of_tokens_alone() {
    let message = LogoutRequest { token: "t".into() };
    let (result, request, _) = asked("Logout", &message, vec![reply(200, &json!({ "status": "Success" }))]);
    assert_eq!(result, Ok(LogoutResponse { success: true }));
    // With such a header `auth` would take it for another client's logout.
    assert!(!request.unwrap().headers().contains_key("authorization"));
    let failed = |status, text| failure::<LogoutResponse>("Logout", &message, status, &error(text));
    for (status, text) in [(400, "token error"), (405, "token revoked"), (400, "field Token is not valid")] {
        assert_eq!(failed(status, text), said(Code::InvalidArgument, "bad token"));
    }
    assert_eq!(failed(500, "internal server error"), said(Code::Internal, "internal error"));
    assert_eq!(failed(503, "").0, Code::Unavailable);
}

#[test]
fn validate_says_why_a_token_is_not_good() {
    let message = ValidateRequest { token: "t".into() };
    let (result, request, _) = asked("Validate", &message, vec![reply(200, &json!("good"))]);
    assert_eq!(result, Ok(ValidateResponse { success: true }));
    assert_eq!(request.unwrap().uri().path(), "/internal/tokens");
    let failed = |status, body| failure::<ValidateResponse>("Validate", &message, status, &body);
    assert_eq!(failed(200, json!("ended")), said(Code::Unknown, "token has been revoked"));
    assert_eq!(failed(200, json!("unknown")), said(Code::Unknown, "fail to parse token"));
    assert_eq!(failed(200, json!({})), said(Code::Internal, "internal error"));
}

#[test]
fn auth_is_told_who_calls_and_by_which_id() {
    let message = LoginRequest { email: "ada@example.com".into(), password: "secret".into() };
    let (app, http) = app(vec![reply(201, &tokens())]);
    let mut request = call("/auth.Auth/Login", frame(&message.encode_to_vec()));
    let headers = request.headers_mut();
    headers.insert("x-trace-id", "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap());
    headers.insert("timestamp", "1700000000".parse().unwrap());
    headers.insert("user-id", "not \"fit\" for a log".parse().unwrap());
    headers.insert("x-forwarded-for", "198.51.100.1".parse().unwrap());
    let outcome = send(&app, request);
    assert_eq!(outcome.headers["x-request-id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(outcome.log["request_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(outcome.log["client_timestamp"], "1700000000");
    assert!(outcome.log["client_user_id"].is_null());
    assert_eq!(
        (&outcome.log["path"], &outcome.log["grpc_status"]),
        (&json!("/auth.Auth/Login"), &json!("Ok"))
    );

    let requests = http.requests.borrow();
    let headers = requests[0].headers();
    assert_eq!(headers["x-request-id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(headers["user-agent"], "grpc-python/1.0");
    let forwarded = headers["x-forwarded-for"].to_str().unwrap();
    assert!(forwarded.starts_with("198.51.100.1, 192.0.2.7"), "{forwarded}");
    let key = ready(ServiceKey::new(&app.store, "auth").obtain(&app.entropy)).unwrap();
    assert!(!outcome.log.to_string().contains(&key));
}

#[test]
fn who_tries_too_often_and_what_is_away_are_told_apart() {
    let message = LoginRequest { email: "ada@example.com".into(), password: "secret".into() };
    let answered = |answer| {
        let (result, _, outcome) = asked::<LoginResponse>("Login", &message, vec![answer]);
        (result.err().unwrap(), outcome)
    };
    let throttled = Response::builder().status(429).header("retry-after", "30").body(b"{}".to_vec()).unwrap();
    let (failure, outcome) = answered(Ok(throttled));
    assert_eq!(failure, said(Code::ResourceExhausted, "too many attempts"));
    assert_eq!(outcome.headers["retry-after"], "30");
    let (failure, _) = answered(reply(503, &json!({})));
    assert_eq!(failure, said(Code::Unavailable, "sign-on is not available now"));
    let (failure, outcome) = answered(Err(SendError::NotSent("refused".into())));
    assert_eq!(failure.0, Code::Unavailable);
    assert_eq!(outcome.log["cause"], "the request was never sent: refused");
    assert_eq!(answered(Err(SendError::TimedOut)).0.0, Code::DeadlineExceeded);
    assert_eq!(answered(Err(SendError::Broken("cut".into()))).0, said(Code::Internal, "internal error"));
    assert_eq!(answered(Err(SendError::TooLarge)).0, said(Code::Internal, "internal error"));
}

#[test]
fn what_is_no_call_of_a_method_is_refused_clearly() {
    let (app, http) = app(vec![]);
    for path in [
        "/auth.Auth/Nothing",
        "/auth.Auth/",
        "/auth.Auth/Login/",
        "/grpc.reflection.v1.ServerReflection/Nothing",
        "/grpc.reflection.v1alpha.ServerReflection/Nothing",
        "/grpc.reflection.v2.ServerReflection/ServerReflectionInfo",
        "/",
    ] {
        let outcome = send(&app, call(path, frame(b"")));
        assert_eq!((outcome.http, outcome.code), (200, Code::Unimplemented), "{path}");
    }
    for kind in [None, Some("application/json"), Some("application/grpc-web"), Some("application/grpc+json")]
    {
        let mut request = call("/auth.Auth/Login", frame(b""));
        request.headers_mut().remove("content-type");
        if let Some(kind) = kind {
            request.headers_mut().insert("content-type", kind.parse().unwrap());
        }
        let outcome = send(&app, request);
        assert_eq!((outcome.http, outcome.code), (415, Code::InvalidArgument), "{kind:?}");
    }
    let mut request = call("/auth.Auth/Login", Vec::new());
    *request.method_mut() = http::Method::GET;
    let outcome = send(&app, request);
    assert_eq!((outcome.http, outcome.code), (405, Code::InvalidArgument));
    assert!(http.requests.borrow().is_empty());
}

#[test]
fn messages_that_are_too_large_or_none_are_refused_and_nobody_is_asked() {
    let (app, http) = app(vec![]);
    let outcome = |body: Vec<u8>| send(&app, call("/auth.Auth/Validate", body));
    let of = |length: usize| ValidateRequest { token: "t".repeat(length) }.encode_to_vec();
    let refused = outcome(frame(&of(LARGEST)));
    assert_eq!(refused.code, Code::ResourceExhausted, "{}", refused.text);
    // Announced, and never sent.
    let announced = [&[0][..], &u32::MAX.to_be_bytes()[..]].concat();
    assert_eq!(outcome(announced).code, Code::ResourceExhausted);
    for nonsense in
        [frame(&[0xff; 9]), frame(b"\x0a\x02\xff\xff"), vec![0, 0], frame(&of(9))[..9].to_vec(), vec![]]
    {
        assert_eq!(outcome(nonsense.clone()).code, Code::Internal, "{nonsense:?}");
    }
    let mut compressed = frame(&of(9));
    compressed[0] = 1;
    assert_eq!(outcome(compressed.clone()).code, Code::Internal);
    let mut request = call("/auth.Auth/Validate", compressed);
    request.headers_mut().insert("grpc-encoding", "gzip".parse().unwrap());
    assert_eq!(send(&app, request).code, Code::Unimplemented);
    assert!(http.requests.borrow().is_empty());
}

/// Never responds.
struct Silent;

#[async_trait]
impl octo_core::HttpOut for Silent {
    async fn send(
        &self,
        _: Request<Vec<u8>>,
        _: octo_core::ports::CallLimits,
    ) -> Result<Response<Vec<u8>>, SendError> {
        std::future::pending().await
    }
}

#[test]
fn a_call_ends_when_its_client_wants_and_at_the_latest_after_a_while() {
    for (asked, expected) in [
        (Some("200m"), 200),
        (Some("3S"), 3_000),
        (Some("1H"), 25_000),
        (None, 25_000),
        (Some("soon"), 25_000),
        (Some("+5S"), 25_000),
        (Some("S"), 25_000),
        (Some("0n"), 0),
    ] {
        let app = App { http: Arc::new(Silent), ..app(vec![]).0 };
        let message = ValidateRequest { token: "t".into() };
        let mut request = call("/auth.Auth/Validate", frame(&message.encode_to_vec()));
        if let Some(asked) = asked {
            request.headers_mut().insert("grpc-timeout", asked.parse().unwrap());
        }
        let outcome = send(&app, request);
        assert_eq!(outcome.code, Code::DeadlineExceeded);
        let waited: UnixMillis = app.clock.now();
        assert_eq!(waited, testing::START + Duration::from_millis(expected), "{asked:?}");
        assert_eq!(outcome.log["ms"], expected);
    }
}

fn reflected(version: &str, questions: &[MessageRequest]) -> Vec<MessageResponse> {
    let questions = questions.iter().flat_map(|question| {
        let message_request = Some(question.clone());
        frame(&ServerReflectionRequest { host: String::new(), message_request }.encode_to_vec())
    });
    let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
    let outcome = send(&app(vec![]).0, call(&path, questions.collect()));
    assert_eq!(outcome.code, Code::Ok, "{}", outcome.text);
    let answers = outcome.messages.iter().map(|bytes| ServerReflectionResponse::decode(bytes.as_slice()));
    answers.map(|answer| answer.unwrap().message_response.unwrap()).collect()
}

#[test]
fn reflection_describes_every_service_in_both_of_its_versions() {
    for version in ["v1", "v1alpha"] {
        let symbol = |name: &str| MessageRequest::FileContainingSymbol(name.into());
        let answers = reflected(
            version,
            &[
                MessageRequest::ListServices(String::new()),
                symbol("auth.Auth"),
                symbol("auth.Auth.IsAdmin"),
                symbol("auth.LoginRequest"),
                MessageRequest::FileByFilename("auth.proto".into()),
                symbol("grpc.reflection.v1.ServerReflection"),
                symbol("auth.Nothing"),
            ],
        );
        let MessageResponse::ListServicesResponse(list) = &answers[0] else { panic!("{answers:?}") };
        let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
        assert_eq!(
            names,
            ["auth.Auth", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]
        );
        assert!(answers[1..5].iter().all(|answer| *answer == answers[1]));
        let MessageResponse::FileDescriptorResponse(file) = &answers[1] else { panic!("{answers:?}") };
        let text = String::from_utf8_lossy(&file.file_descriptor_proto[0]).into_owned();
        assert!(text.contains("auth.proto") && text.contains("ValidateResponse"));
        assert!(matches!(answers[5], MessageResponse::FileDescriptorResponse(_)));
        let MessageResponse::ErrorResponse(error) = &answers[6] else { panic!("{answers:?}") };
        assert_eq!(error.error_code, Code::NotFound as i32);
    }
}
