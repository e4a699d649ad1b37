//! A component: its routes on the ports it uses.

use std::sync::Arc;

use octo_core::{
    Problem, Redis,
    ports::{NoHttp, NoKeyValue},
    sql::NoSql,
};
use octo_http::{
    Api, App, Bodies, Request,
    app::{AfterResponse, RedisServers},
    caller::{AskAuth, KeySource},
    gzip,
};

use crate::{
    Exchange, Logged, Outcome, SettingsBlock, SpinClock, SpinEntropy, SpinHttp, SpinKeyValue, SpinRedis,
    lane::{CAN_GIVE_UP, serve_then},
};

/// A component that serves an [`Api`]. Only the ports that are named are imported.
pub struct Component {
    api: &'static Api,
    app: App,
    bodies: Bodies,
    logged: Logged,
    decode: Option<Decode>,
}

/// Decompresses a body to this many bytes at most.
type Decode = fn(Request, usize) -> Result<Request, Problem>;

impl Component {
    /// The component `name` of `spin.toml`, whose variables stand in its variable `settings`. It reads bodies of these kinds.
    pub fn new(name: &'static str, api: &'static Api, bodies: impl Into<Bodies>) -> Self {
        let http = Arc::new(NoHttp);
        let app = App {
            name,
            settings: Arc::new(SettingsBlock::default()),
            sql: Arc::new(NoSql),
            store: Arc::new(NoKeyValue),
            keys: Arc::new(AskAuth(http.clone())),
            redis: None,
            http,
            clock: Arc::new(SpinClock),
            entropy: Arc::new(SpinEntropy),
            after: AfterResponse::default(),
            counts_requests: false,
        };
        Self { api, app, bodies: bodies.into(), logged: Logged::Every, decode: None }
    }

    /// The component `name`, whose requests something else than an [`Api`] serves: for [`into_app`](Self::into_app).
    #[cfg(wasi_0_3)]
    pub fn without_routes(name: &'static str) -> Self {
        use octo_http::api::{as_usual, no_settings};
        static NONE: Api = Api { routes: &[], settings: no_settings, refused: as_usual };
        Self::new(name, &NONE, 0)
    }

    /// The ports that were named.
    #[cfg(wasi_0_3)]
    pub fn into_app(self) -> App {
        self.app
    }

    /// Takes bodies in gzip, too.
    pub fn gzip(mut self) -> Self {
        self.bodies.gzip = true;
        self.decode = Some(gzip::decoded);
        self
    }

    /// With the database that the variables name.
    #[cfg(not(wasi_0_3))]
    pub fn database(mut self) -> Self {
        self.app.sql = Arc::new(crate::AnySql::new(self.app.settings.clone()));
        self
    }

    /// With the key-value store.
    pub fn key_value(mut self) -> Self {
        self.app.store = Arc::new(SpinKeyValue::default());
        self
    }

    /// With a Redis server.
    pub fn redis(mut self) -> Self {
        let connect = |address| -> Arc<dyn Redis> { Arc::new(SpinRedis::at(address)) };
        self.app.redis = Some(RedisServers { connect, can_give_up: CAN_GIVE_UP });
        self
    }

    /// Counts its requests in its database.
    pub fn counts_requests(mut self) -> Self {
        self.app.counts_requests = true;
        self
    }

    /// With outbound HTTP, which also reaches other components.
    pub fn http(mut self) -> Self {
        let http = Arc::new(SpinHttp);
        self.app.keys = Arc::new(AskAuth(http.clone()));
        self.app.http = http;
        self
    }

    /// With keys of access tokens that are its own.
    pub fn keys(mut self, keys: impl FnOnce(&App) -> Arc<dyn KeySource>) -> Self {
        self.app.keys = keys(&self.app);
        self
    }

    /// Logs only what goes wrong: its caller logs the rest.
    pub fn logs_failures(mut self) -> Self {
        self.logged = Logged::Failures;
        self
    }

    /// Serves one request.
    pub async fn serve(self, exchange: Exchange) -> Outcome {
        let Self { api, app, bodies, logged, decode } = self;
        let handle = async |request| {
            let request = match decode {
                Some(decode) => decode(request, bodies.most)?,
                None => request,
            };
            api.handle(&app, request).await
        };
        serve_then(app.name, logged, bodies, exchange, handle, app.after.clone()).await
    }
}

/// Makes the package a component: `component!(Component::new("jobs", &API, MAX_BODY).database())`. Natively it is nothing.
#[macro_export]
macro_rules! component {
    ($component:expr) => {
        $crate::export!(async |exchange| $component.serve(exchange).await);
    };
}

/// The same for a component that reads and writes for itself: `export!(async |exchange| ...)`.
#[macro_export]
macro_rules! export {
    (async |$exchange:ident| $serve:expr) => {
        // The linker needs exported functions, and those are declared unsafe.
        #[allow(unsafe_code, missing_docs)]
        mod exported {
            use super::*;

            struct Exported;

            $crate::handle!(Exported, $exchange, $serve);
        }
    };
}

/// The entry as WASI 0.2 has it. Used by [`export!`](crate::export).
#[cfg(not(wasi_0_3))]
#[doc(hidden)]
#[macro_export]
macro_rules! handle {
    ($exported:ident, $exchange:ident, $serve:expr) => {
        impl $crate::wasi::exports::http::incoming_handler::Guest for $exported {
            fn handle(
                incoming: $crate::wasi::http::types::IncomingRequest,
                out: $crate::wasi::http::types::ResponseOutparam,
            ) {
                let $exchange = $crate::Exchange { incoming, out };
                $crate::run(async move { $serve });
            }
        }

        $crate::wasi::http::proxy::export!($exported with_types_in $crate::wasi);
    };
}

/// The entry as WASI 0.3 has it. Used by [`export!`](crate::export).
#[cfg(wasi_0_3)]
#[doc(hidden)]
#[macro_export]
macro_rules! handle {
    ($exported:ident, $exchange:ident, $serve:expr) => {
        impl $crate::wasip3::exports::http::handler::Guest for $exported {
            async fn handle(request: $crate::wasip3::http::types::Request) -> $crate::Outcome {
                let $exchange = $crate::Exchange(request);
                $serve
            }
        }

        $crate::wasip3::http::service::export!($exported with_types_in $crate::wasip3);
    };
}
