//! The host interfaces of `wit/`, as traits to implement.

wasmtime::component::bindgen!({
    path: "wit",
    world: "octo:host/imports",
    imports: { default: async | trappable },
    with: {
        "fermyon:spin/key-value.store": crate::interfaces::key_value::OpenStore,
        "fermyon:spin/sqlite.connection": crate::stores::sqlite::Connection,
        "fermyon:spin/postgres.connection": crate::stores::postgres::Connection,
        "fermyon:spin/redis.connection": crate::stores::redis::Connection,
        "wasi:keyvalue/store.bucket": crate::interfaces::key_value::OpenStore,
        "wasi:keyvalue/atomics.cas": crate::interfaces::wasi_keyvalue::Cas,
    },
});
