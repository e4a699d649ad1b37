//! What `legacy_rules` made while it was on, when it is off again.

use super::*;
use crate::username::Username;

impl Scene {
    /// A user of the shop whose name makes an administrator, as its route makes one.
    fn administrator_by_name(&self, name: &str, password: &str) -> Account {
        let sign_on = self.sign_on_under("on");
        let new = NewAccount { username: Some(Username::new(name.into()).unwrap()), ..NewAccount::default() };
        let password = Password::chosen(password.into(), Rules::Legacy).unwrap();
        let account = ready(sign_on.register(&new, &password, "here")).unwrap();
        ready(sign_on.make_administrator_by_name(account.id)).unwrap()
    }

    fn log_in_under(&self, rules: &str, name: &str, password: &str) -> Result<Tokens, Refusal> {
        let password = Password::presented(password.into()).unwrap();
        let who = Identifier::new(name.into()).unwrap();
        let login =
            LogIn { who: &who, password: &password, shape: Shape::Shop, client: "a test", source: "here" };
        ready(self.sign_on_under(rules).log_in(&login))
    }
}

#[test]
fn an_administrator_by_name_is_one_only_while_the_rules_are_on() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let account = scene.administrator_by_name("admin_ada", "a longer password");
        assert!(account.is_admin());
        let tokens = scene.log_in_under("on", "admin_ada", "a longer password").unwrap();
        assert_eq!(scene.record(&tokens.access).unwrap().1.role, Role::Admin);
        assert!(ready(scene.sign_on_under("on").is_administrator(account.id)).unwrap());

        // Off: nothing of it is left, for a new token, for an old one, or in the list.
        assert!(!ready(scene.sign_on().is_administrator(account.id)).unwrap());
        assert_eq!(ready(scene.sign_on().account(account.id)).unwrap().grants.role, Role::User);
        assert_eq!(ready(scene.sign_on().administrators_without_right()).unwrap(), 1);
        let done = scene.upkeep();
        assert_eq!(done.lowered, 1);
        assert_eq!(scene.record(&tokens.access).unwrap().1.role, Role::User);
        assert_eq!(scene.upkeep().lowered, 0);
        let off = scene.log_in_under("off", "admin_ada", "a longer password").unwrap();
        assert_eq!(Unverified::parse(&off.access).unwrap().claims.role, Role::User);

        // It is in nobody's way, and nobody's excuse.
        let root = scene.register("root@example.com").unwrap();
        scene.make_first_administrator("root@example.com").unwrap();
        let demote = Change { role: Some(Role::User), ..Change::default() };
        for rules in ["on", "off"] {
            let refused = ready(scene.sign_on_under(rules).change(root.id, &demote));
            assert!(matches!(refused, Err(Refusal::LastAdministrator)), "{rules}");
        }
        // An administrator makes it one for good.
        let promote = Change { role: Some(Role::Admin), ..Change::default() };
        assert!(ready(scene.sign_on().change_as(root.id, account.id, &promote)).unwrap().is_admin());
        assert_eq!(ready(scene.sign_on().administrators_without_right()).unwrap(), 0);
    });
}

#[test]
fn an_administrator_by_name_makes_none_for_good() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let ada = scene.administrator_by_name("admin_ada", "a longer password");
        let eve = scene.register("eve@example.com").unwrap();
        let promote = Change { role: Some(Role::Admin), ..Change::default() };
        let on = scene.sign_on_under("on");
        for id in [eve.id, ada.id] {
            assert!(ready(on.change_as(ada.id, id, &promote)).unwrap().is_admin());
            assert!(!ready(scene.sign_on().account(id)).unwrap().is_admin());
        }
        // And the secret still makes the first one.
        scene.register("root@example.com").unwrap();
        scene.make_first_administrator("root@example.com").unwrap();
    });
}

#[test]
fn a_password_that_may_not_be_chosen_opens_nothing_while_the_rules_are_off() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        for (name, password) in [("empty", ""), ("short", "test"), ("common", "password123")] {
            let account = scene.administrator_by_name(name, password);
            scene.log_in_under("on", name, password).unwrap();
            let off = scene.log_in_under("off", name, password);
            assert!(matches!(off, Err(Refusal::BadCredentials)), "{name}");
            let password = Password::presented(password.into()).unwrap();
            let confirmed = ready(scene.sign_on().confirm(account.id, &password, "here"));
            assert!(matches!(confirmed, Err(Refusal::BadCredentials)), "{name}");
        }
    });
}

#[test]
fn administrators_by_name_that_an_earlier_version_made_are_found_in_the_log() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let names = ["by_name", "promoted_since", "by_administrator", "nobody"];
        let sql = Migrated::new(&scene.sql, &[&octo_jobs::SCHEMA, &SCHEMA]);
        ready(sql.apply()).unwrap();
        for (number, name) in (1..).zip(names) {
            let role = if name == "nobody" { "user" } else { "admin" };
            scene.rows(&format!(
                "INSERT INTO accounts (uuid, username, full_name, phone, password_hash, role, paid_access, active,
                    verified, created_at) VALUES ('{number}', '{name}', '', '', '', '{role}', 0, 1, 0, 0)"
            ));
        }
        for (actor, subject, detail) in [
            (0, 1, r#"{"role":"admin"}"#),
            (0, 2, r#"{"role":"admin"}"#),
            (3, 2, r#"{"role":"admin"}"#),
            (3, 1, r#"{"paid_access":true}"#),
        ] {
            scene.rows(&format!(
                "INSERT INTO audit (at, actor_id, subject_id, act, detail)
                 VALUES (0, {actor}, {subject}, 'change-account', '{detail}')"
            ));
        }
        assert_eq!(ready(scene.sign_on().administrators_without_right()).unwrap(), 1);
        let are = (1..=4).map(|id| ready(scene.sign_on().is_administrator(id)).unwrap());
        assert_eq!(are.collect::<Vec<_>>(), [false, true, true, false]);
    });
}
