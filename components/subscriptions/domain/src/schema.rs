//! The tables of subscriptions.
//!
//! # Why the status is what the history says
//! Neither the status of a subscription nor a subscriber's count is ever written by a statement of ours: a trigger
//! writes them, as a part of the statement that adds the line to the history. So they are there together or not at
//! all, without a transaction.
//!
//! # Why a notification is applied once
//! Its correlation id is unique among the notifications that were applied, also those that changed nothing (a second
//! cancel): applied again after a restart, such a one would change something.
//!
//! # Order of the steps
//! SQLite applies them one by one, and another instance may already use the tables there are. `subscribers` comes
//! last: nothing can be bought while it is missing, so nothing is ever written before the triggers are there.

use octo_core::sql::{Schema, Step};

/// Subscriptions, their history, and the subscribers.
pub const SCHEMA: Schema = Schema { name: "subscriptions", versions: &[FIRST, ENDS, QUEUES, PUBLIC_EVENTS] };

/// What the outside hears of subscriptions.
const PUBLIC_EVENTS: &[Step] = &[Step::Trigger {
    name: "subscription_notification_published",
    event: "AFTER INSERT ON subscription_notifications",
    when: Some("NEW.changed = 1"),
    body: "INSERT INTO jobs (queue, kind, args, correlation_id, visible_at, created_at)
        SELECT consumer.queue, 'public-event/1',
            '{\"type\":\"subscription.changed\",\"at\":' || NEW.created_at || ',\"data\":{\"subscription\":'
                || s.id || ',\"account_id\":' || s.user_id || ',\"status\":\"'
                || CASE NEW.type WHEN 'SUBSCRIPTION_CANCELED' THEN 'canceled' ELSE 'active' END || '\"}}',
            'subscription.changed/' || NEW.id, NEW.created_at, NEW.created_at
        FROM public_event_consumers consumer JOIN subscriptions s ON s.id = NEW.subscription_id;",
}];

/// Jobs that wait in queues as they were named before.
const QUEUES: &[Step] = &[Step::Both(
    "UPDATE jobs SET queue = 'subscriptions/' || LOWER(queue) WHERE queue IN ('PURCHASED', 'CANCELED', 'RESTARTED')",
)];

/// The ends of accounts, and how much a user may change in a day.
const ENDS: &[Step] = &[
    // When the account was deleted. Setting it ends what is active, with a line in the history, in the same statement.
    Step::Column { table: "subscribers", name: "ended_at", definition: "BIGINT" },
    Step::Trigger {
        name: "subscriber_ended",
        event: "AFTER UPDATE OF ended_at ON subscribers",
        when: Some("OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL"),
        body: "INSERT INTO subscription_notifications
                (correlation_id, subscription_id, type, changed, updated_at, created_at)
            SELECT 'account-deleted/' || NEW.user_id || '/' || id, id, 'SUBSCRIPTION_CANCELED', 1,
                NEW.ended_at, NEW.ended_at
            FROM subscriptions WHERE user_id = NEW.user_id AND status = 'ACTIVE';",
    },
    // To be forgotten one day: deleted accounts that never had a subscription, and notifications that changed nothing.
    Step::Both(
        "CREATE INDEX IF NOT EXISTS subscribers_ended ON subscribers (ended_at)
            WHERE ended_at IS NOT NULL AND version = 0",
    ),
    Step::Both(
        "CREATE INDEX IF NOT EXISTS subscription_notifications_without_change
            ON subscription_notifications (created_at) WHERE changed = 0",
    ),
    // The day (since the epoch) on which the user last asked for a change, and how often on it. They come last: no user
    // is ended while they are missing, so none is without the trigger.
    Step::Column { table: "subscribers", name: "changes_on", definition: "BIGINT NOT NULL DEFAULT 0" },
    Step::Column { table: "subscribers", name: "changes", definition: "BIGINT NOT NULL DEFAULT 0" },
];

const FIRST: &[Step] = &[
    // `purchase`: the correlation id of the notification that it was bought by.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS subscriptions (
            id {id},
            user_id BIGINT NOT NULL,
            purchase {text} NOT NULL UNIQUE,
            status TEXT NOT NULL,
            created_at BIGINT NOT NULL,
            updated_at BIGINT
        )",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS subscriptions_by_user ON subscriptions (user_id, id)"),
    // Every notification that was applied; the history is those that changed something. `updated_at`: the
    // subscription's after it.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS subscription_notifications (
            id {id},
            correlation_id {text} NOT NULL UNIQUE,
            subscription_id BIGINT NOT NULL,
            type TEXT NOT NULL,
            changed BIGINT NOT NULL,
            updated_at BIGINT,
            created_at BIGINT NOT NULL
        )",
    ),
    Step::Both(
        "CREATE INDEX IF NOT EXISTS subscription_notifications_by_subscription
            ON subscription_notifications (subscription_id, id)",
    ),
    Step::Trigger {
        name: "subscription_notification_applied",
        event: "AFTER INSERT ON subscription_notifications",
        when: Some("NEW.changed = 1"),
        body: "UPDATE subscriptions SET updated_at = NEW.updated_at,
                status = CASE NEW.type WHEN 'SUBSCRIPTION_CANCELED' THEN 'CANCELED' ELSE 'ACTIVE' END
                WHERE id = NEW.subscription_id;
            UPDATE subscribers SET version = version + 1,
                active = active + CASE NEW.type WHEN 'SUBSCRIPTION_CANCELED' THEN -1 ELSE 1 END
                WHERE user_id = (SELECT user_id FROM subscriptions WHERE id = NEW.subscription_id);",
    },
    Step::Trigger {
        name: "subscription_purchased",
        event: "AFTER INSERT ON subscriptions",
        when: None,
        body: "INSERT INTO subscription_notifications
                (correlation_id, subscription_id, type, changed, updated_at, created_at)
            VALUES (NEW.purchase, NEW.id, 'SUBSCRIPTION_PURCHASED', 1, NULL, NEW.created_at);",
    },
    // `active`: how many of the user's subscriptions are. `version` counts their changes.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS subscribers (
            user_id BIGINT PRIMARY KEY,
            full_name TEXT NOT NULL,
            active BIGINT NOT NULL,
            version BIGINT NOT NULL
        )",
    ),
];
