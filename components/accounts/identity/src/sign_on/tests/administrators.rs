//! There is always an active administrator once there was one.

use std::{sync::Barrier, thread};

use super::*;
use crate::accounts::{Accounts, NotChanged};

fn role(role: Role) -> Change {
    Change { role: Some(role), ..Change::default() }
}

fn active(active: bool) -> Change {
    Change { active: Some(active), ..Change::default() }
}

#[test]
fn the_last_active_administrator_stays_one() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let [ada, bob] = ["ada@example.com", "bob@example.com"].map(|name| scene.register(name).unwrap().id);
        scene.make_first_administrator("ada@example.com").unwrap();
        let tokens = scene.log_in("ada@example.com", "correct horse").unwrap();
        let refuses_all = || {
            for change in [
                active(false),
                role(Role::User),
                role(Role::Service),
                Change { active: Some(false), ..role(Role::Admin) },
                Change { active: Some(true), ..role(Role::User) },
            ] {
                assert!(matches!(scene.change(ada, change), Err(Refusal::LastAdministrator)));
            }
            assert!(matches!(ready(scene.sign_on().delete(ada)), Err(Refusal::LastAdministrator)));
            assert!(matches!(ready(scene.sign_on().delete_as(ada, ada)), Err(Refusal::LastAdministrator)));
            assert_eq!(scene.record(&tokens.access).unwrap().1.role, Role::Admin);
        };
        refuses_all();
        // One who cannot log in is no other.
        scene.change(bob, role(Role::Admin)).unwrap();
        scene.change(bob, active(false)).unwrap();
        refuses_all();
        // What takes nothing from anybody is let be.
        scene.change(ada, role(Role::Admin)).unwrap();
        scene.change(bob, role(Role::User)).unwrap();
        assert!(matches!(scene.change(99, active(false)), Err(Refusal::NoSuchAccount)));
        assert!(!ready(scene.sign_on().delete(99)).unwrap());

        scene.change(bob, Change { active: Some(true), ..role(Role::Admin) }).unwrap();
        scene.change(ada, active(false)).unwrap();
        assert!(matches!(scene.change(bob, active(false)), Err(Refusal::LastAdministrator)));
        assert!(ready(scene.sign_on().delete(ada)).unwrap());
    });
}

#[test]
fn where_all_administrators_are_inactive_the_secret_makes_one() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        ["ada@example.com", "bob@example.com"]
            .into_iter()
            .for_each(|name| drop(scene.register(name).unwrap()));
        scene.make_first_administrator("ada@example.com").unwrap();
        // An earlier version let the last one go.
        scene.rows("UPDATE accounts SET active = 0 WHERE email = 'ada@example.com'");
        assert!(matches!(
            scene.make_first_administrator("ada@example.com"),
            Err(Refusal::NoFirstAdministrator)
        ));
        assert_eq!(scene.make_first_administrator("bob@example.com").unwrap().grants.role, Role::Admin);
        assert!(matches!(
            scene.make_first_administrator("bob@example.com"),
            Err(Refusal::NoFirstAdministrator)
        ));
    });
}

/// Two administrators act at once, each on a connection of its own, over and over.
fn at_once(
    shared: &Shared,
    scene: &Scene,
    act: impl Fn(&Accounts<'_, Database>, i64, i64) -> Result<(), NotChanged> + Sync,
) {
    scene.upkeep();
    for round in 0..25 {
        let pair = ["a", "b"].map(|name| {
            let known = scene.count("accounts");
            let account = scene.register(&format!("{name}{known}-{round}@example.com")).unwrap();
            scene.rows(&format!("UPDATE accounts SET role = 'admin' WHERE id = {}", account.id));
            account.id
        });
        let start = Barrier::new(2);
        let done: usize = thread::scope(|scope| {
            let threads = [(pair[0], pair[1]), (pair[1], pair[0])].map(|(own, other)| {
                let (start, act) = (&start, &act);
                scope.spawn(move || {
                    let sql = shared.connect();
                    let accounts = Accounts::new(&sql, Rules::Modern);
                    start.wait();
                    loop {
                        match act(&accounts, own, other) {
                            Ok(()) => return 1,
                            Err(NotChanged::LastAdministrator | NotChanged::NoSuchAccount) => return 0,
                            // Two that stood in each other's way try again.
                            Err(NotChanged::Sql(octo_core::SqlError::Busy)) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                })
            });
            threads.map(|thread| thread.join().unwrap()).into_iter().sum()
        });
        let left = scene.rows("SELECT id FROM accounts WHERE role = 'admin' AND active = 1");
        assert_eq!((done, left.len()), (1, 1), "round {round}");
        scene.rows("UPDATE accounts SET role = 'user' WHERE role = 'admin'");
    }
}

#[test]
fn of_two_administrators_who_end_each_other_at_once_one_stays() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        at_once(shared, &scene, |accounts, _, other| {
            ready(accounts.change(other, &role(Role::User), None, false)).map(drop)
        });
        at_once(shared, &scene, |accounts, _, other| {
            ready(accounts.change(other, &active(false), None, false)).map(drop)
        });
    });
}

#[test]
fn of_two_administrators_who_leave_at_once_one_stays() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        at_once(shared, &scene, |accounts, own, _| ready(accounts.delete(own, UnixMillis(1))));
    });
    on_both(|shared| {
        let scene = Scene::new(shared);
        // One deletes the other, who deactivates the first.
        at_once(shared, &scene, |accounts, own, other| {
            if own < other {
                ready(accounts.delete(other, UnixMillis(1)))
            } else {
                ready(accounts.change(other, &active(false), None, false)).map(drop)
            }
        });
    });
}
