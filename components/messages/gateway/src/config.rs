//! The router's variables, parsed once into checked values. A wrong or impossible set is refused with the
//! variable and the rule, and no message is routed until it is right.

use std::time::Duration;

use octo_core::{
    SettingError, Settings,
    settings::{milliseconds, number, seconds, text},
    time::millis,
};

use crate::{
    free_tier::{Limits, WindowModel},
    provider::endpoint::{Endpoint, timeout},
};

/// Everything the router is told by variables.
#[derive(Clone, Debug)]
pub struct Config {
    /// The free tier.
    pub tier: TierConfig,
    /// The free provider.
    pub free: Endpoint,
    /// The paid provider.
    pub paid: Endpoint,
    /// Free messages of one user in a UTC day; 0 for no such limit.
    pub daily_per_user: i64,
    /// Messages of one user that are paid for in a UTC day; 0 for no such limit.
    pub paid_daily_per_user: i64,
}

/// What the counter of free calls is told by variables.
#[derive(Clone, Debug)]
pub struct TierConfig {
    /// What the free provider allows.
    pub limits: Limits,
    /// How its windows lie in time.
    pub model: WindowModel,
    /// The Redis server that counts; `None` for the key-value store.
    pub redis: Option<RedisAddress>,
    /// The longest time a call to the paid provider can take.
    pub paid_timeout: Duration,
    /// How long the stores may take to answer, when they are asked through another component.
    pub store_timeout: Duration,
}

impl Config {
    /// Reads and checks the router's variables.
    pub fn read(settings: &impl Settings) -> Result<Self, SettingError> {
        let tier = TierConfig::read(settings)?;
        Ok(Self {
            free: Endpoint::read(settings, "free_provider", tier.limits.window)?,
            paid: Endpoint::read(settings, "paid_provider", tier.limits.window)?,
            tier,
            daily_per_user: number(settings, "free_daily_per_user", 0..=1_000_000)?,
            paid_daily_per_user: number(settings, "paid_daily_per_user", 0..=1_000_000)?,
        })
    }
}

impl TierConfig {
    /// Reads and checks the variables of the free tier.
    pub fn read(settings: &impl Settings) -> Result<Self, SettingError> {
        let limits = Limits {
            calls: number(settings, "free_limit", 1..=1_000_000_000)?,
            window: seconds(settings, "free_window_seconds", 1..=31 * 86_400)?,
            block: seconds(settings, "free_block_seconds", 0..=31 * 86_400)?,
            timeout: timeout(settings, "free_provider")?,
            skew: milliseconds(settings, "free_clock_skew_ms", 0..=60_000)?,
        };
        let redis = RedisAddress::read(settings)?;
        let model = window_model(settings)?;
        match redis {
            Some(_) => require_countable_by_script(model, &limits)?,
            None => require_countable_by_increment(model, &limits)?,
        }
        let paid_timeout = timeout(settings, "paid_provider")?;
        let store_timeout = milliseconds(settings, "store_timeout_ms", 10..=5_000)?;
        Ok(Self { limits, model, redis, paid_timeout, store_timeout })
    }
}

const MODEL: &str = "free_window_model";

fn window_model(settings: &impl Settings) -> Result<WindowModel, SettingError> {
    let name = text(settings, MODEL)?;
    name.parse().map_err(|_| {
        let names = WindowModel::ALL.map(WindowModel::name).join("`, `");
        SettingError::new(MODEL, format!("must be one of `{names}`; it is `{name}`"))
    })
}

/// The address of a Redis server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisAddress {
    scheme: &'static str,
    server: String,
}

