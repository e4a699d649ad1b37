//! The tables of sign-on.

use octo_core::sql::{Schema, Step};

/// Accounts, sessions, keys, leases and the audit log.
pub const SCHEMA: Schema = Schema { name: "identity", versions: &[FIRST] };

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
