//! The tables of loyalty, and the statement that posts a transfer.
//!
//! # Why the ledger balances
//! A row of `points_transfers` is both entries: its points leave `source` and reach `target`. Its trigger adds them to the
//! kept balances (`points_members` for `member` and `held`, `points_totals` for the others) as a part of the same statement.
//!
//! # Why no member falls below zero
//! What a member has is in lots. A transfer from a member names the parts of lots that it takes, found under the lock of the
//! member's row: SQLite has one writer at a time, and on Postgres [`POST`] is a function that locks the row first, so that
//! what its statement reads is as the transfer before left it. When the parts do not suffice, the transfer is refused. The
//! checks `remaining >= 0` and `balance >= 0` would fail the statement if this were ever wrong.
//!
//! # Why a transfer happens once
//! `request` is unique. A refusal is kept under it too, as a row whose `missing` is not 0: it is no part of the ledger, and
//! lets a repeat be refused alike, whatever the member was given meanwhile.
//!
//! # Why nobody waits in a circle on Postgres
//! A transfer locks its member's row first, and one more row, of the totals: one end of each transfer is a member's.
//! There are [`SHARDS`] rows for each total, so that members rarely wait for one another.

use octo_core::sql::{Dialect, Schema, Step};

/// What loyalty keeps in the database.
pub const TABLES: &[&Schema] = &[&octo_jobs::SCHEMA, &SCHEMA];

/// Rows that a total is spread over.
pub const SHARDS: i64 = 16;

/// When a lot without an end ends: never.
pub const NEVER: i64 = i64::MAX;

/// The most points that a member may have: far from where 64 bits end.
pub const MOST: i64 = 1_000_000_000_000_000;

/// Posts a transfer. `$1` request, `$2` fingerprint, `$3` member, `$4` kind, `$5` source, `$6` target, `$7` points, `$8` the
/// transfer it refers to, `$9` the only lot it may take from, `$10` the transfer whose lots it gives back to, `$11` the end
/// of what it makes, `$12` comment, `$13` actor, `$14` now, `$15` whether a refusal is kept, `$16` most operations of a
/// member in a day, `$17` whether it may be posted while the member has lots that have ended and are not written down.
///
/// `walk` goes through the member's lots, by end and number, until there are enough points or no more lots. It looks each up
/// in the index, so its cost is that of the lots which it takes.
///
/// It returns a row when a transfer was posted or a refusal kept (then `posted_missing` is what was missing). It returns
/// none when the request was known, there is no such member, there were too many operations, ended lots must be written down
/// first, or points were missing and the refusal is not kept.
macro_rules! post {
    ($join_text:literal) => {
        concat!(
            "INSERT INTO points_transfers (request, fingerprint, member_id, kind, source, target, points, refers,
                lot_id, returns, ends_at, comment, actor, at, missing, taken, balance)
            WITH RECURSIVE walk (lot, ends_at, part, missing) AS (
                SELECT COALESCE($9 - 1, 9223372036854775807),
                    COALESCE((SELECT ends_at FROM points_lots WHERE id = $9), $14),
                    CAST(0 AS BIGINT), CASE WHEN $5 = 'member' THEN $7 ELSE 0 END
                UNION ALL
                SELECT l.id, l.ends_at, CASE WHEN l.remaining < w.missing THEN l.remaining ELSE w.missing END,
                    w.missing - CASE WHEN l.remaining < w.missing THEN l.remaining ELSE w.missing END
                FROM walk w JOIN points_lots l ON l.id = (
                    SELECT n.id FROM points_lots n
                    WHERE n.member_id = $3 AND n.remaining > 0 AND (n.ends_at, n.id) > (w.ends_at, w.lot)
                        AND ($9 IS NULL OR n.id = $9)
                    ORDER BY n.ends_at, n.id LIMIT 1)
                WHERE w.missing > 0
            )
            SELECT $1, $2, m.id, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, t.missing, t.taken,
                m.balance + CASE WHEN t.missing > 0 THEN 0 WHEN $6 = 'member' THEN $7 WHEN $5 = 'member' THEN -$7
                    ELSE 0 END
            FROM points_members m CROSS JOIN (
                SELECT MIN(missing) AS missing, '[' || COALESCE(",
            $join_text,
            "(CASE WHEN part > 0 THEN '{\"lot\":' || lot || ',\"points\":' || part || '}' END, ','), '') || ']' AS taken
                FROM walk) t
            WHERE m.id = $3 AND (m.closed_at IS NULL OR $4 IN ('forfeit', 'expiry')) AND (t.missing = 0 OR $15 = 1)
                AND (m.day < $14 / 86400000 OR m.operations < $16)
                AND ($17 = 1 OR NOT EXISTS (SELECT 1 FROM points_lots e
                    WHERE e.member_id = $3 AND e.remaining > 0 AND e.ends_at <= $14))
            ON CONFLICT (request) DO NOTHING
            RETURNING id AS posted_id, missing AS posted_missing, balance AS posted_balance"
        )
    };
}

