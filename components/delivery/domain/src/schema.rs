//! The tables of delivery.
//!
//! # Why a parcel is priced once
//! A price is a row of `parcel_prices`, of which there is one for a parcel. The parcel's state, the sum of the day and the
//! line in the history are written by that row's trigger, as a part of the statement that adds it: they are there together
//! or not at all, however often the job is delivered.
//!
//! # Why a parcel is never left without its job
//! The job is written by the trigger of the parcel's own row. A parcel has failed when the row of its job says that it was
//! given up, also by an instance that found it so; again the same statement.
//!
//! # Order of the steps
//! SQLite applies them one by one, and another instance may already use the tables there are. The types come last: no
//! parcel can be registered while they are missing.

use octo_core::sql::{Schema, Step};

/// What delivery keeps in the database.
pub const TABLES: &[&Schema] = &[&octo_jobs::SCHEMA, &SCHEMA];

const SCHEMA: Schema = Schema { name: "delivery", versions: &[FIRST, PUBLIC_EVENTS] };

/// What the outside hears of parcels.
const PUBLIC_EVENTS: &[Step] = &[Step::Trigger {
    name: "parcel_price_published",
    event: "AFTER INSERT ON parcel_prices",
    when: None,
    body: "INSERT INTO jobs (queue, kind, args, correlation_id, visible_at, created_at)
        SELECT consumer.queue, 'public-event/1',
            '{\"type\":\"parcel.priced\",\"at\":' || NEW.priced_at || ',\"data\":{\"parcel\":' || NEW.parcel_id
                || ',\"cost_minor\":' || NEW.cost || ',\"currency\":\"RUB\"}}',
            'parcel.priced/' || NEW.parcel_id, NEW.priced_at, NEW.priced_at
        FROM public_event_consumers consumer;",
}];