impl RedisAddress {
    /// The address in the variable `redis_url`. `allowed_outbound_hosts` shares it, so it has neither password nor
    /// path; and "none" has the form of an address, for no released Spin takes an empty entry there: the
    /// default is under `.invalid`, where no server is (RFC 6761, section 6.4).
    fn read(settings: &impl Settings) -> Result<Option<Self>, SettingError> {
        const NAME: &str = "redis_url";
        let address = text(settings, NAME)?;
        if address.is_empty() {
            return Ok(None);
        }
        let parts = address.split_once("://");
        let known = parts.and_then(|(scheme, server)| {
            let scheme = ["redis", "rediss"].into_iter().find(|known| *known == scheme)?;
            let port = server.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            let authority: http::uri::Authority = server.parse().ok()?;
            (port.is_some() && !authority.as_str().contains('@'))
                .then(|| Self { scheme, server: server.to_owned() })
        });
        let Some(known) = known else {
            let rule = "must be an address such as `redis://localhost:6379`, with the port and without a \
                        password (`redis_password`) or a path";
            return Err(SettingError::new(NAME, rule));
        };
        let host = known.server.split(':').next().unwrap_or_default();
        Ok((!host.ends_with(".invalid")).then_some(known))
    }

    /// The address with the password of the variable `redis_password` put in, as clients take it.
    pub fn login(&self, settings: &impl Settings) -> Result<String, SettingError> {
        let Self { scheme, server } = self;
        let password = text(settings, "redis_password")?;
        if password.is_empty() {
            return Ok(format!("{scheme}://{server}"));
        }
        let encoded: String = form_urlencoded::byte_serialize(password.as_bytes()).collect();
        Ok(format!("{scheme}://:{}@{server}", encoded.replace('+', "%20")))
    }
}

/// With `increment` as the only atomic operation, just the aligned model can be counted exactly.
fn require_countable_by_increment(model: WindowModel, limits: &Limits) -> Result<(), SettingError> {
    if model != WindowModel::Aligned {
        let rule = format!(
            "must be `aligned` unless `redis_url` is set; it is `{}`, which the key-value store cannot count \
             without overruns",
            model.name()
        );
        return Err(SettingError::new(MODEL, rule));
    }
    // The counter looks at the windows a call may fall in: with a longer timeout that would be three or
    // more, and most of the quota would be held by calls that ended long ago.
    if limits.window <= limits.timeout + 2 * limits.skew {
        return Err(SettingError::new(
            "free_window_seconds",
            "must be more than `free_provider_timeout_ms` plus twice `free_clock_skew_ms`",
        ));
    }
    Ok(())
}