/// The statement that posts a transfer.
pub(crate) fn post(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => post!("group_concat"),
        Dialect::Postgres => {
            "SELECT posted_id, posted_missing, posted_balance
            FROM points_post($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
        }
    }
}

const SCHEMA: Schema = Schema { name: "loyalty", versions: &[FIRST, PUBLIC_EVENTS] };

/// What the outside hears of points.
const PUBLIC_EVENTS: &[Step] = &[Step::Trigger {
    name: "points_transfer_published",
    event: "AFTER INSERT ON points_transfers",
    when: Some("NEW.missing = 0"),
    body: "INSERT INTO jobs (queue, kind, args, correlation_id, visible_at, created_at)
        SELECT consumer.queue, 'public-event/1',
            '{\"type\":\"points.changed\",\"at\":' || NEW.at || ',\"data\":{\"account_id\":' || NEW.member_id
                || ',\"transfer\":' || NEW.id || ',\"kind\":\"' || NEW.kind || '\",\"points\":' || NEW.points
                || ',\"balance\":' || NEW.balance || '}}',
            'points.changed/' || NEW.id, NEW.at, NEW.at
        FROM public_event_consumers consumer;",
}];

const FIRST: &[Step] = &[
    // The ends of the transfers that are no member's. `shard`: the member's number, modulo `SHARDS`.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS points_totals (
            account TEXT NOT NULL,
            shard BIGINT NOT NULL,
            balance BIGINT NOT NULL,
            PRIMARY KEY (account, shard)
        )",
    ),
    // `remaining`: what is left of the transfer `id`, which gave it.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS points_lots (
            id BIGINT PRIMARY KEY,
            member_id BIGINT NOT NULL,
            ends_at BIGINT NOT NULL,
            remaining BIGINT NOT NULL CHECK (remaining >= 0)
        )",
    ),
    Step::Both(
        "CREATE INDEX IF NOT EXISTS points_lots_to_spend ON points_lots (member_id, ends_at, id)
            WHERE remaining > 0",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS points_lots_by_end ON points_lots (ends_at, id) WHERE remaining > 0"),
    // The history of the lots: `change` is what a transfer added to a lot, or took from it.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS points_lot_changes (
            transfer_id BIGINT NOT NULL,
            lot_id BIGINT NOT NULL,
            change BIGINT NOT NULL,
            PRIMARY KEY (transfer_id, lot_id)
        )",
    ),
    Step::Trigger {
        name: "points_lot_changed",
        event: "AFTER INSERT ON points_lot_changes",
        when: None,
        body: "UPDATE points_lots SET remaining = remaining + NEW.change WHERE id = NEW.lot_id;",
    },
    // Points set aside. `settled_by`: the transfer that captured or released them.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS points_holds (
            id BIGINT PRIMARY KEY,
            member_id BIGINT NOT NULL,
            points BIGINT NOT NULL,
            ends_at BIGINT NOT NULL,
            settled_by BIGINT
        )",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS points_holds_open ON points_holds (ends_at, id) WHERE settled_by IS NULL"),
    Step::Both(
        "CREATE INDEX IF NOT EXISTS points_holds_of_member ON points_holds (member_id, id) WHERE settled_by IS NULL",
    ),
    // `fingerprint`: what was asked for with the key. `actor`: the account that did it, 0 for Octo itself. `missing`: 0, or
    // the points for lack of which it was refused. `taken`: the parts of lots, as JSON. `balance`: the member's afterwards.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS points_transfers (
            id {id},
            request {text} UNIQUE,
            fingerprint TEXT,
            member_id BIGINT NOT NULL,
            kind TEXT NOT NULL,
            source TEXT NOT NULL,
            target TEXT NOT NULL,
            points BIGINT NOT NULL CHECK (points > 0),
            refers BIGINT,
            lot_id BIGINT,
            returns BIGINT,
            ends_at BIGINT NOT NULL,
            comment TEXT NOT NULL,
            actor BIGINT NOT NULL,
            at BIGINT NOT NULL,
            missing BIGINT NOT NULL,
            taken TEXT NOT NULL,
            balance BIGINT NOT NULL
        )",
    ),
    Step::Both(
        "CREATE INDEX IF NOT EXISTS points_transfers_of_member ON points_transfers (member_id, id)",
    ),
    Step::Both(
        "CREATE INDEX IF NOT EXISTS points_transfers_by_time ON points_transfers (member_id, at, id)
            WHERE missing = 0",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS points_refusals_by_age ON points_transfers (at) WHERE missing > 0"),
    // Of the two ends at most one is no member's. What a member is given at once is a new lot; what goes back goes to the
    // lots it came from; what is taken is named in `taken`.
    Step::Trigger {
        name: "points_posted",
        event: "AFTER INSERT ON points_transfers",
        when: Some("NEW.missing = 0"),
        body: "INSERT INTO points_totals (account, shard, balance)
            SELECT CASE WHEN NEW.source IN ('member', 'held') THEN NEW.target ELSE NEW.source END, NEW.member_id % 16,
                CASE WHEN NEW.source IN ('member', 'held') THEN NEW.points ELSE -NEW.points END
            WHERE NOT (NEW.source IN ('member', 'held') AND NEW.target IN ('member', 'held'))
            ON CONFLICT (account, shard) DO UPDATE SET balance = points_totals.balance + excluded.balance;
            INSERT INTO points_lots (id, member_id, ends_at, remaining)
            SELECT NEW.id, NEW.member_id, NEW.ends_at, 0 WHERE NEW.target = 'member' AND NEW.returns IS NULL;
            INSERT INTO points_lot_changes (transfer_id, lot_id, change)
            SELECT NEW.id, NEW.id, NEW.points WHERE NEW.target = 'member' AND NEW.returns IS NULL
            UNION ALL SELECT NEW.id, lot_id, -change FROM points_lot_changes WHERE transfer_id = NEW.returns
            UNION ALL SELECT NEW.id, CAST(value ->> 'lot' AS BIGINT), -CAST(value ->> 'points' AS BIGINT)
            FROM {elements}(CAST(NEW.taken AS {json}));",
    },
    Step::Trigger {
        name: "points_held",
        event: "AFTER INSERT ON points_transfers",
        when: Some("NEW.missing = 0 AND (NEW.source = 'held' OR NEW.target = 'held')"),
        body: "INSERT INTO points_holds (id, member_id, points, ends_at)
            SELECT NEW.id, NEW.member_id, NEW.points, NEW.ends_at WHERE NEW.kind = 'hold';
            UPDATE points_holds SET settled_by = NEW.id
            WHERE id = NEW.refers AND NEW.source = 'held' AND settled_by IS NULL;",
    },
    // A member's own operations are counted, those that were refused too.
    Step::Trigger {
        name: "points_counted",
        event: "AFTER INSERT ON points_transfers",
        when: Some("NEW.missing = 0 OR NEW.actor = NEW.member_id"),
        body: "UPDATE points_members SET
                balance = balance + CASE WHEN NEW.missing > 0 THEN 0 WHEN NEW.target = 'member' THEN NEW.points
                    WHEN NEW.source = 'member' THEN -NEW.points ELSE 0 END,
                held = held + CASE WHEN NEW.missing > 0 THEN 0 WHEN NEW.target = 'held' THEN NEW.points
                    WHEN NEW.source = 'held' THEN -NEW.points ELSE 0 END,
                operations = CASE WHEN NEW.actor <> id THEN operations
                    WHEN day < NEW.at / 86400000 THEN 1 ELSE operations + 1 END,
                day = CASE WHEN NEW.actor = id AND day < NEW.at / 86400000 THEN NEW.at / 86400000 ELSE day END
            WHERE id = NEW.member_id;",
    },
    // `uuid`: what the account is called outside. `bonus`: the points for registering. `operations`: what the member did on
    // the day `day` (in UTC).
    Step::Both(
        "CREATE TABLE IF NOT EXISTS points_members (
            id BIGINT PRIMARY KEY,
            uuid {text} NOT NULL UNIQUE,
            balance BIGINT NOT NULL DEFAULT 0 CHECK (balance BETWEEN 0 AND 1000000000000000),
            held BIGINT NOT NULL DEFAULT 0 CHECK (held >= 0),
            bonus BIGINT NOT NULL,
            bonus_ends_at BIGINT NOT NULL,
            day BIGINT NOT NULL DEFAULT 0,
            operations BIGINT NOT NULL DEFAULT 0,
            opened_at BIGINT NOT NULL,
            closed_at BIGINT
        )",
    ),
    Step::Postgres(concat!(
        "CREATE FUNCTION points_post(TEXT, TEXT, BIGINT, TEXT, TEXT, TEXT, BIGINT, BIGINT, BIGINT, BIGINT, BIGINT, TEXT,
            BIGINT, BIGINT, BIGINT, BIGINT, BIGINT)
        RETURNS TABLE (posted_id BIGINT, posted_missing BIGINT, posted_balance BIGINT) LANGUAGE plpgsql AS $body$
        BEGIN
            PERFORM 1 FROM points_members WHERE points_members.id = $3 FOR UPDATE;
            RETURN QUERY ",
        post!("string_agg"),
        ";
        END $body$"
    )),
    // The member and the bonus are one statement. Last: an account is opened only when everything is there.
    Step::Trigger {
        name: "points_member_opened",
        event: "AFTER INSERT ON points_members",
        when: Some("NEW.bonus > 0 AND NEW.closed_at IS NULL"),
        body: "INSERT INTO points_transfers (request, member_id, kind, source, target, points, ends_at, comment, actor,
                at, missing, taken, balance)
            VALUES ('registration/' || NEW.id, NEW.id, 'registration', 'issued', 'member', NEW.bonus,
                NEW.bonus_ends_at, 'registration', 0, NEW.opened_at, 0, '[]', NEW.bonus);",
    },
];
