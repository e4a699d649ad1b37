//! The tables of sign-on.

use octo_core::sql::{Schema, Step};

/// Accounts, sessions, keys, leases and the audit log.
pub const SCHEMA: Schema = Schema { name: "identity", versions: &[FIRST] };

/// What came later: the ends of accounts, refresh tokens that leave no row each, and administrators by name. It uses the
/// tables of [`SCHEMA`] and of the jobs.
pub const ACCOUNTS: Schema = Schema {
    name: "identity-accounts",
    versions: &[ENDS_AND_FAMILIES, DELIVERY, REGISTRATIONS, PUBLIC_EVENTS, SHOP],
};

/// What the outside hears of accounts.
const PUBLIC_EVENTS: &[Step] = &[
    Step::Trigger {
        name: "account_registration_published",
        event: "AFTER INSERT ON accounts",
        when: None,
        body: "INSERT INTO jobs (queue, kind, args, correlation_id, visible_at, created_at)
            SELECT consumer.queue, 'public-event/1',
                '{\"type\":\"account.registered\",\"at\":' || NEW.created_at || ',\"data\":{\"account_id\":' || NEW.id
                    || ',\"uuid\":\"' || NEW.uuid || '\"}}',
                'account.registered/' || NEW.id, NEW.created_at, NEW.created_at
            FROM public_event_consumers consumer;",
    },
    Step::Trigger {
        name: "account_deletion_published",
        event: "AFTER INSERT ON account_deletions",
        when: None,
        body: "INSERT INTO jobs (queue, kind, args, correlation_id, visible_at, created_at)
            SELECT consumer.queue, 'public-event/1',
                '{\"type\":\"account.deleted\",\"at\":' || NEW.deleted_at || ',\"data\":{\"account_id\":'
                    || NEW.account_id || '}}',
                'account.deleted/' || NEW.account_id, NEW.deleted_at, NEW.deleted_at
            FROM public_event_consumers consumer;",
    },
];

const ENDS_AND_FAMILIES: &[Step] = &[
    // The refresh tokens of a session after its first one: `digest` is of what they have in common, `generation` the
    // newest that was given out, `rotated_at` when it was.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS refresh_families (
        digest TEXT PRIMARY KEY,
        session_id TEXT NOT NULL,
        generation BIGINT NOT NULL,
        rotated_at BIGINT NOT NULL
    )",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS refresh_families_by_session ON refresh_families (session_id)"),
    // Who was made administrator by his name only (`legacy_rules`) is kept apart from who was made one by somebody, from
    // whose hands alone the role `admin` comes. Accounts from before are known by the audit log.
    Step::Both(
        "UPDATE accounts SET role = 'legacy-admin'
        WHERE role = 'admin' AND founder IS NULL
            AND EXISTS (SELECT 1 FROM audit made WHERE made.subject_id = accounts.id
                AND made.actor_id = 0 AND made.act = 'change-account' AND made.detail = '{\"role\":\"admin\"}')
            AND NOT EXISTS (SELECT 1 FROM audit later WHERE later.subject_id = accounts.id
                AND later.actor_id > 0 AND later.act = 'change-account' AND later.detail LIKE '%\"role\"%')",
    ),
    // A row here ends an account: the trigger deletes it and tells every consumer, as a part of the same statement.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS account_deletions (
        account_id BIGINT PRIMARY KEY,
        deleted_at BIGINT NOT NULL
    )",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS account_deletions_by_age ON account_deletions (deleted_at)"),
    Step::Trigger {
        name: "account_deleted",
        event: "AFTER INSERT ON account_deletions",
        when: None,
        body: "DELETE FROM accounts WHERE id = NEW.account_id;
            INSERT INTO jobs (queue, kind, args, visible_at, created_at)
            SELECT consumer.queue, 'account-deleted/1',
                '{\"account_id\":' || NEW.account_id || ',\"deleted_at\":' || NEW.deleted_at || '}',
                NEW.deleted_at, NEW.deleted_at
            FROM account_event_consumers consumer;",
    },
    Step::Both("CREATE TABLE IF NOT EXISTS account_event_consumers (queue TEXT PRIMARY KEY)"),
    // In one statement, and last: an account is deleted only when a row of it is there.
    Step::Both(
        "INSERT INTO account_event_consumers (queue)
        VALUES ('auth/account-events'), ('subscriptions/account-events') ON CONFLICT DO NOTHING",
    ),
];

/// Delivery hears of the ends of accounts, too.
const DELIVERY: &[Step] = &[Step::Both(
    "INSERT INTO account_event_consumers (queue) VALUES ('delivery/account-events') ON CONFLICT DO NOTHING",
)];

