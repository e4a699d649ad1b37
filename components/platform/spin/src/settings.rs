//! Spin's variables.

use std::sync::OnceLock;

use octo_core::Settings;

/// The variables `spin.toml` gives this component, each read when asked for.
#[derive(Clone, Copy, Debug, Default)]
struct SpinSettings;

impl Settings for SpinSettings {
    fn get(&self, name: &str) -> Option<String> {
        spin_sdk::variables::get(name).ok()
    }
}

/// The one variable `settings`, a line `name = value` for each setting, so that a request reads all of them in one call to
/// the host; a setting that is not in it, such as a key of several lines, is a variable of its own.
#[derive(Debug, Default)]
pub struct SettingsBlock(OnceLock<Vec<(String, String)>>);

impl Settings for SettingsBlock {
    fn get(&self, name: &str) -> Option<String> {
        let settings = self.0.get_or_init(|| parse(&SpinSettings.get("settings").unwrap_or_default()));
        let found = settings.iter().find_map(|(known, value)| (known == name).then(|| value.clone()));
        found.or_else(|| SpinSettings.get(name))
    }

    fn alone(&self, name: &str) -> Option<String> {
        SpinSettings.get(name)
    }
}

fn parse(block: &str) -> Vec<(String, String)> {
    let lines = block.lines().filter_map(|line| line.split_once('='));
    lines.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
}
