//! What users can make the database and the store keep.

use super::*;
use crate::sign_on::logins::MOST_SESSIONS;

#[test]
fn a_thousand_refreshes_leave_as_many_rows_as_one() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.register("ada@example.com").unwrap();
        let first = scene.log_in("ada@example.com", "correct horse").unwrap();
        let sizes =
            || (scene.count("sessions"), scene.count("refresh_tokens"), scene.count("refresh_families"));
        let mut tokens = scene.refresh(&first.refresh).unwrap();
        let (before, keys) = (sizes(), scene.store.keys().len());
        assert_eq!(before, (1, 1, 1));
        let fifth = (0..4).fold(tokens.refresh.clone(), |token, _| scene.refresh(&token).unwrap().refresh);
        tokens = scene.refresh(&fifth).unwrap();
        for _ in 5..1000 {
            tokens = scene.refresh(&tokens.refresh).unwrap();
        }
        assert_eq!((sizes(), scene.store.keys().len()), (before, keys));
        // However long ago it was used, a copy is a copy.
        assert!(matches!(scene.refresh(&fifth), Err(Refusal::SpentRefreshToken)));
        assert!(matches!(scene.refresh(&tokens.refresh), Err(Refusal::SpentRefreshToken)));
        assert_eq!(scene.record(&tokens.access), Err(Rejection::Ended));
    });
}

#[test]
fn lost_answers_are_given_again_in_every_generation() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.register("ada@example.com").unwrap();
        let mut tokens = scene.log_in("ada@example.com", "correct horse").unwrap();
        for _ in 0..3 {
            let next = scene.refresh(&tokens.refresh).unwrap();
            for _ in 0..2 {
                assert!(scene.refresh(&tokens.refresh).unwrap().refresh == next.refresh);
            }
            tokens = next;
        }
        let next = scene.refresh(&tokens.refresh).unwrap();
        scene.clock.advance(crate::refresh::GRACE + Duration::from_millis(1));
        assert!(matches!(scene.refresh(&tokens.refresh), Err(Refusal::SpentRefreshToken)));
        assert!(matches!(scene.refresh(&next.refresh), Err(Refusal::SpentRefreshToken)));
    });
}

#[test]
fn tokens_that_an_earlier_version_gave_are_taken_on_and_watched() {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::{Digest, Sha256};

    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.register("ada@example.com").unwrap();
        let first = scene.log_in("ada@example.com", "correct horse").unwrap();
        // As it gave them: each with a row, the next one derived from the one before.
        let secret = ready(crate::signing::refresh_secret(&scene.sign_on().sql, &scene.entropy)).unwrap();
        let next = |token: &str| {
            let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
            mac.update(b"octo refresh successor\0");
            mac.update(token.as_bytes());
            BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        };
        let second = next(first.refresh.reveal());
        let third = next(&second);
        let session = Unverified::parse(&first.access).unwrap().claims.sid;
        let now = octo_core::Clock::now(&scene.clock).0;
        let digest = |token: &str| BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes()));
        for (token, used_at) in [(&second, now.to_string()), (&third, "NULL".into())] {
            scene.rows(&format!(
                "INSERT INTO refresh_tokens (digest, session_id, created_at, used_at)
                 VALUES ('{}', '{session}', {now}, {used_at})",
                digest(token)
            ));
        }
        scene.rows(&format!(
            "UPDATE refresh_tokens SET used_at = {now} WHERE digest = '{}'",
            digest(first.refresh.reveal())
        ));
        let presented = |text: &str| RefreshToken::presented(text.to_owned()).unwrap();
        // Its lost answer is given again.
        assert_eq!(scene.refresh(&presented(&second)).unwrap().refresh.reveal(), third);
        let fourth = scene.refresh(&presented(&third)).unwrap();
        let fifth = scene.refresh(&fourth.refresh).unwrap();
        assert_eq!((scene.count("refresh_tokens"), scene.count("refresh_families")), (3, 1));
        for old in [&second, &third] {
            assert!(matches!(scene.refresh(&presented(old)), Err(Refusal::SpentRefreshToken)));
        }
        assert!(matches!(scene.refresh(&fifth.refresh), Err(Refusal::SpentRefreshToken)));
    });
}

/// Rows as so many logins leave them.
fn log_in_often(scene: &Scene, number: i64) {
    let now = octo_core::Clock::now(&scene.clock).0;
    for session in 0..number {
        scene.rows(&format!(
            "INSERT INTO sessions (id, account_id, client, shape, created_at, expires_at, token_digest, token_made_at)
             VALUES ('{session:05}', 1, '', 'own', {now}, {}, '', {})",
            now + 3_600_000,
            now + session
        ));
    }
}

#[test]
fn sessions_are_listed_page_by_page_to_the_end() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.register("ada@example.com").unwrap();
        log_in_often(&scene, 250);
        let page =
            |after: Option<&str>, limit| ready(scene.sign_on().living_sessions(1, after, limit)).unwrap();
        let mut seen: Vec<String> = page(None, 100).into_iter().map(|session| session.id).collect();
        loop {
            let next = page(seen.last().map(String::as_str), 100);
            if next.is_empty() {
                break;
            }
            seen.extend(next.into_iter().map(|session| session.id));
        }
        assert_eq!(seen, (0..250).rev().map(|number| format!("{number:05}")).collect::<Vec<_>>());
        assert_eq!(page(None, 9999).len(), 100);
    });
}

#[test]
fn an_account_has_so_many_sessions_and_the_one_renewed_longest_ago_ends() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.register("ada@example.com").unwrap();
        log_in_often(&scene, MOST_SESSIONS + 20);
        scene.clock.advance(Duration::from_secs(1));
        let tokens = scene.log_in("ada@example.com", "correct horse").unwrap();
        let living = "SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL";
        assert_eq!(scene.rows(living), [MOST_SESSIONS.to_string()]);
        assert!(scene.record(&tokens.access).is_ok());
        assert_eq!(scene.rows("SELECT MIN(id) FROM sessions WHERE ended_at IS NULL"), ["00021"]);
        let ended = ready(SessionRecord::read(&scene.store, "00020")).unwrap();
        assert_eq!(ended, Some(SessionRecord::Ended));
    });
}

#[test]
fn what_is_over_goes_though_nobody_logs_in() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.register("ada@example.com").unwrap();
        let tokens = scene.log_in("ada@example.com", "correct horse").unwrap();
        scene.refresh(&tokens.refresh).unwrap();
        log_in_often(&scene, 350);
        scene.clock.advance(Duration::from_secs(3600 + 3600 + 1));
        assert!(!scene.upkeep().drained.more);
        let left = ["sessions", "refresh_tokens", "refresh_families"].map(|table| scene.count(table));
        assert_eq!(left, [0, 0, 0]);
        assert!(!scene.store.keys().iter().any(|key| key.starts_with("auth/session/")));
    });
}
