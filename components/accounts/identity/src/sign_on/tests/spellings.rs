//! One account for one person, however names and passwords are typed.

use octo_core::SqlError;

use super::*;
use crate::username::Username;

const DECOMPOSED: &str = "zoe\u{308}@bu\u{308}cher.example";
const COMPOSED: &str = "zo\u{eb}@b\u{fc}cher.example";
const ASCII: &str = "zo\u{eb}@xn--bcher-kva.example";

#[test]
fn one_address_makes_one_account_in_every_spelling() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let account = scene.register(DECOMPOSED).unwrap();
        assert_eq!(account.email.as_deref(), Some(COMPOSED));
        for spelling in [COMPOSED, DECOMPOSED, ASCII, "ZO\u{cb}@B\u{dc}CHER.EXAMPLE"] {
            assert!(matches!(scene.register(spelling), Err(Refusal::Taken)), "{spelling}");
            assert_eq!(scene.log_in(spelling, "correct horse").unwrap().account.id, account.id, "{spelling}");
        }
        assert_eq!(scene.make_first_administrator(ASCII).unwrap().id, account.id);
    });
}

#[test]
fn accounts_from_before_log_in_with_what_was_typed_then_and_nobody_takes_their_address() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        for (place, old) in
            [DECOMPOSED, ASCII, "<ada@example.com>", "a..b@exa_mple.com."].into_iter().enumerate()
        {
            let name = format!("old{place}@example.com");
            let id = scene.register(&name).unwrap().id;
            scene.rows(&format!("UPDATE accounts SET email = '{old}' WHERE id = {id}"));
            assert_eq!(scene.log_in(old, "correct horse").unwrap().account.id, id, "{old}");
            if let Ok(email) = Email::new(old.to_owned()) {
                assert!(matches!(scene.register(COMPOSED), Err(Refusal::Taken)), "{old}");
                // Its owner may spell it anew, and others may not have it.
                let other = scene.register("eve@example.com").unwrap().id;
                let change = Change { email: Some(email), ..Change::default() };
                assert!(matches!(scene.change(other, change.clone()), Err(Refusal::Taken)));
                assert_eq!(scene.change(id, change).unwrap().email.as_deref(), Some(COMPOSED));
                ready(scene.sign_on().delete(id)).unwrap();
                ready(scene.sign_on().delete(other)).unwrap();
            }
        }
    });
}

#[test]
fn of_two_old_accounts_for_one_mailbox_each_is_reached_by_its_own_spelling() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let spelled = [COMPOSED, DECOMPOSED, ASCII];
        let ids = [0, 1, 2].map(|place| scene.register(&format!("old{place}@example.com")).unwrap().id);
        for (id, old) in ids.into_iter().zip(spelled) {
            scene.rows(&format!("UPDATE accounts SET email = '{old}' WHERE id = {id}"));
        }
        for (id, old) in ids.into_iter().zip(spelled) {
            assert_eq!(scene.log_in(old, "correct horse").unwrap().account.id, id, "{old}");
        }
    });
}

#[test]
fn a_password_typed_on_another_system_opens_the_account() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let new = NewAccount {
            email: Some(Email::new("ada@example.com".into()).unwrap()),
            ..NewAccount::default()
        };
        let password = Password::chosen("caf\u{e9} cr\u{e8}me".into(), Rules::Modern).unwrap();
        ready(scene.sign_on().register(&new, &password, "here")).unwrap();
        scene.log_in("ada@example.com", "cafe\u{301}\u{a0}cre\u{300}me").unwrap();
        assert!(scene.log_in("ada@example.com", "cafe creme").is_err());
    });
}

#[test]
fn a_name_becomes_no_password_and_a_password_no_name() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let new = NewAccount {
            email: Some(Email::new("ada@example.com".into()).unwrap()),
            ..NewAccount::default()
        };
        let password = Password::chosen("Lady.Lovelace".into(), Rules::Modern).unwrap();
        let id = ready(scene.sign_on().register(&new, &password, "here")).unwrap().id;
        let username =
            |name: &str| Change { username: Some(Username::new(name.into()).unwrap()), ..Change::default() };
        let email =
            |name: &str| Change { email: Some(Email::new(name.into()).unwrap()), ..Change::default() };
        let sign_on = scene.sign_on();
        // By somebody who has typed the password, in whatever case.
        for change in [username("lady.lovelace"), email("Lady.Lovelace@example.com")] {
            let changed = ready(sign_on.change_own(id, &change, Some(&password), "here"));
            assert!(matches!(changed, Err(Refusal::PasswordRepeatsName)));
        }
        // By somebody who has not.
        let lower = Password::chosen("countess1815".into(), Rules::Modern).unwrap();
        ready(sign_on.set_password(id, &lower, None)).unwrap();
        for change in [username("countess1815"), email("countess1815@example.com")] {
            assert!(matches!(ready(sign_on.change(id, &change)), Err(Refusal::PasswordRepeatsName)));
            assert!(matches!(ready(sign_on.change_as(9, id, &change)), Err(Refusal::PasswordRepeatsName)));
        }
        let upper = Password::chosen("COUNTESS1816".into(), Rules::Modern).unwrap();
        ready(sign_on.set_password(id, &upper, None)).unwrap();
        assert!(matches!(scene.change(id, username("countess1816")), Err(Refusal::PasswordRepeatsName)));
        scene.change(id, username("countess1817")).unwrap();
        let repeated = Password::chosen("Countess1817".into(), Rules::Modern).unwrap();
        let set = ready(sign_on.set_password(id, &repeated, None));
        assert!(matches!(set, Err(Refusal::PasswordRepeatsName)));
    });
}

#[test]
fn a_name_and_a_password_that_meet_at_once_do_not_become_one() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let id = scene.register("ada@example.com").unwrap().id;
        let accounts = scene.sign_on();
        let accounts = accounts.accounts();
        let (before, hash) = ready(accounts.by_id_with_password(id)).unwrap().unwrap();
        let username = Some(Username::new("countess1815".into()).unwrap());
        let change = Change { username, ..Change::default() };
        // Both have looked; the name is first.
        ready(accounts.change(id, &change, Some(&hash), false)).unwrap();
        assert!(!ready(accounts.set_password(&before, &hash, "the hash of that name")).unwrap());
        // The password is first.
        let (before, hash) = ready(accounts.by_id_with_password(id)).unwrap().unwrap();
        assert!(ready(accounts.set_password(&before, &hash, "another")).unwrap());
        let late = ready(accounts.change(id, &change, Some(&hash), false));
        assert!(matches!(late, Err(crate::accounts::NotChanged::OtherPassword)));
    });
}

#[test]
fn a_text_that_a_database_cannot_keep_is_refused_on_both() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let id = scene.register("ada@example.com").unwrap().id;
        let change = Change { full_name: Some("A\0da".into()), ..Change::default() };
        let refused = scene.change(id, change).unwrap_err();
        let sql = matches!(&refused, Refusal::Failed(crate::refusal::Failure::Sql(SqlError::Unstorable)));
        assert!(sql, "{refused:?}");
        assert_eq!(octo_core::Problem::from(refused).status.as_u16(), 422);
        let search = Search::Names { field: Field::Email, prefix: "a\0".into(), after: String::new() };
        let refused = ready(scene.sign_on().accounts_page(&search, 9)).unwrap_err();
        assert_eq!(octo_core::Problem::from(refused).status.as_u16(), 422);
    });
}
