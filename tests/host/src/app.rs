//! An application: its manifest, its routes and its compiled components.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use wasmtime::Engine;
use wasmtime::component::Linker;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::instance::InstanceState;
use crate::manifest::{self, Manifest, TriggerRoute};
use crate::routes::{Route, Routes};
use crate::{engine, interfaces};

/// An application, ready to run. Cheap to clone; several hosts may run it at once.
#[derive(Clone)]
pub struct App(Arc<Loaded>);

struct Loaded {
    manifest: Manifest,
    routes: Routes,
    engine: Engine,
    components: BTreeMap<String, Arc<Component>>,
}

/// A compiled component and what it may use.
pub(crate) struct Component {
    pub(crate) id: Arc<str>,
    pub(crate) manifest: manifest::Component,
    pub(crate) entry: Entry,
}

/// How a component is given a request.
pub(crate) enum Entry {
    /// WASI 0.2: an instance for each.
    Once(ProxyPre<InstanceState>),
    /// WASI 0.3: an instance for many.
    Reused(ServicePre<InstanceState>),
}

impl App {
    /// Reads the manifest and compiles the components it names.
    ///
    /// Compiled code is kept beside each wasm file, so a second load takes milliseconds.
    pub fn load(manifest: &Path) -> Result<Self> {
        let manifest = Manifest::read(manifest)?;
        let mut routes = Routes::default();
        for trigger in &manifest.triggers {
            if let TriggerRoute::Public(pattern) = &trigger.route {
                routes.add(pattern, &trigger.component)?;
            }
        }
        let engine = engine::new()?;
        let linker = linker(&engine)?;
        let mut components = BTreeMap::new();
        for (id, component) in &manifest.components {
            let loaded = Component::load(id, component, &engine, &linker)
                .with_context(|| format!("component {id:?}"))?;
            components.insert(id.clone(), Arc::new(loaded));
        }
        Ok(Self(Arc::new(Loaded { manifest, routes, engine, components })))
    }

    /// The manifest the application was loaded from.
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// The public routes, the most specific first.
    pub fn routes(&self) -> &[Route] {
        self.0.routes.as_slice()
    }

    /// The ids of the components that answer chained calls only.
    pub fn private_components(&self) -> impl Iterator<Item = &str> {
        self.0
            .manifest
            .triggers
            .iter()
            .filter(|trigger| trigger.route == TriggerRoute::Private)
            .map(|trigger| trigger.component.as_str())
    }

    pub(crate) fn matcher(&self) -> &Routes {
        &self.0.routes
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(crate) fn component(&self, id: &str) -> Option<&Arc<Component>> {
        self.0.components.get(id)
    }
}

impl Component {
    fn load(
        id: &str,
        manifest: &manifest::Component,
        engine: &Engine,
        linker: &Linker<InstanceState>,
    ) -> Result<Self> {
        let code = engine::compile(engine, &manifest.source)?;
        let pre = linker
            .instantiate_pre(&code)
            .map_err(anyhow::Error::from)
            .context("it imports what this host does not have")?;
        let entry =
            match ServicePre::new(pre.clone()) {
                Ok(service) => Entry::Reused(service),
                Err(_) => Entry::Once(ProxyPre::new(pre).map_err(anyhow::Error::from).context(
                    "it exports neither wasi:http/incoming-handler 0.2 nor wasi:http/handler 0.3",
                )?),
            };
        Ok(Self { id: id.into(), manifest: manifest.clone(), entry })
    }

    pub(crate) fn may_open_store(&self, label: &str) -> bool {
        self.manifest.key_value_stores.iter().any(|own| own == label)
    }

    pub(crate) fn may_open_database(&self, label: &str) -> bool {
        self.manifest.sqlite_databases.iter().any(|own| own == label)
    }
}

/// WASI 0.2 and 0.3, HTTP and Spin's interfaces.
fn linker(engine: &Engine) -> Result<Linker<InstanceState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    interfaces::add_to_linker(&mut linker)?;
    Ok(linker)
}
