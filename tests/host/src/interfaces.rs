//! The store and settings interfaces, as components see them.
//!
//! Each call checks what the component may use, is counted, meets the faults a test has set, and only
//! then reaches `stores`.

pub(crate) mod key_value;
mod postgres;
mod redis;
mod sqlite;
mod variables;
mod wasi_0_3;
pub(crate) mod wasi_keyvalue;

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::Imports;
use crate::instance::InstanceState;

/// Makes all of them importable.
pub(crate) fn add_to_linker(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    Imports::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}
