use http::{HeaderValue, Response};
use octo_access::{Role, SigningKey, claims, keys::jwks};
use octo_core::async_trait;
use octo_core::{
    UnixMillis,
    testing::{FakeClock, FakeHttp, FakeKeyValue, ready},
};

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
            further: serde_json::Map::new(),
        };
        self.key.sign(&claims).unwrap()
    }

    fn record(&self, record: SessionRecord) {
        ready(record.write(&self.store, "01937d7e-0000-7000-8000-000000000001")).unwrap();
    }

    fn vouch(&self, token: &str, paid_access: bool) {
        let grants = Grants { role: Role::User, paid_access };
        self.record(SessionRecord::Live { digest: claims::digest(token), grants });
    }

    fn paid_access(&self, token: &str) -> bool {
        let caller = ready(authenticate(Some(token), &self.store, &AskAuth(&self.http), &self.clock));
        caller.unwrap().claims.paid_access
    }

    fn status(&self, token: &str) -> u16 {
        match ready(authenticate(Some(token), &self.store, &AskAuth(&self.http), &self.clock)) {
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

    scene.vouch(&token, false);
    scene.store.calls.set(0);
    assert_eq!(scene.status(&token), 200);
    assert_eq!(scene.store.calls.get(), 1);
}

#[test]
fn what_the_account_may_do_now_counts_before_what_the_token_says() {
    let scene = Scene::new();
    let token = scene.token();
    assert!(!scene.paid_access(&token), "without a record the token says it");
    scene.vouch(&token, true);
    assert!(scene.paid_access(&token));
    scene.vouch("another token of the session", true);
    assert!(scene.paid_access(&token));
    scene.vouch(&token, false);
    assert!(!scene.paid_access(&token));
}

#[test]
fn a_forged_token_with_the_session_of_a_live_one_is_refused() {
    let scene = Scene::new();
    let token = scene.token();
    scene.vouch(&token, false);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", signature.chars().rev().collect::<String>());
    assert_eq!(scene.status(&forged), 401);
}

#[test]
fn an_ended_session_and_an_expired_token_are_refused_whatever_vouches_for_them() {
    let scene = Scene::new();
    let token = scene.token();
    scene.vouch(&token, false);
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
fn who_gets_no_answer_in_time_waits_until_the_keys_are_published_for_another() {
    /// Moves time, and has the keys published at a time.
    struct Later<'a>(&'a Scene, UnixMillis);
    #[async_trait]
    impl Clock for Later<'_> {
        fn now(&self) -> UnixMillis {
            NOW
        }
        async fn sleep(&self, duration: Duration) {
            self.0.clock.advance(duration);
            if self.0.clock.now() >= self.1 {
                self.0.store.set(JWKS_KEY, self.0.jwks().as_bytes()).await.unwrap();
            }
        }
    }
    for (published_after, found) in [(0, true), (9_000, true), (15_000, false)] {
        let scene = Scene::new();
        scene.store.flush();
        scene.http.answers.borrow_mut().push_back(Err(SendError::TimedOut));
        let clock = Later(&scene, NOW + Duration::from_millis(published_after));
        let token = scene.token();
        let accepted = ready(authenticate(Some(&token), &scene.store, &AskAuth(&scene.http), &clock));
        assert_eq!(accepted.is_ok(), found, "after {published_after} ms");
    }
}

#[test]
fn nobody_waits_for_the_keys_of_an_auth_that_is_away() {
    let scene = Scene::new();
    scene.store.flush();
    for answer in [Err(SendError::NotSent("".into())), Ok(Response::new(b"503".to_vec()))] {
        scene.http.answers.borrow_mut().push_back(answer);
        assert_eq!(scene.status(&scene.token()), 503);
    }
    assert_eq!(scene.clock.now(), NOW);
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
    let mut request = http::Request::post("/").body(()).unwrap();
    assert_eq!(token(request.method(), request.headers()), None);
    let mut with = |name: &'static str, value| {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
        token(request.method(), request.headers()).map(str::to_owned)
    };
    assert_eq!(with("cookie", "octo_handler_user=c").as_deref(), Some("c"));
    assert_eq!(with("sec-fetch-site", "cross-site"), None, "another site's page");
    assert_eq!(with("authorization", "bearer h").as_deref(), Some("h"));
    assert_eq!(with("authorization", "Basic h"), None);
}
