mod administrators;
mod ends;
mod legacy;
mod rows;
mod spellings;

use std::time::Duration;

use octo_access::{
    Claims, Grants, Rejection, Role, SessionRecord, Unverified, claims::digest, record::Vouched,
};
use octo_core::UnixMillis;
use octo_core::testing::{FakeClock, FakeEntropy, FakeKeyValue, FakeSettings, ready};

use super::*;
use crate::{
    Refusal,
    accounts::{Account, Change, Field, NewAccount, Search},
    email::Email,
    identifier::Identifier,
    password::{Password, Rules},
    refresh::RefreshToken,
    shape::Shape,
    username::Username,
};
use octo_databases::{Database, Recorded, Shared, on_both};

struct Scene {
    sql: Recorded<Database>,
    store: FakeKeyValue,
    clock: FakeClock,
    entropy: FakeEntropy,
}

const BOOTSTRAP: &str = "0123456789abcdef0123456789abcdef";

impl Scene {
    fn new(shared: &Shared) -> Self {
        Self {
            sql: Recorded::new(shared.connect()),
            store: FakeKeyValue::default(),
            clock: FakeClock::at(UnixMillis(1_800_000_000_000)),
            entropy: FakeEntropy::default(),
        }
    }

    fn sign_on(&self) -> SignOn<'_, Recorded<Database>, FakeKeyValue, FakeClock, FakeEntropy> {
        self.sign_on_under("off")
    }

    /// Sign-on with `legacy_rules` on or off.
    fn sign_on_under(
        &self,
        legacy_rules: &str,
    ) -> SignOn<'_, Recorded<Database>, FakeKeyValue, FakeClock, FakeEntropy> {
        let settings = FakeSettings::of(&[
            ("signing_key", ""),
            ("published_key", ""),
            ("signing_key_days", "90"),
            ("bootstrap_secret", BOOTSTRAP),
            ("access_token_seconds", "900"),
            ("session_seconds", "3600"),
            ("legacy_rules", legacy_rules),
            ("password_hash_slots", "4"),
            ("free_daily_per_user", "0"),
        ]);
        let config = Config::read(&settings).unwrap();
        SignOn::new(&self.sql, &self.store, &self.clock, &self.entropy, config)
    }

    fn register(&self, email: &str) -> Result<Account, Refusal> {
        let password = Password::chosen("correct horse".into(), Rules::Modern).unwrap();
        let new = NewAccount { email: Some(Email::new(email.into()).unwrap()), ..NewAccount::default() };
        ready(self.sign_on().register(&new, &password, "here"))
    }

    fn log_in(&self, email: &str, password: &str) -> Result<Tokens, Refusal> {
        let password = Password::presented(password.into()).unwrap();
        let who = Identifier::new(email.into()).unwrap();
        let login =
            LogIn { who: &who, password: &password, shape: Shape::Own, client: "a test", source: "here" };
        ready(self.sign_on().log_in(&login))
    }

    /// Runs a statement as it is, and returns its first column as text.
    fn rows(&self, statement: &str) -> Vec<String> {
        let rows = ready(self.sql.query(statement, &[])).unwrap();
        let text = |value: &octo_core::SqlValue| match value {
            octo_core::SqlValue::Integer(number) => number.to_string(),
            other => other.text().unwrap_or("").to_owned(),
        };
        rows.iter().map(|row| text(&row.values()[0])).collect()
    }

    fn count(&self, table: &str) -> usize {
        self.rows(&format!("SELECT COUNT(*) FROM {table}"))[0].parse().unwrap()
    }

    fn make_first_administrator(&self, email: &str) -> Result<Account, Refusal> {
        ready(self.sign_on().make_first_administrator(BOOTSTRAP, &Email::new(email.into()).unwrap()))
    }

    fn change(&self, id: i64, change: Change) -> Result<Account, Refusal> {
        ready(self.sign_on().change(id, &change))
    }

    fn upkeep(&self) -> Upkeep {
        let until = octo_core::Clock::now(&self.clock) + Duration::from_secs(5);
        ready(self.sign_on().upkeep(until)).unwrap()
    }

    fn refresh(&self, token: &RefreshToken) -> Result<Tokens, Refusal> {
        ready(self.sign_on().refresh(token))
    }

    /// What a component would say to this access token's session.
    fn record(&self, access: &str) -> Result<(Vouched, Grants), Rejection> {
        let token = Unverified::parse(access).unwrap();
        let record = ready(SessionRecord::read(&self.store, &token.claims.sid)).unwrap();
        record.unwrap().vouches_for(&token)
    }
}

