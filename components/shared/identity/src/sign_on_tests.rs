use std::{cell::RefCell, time::Duration};

use octo_core::{
    ports::{Row, SqlValue},
    testing::{FakeClock, FakeEntropy, FakeKeyValue, FakeSettings, ready},
};
use octo_token::{Rejection, Role, Unverified};

use super::*;

/// A real SQLite database in memory behind the port.
struct MemorySql(RefCell<rusqlite::Connection>);

impl Sql for MemorySql {
    async fn query(&self, statement: &str, parameters: &[SqlValue]) -> Result<Vec<Row>, SqlError> {
        use rusqlite::types::Value;
        let failed = |error: rusqlite::Error| {
            let text = error.to_string();
            if text.contains("no such table") { SqlError::NoSchema(text) } else { SqlError::Failed(text) }
        };
        let connection = self.0.borrow();
        let mut prepared = connection.prepare(statement).map_err(failed)?;
        let values = parameters.iter().map(|value| match value {
            SqlValue::Null => Value::Null,
            SqlValue::Integer(value) => Value::Integer(*value),
            SqlValue::Text(value) => Value::Text(value.clone()),
            SqlValue::Blob(value) => Value::Blob(value.clone()),
        });
        let columns = prepared.column_count();
        let rows = prepared.query_map(rusqlite::params_from_iter(values), |row| {
            (0..columns)
                .map(|index| {
                    Ok(match row.get::<_, Value>(index)? {
                        Value::Integer(value) => SqlValue::Integer(value),
                        Value::Text(value) => SqlValue::Text(value),
                        Value::Blob(value) => SqlValue::Blob(value),
                        Value::Null | Value::Real(_) => SqlValue::Null,
                    })
                })
                .collect()
        });
        rows.map_err(failed)?.collect::<Result<_, _>>().map_err(failed)
    }
}

struct Scene {
    sql: MemorySql,
    store: FakeKeyValue,
    clock: FakeClock,
    entropy: FakeEntropy,
}

const BOOTSTRAP: &str = "0123456789abcdef0123456789abcdef";

impl Scene {
    fn new() -> Self {
        Self {
            sql: MemorySql(RefCell::new(rusqlite::Connection::open_in_memory().unwrap())),
            store: FakeKeyValue::default(),
            clock: FakeClock::at(UnixMillis(1_800_000_000_000)),
            entropy: FakeEntropy::default(),
        }
    }

    fn sign_on(&self) -> SignOn<'_, MemorySql, FakeKeyValue, FakeClock, FakeEntropy> {
        let settings = FakeSettings::of(&[
            ("signing_key", ""),
            ("bootstrap_secret", BOOTSTRAP),
            ("access_token_seconds", "900"),
            ("session_seconds", "3600"),
        ]);
        let config = Config::read(&settings).unwrap();
        SignOn::new(&self.sql, &self.store, &self.clock, &self.entropy, config)
    }

    fn register(&self, email: &str) -> Result<Account, Refusal> {
        let password = Password::new("correct horse".into()).unwrap();
        ready(self.sign_on().register(&Email::new(email.into()).unwrap(), &password))
    }

    fn log_in(&self, email: &str, password: &str) -> Result<Tokens, Refusal> {
        let password = Password::presented(password.into()).unwrap();
        ready(self.sign_on().log_in(&Email::new(email.into()).unwrap(), &password))
    }

    fn refresh(&self, token: &RefreshToken) -> Result<Tokens, Refusal> {
        ready(self.sign_on().refresh(token))
    }

    /// What a component would say to this access token's session.
    fn record(&self, access: &str) -> Result<octo_token::record::Vouched, Rejection> {
        let token = Unverified::parse(access).unwrap();
        let record = ready(SessionRecord::read(&self.store, &token.claims.sid)).unwrap();
        record.unwrap().vouches_for(&token)
    }
}

#[test]
fn an_account_is_made_once_whatever_the_case_of_its_address() {
    let scene = Scene::new();
    let account = scene.register("Ada@example.com").unwrap();
    assert_eq!((account.id, account.email.as_str(), account.role), (1, "ada@example.com", Role::User));
    assert!(matches!(scene.register("ada@EXAMPLE.com"), Err(Refusal::EmailTaken)));
    assert_ne!(scene.register("bob@example.com").unwrap().id, account.id);
}

#[test]
fn a_login_gives_a_token_that_the_store_vouches_for() {
    let scene = Scene::new();
    scene.register("ada@example.com").unwrap();
    assert!(matches!(scene.log_in("ada@example.com", "wrong"), Err(Refusal::BadCredentials)));
    assert!(matches!(scene.log_in("eve@example.com", "correct horse"), Err(Refusal::BadCredentials)));

    let tokens = scene.log_in("ada@example.com", "correct horse").unwrap();
    let claims = Unverified::parse(&tokens.access).unwrap().claims;
    assert_eq!((claims.sub.as_str(), claims.paid_access, claims.exp - claims.iat), ("1", false, 900));
    assert_eq!(scene.record(&tokens.access), Ok(octo_token::record::Vouched::Yes));
    let keys = ready(scene.sign_on().keys()).unwrap();
    let keys = octo_token::PublicKeys::from_jwks(keys.to_string().as_bytes()).unwrap();
    assert_eq!(keys.verify(&Unverified::parse(&tokens.access).unwrap(), scene.clock.now()), Ok(()));
}

