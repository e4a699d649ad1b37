//! The host interfaces of `wit/`, as traits to implement.

wasmtime::component::bindgen!({
    path: "wit",
    world: "octo:host/imports",
    imports: {
        // Those of WASI 0.3: other tasks of the instance go on meanwhile.
        "spin:key-value/key-value.[static]store.open": store | trappable,
        "spin:key-value/key-value.[method]store.get": store | trappable,
        "spin:key-value/key-value.[method]store.set": store | trappable,
        "spin:key-value/key-value.[method]store.delete": store | trappable,
        "spin:key-value/key-value.[method]store.exists": store | trappable,
        "spin:key-value/key-value.[method]store.get-keys": store | trappable,
        "spin:redis/redis.[static]connection.open": store | trappable,
        "spin:redis/redis.[method]connection.publish": store | trappable,
        "spin:redis/redis.[method]connection.get": store | trappable,
        "spin:redis/redis.[method]connection.set": store | trappable,
        "spin:redis/redis.[method]connection.incr": store | trappable,
        "spin:redis/redis.[method]connection.del": store | trappable,
        "spin:redis/redis.[method]connection.sadd": store | trappable,
        "spin:redis/redis.[method]connection.smembers": store | trappable,
        "spin:redis/redis.[method]connection.srem": store | trappable,
        "spin:redis/redis.[method]connection.execute": store | trappable,
        default: async | trappable,
    },
    with: {
        "fermyon:spin/key-value.store": crate::interfaces::key_value::OpenStore,
        "fermyon:spin/sqlite.connection": crate::stores::sqlite::Connection,
        "fermyon:spin/postgres.connection": crate::stores::postgres::Connection,
        "fermyon:spin/redis.connection": crate::stores::redis::Connection,
        "spin:key-value/key-value.store": crate::interfaces::key_value::OpenStore,
        "spin:redis/redis.connection": crate::stores::redis::Connection,
        "wasi:keyvalue/store.bucket": crate::interfaces::key_value::OpenStore,
        "wasi:keyvalue/atomics.cas": crate::interfaces::wasi_keyvalue::Cas,
    },
});
