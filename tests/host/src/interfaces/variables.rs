//! `fermyon:spin/variables` and `wasi:config/store`.

use wasmtime::Result;

use crate::bindings::fermyon::spin::variables::{Error, Host};
use crate::bindings::wasi::config::store;
use crate::instance::InstanceState;
use crate::variables::Unavailable;

impl Host for InstanceState {
    async fn get(&mut self, name: String) -> Result<Result<String, Error>> {
        let component = &self.component;
        let value = self.services.variables.of_component(&component.id, &component.manifest, &name);
        Ok(value.map_err(|unavailable| match unavailable {
            Unavailable::InvalidName(message) => Error::InvalidName(message),
            Unavailable::Undefined(message) => Error::Undefined(message),
            Unavailable::NoValue(message) => Error::Provider(message),
        }))
    }
}

impl store::Host for InstanceState {
    async fn get(&mut self, name: String) -> Result<Result<Option<String>, store::Error>> {
        let component = &self.component;
        let value = self.services.variables.of_component(&component.id, &component.manifest, &name);
        Ok(match value {
            Ok(value) => Ok(Some(value)),
            Err(Unavailable::Undefined(_)) => Ok(None),
            Err(Unavailable::InvalidName(message) | Unavailable::NoValue(message)) => {
                Err(store::Error::Upstream(message))
            }
        })
    }

    async fn get_all(&mut self) -> Result<Result<Vec<(String, String)>, store::Error>> {
        Ok(Err(store::Error::Upstream("this host gives variables one by one".to_owned())))
    }
}