fn require_countable_by_script(model: WindowModel, limits: &Limits) -> Result<(), SettingError> {
    match model {
        // The script counts in thousandths of a second of refill, exactly up to here.
        WindowModel::TokenBucket
            if millis(limits.window).checked_mul(limits.calls).is_none_or(|brim| brim > 1 << 53) =>
        {
            Err(SettingError::new(
                "free_limit",
                "times `free_window_seconds` must be at most 9007199254740 for the model `token_bucket`",
            ))
        }
        // A refusal tells where the provider's count stands only if no call can outlast the block.
        WindowModel::CountThenBlock if limits.block < limits.timeout + limits.skew => Err(SettingError::new(
            "free_block_seconds",
            "must be at least `free_provider_timeout_ms` plus `free_clock_skew_ms` for the model \
                 `count_then_block`",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use octo_core::testing::FakeSettings;

    pub(crate) fn defaults() -> FakeSettings {
        FakeSettings::of(&[
            ("free_limit", "50"),
            ("free_window_seconds", "60"),
            ("free_block_seconds", "60"),
            ("free_window_model", "aligned"),
            ("free_clock_skew_ms", "250"),
            ("redis_url", "redis://none.invalid:6379"),
            ("redis_password", ""),
            ("free_daily_per_user", "0"),
            ("paid_daily_per_user", "0"),
            ("store_timeout_ms", "1000"),
            ("free_provider_origin", "http://free-provider.spin.internal"),
            ("free_provider_preset", "plain"),
            ("free_provider_model", ""),
            ("free_provider_path", ""),
            ("free_provider_template", ""),
            ("free_provider_headers", ""),
            ("free_provider_key_in", ""),
            ("free_provider_success", ""),
            ("free_provider_key", ""),
            ("free_provider_timeout_ms", "5000"),
            ("free_provider_message_field", ""),
            ("free_provider_response_pointer", ""),
            ("paid_provider_origin", "http://paid-provider.spin.internal"),
            ("paid_provider_preset", "plain"),
            ("paid_provider_model", ""),
            ("paid_provider_path", ""),
            ("paid_provider_template", ""),
            ("paid_provider_headers", ""),
            ("paid_provider_key_in", ""),
            ("paid_provider_success", ""),
            ("paid_provider_key", "k-1"),
            ("paid_provider_timeout_ms", "10000"),
            ("paid_provider_message_field", ""),
            ("paid_provider_response_pointer", ""),
        ])
    }

    fn refusal(name: &str, value: &str) -> String {
        Config::read(&defaults().with(name, value)).unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_are_accepted() {
        let config = Config::read(&defaults()).unwrap();
        assert_eq!(config.tier.limits.calls, 50);
        assert_eq!(config.free.key, None);
        assert_eq!(config.paid.key.as_deref(), Some("k-1"));
    }

    #[test]
    fn a_wrong_variable_is_named_with_its_rule() {
        assert_eq!(
            refusal("free_limit", "many"),
            "the variable `free_limit` must be a whole number from 1 to 1000000000; it is `many`"
        );
        assert!(refusal("free_limit", "0").contains("free_limit"));
        assert!(refusal("free_window_model", "sliding").contains("must be `aligned`"));
    }

    #[test]
    fn a_window_shorter_than_the_timeout_is_refused() {
        assert!(refusal("free_window_seconds", "5").contains("free_provider_timeout_ms"));
    }

    #[test]
    fn redis_counts_every_model_it_can_and_refuses_the_rest_with_the_reason() {
        let redis = defaults().with("redis_url", "redis://localhost:6379");
        for model in WindowModel::ALL {
            let config = Config::read(&redis.clone().with("free_window_model", model.name())).unwrap();
            assert_eq!(config.tier.model, model);
        }
        let refused = |model: &str, name: &str, value: &str| {
            let settings = redis.clone().with("free_window_model", model).with(name, value);
            Config::read(&settings).unwrap_err().to_string()
        };
        assert!(refused("monthly", "free_limit", "1").contains("`count_then_block`"));
        assert!(refused("count_then_block", "free_block_seconds", "5").contains("free_provider_timeout_ms"));
        let many = redis.clone().with("free_window_seconds", "86400");
        let many = many.with("free_window_model", "token_bucket").with("free_limit", "1000000000");
        assert!(Config::read(&many).unwrap_err().to_string().contains("token_bucket"));
    }

    #[test]
    fn the_address_of_redis_is_plain_and_the_password_is_put_in() {
        let address = |url: &str, password: &str| {
            let settings = defaults().with("redis_url", url).with("redis_password", password);
            let redis = Config::read(&settings).map(|config| config.tier.redis);
            let login = redis.and_then(|redis| redis.map(|redis| redis.login(&settings)).transpose());
            login.map_err(|error| error.to_string())
        };
        assert_eq!(address("", "unused"), Ok(None));
        assert_eq!(address("redis://none.invalid:6379", "unused"), Ok(None));
        assert_eq!(address("redis://a:1", ""), Ok(Some("redis://a:1".into())));
        assert_eq!(address("rediss://a:1", "p@ s"), Ok(Some("rediss://:p%40%20s@a:1".into())));
        for wrong in ["http://a:1", "a:1", "redis://a", "redis://a:1/0", "redis://:secret@a:1"] {
            let refusal = address(wrong, "").unwrap_err();
            assert!(refusal.contains("redis_password") && !refusal.contains("secret"), "{refusal}");
        }
    }

    #[test]
    fn a_missing_variable_is_named() {
        let mut settings = defaults();
        settings.0.remove("free_limit");
        let error = Config::read(&settings).unwrap_err().to_string();
        assert_eq!(error, "the variable `free_limit` is not given to this component in spin.toml");
    }
}
