//! The tables of the shop, and what follows from their rows.
//!
//! # Why an order is whole, or is not there
//! An order is one `INSERT` of a row that carries its lines as JSON. Its trigger claims the lines of the cart, writes the
//! order's lines from what it could claim and from products that still have the price, takes the stock, and counts. A line
//! of the cart that is gone or changed, a product that was withdrawn or has another price: each is a line too few, and the
//! check `shop_order_is_whole` fails the statement. Too little stock fails `shop_stock_suffices`. Then nothing of it is left.
//!
//! # Why nothing is ordered twice
//! A line of a cart is in one order at most: it is claimed (`order_id`) under its row's lock and deleted by the same
//! statement, so that another order that names it has a line too few. A request's key is `request`, under a unique index.
//!
//! # Why the ledger of the stock adds up
//! The only way to change a stock is to change `shop_stock`, and the trigger of that writes the difference down.
//!
//! # Why nobody waits in a circle on Postgres
//! Everything locks in this order: the order's row, the rows of the stock by their numbers, the cart, its lines, the
//! customer, the figures. Stock is what customers share; its rows are locked before the trigger runs.

use octo_core::sql::{Schema, Step};

/// What the shop keeps in the database.
pub const TABLES: &[&Schema] = &[&octo_jobs::SCHEMA, &SCHEMA];

/// Rows that a figure is spread over, so that orders of different customers rarely wait for one another.
pub const SHARDS: i64 = 16;

/// Most lines of a cart.
pub const MAX_LINES: i64 = 200;

/// Products that a customer looked at last and that are remembered.
pub const VIEWS: i64 = 10;

const SCHEMA: Schema = Schema { name: "shop", versions: &[FIRST] };

/// Locks what an order takes or gives back, in one order.
const LOCKS: &str = "CREATE FUNCTION shop_order_locks() RETURNS trigger LANGUAGE plpgsql AS $body$
    BEGIN
        PERFORM 1 FROM shop_stock WHERE product_id IN (
            SELECT CAST(value ->> 'product' AS BIGINT) FROM jsonb_array_elements(CAST(NEW.lines AS JSONB)))
        ORDER BY product_id FOR UPDATE;
        RETURN NEW;
    END $body$";

