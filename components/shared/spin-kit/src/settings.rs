//! Spin's variables.

use octo_core::Settings;

/// The variables `spin.toml` gives this component.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpinSettings;

impl Settings for SpinSettings {
    fn get(&self, name: &str) -> Option<String> {
        spin_sdk::variables::get(name).ok()
    }
}
