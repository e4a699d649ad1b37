use http::{HeaderValue, Response};
use octo_core::{
    UnixMillis,
    testing::{FakeClock, FakeHttp, FakeKeyValue, ready},
};
use octo_token::{Role, SigningKey, claims, keys::jwks};

use super::*;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

struct Scene {
    store: FakeKeyValue,
    http: FakeHttp,
    clock: FakeClock,
    key: SigningKey,
}

impl Scene {
    fn new() -> Self {
        let scene = Self {
            store: FakeKeyValue::default(),
            http: FakeHttp::default(),
            clock: FakeClock::at(NOW),
            key: SigningKey::generate(),
        };
        ready(scene.store.set(JWKS_KEY, scene.jwks().as_bytes())).unwrap();
        scene
    }

    fn jwks(&self) -> String {
        jwks(&[self.key.public_jwk()]).to_string()
    }

    fn token(&self) -> String {
        let claims = Claims {
            iss: claims::ISSUER.into(),
            sub: "7".into(),
            aud: claims::AUDIENCE.into(),
            iat: NOW.as_secs(),
            exp: NOW.as_secs() + 900,
            jti: "t".into(),
            sid: "01937d7e-0000-7000-8000-000000000001".into(),
            role: Role::User,
            paid_access: false,
        };
        self.key.sign(&claims).unwrap()
    }

    fn record(&self, record: SessionRecord) {
        ready(record.write(&self.store, "01937d7e-0000-7000-8000-000000000001")).unwrap();
    }

    fn status(&self, token: &str) -> u16 {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
        match ready(authenticate(super::token(&headers), &self.store, &AskAuth(&self.http), &self.clock)) {
            Ok(caller) => {
                assert_eq!(caller.claims.sub, "7");
                200
            }
            Err(problem) => problem.status.as_u16(),
        }
    }
}

#[test]
fn a_vouched_token_takes_one_store_read_and_an_unknown_one_two() {
    let scene = Scene::new();
    let token = scene.token();
    scene.store.calls.set(0);
    assert_eq!(scene.status(&token), 200);
    assert_eq!(scene.store.calls.get(), 2);

    scene.record(SessionRecord::Live { digest: claims::digest(&token) });
    scene.store.calls.set(0);
    assert_eq!(scene.status(&token), 200);
    assert_eq!(scene.store.calls.get(), 1);
}

#[test]
fn a_forged_token_with_the_session_of_a_live_one_is_refused() {
    let scene = Scene::new();
    let token = scene.token();
    scene.record(SessionRecord::Live { digest: claims::digest(&token) });
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", signature.chars().rev().collect::<String>());
    assert_eq!(scene.status(&forged), 401);
}

#[test]
fn an_ended_session_and_an_expired_token_are_refused_whatever_vouches_for_them() {
    let scene = Scene::new();
    let token = scene.token();
    scene.record(SessionRecord::Live { digest: claims::digest(&token) });
    scene.clock.set(NOW + Duration::from_secs(900));
    assert_eq!(scene.status(&token), 401);
    scene.clock.set(NOW);
    scene.record(SessionRecord::Ended);
    assert_eq!(scene.status(&token), 401);
}

#[test]
fn a_store_that_lost_the_keys_is_healed_from_auth() {
    let scene = Scene::new();
    let token = scene.token();
    scene.store.flush();
    assert_eq!(scene.status(&token), 503, "auth does not answer");
    scene.http.answers.borrow_mut().push_back(Ok(Response::new(scene.jwks().into_bytes())));
    assert_eq!(scene.status(&token), 200);
}

#[test]
fn without_the_store_the_signature_decides() {
    let scene = Scene::new();
    let (token, foreign) = (scene.token(), Scene::new().token());
    scene.store.down.set(true);
    for _ in 0..2 {
        scene.http.answers.borrow_mut().push_back(Ok(Response::new(scene.jwks().into_bytes())));
    }
    assert_eq!(scene.status(&token), 200);
    assert_eq!(scene.status(&foreign), 401);
}

#[test]
fn the_header_wins_over_the_cookie_and_other_schemes_are_no_token() {
    let mut headers = HeaderMap::new();
    assert_eq!(token(&headers), None);
    headers.insert("cookie", HeaderValue::from_static("octo_handler_user=c"));
    assert_eq!(token(&headers), Some("c"));
    headers.insert("authorization", HeaderValue::from_static("bearer h"));
    assert_eq!(token(&headers), Some("h"));
    headers.insert("authorization", HeaderValue::from_static("Basic h"));
    assert_eq!(token(&headers), None);
}
