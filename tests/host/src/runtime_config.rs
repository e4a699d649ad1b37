//! Spin's runtime-config file: where stores and variables come from.
//!
//! Supported: `[key_value_store.LABEL]` of type `spin` (SQLite) and `redis`, `[sqlite_database.LABEL]`
//! of type `spin`, `[[variables_provider]]` (also `[[config_provider]]`) of type `static` and `env`, and
//! `state_dir`. Everything else is refused by name.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::variables::Provider;

/// A runtime-config file.
#[derive(Clone, Debug, Default)]
pub(crate) struct RuntimeConfig {
    pub(crate) providers: Vec<Provider>,
    pub(crate) key_value: BTreeMap<String, KeyValueBackend>,
    pub(crate) sqlite: BTreeMap<String, SqliteLocation>,
    pub(crate) state_dir: Option<PathBuf>,
}

/// Where a key-value store lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyValueBackend {
    /// An SQLite file; none: in memory.
    Sqlite(Option<PathBuf>),
    /// A Redis server.
    Redis(String),
}

/// Where a database lives; none: in memory, anew at every open.
pub(crate) type SqliteLocation = Option<PathBuf>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, alias = "config_provider")]
    variables_provider: Vec<ProviderTable>,
    #[serde(default)]
    key_value_store: BTreeMap<String, KeyValueTable>,
    #[serde(default)]
    sqlite_database: BTreeMap<String, SqliteTable>,
    state_dir: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum ProviderTable {
    Static { values: HashMap<String, String> },
    Env { prefix: Option<String> },
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum KeyValueTable {
    Spin { path: Option<PathBuf> },
    Redis { url: String },
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum SqliteTable {
    Spin { path: Option<PathBuf> },
}

impl RuntimeConfig {
    /// Reads a file. Paths in it are relative to its folder.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the runtime-config file {}", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder).with_context(|| format!("in the runtime-config file {}", path.display()))
    }

    /// Parses a text whose relative paths are meant from `folder`.
    pub(crate) fn parse(text: &str, folder: &Path) -> Result<Self> {
        let document: Document = toml::from_str(text).map_err(|refusal| {
            anyhow::anyhow!("{refusal}(this host supports only a part of what Spin does)")
        })?;
        let place = |path: Option<PathBuf>| path.map(|path| folder.join(path));
        let mut key_value = BTreeMap::new();
        for (label, table) in document.key_value_store {
            let backend = match table {
                KeyValueTable::Spin { path } => KeyValueBackend::Sqlite(place(path)),
                KeyValueTable::Redis { url } => {
                    ensure!(
                        redis::parse_redis_url(&url).is_some(),
                        "key_value_store.{label}: invalid Redis URL {url:?}"
                    );
                    KeyValueBackend::Redis(url)
                }
            };
            key_value.insert(label, backend);
        }
        Ok(Self {
            providers: document
                .variables_provider
                .into_iter()
                .map(|table| match table {
                    ProviderTable::Static { values } => Provider::Values(values),
                    ProviderTable::Env { prefix } => Provider::Environment { prefix },
                })
                .collect(),
            key_value,
            sqlite: document
                .sqlite_database
                .into_iter()
                .map(|(label, SqliteTable::Spin { path })| (label, place(path)))
                .collect(),
            state_dir: place(document.state_dir),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<RuntimeConfig> {
        RuntimeConfig::parse(text, Path::new("/etc"))
    }

    #[test]
    fn stores_and_providers_are_read() {
        let config = parse(
            r#"
            state_dir = "state"
            [[variables_provider]]
            type = "static"
            values = { limit = "3" }
            [[variables_provider]]
            type = "env"
            prefix = "OCTO"
            [key_value_store.default]
            type = "redis"
            url = "redis://127.0.0.1:6379/2"
            [key_value_store.other]
            type = "spin"
            path = "kv.db"
            [sqlite_database.default]
            type = "spin"
            path = "/data/x.db"
            "#,
        )
        .unwrap();
        assert_eq!(config.key_value["default"], KeyValueBackend::Redis("redis://127.0.0.1:6379/2".into()));
        assert_eq!(config.key_value["other"], KeyValueBackend::Sqlite(Some("/etc/kv.db".into())));
        assert_eq!(config.sqlite["default"], Some("/data/x.db".into()));
        assert_eq!(config.state_dir, Some("/etc/state".into()));
        assert_eq!(config.providers.len(), 2);
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for (text, name) in [
            ("[llm_compute]\ntype = \"x\"", "llm_compute"),
            ("[key_value_store.a]\ntype = \"aws_dynamo\"", "aws_dynamo"),
            ("[sqlite_database.a]\ntype = \"libsql\"", "libsql"),
            ("[[variables_provider]]\ntype = \"vault\"", "vault"),
            ("[key_value_store.a]\ntype = \"spin\"\nurl = \"x\"", "url"),
            ("[key_value_store.a]\ntype = \"redis\"\nurl = \"x\"", "invalid Redis URL"),
        ] {
            let refusal = format!("{:#}", parse(text).unwrap_err());
            assert!(refusal.contains(name), "{text}: {refusal}");
        }
    }
}
