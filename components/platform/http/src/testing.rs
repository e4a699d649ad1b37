//! An application in memory, for the tests of a component's handlers.

use std::sync::Arc;

use octo_access::{Claims, Role, SigningKey, claims, keys::jwks, record::JWKS_KEY};
use octo_core::{
    KeyValue, Sql, UnixMillis,
    testing::{FakeClock, FakeEntropy, FakeHttp, FakeKeyValue, FakeSettings, ready},
};

use crate::{Api, App, Request, Response, app::AfterResponse, caller::AskAuth, respond};

/// The time at which it starts.
pub const START: UnixMillis = UnixMillis(1_800_000_000_000);

/// The component `name` with these variables on this database. Nothing else has anything in it, and nobody answers.
pub fn app(name: &'static str, settings: &[(&str, &str)], sql: impl Sql + 'static) -> App {
    let http = Arc::new(FakeHttp::default());
    App {
        name,
        settings: Arc::new(FakeSettings::of(settings)),
        sql: Arc::new(sql),
        store: Arc::new(FakeKeyValue::default()),
        keys: Arc::new(AskAuth(http.clone())),
        redis: None,
        http,
        clock: Arc::new(FakeClock::at(START)),
        entropy: Arc::new(FakeEntropy::default()),
        after: AfterResponse::default(),
        counts_requests: true,
    }
}

/// An access token of this account, whose key is published.
#[expect(clippy::expect_used, reason = "a test's own step")]
pub fn token(app: &App, account: &str, role: Role) -> String {
    let key = SigningKey::generate();
    let keys = jwks(&[key.public_jwk()]).to_string();
    let claims = Claims {
        iss: claims::ISSUER.into(),
        sub: account.into(),
        aud: claims::AUDIENCE.into(),
        iat: START.as_secs(),
        exp: START.as_secs() + 900,
        jti: "t".into(),
        sid: "01937d7e-0000-7000-8000-000000000001".into(),
        role,
        paid_access: false,
        further: serde_json::Map::new(),
    };
    ready(app.store.set(JWKS_KEY, keys.as_bytes())).expect("the store of this application");
    key.sign(&claims).expect("claims that can be signed")
}

/// The response to a request.
pub fn send(api: &Api, app: &App, request: http::Request<Vec<u8>>) -> Response {
    let request: Request = request.map(Ok);
    ready(api.handle(app, request)).unwrap_or_else(|problem| respond::problem(&problem))
}

/// The routes that let a request without a credential in: each answers other than with 401. Those of `API.routes` that
/// are not meant for everybody must not be among them.
pub fn open_routes(api: &Api, app: &App) -> Vec<String> {
    let mut open = Vec::new();
    for route in api.routes {
        for method in route.methods() {
            let path = route.path();
            let target = path.split('/').map(|segment| if segment.starts_with('{') { "1" } else { segment });
            let target = target.collect::<Vec<_>>().join("/");
            let request = http::Request::builder().method(method.clone()).uri(target);
            let request = request.body(Vec::new()).unwrap_or_default();
            if send(api, app, request).status() != 401 {
                open.push(format!("{method} {path}"));
            }
        }
    }
    open
}
