//! A database with a ledger, and what the tests ask it.

use std::time::Duration;

use octo_account_events::AccountRegistered;
use octo_core::{
    Sql, UnixMillis,
    sql::{FromRow, Migrated},
    testing::ready,
};
use octo_databases::{Database, Shared};

use crate::{
    Account, Config, Kind, Ledger, NewTransfer, Posted, Refusal, Standing, TABLES, Transfer, check,
    ledger::Key,
    members::{self, Member},
    schema::NEVER,
};

pub(super) const START: UnixMillis = UnixMillis(1_800_000_000_000);

pub(super) fn day(number: u64) -> UnixMillis {
    START + Duration::from_secs(number * 24 * 3600)
}

pub(super) fn config() -> Config {
    Config {
        registration_points: 100,
        valid_days: None,
        purchase_points: 1,
        purchase_amount: octo_core::Hundredths(10_000),
        daily_operations: i64::MAX,
    }
}

pub(super) fn uuid(account: i64) -> String {
    format!("01937d7e-0000-7000-8000-{account:012}")
}

pub(super) fn registered(account: i64) -> AccountRegistered {
    AccountRegistered { account_id: account, uuid: uuid(account), registered_at: START.0 }
}

/// A key with which `fingerprint` is asked for.
pub(super) fn key<'a>(key: &'a str, fingerprint: &'a str) -> Option<Key<'a>> {
    Some(Key { key, fingerprint })
}

/// An instance's own connection.
pub(super) struct Scene(pub(super) Database);

impl Scene {
    pub(super) fn on(shared: &Shared) -> Self {
        let scene = Self(shared.connect());
        ready(scene.sql().apply()).unwrap();
        scene
    }

    pub(super) fn sql(&self) -> Migrated<'_, Database> {
        Migrated::new(&self.0, TABLES)
    }

    pub(super) fn ledger<T>(&self, act: impl AsyncFnOnce(&Ledger<'_, Migrated<'_, Database>>) -> T) -> T {
        let sql = self.sql();
        ready(act(&Ledger::new(&sql, i64::MAX)))
    }

    /// A member with so many points that never end, given as one lot.
    pub(super) fn member(&self, account: i64, points: i64) -> Member {
        ready(members::open(&self.sql(), &registered(account), points, NEVER, START)).unwrap();
        ready(members::by_id(&self.sql(), account)).unwrap().unwrap()
    }

    pub(super) fn award(&self, account: i64, points: i64, ends_at: i64, now: UnixMillis) -> Transfer {
        let new = NewTransfer::given(Kind::Award, Account::Issued, account, points, ends_at);
        self.ledger(async |ledger| ledger.transfer(&new, None, now).await).unwrap().transfer
    }

    pub(super) fn redeem(&self, account: i64, points: i64, now: UnixMillis) -> Result<Transfer, Refusal> {
        self.redeem_by(account, points, None, now).map(|posted| posted.transfer)
    }

    pub(super) fn redeem_by(
        &self,
        account: i64,
        points: i64,
        key: Option<Key<'_>>,
        now: UnixMillis,
    ) -> Result<Posted, Refusal> {
        let new =
            NewTransfer::taken(Kind::Redemption, Account::Redeemed, account, points).by(account, "a cup");
        self.ledger(async |ledger| ledger.transfer(&new, key, now).await)
    }

    /// Points set aside until `ends_at`.
    pub(super) fn hold(&self, new: &NewTransfer<'_>, ends_at: UnixMillis, now: UnixMillis) -> Posted {
        let new = NewTransfer { ends_at: ends_at.0, ..new.clone() };
        self.ledger(async |ledger| ledger.transfer(&new, None, now).await).unwrap()
    }

    pub(super) fn standing(&self, account: i64, now: UnixMillis) -> Standing {
        let sql = self.sql();
        let member = ready(members::by_id(&sql, account)).unwrap().unwrap();
        ready(members::standing(&sql, &member, now)).unwrap()
    }

    pub(super) fn balance(&self, account: i64, now: UnixMillis) -> i64 {
        self.standing(account, now).balance
    }

    pub(super) fn rows<R: FromRow>(&self, statement: &str) -> Vec<R> {
        ready(self.0.fetch(statement, &[])).unwrap()
    }

    /// What is left of each lot, in the order in which they were made.
    pub(super) fn lots(&self) -> Vec<i64> {
        let rows: Vec<(i64,)> = self.rows("SELECT remaining FROM points_lots ORDER BY id");
        rows.into_iter().map(|(remaining,)| remaining).collect()
    }

    /// Fails unless the ledger balances in every way.
    pub(super) fn expect_balanced(&self) {
        let findings = ready(check::ledger(&self.sql())).unwrap();
        assert!(findings.balances(), "{findings:?}");
    }
}

/// So many points are missing.
#[track_caller]
pub(super) fn expect_missing<T: std::fmt::Debug>(result: Result<T, Refusal>, points: i64) {
    match result {
        Err(Refusal::Missing(missing)) => assert_eq!(missing, points),
        other => panic!("{other:?}"),
    }
}
