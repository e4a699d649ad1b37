//! A value that fakes change behind a shared reference.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What `Cell` and `RefCell` are, for ports that may be used from any thread.
#[derive(Debug, Default)]
pub struct Locked<T>(Mutex<T>);

impl<T> Locked<T> {
    /// Holds `value`.
    pub const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// The value, to look at. Do not hold it while the same is borrowed again.
    pub fn borrow(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value, to change it. Do not hold it while the same is borrowed again.
    pub fn borrow_mut(&self) -> MutexGuard<'_, T> {
        self.borrow()
    }

    /// A copy of the value.
    pub fn get(&self) -> T
    where
        T: Copy,
    {
        *self.borrow()
    }

    /// Puts another value in its place.
    pub fn set(&self, value: T) {
        *self.borrow() = value;
    }

    /// Puts another value in its place, and returns what was there.
    pub fn replace(&self, value: T) -> T {
        std::mem::replace(&mut *self.borrow(), value)
    }

    /// Puts the default in its place, and returns what was there.
    pub fn take(&self) -> T
    where
        T: Default,
    {
        std::mem::take(&mut *self.borrow())
    }
}
