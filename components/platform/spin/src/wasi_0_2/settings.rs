//! The variables of a component.

/// A variable.
pub(crate) fn variable(name: &str) -> Option<String> {
    spin_sdk::variables::get(name).ok()
}

/// The variable `settings`.
pub(crate) fn settings_block() -> Option<String> {
    variable("settings")
}
