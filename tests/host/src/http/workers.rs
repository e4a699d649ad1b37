//! Instances of WASI 0.3, each of which serves many requests, as on Spin.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;
use wasmtime::component::GuestTaskId;
use wasmtime::{Store, StoreContextMut, bail};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, Proxy, ProxyHandler, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::app::Component;
use crate::instance::{self, InstanceState};
use crate::services::Services;

/// How many requests an instance serves, and how many at once: Spin's own numbers.
const REQUESTS: usize = 128;
/// See [`REQUESTS`].
const AT_ONCE: usize = 16;

/// How long an instance without work is kept. Spin keeps it for longer; a test should not have to wait for it.
const IDLE: Duration = Duration::from_millis(50);

/// The instances of one component.
pub(crate) type Workers = ProxyHandler<Maker>;

/// Makes instances of one component on one host.
pub(crate) struct Maker {
    // The host owns it.
    services: Weak<Services>,
    component: Arc<Component>,
    service: ServicePre<InstanceState>,
}

impl Maker {
    pub(crate) fn workers(
        services: &Arc<Services>,
        component: &Arc<Component>,
        service: &ServicePre<InstanceState>,
    ) -> Workers {
        Workers::new(Self {
            services: Arc::downgrade(services),
            component: Arc::clone(component),
            service: service.clone(),
        })
    }
}

impl HandlerState for Maker {
    type StoreData = InstanceState;
    type WorkerExpiration = Expiration;
    type WorkerState = Rules;

    async fn instantiate(&self) -> wasmtime::Result<Instance<InstanceState, Expiration, Rules>> {
        let Some(services) = self.services.upgrade() else { bail!("the host has ended") };
        let mut store = instance::store(&services, &self.component);
        let service = self.service.instantiate_async(&mut store).await?;
        let time = services.limits.request_time;
        Ok(Instance {
            store,
            proxy: Proxy::P3(service),
            view: InstanceState::http,
            expiration: Expiration {
                time,
                timer: Box::pin(tokio::time::sleep(time)),
                death: Box::pin(services.tasks.death()),
            },
            state: Rules {
                services: Weak::clone(&self.services),
                component: Arc::clone(&self.component),
                time,
            },
        })
    }
}

/// When an instance ends: without work, soon; with work, when that takes longer than a request may; and with its host.
pub(crate) struct Expiration {
    time: Duration,
    timer: Pin<Box<Sleep>>,
    death: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        status: WorkerStatus,
        since: Instant,
    ) -> Poll<()> {
        if self.death.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let time = match status {
            WorkerStatus::Idle => IDLE,
            WorkerStatus::Requests | WorkerStatus::PostReturn => self.time,
        };
        self.timer.as_mut().reset((since + time).into());
        self.timer.as_mut().poll(context)
    }
}

/// What an instance takes on.
pub(crate) struct Rules {
    services: Weak<Services>,
    component: Arc<Component>,
    time: Duration,
}

impl WorkerState for Rules {
    type StoreData = InstanceState;
    type RequestData = ();

    fn should_accept_request(&self, at_once: usize, in_all: usize) -> ShouldAccept {
        match (at_once, in_all) {
            (_, REQUESTS..) => ShouldAccept::Never,
            (AT_ONCE.., _) => ShouldAccept::No,
            _ => ShouldAccept::Yes,
        }
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, InstanceState>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        Box::pin(tokio::time::sleep(self.time))
    }

    fn drop(&self, store: Store<InstanceState>, ended: wasmtime::Result<()>) {
        if let (Err(error), Some(services)) = (ended, self.services.upgrade()) {
            services.say(&self.component, format!("an instance failed: {error:#}"));
        }
        drop(store);
    }
}
