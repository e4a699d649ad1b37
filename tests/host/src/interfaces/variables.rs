//! `fermyon:spin/variables`.

use wasmtime::Result;

use crate::bindings::fermyon::spin::variables::{Error, Host};
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