#[test]
fn an_account_is_made_once_whatever_the_case_of_its_address() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let account = scene.register("Ada@example.com").unwrap();
        assert_eq!(
            (account.id, account.email.as_deref(), account.grants.role),
            (1, Some("ada@example.com"), Role::User)
        );
        assert!(matches!(scene.register("ada@EXAMPLE.com"), Err(Refusal::Taken)));
        assert_ne!(scene.register("bob@example.com").unwrap().id, account.id);
    });
}

#[test]
fn a_login_gives_a_token_that_the_store_vouches_for() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.register("ada@example.com").unwrap();
        assert!(matches!(scene.log_in("ada@example.com", "wrong"), Err(Refusal::BadCredentials)));
        assert!(matches!(scene.log_in("eve@example.com", "correct horse"), Err(Refusal::BadCredentials)));

        let tokens = scene.log_in("ada@example.com", "correct horse").unwrap();
        let claims = Unverified::parse(&tokens.access).unwrap().claims;
        assert_eq!((claims.sub.as_str(), claims.paid_access, claims.exp - claims.iat), ("1", false, 900));
        let grants = Grants { role: Role::User, paid_access: false };
        assert_eq!(scene.record(&tokens.access), Ok((Vouched::Yes, grants)));
        let keys = ready(scene.sign_on().keys()).unwrap();
        let keys = octo_access::PublicKeys::from_jwks(keys.to_string().as_bytes()).unwrap();
        assert_eq!(keys.verify(&Unverified::parse(&tokens.access).unwrap(), scene.clock.now()), Ok(()));
    });
}

#[test]
fn a_refresh_rotates_and_a_lost_answer_gives_the_same_successor() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.register("ada@example.com").unwrap();
        let first = scene.log_in("ada@example.com", "correct horse").unwrap();
        let second = scene.refresh(&first.refresh).unwrap();
        assert!(second.refresh != first.refresh);
        let again = scene.refresh(&first.refresh).unwrap();
        assert!(again.refresh == second.refresh, "the answer may have been lost");
        scene.refresh(&second.refresh).unwrap();
    });
}

#[test]
fn a_copied_refresh_token_ends_the_session_for_both() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.register("ada@example.com").unwrap();
        let first = scene.log_in("ada@example.com", "correct horse").unwrap();
        let second = scene.refresh(&first.refresh).unwrap();
        let third = scene.refresh(&second.refresh).unwrap();
        assert!(matches!(scene.refresh(&first.refresh), Err(Refusal::SpentRefreshToken)));
        assert!(matches!(scene.refresh(&third.refresh), Err(Refusal::SpentRefreshToken)));
        for access in [&first.access, &second.access, &third.access] {
            assert_eq!(scene.record(access), Err(Rejection::Ended));
        }
    });
}

#[test]
fn an_ended_session_gives_no_more_tokens() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.register("ada@example.com").unwrap();
        let tokens = scene.log_in("ada@example.com", "correct horse").unwrap();
        let session = Unverified::parse(&tokens.access).unwrap().claims.sid;
        for _ in 0..2 {
            ready(scene.sign_on().end_session(1, &session)).unwrap();
        }
        assert_eq!(scene.record(&tokens.access), Err(Rejection::Ended));
        assert!(matches!(scene.refresh(&tokens.refresh), Err(Refusal::SpentRefreshToken)));

        // A refresh that raced with the end, and wrote its record last, takes it back.
        let grants = Grants { role: Role::User, paid_access: false };
        ready(SessionRecord::Live { digest: "x".into(), grants }.write(&scene.store, &session)).unwrap();
        assert_eq!(ready(scene.sign_on().renew_record(&session)).unwrap(), SessionRecord::Ended);
        assert_eq!(scene.record(&tokens.access), Err(Rejection::Ended));
    });
}

#[test]
fn a_session_has_an_end_however_often_it_is_refreshed() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.register("ada@example.com").unwrap();
        let mut tokens = scene.log_in("ada@example.com", "correct horse").unwrap();
        for _ in 0..3 {
            scene.clock.advance(Duration::from_secs(1000));
            tokens = scene.refresh(&tokens.refresh).unwrap();
        }
        scene.clock.advance(Duration::from_secs(600));
        assert!(matches!(scene.refresh(&tokens.refresh), Err(Refusal::SpentRefreshToken)));
    });
}