const FIRST: &[Step] = &[
    // `owner`: an account or a session (`Owner::key`). `request`: the idempotency key it was registered with, and
    // `fingerprint` what with it. `weight` in hundredths of a kilogram, `value` in cents, `cost` in kopecks.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS parcels (
            id {id},
            status_uuid {text} NOT NULL UNIQUE,
            owner {text} NOT NULL,
            name TEXT NOT NULL,
            weight BIGINT NOT NULL CHECK (weight > 0),
            value BIGINT NOT NULL CHECK (value > 0),
            type_id BIGINT NOT NULL,
            state TEXT NOT NULL,
            cost BIGINT,
            error TEXT,
            carrier BIGINT,
            carrier_at BIGINT,
            request {text} UNIQUE,
            fingerprint TEXT,
            created_at BIGINT NOT NULL,
            changed_at BIGINT NOT NULL
        )",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS parcels_by_owner ON parcels (owner, id)"),
    Step::Both("CREATE INDEX IF NOT EXISTS parcels_by_carrier ON parcels (carrier, id) WHERE carrier IS NOT NULL"),
    Step::Both("CREATE INDEX IF NOT EXISTS parcels_failed ON parcels (id) WHERE state = 'failed'"),
    Step::Both("CREATE INDEX IF NOT EXISTS parcels_pending ON parcels (created_at) WHERE state = 'pending'"),
    Step::Both(
        "CREATE TABLE IF NOT EXISTS parcel_events (
            id {id},
            parcel_id BIGINT NOT NULL,
            event TEXT NOT NULL,
            detail TEXT,
            at BIGINT NOT NULL
        )",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS parcel_events_by_parcel ON parcel_events (parcel_id, id)"),
    // The log of prices. Rows are only added.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS parcel_prices (
            id {id},
            parcel_id BIGINT NOT NULL UNIQUE,
            day BIGINT NOT NULL,
            type_id BIGINT NOT NULL,
            weight BIGINT NOT NULL,
            value BIGINT NOT NULL,
            cost BIGINT NOT NULL CHECK (cost > 0),
            rate TEXT NOT NULL,
            nominal BIGINT NOT NULL,
            rate_day BIGINT NOT NULL,
            source TEXT NOT NULL,
            priced_at BIGINT NOT NULL
        )",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS parcel_prices_by_day ON parcel_prices (day, id)"),
    Step::Both(
        "CREATE TABLE IF NOT EXISTS parcel_sums (
            day BIGINT NOT NULL,
            type_id BIGINT NOT NULL,
            number BIGINT NOT NULL,
            total BIGINT NOT NULL,
            PRIMARY KEY (day, type_id)
        )",
    ),
    // The newest good rate, and how the source does. `fetching_until`: somebody is asking it; `retry_at`: it failed, and is
    // not asked again before.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS parcel_rates (
            currency {text} PRIMARY KEY,
            value TEXT,
            nominal BIGINT,
            day BIGINT,
            source TEXT,
            fetched_at BIGINT NOT NULL DEFAULT 0,
            fetching_until BIGINT NOT NULL DEFAULT 0,
            retry_at BIGINT NOT NULL DEFAULT 0,
            failures BIGINT NOT NULL DEFAULT 0,
            error TEXT
        )",
    ),
    Step::Both("INSERT INTO parcel_rates (currency) VALUES ('USD') ON CONFLICT DO NOTHING"),
    Step::Trigger {
        name: "parcel_registered",
        event: "AFTER INSERT ON parcels",
        when: None,
        body: "INSERT INTO parcel_events (parcel_id, event, at) VALUES (NEW.id, 'registered', NEW.created_at);
            INSERT INTO jobs (queue, kind, args, max_attempts, visible_at, created_at)
            VALUES ('delivery/prices', 'price-parcel/1', '{\"parcel_id\":' || NEW.id || '}', 10, NEW.created_at,
                NEW.created_at);",
    },
    Step::Trigger {
        name: "parcel_changed",
        event: "AFTER UPDATE OF state ON parcels",
        when: Some("OLD.state <> NEW.state"),
        body: "INSERT INTO parcel_events (parcel_id, event, detail, at)
            VALUES (NEW.id, NEW.state, NEW.error, NEW.changed_at);
            INSERT INTO jobs (queue, kind, args, max_attempts, visible_at, created_at)
            SELECT 'delivery/prices', 'price-parcel/1', '{\"parcel_id\":' || NEW.id || '}', 10, NEW.changed_at,
                NEW.changed_at WHERE NEW.state = 'pending';",
    },
    Step::Trigger {
        name: "parcel_carried",
        event: "AFTER UPDATE OF carrier ON parcels",
        when: Some("OLD.carrier IS NULL AND NEW.carrier IS NOT NULL"),
        body: "INSERT INTO parcel_events (parcel_id, event, detail, at)
            VALUES (NEW.id, 'carrier', CAST(NEW.carrier AS TEXT), NEW.carrier_at);",
    },
    Step::Trigger {
        name: "parcel_priced",
        event: "AFTER INSERT ON parcel_prices",
        when: None,
        body: "UPDATE parcels SET state = 'priced', cost = NEW.cost, error = NULL, changed_at = NEW.priced_at
            WHERE id = NEW.parcel_id;
            INSERT INTO parcel_sums (day, type_id, number, total) VALUES (NEW.day, NEW.type_id, 1, NEW.cost)
            ON CONFLICT (day, type_id) DO UPDATE
            SET number = parcel_sums.number + 1, total = parcel_sums.total + excluded.total;",
    },
    Step::Sqlite(
        "CREATE TRIGGER IF NOT EXISTS parcel_given_up AFTER UPDATE OF state ON jobs
            WHEN NEW.state = 'discarded' AND NEW.kind = 'price-parcel/1'
        BEGIN
            UPDATE parcels SET state = 'failed', error = NEW.error, changed_at = NEW.finalized_at
            WHERE id = CAST(NEW.args ->> 'parcel_id' AS BIGINT) AND state = 'pending';
        END",
    ),
    Step::Postgres(
        "CREATE FUNCTION parcel_given_up() RETURNS trigger LANGUAGE plpgsql AS $body$
        BEGIN
            UPDATE parcels SET state = 'failed', error = NEW.error, changed_at = NEW.finalized_at
            WHERE id = CAST(CAST(NEW.args AS JSONB) ->> 'parcel_id' AS BIGINT) AND state = 'pending';
            RETURN NULL;
        END $body$",
    ),
    Step::Postgres(
        "CREATE TRIGGER parcel_given_up AFTER UPDATE OF state ON jobs
            FOR EACH ROW WHEN (NEW.state = 'discarded' AND NEW.kind = 'price-parcel/1')
            EXECUTE FUNCTION parcel_given_up()",
    ),
    Step::Both(
        "CREATE TABLE IF NOT EXISTS parcel_quotas (
            client {text} PRIMARY KEY,
            day BIGINT NOT NULL,
            number BIGINT NOT NULL
        )",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS parcel_quotas_by_day ON parcel_quotas (day)"),
    Step::Both("CREATE TABLE IF NOT EXISTS parcel_types (id BIGINT PRIMARY KEY, name {text} NOT NULL UNIQUE)"),
    // In one statement, and by number: a type that was renamed keeps its new name.
    Step::Both(
        "INSERT INTO parcel_types (id, name) VALUES (1, 'Одежда'), (2, 'Электроника'), (3, 'Разное')
        ON CONFLICT DO NOTHING",
    ),
];
