//! Spin's variables.

use std::sync::OnceLock;

use octo_core::Settings;

use crate::lane;

/// The one variable `settings`, a line `name = value` for each setting, so that a request reads all of them in one call to
/// the host; a setting that is not in it, such as a key of several lines, is a variable of its own.
#[derive(Debug, Default)]
pub struct SettingsBlock(OnceLock<Vec<(String, String)>>);

impl Settings for SettingsBlock {
    fn get(&self, name: &str) -> Option<String> {
        let settings = self.0.get_or_init(|| parse(&lane::settings_block().unwrap_or_default()));
        let found = settings.iter().find_map(|(known, value)| (known == name).then(|| value.clone()));
        found.or_else(|| lane::variable(name))
    }

    fn alone(&self, name: &str) -> Option<String> {
        lane::variable(name)
    }
}

fn parse(block: &str) -> Vec<(String, String)> {
    let lines = block.lines().filter_map(|line| line.split_once('='));
    lines.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
}
