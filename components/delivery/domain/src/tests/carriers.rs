//! A parcel has one carrier for ever.

use std::thread;

use octo_core::{SqlError, testing::ready};
use octo_databases::on_both;

use super::scene::{START, Scene, check, owner};
use crate::{Parcels, Refusal};

#[test]
fn of_a_hundred_companies_the_first_that_asks_gets_it() {
    const COMPANIES: i64 = 100;
    on_both(|shared| {
        let scene = Scene::new(shared);
        let id = scene.register("u1", None).parcel.id;
        let asked: Vec<(i64, i64)> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    scope.spawn(move || {
                        let scene = Scene::new(shared);
                        let sql = scene.sql();
                        let ask = |company: i64| loop {
                            match ready(Parcels::new(&sql).bind_carrier(id, company, START)) {
                                Ok(parcel) => return (company, parcel.carrier.unwrap()),
                                Err(Refusal::Carried(winner)) => return (company, winner),
                                Err(Refusal::Sql(SqlError::Busy)) => {}
                                Err(error) => panic!("{error}"),
                            }
                        };
                        (1..=COMPANIES).filter(|company| company % 4 == thread).map(ask).collect::<Vec<_>>()
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let winner = scene.parcel(id).carrier.unwrap();
        assert_eq!(asked.len() as i64, COMPANIES);
        assert!(asked.iter().all(|(_, told)| *told == winner), "{asked:?}");
        let sql = scene.sql();
        let again = ready(Parcels::new(&sql).bind_carrier(id, winner, START + octo_jobs::LEASE)).unwrap();
        assert_eq!(again.carrier_at, Some(START), "the first response, again");
        scene.drain_all();
        assert_eq!(scene.parcel(id).carrier, Some(winner), "no later step changes it");
        assert!(matches!(
            ready(Parcels::new(&sql).cancel(Some(&owner()), id, START)),
            Err(Refusal::Carried(_))
        ));
        assert_eq!(
            scene.rows::<(i64,)>("SELECT COUNT(*) FROM parcel_events WHERE event = 'carrier'"),
            [(1,)]
        );
        check(&scene);
    });
}
