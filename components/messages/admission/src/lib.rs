//! Admission: asks the stores for the router, which must not wait for them.
//!
//! Private, and used only where a store is across a network (`redis_url` is set); see `octo-admission-backend`.

#![cfg(target_family = "wasm")]

use octo_admission_backend::{Service, service::MAX_QUESTION};
use octo_spin::{
    Logged, SettingsBlock, SpinClock, SpinEntropy, SpinHttp, SpinKeyValue, SpinRedis, serve_in_steps,
};

octo_spin::export!(async |exchange| {
    serve_in_steps("admission", Logged::Failures, MAX_QUESTION, exchange, async |request, listener| {
        let service = Service {
            settings: SettingsBlock::default(),
            store: SpinKeyValue::default(),
            http: SpinHttp,
            clock: SpinClock,
            entropy: SpinEntropy,
            redis: SpinRedis::at,
        };
        service.handle(request, || listener.is_there()).await
    })
    .await
});