#[test]
fn sessions_that_are_over_leave_nothing_behind() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.register("ada@example.com").unwrap();
        for _ in 0..12 {
            scene.log_in("ada@example.com", "correct horse").unwrap();
        }
        scene.clock.advance(Duration::from_secs(3600 + 3600 + 1));
        for _ in 0..2 {
            scene.log_in("ada@example.com", "correct horse").unwrap();
        }
        let count = |table: &str| {
            let rows: Vec<(i64,)> =
                ready(scene.sql.fetch(&format!("SELECT COUNT(*) FROM {table}"), &[])).unwrap();
            rows[0].0
        };
        assert_eq!((count("sessions"), count("refresh_tokens")), (2, 2));
        assert_eq!(scene.store.keys().iter().filter(|key| key.starts_with("auth/session/")).count(), 2);
    });
}

#[test]
fn the_first_administrator_needs_the_secret_and_there_is_only_one_first() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.register("ada@example.com").unwrap();
        scene.register("bob@example.com").unwrap();
        let make = |secret: &str, email: &str| {
            ready(scene.sign_on().make_first_administrator(secret, &Email::new(email.into()).unwrap()))
        };
        assert!(matches!(make("", "ada@example.com"), Err(Refusal::BadBootstrapSecret)));
        assert!(matches!(make("wrong", "ada@example.com"), Err(Refusal::BadBootstrapSecret)));
        assert!(matches!(make(BOOTSTRAP, "eve@example.com"), Err(Refusal::NoFirstAdministrator)));
        assert_eq!(make(BOOTSTRAP, "ada@example.com").unwrap().grants.role, Role::Admin);
        assert!(matches!(make(BOOTSTRAP, "bob@example.com"), Err(Refusal::NoFirstAdministrator)));
    });
}

#[test]
fn what_an_account_may_do_counts_for_the_tokens_it_has() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.register("ada@example.com").unwrap();
        let first = scene.log_in("ada@example.com", "correct horse").unwrap();
        let second = scene.log_in("ada@example.com", "correct horse").unwrap();
        let change = |id, change| ready(scene.sign_on().change(id, &change));
        let paid = change(1, Change { paid_access: Some(true), ..Change::default() }).unwrap();
        assert!(paid.grants.paid_access);
        for tokens in [&first, &second] {
            assert_eq!(scene.record(&tokens.access), Ok((Vouched::Yes, paid.grants)));
        }
        let admin = change(1, Change { role: Some(Role::Admin), ..Change::default() }).unwrap();
        assert_eq!(scene.record(&first.access), Ok((Vouched::Yes, admin.grants)));
        let renewed = scene.refresh(&second.refresh).unwrap();
        let claims = Unverified::parse(&renewed.access).unwrap().claims;
        assert_eq!((claims.role, claims.paid_access), (Role::Admin, true));

        assert!(matches!(change(9, Change::default()), Err(Refusal::NoSuchAccount)));
        // Another one stays.
        let other = scene.register("bob@example.com").unwrap().id;
        change(other, Change { role: Some(Role::Admin), ..Change::default() }).unwrap();
        change(1, Change { active: Some(false), ..Change::default() }).unwrap();
        assert_eq!(scene.record(&first.access), Err(Rejection::Ended));
        assert!(matches!(scene.log_in("ada@example.com", "correct horse"), Err(Refusal::BadCredentials)));
        // Who was out stays out.
        change(1, Change { active: Some(true), ..Change::default() }).unwrap();
        assert_eq!(scene.record(&first.access), Err(Rejection::Ended));
        scene.log_in("ada@example.com", "correct horse").unwrap();
    });
}

#[test]
fn whether_an_account_is_subscribed_is_what_the_newest_note_says_for_the_tokens_it_has() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.register("ada@example.com").unwrap();
        let tokens = scene.log_in("ada@example.com", "correct horse").unwrap();
        let paid = || scene.record(&tokens.access).unwrap().1.paid_access;
        let note = |subscribed, version| ready(scene.sign_on().note_subscribed(1, subscribed, version));
        for (subscribed, version, expected) in [
            (true, 1, true),
            (false, 3, false),
            // Late, and again.
            (true, 2, false),
            (true, 3, false),
            (true, 4, true),
        ] {
            note(subscribed, version).unwrap();
            assert_eq!(paid(), expected, "after version {version}");
        }
        // A crash between the database and the records: the note comes again.
        let Claims { sid, .. } = Unverified::parse(&tokens.access).unwrap().claims;
        let grants = Grants { role: Role::User, paid_access: false };
        let stale = SessionRecord::Live { digest: digest(&tokens.access), grants };
        ready(stale.write(&scene.store, &sid)).unwrap();
        note(true, 4).unwrap();
        assert!(paid());

        // What an administrator gives is another thing.
        let change = |paid_access| Change { paid_access: Some(paid_access), ..Change::default() };
        ready(scene.sign_on().change(1, &change(true))).unwrap();
        note(false, 5).unwrap();
        assert!(paid());
        ready(scene.sign_on().change(1, &change(false))).unwrap();
        assert!(!paid());
        assert!(matches!(ready(scene.sign_on().note_subscribed(9, true, 1)), Err(Refusal::NoSuchAccount)));
    });
}

