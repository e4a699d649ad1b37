//! The state of one instance, which lives for one request.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use wasmtime::component::ResourceTable;
use wasmtime::{CallHook, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::app::Component;
use crate::http::outbound::Outbound;
use crate::logs::{GuestOutput, LogSource};
use crate::services::Services;

/// What the host keeps for an instance.
pub(crate) struct InstanceState {
    pub(crate) services: Arc<Services>,
    pub(crate) component: Arc<Component>,
    pub(crate) table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
    host_calls: u64,
}

impl Drop for InstanceState {
    fn drop(&mut self) {
        self.services.records.count_host_calls(&self.component.id, self.host_calls);
        self.services.instances.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A store for one request, whose guest gives others a turn when it computes for long.
pub(crate) fn store(services: &Arc<Services>, component: &Arc<Component>) -> Store<InstanceState> {
    let output = |source| GuestOutput::new(&services.logs, &component.id, source);
    let mut wasi = WasiCtx::builder();
    wasi.stdout(output(LogSource::Stdout))
        .stderr(output(LogSource::Stderr))
        .wall_clock(services.clock.clone());
    for (name, value) in &component.manifest.environment {
        wasi.env(name, value);
    }
    services.instances.fetch_add(1, Ordering::Relaxed);
    let state = InstanceState {
        services: Arc::clone(services),
        component: Arc::clone(component),
        table: ResourceTable::new(),
        wasi: wasi.build(),
        http: WasiHttpCtx::new(),
        outbound: Outbound::new(services, component),
        host_calls: 0,
    };
    let mut store = Store::new(services.app.engine(), state);
    store.call_hook(|mut context, hook| {
        context.data_mut().host_calls += u64::from(matches!(hook, CallHook::CallingHost));
        Ok(())
    });
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    store
}

impl WasiView for InstanceState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for InstanceState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.outbound }
    }
}