const FIRST: &[Step] = &[
    // The figures, each the sum of its shards.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS shop_figures (
            name {text} NOT NULL,
            shard BIGINT NOT NULL,
            value BIGINT NOT NULL,
            PRIMARY KEY (name, shard)
        )",
    ),
    // `products`: those that are not withdrawn.
    Step::Both("CREATE TABLE IF NOT EXISTS shop_categories (name {text} PRIMARY KEY, products BIGINT NOT NULL)"),
    // `change`: what was added or taken away. `actor`: the account that did it, 0 for Octo itself.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS shop_stock_changes (
            id {id},
            product_id BIGINT NOT NULL,
            change BIGINT NOT NULL,
            stock BIGINT NOT NULL,
            reason TEXT NOT NULL,
            note TEXT NOT NULL,
            order_id BIGINT,
            actor BIGINT NOT NULL,
            at BIGINT NOT NULL,
            request {text}
        )",
    ),
    Step::Both(
        "CREATE INDEX IF NOT EXISTS shop_stock_changes_of_product ON shop_stock_changes (product_id, id)",
    ),
    Step::Both(
        "CREATE UNIQUE INDEX IF NOT EXISTS shop_stock_changes_by_request ON shop_stock_changes (request)
            WHERE request IS NOT NULL",
    ),
    // What there is of a product. What changed it last stands next to it, for the trigger.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS shop_stock (
            product_id BIGINT PRIMARY KEY,
            stock BIGINT NOT NULL CONSTRAINT shop_stock_suffices CHECK (stock >= 0),
            reason TEXT NOT NULL,
            note TEXT NOT NULL,
            order_id BIGINT,
            actor BIGINT NOT NULL,
            at BIGINT NOT NULL,
            request {text}
        )",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS shop_stock_by_number ON shop_stock (stock, product_id)"),
    Step::Trigger {
        name: "shop_stock_made",
        event: "AFTER INSERT ON shop_stock",
        when: Some("NEW.stock <> 0"),
        body: "INSERT INTO shop_stock_changes (product_id, change, stock, reason, note, order_id, actor, at, request)
            VALUES (NEW.product_id, NEW.stock, NEW.stock, NEW.reason, NEW.note, NEW.order_id, NEW.actor, NEW.at,
                NEW.request);",
    },
    Step::Trigger {
        name: "shop_stock_changed",
        event: "AFTER UPDATE OF stock ON shop_stock",
        when: Some("NEW.stock <> OLD.stock"),
        body: "INSERT INTO shop_stock_changes (product_id, change, stock, reason, note, order_id, actor, at, request)
            VALUES (NEW.product_id, NEW.stock - OLD.stock, NEW.stock, NEW.reason, NEW.note, NEW.order_id, NEW.actor,
                NEW.at, NEW.request);",
    },
    // `folded` and `words`: what searches go by (`crate::search`). `stock_asked`: the stock that whoever wrote the row wants.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS shop_products (
            id {id},
            uuid {text} NOT NULL UNIQUE,
            name {text} NOT NULL,
            category {text} NOT NULL,
            price BIGINT NOT NULL CHECK (price > 0),
            description TEXT,
            manufacturer TEXT,
            folded TEXT NOT NULL,
            words TEXT NOT NULL,
            stock_asked BIGINT,
            created_at BIGINT NOT NULL,
            changed_by BIGINT NOT NULL,
            changed_at BIGINT NOT NULL,
            withdrawn_at BIGINT,
            request {text} UNIQUE,
            fingerprint TEXT
        )",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS shop_products_by_name ON shop_products (name, id) WHERE withdrawn_at IS NULL"),
    Step::Both("CREATE INDEX IF NOT EXISTS shop_products_by_price ON shop_products (price, id) WHERE withdrawn_at IS NULL"),
    Step::Both("CREATE INDEX IF NOT EXISTS shop_products_of_category ON shop_products (category, id) WHERE withdrawn_at IS NULL"),
    Step::Both(
        "CREATE INDEX IF NOT EXISTS shop_products_of_category_by_name ON shop_products (category, name, id)
            WHERE withdrawn_at IS NULL",
    ),
    Step::Both(
        "CREATE INDEX IF NOT EXISTS shop_products_of_category_by_price ON shop_products (category, price, id)
            WHERE withdrawn_at IS NULL",
    ),
    // The words as they are: both take them apart at spaces alone, so that both databases find the same.
    Step::Sqlite(
        "CREATE VIRTUAL TABLE IF NOT EXISTS shop_search
            USING fts5(words, tokenize = 'unicode61 remove_diacritics 0', prefix = '2 3 4')",
    ),
    Step::Sqlite(
        "CREATE TRIGGER IF NOT EXISTS shop_product_found AFTER INSERT ON shop_products BEGIN
            INSERT INTO shop_search (rowid, words) VALUES (NEW.id, NEW.words);
        END",
    ),
    Step::Sqlite(
        "CREATE TRIGGER IF NOT EXISTS shop_product_found_again AFTER UPDATE OF words ON shop_products
        WHEN NEW.words <> OLD.words BEGIN
            UPDATE shop_search SET words = NEW.words WHERE rowid = NEW.id;
        END",
    ),
    // Its cost keeps the planner from making the words of all products into vectors where the index has them.
    Step::Postgres(
        "CREATE FUNCTION shop_vector(TEXT) RETURNS tsvector IMMUTABLE PARALLEL SAFE COST 1000 LANGUAGE plpgsql AS $body$
            BEGIN RETURN array_to_tsvector(string_to_array($1, ' ')); END $body$",
    ),
    Step::Postgres(
        "CREATE INDEX shop_products_found ON shop_products USING gin (shop_vector(words)) WHERE withdrawn_at IS NULL",
    ),
    Step::Trigger {
        name: "shop_product_made",
        event: "AFTER INSERT ON shop_products",
        when: None,
        body: "INSERT INTO shop_stock (product_id, stock, reason, note, actor, at)
            VALUES (NEW.id, COALESCE(NEW.stock_asked, 0), 'initial', '', NEW.changed_by, NEW.changed_at);
            INSERT INTO shop_categories (name, products) VALUES (NEW.category, 1)
            ON CONFLICT (name) DO UPDATE SET products = shop_categories.products + 1;",
    },
    Step::Trigger {
        name: "shop_product_stocked",
        event: "AFTER UPDATE OF stock_asked ON shop_products",
        when: Some("NEW.stock_asked IS NOT NULL"),
        body: "UPDATE shop_stock SET stock = NEW.stock_asked, reason = 'set', note = '', order_id = NULL,
                actor = NEW.changed_by, at = NEW.changed_at, request = NULL
            WHERE product_id = NEW.id;",
    },
    Step::Trigger {
        name: "shop_product_moved",
        event: "AFTER UPDATE OF category, withdrawn_at ON shop_products",
        when: None,
        body: "UPDATE shop_categories SET products = products - 1 WHERE name = OLD.category AND OLD.withdrawn_at IS NULL;
            INSERT INTO shop_categories (name, products) SELECT NEW.category, 1 WHERE NEW.withdrawn_at IS NULL
            ON CONFLICT (name) DO UPDATE SET products = shop_categories.products + 1;",
    },
    // Products from a file. `rows_total` and what became of them: `rows_done`, `rows_wrong`. `wrong`: JSON.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS shop_imports (
            id {id},
            uuid {text} NOT NULL UNIQUE,
            actor BIGINT NOT NULL,
            chunks TEXT NOT NULL,
            rows_total BIGINT NOT NULL,
            rows_done BIGINT NOT NULL DEFAULT 0,
            rows_wrong BIGINT NOT NULL,
            wrong TEXT NOT NULL,
            created_at BIGINT NOT NULL,
            changed_at BIGINT NOT NULL,
            request {text} UNIQUE,
            fingerprint TEXT
        )",
    ),
    Step::Both(
        "CREATE TABLE IF NOT EXISTS shop_import_chunks (
            id {id},
            import_id BIGINT NOT NULL,
            products TEXT NOT NULL,
            size BIGINT NOT NULL,
            actor BIGINT NOT NULL,
            done_at BIGINT
        )",
    ),
    // One after another: two at once would count the same categories in different orders, and wait in a circle.
    Step::Trigger {
        name: "shop_import_chunk_made",
        event: "AFTER INSERT ON shop_import_chunks",
        when: None,
        body: "INSERT INTO jobs (queue, kind, args, line, visible_at, created_at)
            SELECT 'shop/imports', 'import-products/1', '{\"chunk\":' || NEW.id || '}', 'shop/imports', i.created_at, i.created_at
            FROM shop_imports i WHERE i.id = NEW.import_id;",
    },
    Step::Trigger {
        name: "shop_import_begun",
        event: "AFTER INSERT ON shop_imports",
        when: None,
        body: "INSERT INTO shop_import_chunks (import_id, products, size, actor)
            SELECT NEW.id, value ->> 'products', CAST(value ->> 'size' AS BIGINT), NEW.actor
            FROM {elements}(CAST(NEW.chunks AS {json}));
            UPDATE shop_imports SET chunks = '' WHERE id = NEW.id;",
    },
    // A product with a UUID that is known is changed, another one is made.
    Step::Trigger {
        name: "shop_import_chunk_done",
        event: "AFTER UPDATE OF done_at ON shop_import_chunks",
        when: Some("OLD.done_at IS NULL"),
        body: "INSERT INTO shop_products (uuid, name, category, price, description, manufacturer, folded, words,
                stock_asked, created_at, changed_by, changed_at)
            SELECT value ->> 'uuid', value ->> 'name', value ->> 'category', CAST(value ->> 'price' AS BIGINT),
                value ->> 'description', value ->> 'manufacturer', value ->> 'folded', value ->> 'words',
                CAST(value ->> 'stock' AS BIGINT), NEW.done_at, NEW.actor, NEW.done_at
            FROM {elements}(CAST(NEW.products AS {json})) WHERE 1 = 1
            ON CONFLICT (uuid) DO UPDATE SET name = excluded.name, category = excluded.category, price = excluded.price,
                description = excluded.description, manufacturer = excluded.manufacturer, folded = excluded.folded,
                words = excluded.words, stock_asked = excluded.stock_asked, changed_by = excluded.changed_by,
                changed_at = excluded.changed_at, withdrawn_at = NULL;
            UPDATE shop_imports SET rows_done = rows_done + NEW.size, changed_at = NEW.done_at WHERE id = NEW.import_id;
            UPDATE shop_import_chunks SET products = '' WHERE id = NEW.id;",
    },
    // Who buys. `spent`: the sum of the orders that are not canceled.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS shop_customers (
            owner {text} PRIMARY KEY,
            name TEXT NOT NULL,
            spent BIGINT NOT NULL DEFAULT 0,
            orders BIGINT NOT NULL DEFAULT 0
        )",
    ),
    Step::Both(
        "CREATE TABLE IF NOT EXISTS shop_carts (
            owner {text} PRIMARY KEY,
            lines BIGINT NOT NULL CONSTRAINT shop_cart_has_room CHECK (lines BETWEEN 0 AND 200),
            changed_at BIGINT NOT NULL
        )",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS shop_carts_by_age ON shop_carts (changed_at)"),
    // `price`: what the customer saw. `replaces`: whether it takes the place of the product's other lines. `order_id`: the
    // order that takes it, for the moment until it is gone.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS shop_cart_lines (
            id {id},
            uuid {text} NOT NULL UNIQUE,
            owner {text} NOT NULL,
            product_id BIGINT NOT NULL,
            quantity BIGINT NOT NULL CHECK (quantity > 0),
            price BIGINT NOT NULL,
            replaces BIGINT NOT NULL,
            order_id BIGINT,
            at BIGINT NOT NULL
        )",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS shop_cart_lines_of_owner ON shop_cart_lines (owner, product_id, id)"),
    Step::Trigger {
        name: "shop_cart_line_added",
        event: "AFTER INSERT ON shop_cart_lines",
        when: None,
        body: "INSERT INTO shop_carts (owner, lines, changed_at) VALUES (NEW.owner, 1, NEW.at)
            ON CONFLICT (owner) DO UPDATE SET lines = shop_carts.lines + 1, changed_at = NEW.at;
            DELETE FROM shop_cart_lines
            WHERE owner = NEW.owner AND product_id = NEW.product_id AND id <> NEW.id AND NEW.replaces = 1;",
    },
    Step::Trigger {
        name: "shop_cart_line_removed",
        event: "AFTER DELETE ON shop_cart_lines",
        when: None,
        body: "UPDATE shop_carts SET lines = lines - 1 WHERE owner = OLD.owner;",
    },
    Step::Trigger {
        name: "shop_cart_line_moved",
        event: "AFTER UPDATE OF owner ON shop_cart_lines",
        when: Some("NEW.owner <> OLD.owner"),
        body: "UPDATE shop_carts SET lines = lines - 1 WHERE owner = OLD.owner;
            INSERT INTO shop_carts (owner, lines, changed_at) VALUES (NEW.owner, 1, NEW.at)
            ON CONFLICT (owner) DO UPDATE SET lines = shop_carts.lines + 1;",
    },
    Step::Both(
        "CREATE TABLE IF NOT EXISTS shop_views (
            owner {text} NOT NULL,
            product_id BIGINT NOT NULL,
            at BIGINT NOT NULL,
            PRIMARY KEY (owner, product_id)
        )",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS shop_views_by_age ON shop_views (owner, at, product_id)"),
    Step::Trigger {
        name: "shop_view_remembered",
        event: "AFTER INSERT ON shop_views",
        when: None,
        body: "DELETE FROM shop_views WHERE owner = NEW.owner AND product_id IN (
            SELECT product_id FROM shop_views WHERE owner = NEW.owner ORDER BY at DESC, product_id DESC LIMIT 1000 OFFSET 10);",
    },
    // `missing`: lines that could not be had, of the order's own first event.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS shop_order_events (
            id {id},
            order_id BIGINT NOT NULL,
            status TEXT NOT NULL,
            actor BIGINT NOT NULL,
            at BIGINT NOT NULL,
            missing BIGINT NOT NULL DEFAULT 0 CONSTRAINT shop_order_is_whole CHECK (missing = 0)
        )",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS shop_order_events_of_order ON shop_order_events (order_id, id)"),
    Step::Both(
        "CREATE TABLE IF NOT EXISTS shop_order_lines (
            order_id BIGINT NOT NULL,
            position BIGINT NOT NULL,
            product_id BIGINT NOT NULL,
            quantity BIGINT NOT NULL CHECK (quantity > 0),
            PRIMARY KEY (order_id, position)
        )",
    ),
    // `customer`: what the customer is called. `lines`: JSON, with names and prices as they were. `discount`: what was taken
    // off `total`. `revision`: how often the status changed. `next_at`: when the next automatic step is due.
    Step::Both(
        "CREATE TABLE IF NOT EXISTS shop_orders (
            id {id},
            uuid {text} NOT NULL UNIQUE,
            owner {text} NOT NULL,
            account_id BIGINT,
            customer TEXT NOT NULL,
            status TEXT NOT NULL,
            total BIGINT NOT NULL CHECK (total >= 0),
            discount BIGINT NOT NULL CHECK (discount >= 0),
            lines TEXT NOT NULL,
            line_count BIGINT NOT NULL,
            revision BIGINT NOT NULL,
            next_at BIGINT,
            created_at BIGINT NOT NULL,
            changed_by BIGINT NOT NULL,
            changed_at BIGINT NOT NULL,
            request {text} UNIQUE,
            fingerprint TEXT
        )",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS shop_orders_of_owner ON shop_orders (owner, id)"),
    Step::Both("CREATE INDEX IF NOT EXISTS shop_orders_by_status ON shop_orders (status, id)"),
    Step::Trigger {
        name: "shop_order_rewarded",
        event: "AFTER UPDATE OF status ON shop_orders",
        when: Some("NEW.status = 'DELIVERED' AND OLD.status <> 'DELIVERED' AND NEW.account_id IS NOT NULL"),
        body: "INSERT INTO jobs (queue, kind, args, visible_at, created_at)
            VALUES ('loyalty/purchases', 'reward-purchase/1',
                '{\"account_id\":' || NEW.account_id || ',\"purchase\":\"order/' || NEW.id || '\",\"total\":' || NEW.total || '}',
                NEW.changed_at, NEW.changed_at);",
    },
    // Canceled: its stock is there again, and it was not spent. Not canceled any more: the other way round.
    Step::Trigger {
        name: "shop_order_canceled",
        event: "AFTER UPDATE OF status ON shop_orders",
        when: Some("(NEW.status = 'CANCELLED') <> (OLD.status = 'CANCELLED')"),
        body: "UPDATE shop_stock SET reason = CASE WHEN NEW.status = 'CANCELLED' THEN 'cancellation' ELSE 'order' END,
                stock = stock + taken.quantity * CASE WHEN NEW.status = 'CANCELLED' THEN 1 ELSE -1 END,
                note = '', order_id = NEW.id, actor = NEW.changed_by, at = NEW.changed_at, request = NULL
            FROM (SELECT product_id AS product, CAST(SUM(quantity) AS BIGINT) AS quantity FROM shop_order_lines
                WHERE order_id = NEW.id GROUP BY product_id) taken
            WHERE shop_stock.product_id = taken.product;
            UPDATE shop_customers SET spent = spent + NEW.total * CASE WHEN NEW.status = 'CANCELLED' THEN -1 ELSE 1 END
            WHERE owner = NEW.owner;",
    },
    Step::Trigger {
        name: "shop_order_changed",
        event: "AFTER UPDATE OF status ON shop_orders",
        when: Some("NEW.status <> OLD.status"),
        body: "INSERT INTO shop_order_events (order_id, status, actor, at)
            VALUES (NEW.id, NEW.status, NEW.changed_by, NEW.changed_at);",
    },
    // What follows from an event of an order: the figures, the next automatic step, and what the outside hears.
    Step::Trigger {
        name: "shop_order_told",
        event: "AFTER INSERT ON shop_order_events",
        when: None,
        body: "INSERT INTO shop_figures (name, shard, value) VALUES ('status/' || NEW.status, NEW.order_id % 16, 1)
            ON CONFLICT (name, shard) DO UPDATE SET value = shop_figures.value + 1;
            INSERT INTO jobs (queue, kind, args, visible_at, created_at)
            SELECT 'shop/orders', 'advance-order/1', '{\"order\":' || o.id || ',\"revision\":' || o.revision || '}',
                o.next_at, NEW.at
            FROM shop_orders o WHERE o.id = NEW.order_id AND o.next_at IS NOT NULL;
            INSERT INTO jobs (queue, kind, args, correlation_id, visible_at, created_at)
            SELECT consumer.queue, 'public-event/1',
                '{\"type\":\"order.changed\",\"at\":' || NEW.at || ',\"data\":{\"order\":\"' || o.uuid || '\",\"account_id\":'
                    || COALESCE(CAST(o.account_id AS TEXT), 'null') || ',\"status\":\"' || NEW.status || '\",\"total\":' || o.total || '}}',
                'order.changed/' || NEW.id, NEW.at, NEW.at
            FROM public_event_consumers consumer CROSS JOIN shop_orders o WHERE o.id = NEW.order_id;",
    },
    Step::Postgres(LOCKS),
    Step::Postgres(
        "CREATE TRIGGER shop_order_locks BEFORE INSERT OR UPDATE OF status ON shop_orders
            FOR EACH ROW EXECUTE FUNCTION shop_order_locks()",
    ),
    // Last: an order is taken only when everything is there.
    Step::Trigger {
        name: "shop_order_placed",
        event: "AFTER INSERT ON shop_orders",
        when: None,
        body: "UPDATE shop_carts SET changed_at = NEW.created_at WHERE owner = NEW.owner;
            UPDATE shop_cart_lines SET order_id = NEW.id
            FROM (SELECT CAST(value ->> 'line' AS BIGINT) AS line, CAST(value ->> 'quantity' AS BIGINT) AS quantity
                FROM {elements}(CAST(NEW.lines AS {json}))) wanted
            WHERE shop_cart_lines.id = wanted.line AND shop_cart_lines.owner = NEW.owner
                AND shop_cart_lines.quantity = wanted.quantity;
            INSERT INTO shop_order_lines (order_id, position, product_id, quantity)
            SELECT NEW.id, wanted.position, p.id, wanted.quantity
            FROM (SELECT CAST(value ->> 'position' AS BIGINT) AS position, CAST(value ->> 'product' AS BIGINT) AS product,
                    CAST(value ->> 'line' AS BIGINT) AS line, CAST(value ->> 'price' AS BIGINT) AS price,
                    CAST(value ->> 'quantity' AS BIGINT) AS quantity
                FROM {elements}(CAST(NEW.lines AS {json}))) wanted
            JOIN shop_products p ON p.id = wanted.product AND p.price = wanted.price AND p.withdrawn_at IS NULL
            WHERE wanted.line IS NULL OR EXISTS (
                SELECT 1 FROM shop_cart_lines c WHERE c.id = wanted.line AND c.order_id = NEW.id);
            DELETE FROM shop_cart_lines WHERE owner = NEW.owner AND order_id = NEW.id;
            UPDATE shop_stock SET stock = stock - taken.quantity, reason = 'order', note = '', order_id = NEW.id,
                actor = NEW.changed_by, at = NEW.created_at, request = NULL
            FROM (SELECT product_id AS product, CAST(SUM(quantity) AS BIGINT) AS quantity FROM shop_order_lines
                WHERE order_id = NEW.id GROUP BY product_id) taken
            WHERE shop_stock.product_id = taken.product;
            INSERT INTO shop_customers (owner, name, spent, orders) VALUES (NEW.owner, NEW.customer, NEW.total, 1)
            ON CONFLICT (owner) DO UPDATE SET spent = shop_customers.spent + NEW.total, orders = shop_customers.orders + 1;
            INSERT INTO shop_order_events (order_id, status, actor, at, missing)
            SELECT NEW.id, NEW.status, NEW.changed_by, NEW.created_at, NEW.line_count - COUNT(*)
            FROM shop_order_lines WHERE order_id = NEW.id;
            INSERT INTO shop_figures (name, shard, value)
            SELECT name, NEW.id % 16, value FROM (
                SELECT 'lines' AS name, NEW.line_count AS value
                UNION ALL SELECT 'lines/le/' || CASE WHEN NEW.line_count <= 1 THEN '1' WHEN NEW.line_count <= 2 THEN '2'
                    WHEN NEW.line_count <= 3 THEN '3' WHEN NEW.line_count <= 5 THEN '5' WHEN NEW.line_count <= 8 THEN '8'
                    WHEN NEW.line_count <= 13 THEN '13' WHEN NEW.line_count <= 21 THEN '21' ELSE '+Inf' END, 1
                UNION ALL SELECT 'value', NEW.total
                UNION ALL SELECT 'value/le/' || CASE WHEN NEW.total <= 1000 THEN '1000' WHEN NEW.total <= 2500 THEN '2500'
                    WHEN NEW.total <= 5000 THEN '5000' WHEN NEW.total <= 7500 THEN '7500' WHEN NEW.total <= 10000 THEN '10000'
                    WHEN NEW.total <= 15000 THEN '15000' WHEN NEW.total <= 20000 THEN '20000'
                    WHEN NEW.total <= 50000 THEN '50000' ELSE '+Inf' END, 1) counted
            WHERE 1 = 1
            ON CONFLICT (name, shard) DO UPDATE SET value = shop_figures.value + excluded.value;",
    },
];