#[test]
fn a_new_password_ends_every_session_but_one() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.register("ada@example.com").unwrap();
        let here = scene.log_in("ada@example.com", "correct horse").unwrap();
        let there = scene.log_in("ada@example.com", "correct horse").unwrap();
        let session = Unverified::parse(&here.access).unwrap().claims.sid;
        let new = Password::chosen("battery staple".into(), Rules::Modern).unwrap();
        ready(scene.sign_on().set_password(1, &new, Some(&session))).unwrap();
        assert!(scene.record(&here.access).is_ok());
        assert_eq!(scene.record(&there.access), Err(Rejection::Ended));
        assert!(matches!(scene.refresh(&there.refresh), Err(Refusal::SpentRefreshToken)));
        assert!(matches!(scene.log_in("ada@example.com", "correct horse"), Err(Refusal::BadCredentials)));
        scene.log_in("ada@example.com", "battery staple").unwrap();
        let own_name = Password::presented("ADA".into()).unwrap();
        let refused = ready(scene.sign_on().set_password(1, &own_name, None));
        assert!(matches!(refused, Err(Refusal::PasswordRepeatsName)));
    });
}

#[test]
fn a_deleted_account_leaves_no_session_and_its_number_is_not_given_again() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let ada = scene.register("ada@example.com").unwrap();
        let tokens = scene.log_in("ada@example.com", "correct horse").unwrap();
        assert!(ready(scene.sign_on().delete(ada.id)).unwrap());
        assert!(!ready(scene.sign_on().delete(ada.id)).unwrap());
        assert_eq!(scene.record(&tokens.access), Err(Rejection::Ended));
        assert!(matches!(scene.refresh(&tokens.refresh), Err(Refusal::SpentRefreshToken)));
        assert!(matches!(scene.log_in("ada@example.com", "correct horse"), Err(Refusal::BadCredentials)));
        assert_ne!(scene.register("ada@example.com").unwrap().id, ada.id);
    });
}

#[test]
fn a_token_is_introspected_and_revoked_whatever_kind_it_is() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.register("ada@example.com").unwrap();
        for revoke_access in [true, false] {
            let tokens = scene.log_in("ada@example.com", "correct horse").unwrap();
            let (access, refresh) = (tokens.access.as_str(), tokens.refresh.reveal());
            let introspect = |token: &str| ready(scene.sign_on().introspect(token)).unwrap();
            let revoke = |token: &str| ready(scene.sign_on().revoke(token)).unwrap();
            assert!(matches!(introspect(access), Some(Introspected::Access(claims)) if claims.sub == "1"));
            assert!(matches!(introspect(refresh), Some(Introspected::Refresh { account: 1, .. })));
            for nonsense in ["", "x", "a.b.c", &access[..access.len() - 1]] {
                assert_eq!(introspect(nonsense), None);
                assert_eq!(revoke(nonsense), Revoked::Unknown);
            }
            assert_eq!(revoke(if revoke_access { access } else { refresh }), Revoked::Now);
            for token in [access, refresh] {
                assert_eq!(introspect(token), None);
                assert_eq!(revoke(token), Revoked::Before);
            }
            assert_eq!(scene.record(access), Err(Rejection::Ended));
        }
    });
}

#[test]
fn accounts_are_searched_page_by_page() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let names = ["ada@example.com", "adam@example.com", "bob@example.com", "zoë@example.com"];
        names.iter().for_each(|name| drop(scene.register(name).unwrap()));
        let page = |search: Search, limit| {
            let found = ready(scene.sign_on().accounts_page(&search, limit)).unwrap();
            found.into_iter().map(|account| account.email.unwrap()).collect::<Vec<_>>()
        };
        let by = |prefix: &str, after: &str| Search::Names {
            field: Field::Email,
            prefix: prefix.into(),
            after: after.into(),
        };
        assert_eq!(page(Search::All { after: 0 }, 3), names[..3]);
        assert_eq!(page(Search::All { after: 3 }, 3), names[3..]);
        assert_eq!(page(by("ada", ""), 1), names[..1]);
        assert_eq!(page(by("ada", names[0]), 9), names[1..2]);
        assert_eq!(page(by("zoë", ""), 9), names[3..]);
        assert_eq!(page(by("x%", ""), 9), [""; 0]);
    });
}