/// The shop hears of the ends of accounts, too.
const SHOP: &[Step] = &[Step::Both(
    "INSERT INTO account_event_consumers (queue) VALUES ('shop/account-events') ON CONFLICT DO NOTHING",
)];

/// New accounts are told of, too, and loyalty hears of both. Accounts from before are told of once more or for the first
/// time: anyone who hears of an account twice does nothing.
const REGISTRATIONS: &[Step] = &[
    Step::Both("CREATE TABLE IF NOT EXISTS account_registered_consumers (queue TEXT PRIMARY KEY)"),
    Step::Both(
        "INSERT INTO account_registered_consumers (queue) VALUES ('loyalty/account-events') ON CONFLICT DO NOTHING",
    ),
    Step::Both(
        "INSERT INTO account_event_consumers (queue) VALUES ('loyalty/account-events') ON CONFLICT DO NOTHING",
    ),
    Step::Trigger {
        name: "account_registered",
        event: "AFTER INSERT ON accounts",
        when: None,
        body: "INSERT INTO jobs (queue, kind, args, visible_at, created_at)
            SELECT consumer.queue, 'account-registered/1',
                '{\"account_id\":' || NEW.id || ',\"uuid\":\"' || NEW.uuid || '\",\"registered_at\":'
                    || NEW.created_at || '}',
                NEW.created_at, NEW.created_at
            FROM account_registered_consumers consumer;",
    },
    Step::Both(
        "INSERT INTO jobs (queue, kind, args, unique_key, visible_at, created_at)
        SELECT 'loyalty/account-events', 'account-registered/1',
            '{\"account_id\":' || id || ',\"uuid\":\"' || uuid || '\",\"registered_at\":' || created_at || '}',
            'loyalty/account-registered/' || id, created_at, created_at
        FROM accounts WHERE id > 0 ON CONFLICT DO NOTHING",
    ),
];

const FIRST: &[Step] = &[
    // An account has an address, a user name, or both.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS accounts (
        id {id},
        uuid TEXT NOT NULL UNIQUE,
        email {text} UNIQUE,
        username {text} UNIQUE,
        full_name TEXT NOT NULL,
        phone TEXT NOT NULL,
        password_hash TEXT NOT NULL,
        role TEXT NOT NULL,
        paid_access BIGINT NOT NULL,
        subscribed BIGINT NOT NULL DEFAULT 0,
        subscription_version BIGINT NOT NULL DEFAULT 0,
        founder BIGINT UNIQUE,
        active BIGINT NOT NULL,
        verified BIGINT NOT NULL,
        created_at BIGINT NOT NULL
    )",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS accounts_by_role ON accounts (role)"),
    Step::Both(
        "CREATE TABLE IF NOT EXISTS sessions (
        id {text} PRIMARY KEY,
        account_id BIGINT NOT NULL,
        client TEXT NOT NULL,
        shape TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        ended_at BIGINT,
        token_digest TEXT NOT NULL,
        token_made_at BIGINT NOT NULL
    )",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS sessions_by_expiry ON sessions (expires_at)"),
    Step::Both("CREATE INDEX IF NOT EXISTS sessions_by_account ON sessions (account_id, id)"),
    Step::Both(
        "CREATE TABLE IF NOT EXISTS refresh_tokens (
        digest TEXT PRIMARY KEY,
        session_id TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        used_at BIGINT
    )",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS refresh_tokens_by_session ON refresh_tokens (session_id)"),
    Step::Both(
        "CREATE TABLE IF NOT EXISTS signing_keys (
        generation BIGINT PRIMARY KEY,
        secret {bytes} NOT NULL,
        made_at BIGINT NOT NULL
    )",
    ),
    Step::Both(
        "CREATE TABLE IF NOT EXISTS secrets (
        name TEXT PRIMARY KEY,
        value {bytes} NOT NULL
    )",
    ),
    // Leases on the work of hashing, and places to wait for one.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS hash_leases (
        slot BIGINT PRIMARY KEY,
        held_until BIGINT NOT NULL
    )",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS hash_leases_by_end ON hash_leases (held_until)"),
    Step::Both(
        "CREATE TABLE IF NOT EXISTS audit (
        id {id},
        at BIGINT NOT NULL,
        actor_id BIGINT NOT NULL,
        subject_id BIGINT NOT NULL,
        act TEXT NOT NULL,
        detail TEXT NOT NULL
    )",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS audit_by_subject ON audit (subject_id, id)"),
];