#[test]
fn a_refresh_rotates_and_a_lost_answer_gives_the_same_successor() {
    let scene = Scene::new();
    scene.register("ada@example.com").unwrap();
    let first = scene.log_in("ada@example.com", "correct horse").unwrap();
    let second = scene.refresh(&first.refresh).unwrap();
    assert!(second.refresh != first.refresh);
    let again = scene.refresh(&first.refresh).unwrap();
    assert!(again.refresh == second.refresh, "the answer may have been lost");
    scene.refresh(&second.refresh).unwrap();
}

#[test]
fn a_copied_refresh_token_ends_the_session_for_both() {
    let scene = Scene::new();
    scene.register("ada@example.com").unwrap();
    let first = scene.log_in("ada@example.com", "correct horse").unwrap();
    let second = scene.refresh(&first.refresh).unwrap();
    let third = scene.refresh(&second.refresh).unwrap();
    assert!(matches!(scene.refresh(&first.refresh), Err(Refusal::BadRefreshToken)));
    assert!(matches!(scene.refresh(&third.refresh), Err(Refusal::BadRefreshToken)));
    for access in [&first.access, &second.access, &third.access] {
        assert_eq!(scene.record(access), Err(Rejection::Ended));
    }
}

#[test]
fn an_ended_session_gives_no_more_tokens() {
    let scene = Scene::new();
    scene.register("ada@example.com").unwrap();
    let tokens = scene.log_in("ada@example.com", "correct horse").unwrap();
    let session = Unverified::parse(&tokens.access).unwrap().claims.sid;
    for _ in 0..2 {
        ready(scene.sign_on().end_session(&session)).unwrap();
    }
    assert_eq!(scene.record(&tokens.access), Err(Rejection::Ended));
    assert!(matches!(scene.refresh(&tokens.refresh), Err(Refusal::BadRefreshToken)));

    // A mint that raced with the end, and wrote its record last, takes it back.
    let account = ready(scene.sign_on().account(1)).unwrap().unwrap();
    assert!(ready(scene.sign_on().mint(&account, &session)).is_err());
    assert_eq!(scene.record(&tokens.access), Err(Rejection::Ended));
}

#[test]
fn a_session_has_an_end_however_often_it_is_refreshed() {
    let scene = Scene::new();
    scene.register("ada@example.com").unwrap();
    let mut tokens = scene.log_in("ada@example.com", "correct horse").unwrap();
    for _ in 0..3 {
        scene.clock.advance(Duration::from_secs(1000));
        tokens = scene.refresh(&tokens.refresh).unwrap();
    }
    scene.clock.advance(Duration::from_secs(600));
    assert!(matches!(scene.refresh(&tokens.refresh), Err(Refusal::BadRefreshToken)));
}

#[test]
fn sessions_that_are_over_leave_nothing_behind() {
    let scene = Scene::new();
    scene.register("ada@example.com").unwrap();
    for _ in 0..12 {
        scene.log_in("ada@example.com", "correct horse").unwrap();
    }
    scene.clock.advance(Duration::from_secs(3600 + 900 + 1));
    for _ in 0..2 {
        scene.log_in("ada@example.com", "correct horse").unwrap();
    }
    let count = |table: &str| {
        let rows = ready(scene.sql.query(&format!("SELECT COUNT(*) FROM {table}"), &[])).unwrap();
        rows[0][0].integer().unwrap()
    };
    assert_eq!((count("sessions"), count("refresh_tokens")), (2, 2));
    assert_eq!(scene.store.keys().iter().filter(|key| key.starts_with("auth/session/")).count(), 2);
}

#[test]
fn the_first_administrator_needs_the_secret_and_there_is_only_one_first() {
    let scene = Scene::new();
    scene.register("ada@example.com").unwrap();
    scene.register("bob@example.com").unwrap();
    let make = |secret: &str, email: &str| {
        ready(scene.sign_on().make_first_administrator(secret, &Email::new(email.into()).unwrap()))
    };
    assert!(matches!(make("", "ada@example.com"), Err(Refusal::BadBootstrapSecret)));
    assert!(matches!(make("wrong", "ada@example.com"), Err(Refusal::BadBootstrapSecret)));
    assert!(matches!(make(BOOTSTRAP, "eve@example.com"), Err(Refusal::NoFirstAdministrator)));
    assert_eq!(make(BOOTSTRAP, "ada@example.com").unwrap().role, Role::Admin);
    assert!(matches!(make(BOOTSTRAP, "bob@example.com"), Err(Refusal::NoFirstAdministrator)));
}

#[test]
fn paid_access_is_in_the_next_token() {
    let scene = Scene::new();
    scene.register("ada@example.com").unwrap();
    let tokens = scene.log_in("ada@example.com", "correct horse").unwrap();
    assert!(ready(scene.sign_on().set_paid_access(1, true)).unwrap().unwrap().paid_access);
    assert!(ready(scene.sign_on().set_paid_access(9, true)).unwrap().is_none());
    let tokens = scene.refresh(&tokens.refresh).unwrap();
    assert!(Unverified::parse(&tokens.access).unwrap().claims.paid_access);
}

#[test]
fn a_short_bootstrap_secret_and_a_bad_key_are_refused() {
    let settings = FakeSettings::of(&[
        ("signing_key", ""),
        ("bootstrap_secret", "short"),
        ("access_token_seconds", "900"),
        ("session_seconds", "3600"),
    ]);
    assert_eq!(
        Config::read(&settings).err().unwrap().to_string(),
        "the variable `bootstrap_secret` must have at least 32 characters"
    );
    let settings = settings.with("bootstrap_secret", "").with("signing_key", "nonsense");
    assert!(
        Config::read(&settings).err().unwrap().to_string().starts_with("the variable `signing_key` must be")
    );
}