#[test]
fn every_administrative_act_is_in_the_log_without_personal_data() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let ada = scene.register("ada@example.com").unwrap();
        let sign_on = scene.sign_on();
        let email = Some(Email::new("new@example.com".into()).unwrap());
        let change = Change { role: Some(Role::Service), email, ..Change::default() };
        ready(sign_on.change_as(7, ada.id, &change)).unwrap();
        ready(sign_on.end_all_sessions_as(7, ada.id)).unwrap();
        ready(sign_on.delete_as(7, ada.id)).unwrap();
        assert!(matches!(ready(sign_on.delete_as(7, ada.id)), Err(Refusal::NoSuchAccount)));
        let log = ready(sign_on.audit(Some(ada.id), 0, 100)).unwrap();
        let acts: Vec<_> =
            log.iter().map(|entry| (entry.actor, entry.act.as_str(), entry.detail.as_str())).collect();
        let changed = r#"{"email":"changed","role":"service"}"#;
        assert_eq!(
            acts,
            [(7, "change-account", changed), (7, "end-sessions", "{}"), (7, "delete-account", "{}")]
        );
        assert_eq!(ready(sign_on.audit(None, log[1].id, 100)).unwrap(), log[2..]);
        assert_eq!(ready(sign_on.audit(Some(99), 0, 100)).unwrap(), []);
    });
}

#[test]
fn a_short_bootstrap_secret_and_a_bad_key_are_refused() {
    let settings = FakeSettings::of(&[
        ("signing_key", ""),
        ("published_key", ""),
        ("signing_key_days", "90"),
        ("bootstrap_secret", "short"),
        ("access_token_seconds", "900"),
        ("session_seconds", "3600"),
        ("legacy_rules", "off"),
        ("password_hash_slots", "4"),
        ("free_daily_per_user", "0"),
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

#[test]
fn an_index_serves_every_statement() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let id = scene.register("ada@example.org").unwrap().id;
        assert!(scene.log_in("ada@example.org", "wrong wrong").is_err());
        let tokens = scene.log_in("ada@example.org", "correct horse").unwrap();
        let tokens = scene.refresh(&tokens.refresh).unwrap();
        let sign_on = scene.sign_on();
        ready(sign_on.make_first_administrator(BOOTSTRAP, &Email::new("ada@example.org".into()).unwrap()))
            .unwrap();
        ready(sign_on.change_as(id, id, &Change { active: Some(true), ..Change::default() })).unwrap();
        for search in [
            Search::All { after: 0 },
            Search::Names { field: Field::Email, prefix: "a".into(), after: String::new() },
            Search::Names { field: Field::Username, prefix: "a".into(), after: String::new() },
        ] {
            ready(sign_on.accounts_page(&search, 10)).unwrap();
        }
        ready(sign_on.note_subscribed(id, true, 1)).unwrap();
        ready(sign_on.audit(Some(id), 0, 10)).unwrap();
        ready(sign_on.audit(None, 0, 10)).unwrap();
        ready(sign_on.living_sessions(id, None, 10)).unwrap();
        ready(sign_on.living_sessions(id, Some("x"), 10)).unwrap();
        ready(sign_on.administrators_without_right()).unwrap();
        drop(scene.refresh(&tokens.refresh).unwrap());
        let other = scene.register("bob@example.org").unwrap().id;
        scene.change(other, Change { role: Some(Role::Admin), ..Change::default() }).unwrap();
        scene.change(id, Change { role: Some(Role::User), ..Change::default() }).unwrap();
        let email = Some(Email::new("new@example.org".into()).unwrap());
        scene.change(id, Change { email, ..Change::default() }).unwrap();
        ready(sign_on.delete_as(id, id)).unwrap();
        scene.upkeep();
        let looker = shared.connect();
        let statements = scene.sql.statements();
        assert!(statements.len() >= 25, "{}", statements.len());
        for (statement, parameters) in statements {
            looker.expect_index(&statement, parameters);
        }
    });
}

