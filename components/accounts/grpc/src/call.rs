//! One call, from arrival to log line.

use std::{error::Error, future::Future, pin::pin, time::Duration};

use bytes::Bytes;
use futures::{
    future::{Either, select},
    stream,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body::Frame;
use http_body_util::StreamBody;
use octo_core::Clock;
use octo_http::{
    App,
    exchange::{LogFields, Traced, id_in},
    source,
};
use tonic::{Code, Status, body::Body, codegen::Service as _};
use tonic_reflection::pb::v1::server_reflection_server::ServerReflectionServer;

use crate::{
    proto::auth_server::AuthServer,
    reflection::Reflection,
    service::Service,
    sign_on::{Client, SignOn},
};

/// Bytes of a message: an address and a password, or a token, and some room.
pub(crate) const LARGEST: usize = 64 * 1024;

/// How long a call may take, or a stream wait for its next message. A client may ask for less with `grpc-timeout`.
pub(crate) const LONGEST: Duration = Duration::from_secs(25);

const GRPC: &str = "application/grpc";

/// The response to a call, and the line for the log.
pub async fn serve<B>(app: &App, request: Request<B>) -> (Response<Body>, String)
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let headers = request.headers();
    // The original's clients send the id of their trace.
    let id = id_in(headers, "x-trace-id").or_else(|| id_in(headers, "x-request-id"));
    let traced = Traced::begin(&app.clock, &app.entropy, request.method(), request.uri(), id);
    let mut fields = LogFields::default();
    for (name, field) in [("timestamp", "client_timestamp"), ("user-id", "client_user_id")] {
        if let Some(text) = id_in(headers, name) {
            fields = fields.with(field, text);
        }
    }

    let mut response = match refusal(&request) {
        Some(refused) => refused,
        None => {
            let limit = timeout(headers).map_or(LONGEST, |asked| asked.min(LONGEST));
            let served = route(app, traced.id(), limit, request.map(Body::new));
            match within(app, limit, served).await {
                Some(response) => response,
                None => Status::deadline_exceeded("it took too long").into_http(),
            }
        }
    };
    bound_is_a_resource(&mut response);
    traced.mark(response.headers_mut());
    let (code, cause) = outcome(&response);
    fields = fields.with("grpc_status", format!("{code:?}"));
    if let Some(cause) = cause {
        fields = fields.with("cause", cause);
    }
    let line = traced.line(app.name, &app.clock, response.status(), fields);
    (status_last(response), line)
}

/// What says how a call ended.
const STATUS: [HeaderName; 3] = [
    HeaderName::from_static("grpc-status"),
    HeaderName::from_static("grpc-message"),
    HeaderName::from_static("grpc-status-details-bin"),
];

/// The same with the status in trailers, where there is no message before it, too. In the head it would have to end the
/// response; but a platform sends the end of a body that it does not know to be empty by itself, and then clients find no status.
fn status_last(response: Response<Body>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    let trailers: HeaderMap =
        STATUS.into_iter().filter_map(|name| Some((name.clone(), head.headers.remove(name)?))).collect();
    if trailers.is_empty() {
        return Response::from_parts(head, body);
    }
    let last = stream::iter([Ok::<_, Status>(Frame::trailers(trailers))]);
    Response::from_parts(head, Body::new(StreamBody::new(last)))
}

/// What is no gRPC at all. The status of HTTP is what the protocol asks for; that of gRPC tells a client why.
fn refusal<B>(request: &Request<B>) -> Option<Response<Body>> {
    let (status, text) = if request.method() != Method::POST {
        (StatusCode::METHOD_NOT_ALLOWED, "a call is a POST")
    } else if !is_grpc(request.headers()) {
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content type must be application/grpc")
    } else {
        return None;
    };
    let mut response = Status::invalid_argument(text).into_http();
    *response.status_mut() = status;
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    Some(response)
}

/// Whether messages are protocol buffers, which is what `application/grpc` means, too.
fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim();
    let (family, format) = kind.split_once('+').unwrap_or((kind, "proto"));
    family.eq_ignore_ascii_case(GRPC) && format.eq_ignore_ascii_case("proto")
}

/// The time that the client gives the call: at most eight digits and a unit.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = digits.parse().ok().filter(|_| digits.len() <= 8 && !digits.starts_with('+'))?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// What comes of `work`, unless it takes longer. When both are ready the work counts.
pub(crate) async fn within<T>(app: &App, time: Duration, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), app.clock.sleep(time)).await {
        Either::Left((result, _)) => Some(result),
        Either::Right(((), _)) => None,
    }
}

/// The versions of server reflection. They differ in their names alone.
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/";
const REFLECTION_BEFORE: &str = "/grpc.reflection.v1alpha.ServerReflection/";

/// Has the service in the path do the work.
async fn route(app: &App, id: &str, limit: Duration, mut request: Request<Body>) -> Response<Body> {
    let path = request.uri().path();
    if let Some(method) = path.strip_prefix(REFLECTION_BEFORE) {
        match format!("{REFLECTION}{method}").parse::<Uri>() {
            Ok(uri) => *request.uri_mut() = uri,
            Err(_) => return Status::unimplemented("").into_http(),
        }
    }
    let path = request.uri().path();
    let served = if path.starts_with(REFLECTION) {
        let reflection = Reflection { app: app.clone(), limit };
        let mut server = ServerReflectionServer::new(reflection).max_decoding_message_size(LARGEST);
        server.call(request).await
    } else if path.starts_with("/auth.Auth/") {
        let client = client(id, request.headers());
        let service = Service { sign_on: SignOn { app: app.clone(), client } };
        let mut server = AuthServer::new(service).max_decoding_message_size(LARGEST);
        server.call(request).await
    } else {
        return Status::unimplemented("there is no such service").into_http();
    };
    served.unwrap_or_else(|never| match never {})
}

fn client(id: &str, headers: &HeaderMap) -> Client {
    Client {
        forwarded: source::relayed(headers),
        name: headers.get(header::USER_AGENT).cloned(),
        request_id: id.to_owned(),
    }
}

/// A message that is too large is told by tonic as a number out of range; gRPC's own list of codes calls it a resource.
fn bound_is_a_resource(response: &mut Response<Body>) {
    if outcome(response).0 == Code::OutOfRange {
        let text = format!("a message must have at most {LARGEST} bytes");
        *response = Status::resource_exhausted(text).into_http();
    }
}

/// The status of a response, as far as it is known before its body, and for the log what is behind it.
fn outcome(response: &Response<Body>) -> (Code, Option<String>) {
    match response.extensions().get::<Status>() {
        Some(status) => (status.code(), status.source().map(ToString::to_string)),
        None => (Code::Ok, None),
    }
}