#[test]
fn a_record_that_was_left_alive_is_ended_by_the_next_who_asks() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.register("ada@example.com").unwrap();
        for ask in [
            |scene: &Scene, tokens: &Tokens| assert!(scene.refresh(&tokens.refresh).is_err()),
            |scene: &Scene, tokens: &Tokens| {
                let revoked = ready(scene.sign_on().revoke(tokens.refresh.reveal())).unwrap();
                assert_eq!(revoked, Revoked::Before);
            },
        ] {
            let tokens = scene.log_in("ada@example.com", "correct horse").unwrap();
            let session = Unverified::parse(&tokens.access).unwrap().claims.sid;
            let alive = ready(SessionRecord::read(&scene.store, &session)).unwrap().unwrap();
            ready(scene.sign_on().end_session(1, &session)).unwrap();
            // By an instance that was cut off before it looked again.
            ready(alive.write(&scene.store, &session)).unwrap();
            assert!(scene.record(&tokens.access).is_ok());
            ask(&scene, &tokens);
            assert_eq!(scene.record(&tokens.access), Err(Rejection::Ended));
        }
    });
}

#[test]
fn wrong_confirmations_bother_nobody_else() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let ada = scene.register("ada@example.com").unwrap().id;
        let eve = scene.register("eve@example.com").unwrap().id;
        let confirm = |id: i64, password: &str, source: &str| {
            ready(scene.sign_on().confirm(id, &Password::presented(password.into()).unwrap(), source))
        };
        for _ in 0..6 {
            assert!(matches!(confirm(ada, "wrong", "a thief's"), Err(Refusal::BadCredentials)));
        }
        let refused = confirm(ada, "correct horse", "a thief's");
        assert!(matches!(refused, Err(Refusal::TooManyAttempts { seconds: 300 })));
        confirm(ada, "correct horse", "here").unwrap();
        confirm(eve, "correct horse", "a thief's").unwrap();
        scene.log_in("ada@example.com", "correct horse").unwrap();
    });
}

#[test]
fn an_account_has_one_counter_by_whichever_name_it_is_called() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let ada = scene.register("ada@example.com").unwrap().id;
        let username = Some(Username::new("ada".into()).unwrap());
        ready(scene.sign_on().change(ada, &Change { username, ..Change::default() })).unwrap();
        for name in ["ada", "ada@example.com", "ADA", "ada", "Ada@Example.com", "ada"] {
            assert!(matches!(scene.log_in(name, "wrong"), Err(Refusal::BadCredentials)), "{name}");
        }
        for name in ["ada", "ada@example.com"] {
            let refused = scene.log_in(name, "correct horse");
            assert!(matches!(refused, Err(Refusal::TooManyAttempts { .. })), "{name}");
        }
    });
}

#[test]
fn an_attempt_that_finds_everybody_hashing_does_not_count() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.register("ada@example.com").unwrap();
        let long = scene.clock.now() + Duration::from_secs(3600);
        let hold = |until: UnixMillis| {
            ready(scene.sql.query("UPDATE hash_leases SET held_until = $1", &[until.into()])).unwrap();
        };
        for _ in 0..10 {
            hold(long);
            assert!(matches!(scene.log_in("ada@example.com", "wrong"), Err(Refusal::TooBusy)));
            assert!(matches!(scene.register("bob@example.com"), Err(Refusal::TooBusy)));
        }
        hold(UnixMillis(0));
        let counted =
            ready(scene.sql.query("SELECT key FROM throttle WHERE until > $1", &[scene.clock.now().into()]));
        // Only the registration that was made.
        assert_eq!(counted.unwrap().len(), 1);
        scene.log_in("ada@example.com", "correct horse").unwrap();
    });
}

#[test]
fn asking_for_names_counts_as_much_as_registering() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let ada = scene.register("ada@example.com").unwrap().id;
        scene.register("bob@example.com").unwrap();
        let change = |email: &str, source: &str| {
            let email = Some(Email::new(email.into()).unwrap());
            ready(scene.sign_on().change_own(ada, &Change { email, ..Change::default() }, None, source))
        };
        for _ in 0..198 {
            assert!(matches!(change("bob@example.com", "here"), Err(Refusal::Taken)));
        }
        let refused = change("bob@example.com", "here");
        assert!(matches!(refused, Err(Refusal::TooManyRegistrations { seconds: 30 })));
        assert!(matches!(scene.register("new@example.com"), Err(Refusal::TooManyRegistrations { .. })));
        change("ada@example.com", "here").unwrap();
        change("ada@example.org", "elsewhere").unwrap();
    });
}
