//! Which database the variables name.

use crate::{SettingError, Settings, settings::text};

/// Where the data is.
pub enum Database {
    /// In the platform's own SQLite database.
    Embedded,
    /// On a Postgres server: its address, with the password, as clients take it.
    Postgres(String),
}

/// How long connecting may take, in seconds.
const CONNECT_TIMEOUT: u8 = 5;

impl Database {
    /// Reads and checks the variables `database_*`; with the embedded database only `database_url`.
    ///
    /// `allowed_outbound_hosts` shares `database_url`, so it has neither user, password nor path; and "none" has the
    /// form of an address, for no released Spin takes an empty entry there: the default is under `.invalid`,
    /// where no server is (RFC 6761, section 6.4).
    ///
    /// # Errors
    /// Names the variable that cannot be used; never the password.
    pub fn read(settings: &impl Settings) -> Result<Self, SettingError> {
        let url = text(settings, "database_url")?;
        if url.is_empty() {
            return Ok(Database::Embedded);
        }
        let server = server(&url).ok_or_else(|| {
            let rule = "must be an address such as `postgres://localhost:5432`, with the port and without a user \
                        (`database_user`), a password (`database_password`) or a path (`database_name`)";
            SettingError::new("database_url", rule)
        })?;
        if server.split(':').next().is_some_and(|host| host.ends_with(".invalid")) {
            return Ok(Database::Embedded);
        }
        let user = encoded(&filled(settings, "database_user")?);
        let name = encoded(&filled(settings, "database_name")?);
        let password = match text(settings, "database_password")? {
            none if none.is_empty() => String::new(),
            password => format!(":{}", encoded(&password)),
        };
        // `require` also has Spin check the certificate against the machine's authorities and the server's name.
        let tls = match text(settings, "database_tls")?.as_str() {
            "on" => "require",
            "off" => "disable",
            other => {
                let rule = format!("must be `on` or `off`; it is `{other}`");
                return Err(SettingError::new("database_tls", rule));
            }
        };
        Ok(Database::Postgres(format!(
            "postgres://{user}{password}@{server}/{name}?sslmode={tls}&connect_timeout={CONNECT_TIMEOUT}&application_name=octo"
        )))
    }
}

/// `HOST:PORT` of `postgres://HOST:PORT`.
fn server(url: &str) -> Option<&str> {
    let server = url.strip_prefix("postgres://")?;
    let authority: http::uri::Authority = server.parse().ok()?;
    (authority.port_u16().is_some() && !authority.host().is_empty() && !server.contains('@'))
        .then_some(server)
}

fn filled(settings: &impl Settings, name: &str) -> Result<String, SettingError> {
    match text(settings, name)? {
        empty if empty.is_empty() => Err(SettingError::new(name, "must not be empty")),
        filled => Ok(filled),
    }
}

fn encoded(text: &str) -> String {
    let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    encoded.replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variables, those that are not given with their defaults.
    struct Given<'a>(&'a [(&'a str, &'a str)]);

    impl Settings for Given<'_> {
        fn get(&self, name: &str) -> Option<String> {
            let defaults = [
                ("database_url", "postgres://none.invalid:5432"),
                ("database_name", "octo"),
                ("database_user", "octo"),
                ("database_password", ""),
                ("database_tls", "on"),
            ];
            let known = self.0.iter().chain(&defaults).find(|(known, _)| *known == name);
            known.map(|(_, value)| (*value).to_owned())
        }
    }

    fn address(given: &[(&str, &str)]) -> Result<Option<String>, SettingError> {
        Database::read(&Given(given)).map(|database| match database {
            Database::Embedded => None,
            Database::Postgres(address) => Some(address),
        })
    }

    #[test]
    fn without_an_address_the_data_is_embedded() {
        assert_eq!(address(&[]), Ok(None));
        assert_eq!(address(&[("database_url", "")]), Ok(None));
        assert_eq!(
            address(&[("database_url", "postgres://none.invalid:5432"), ("database_tls", "x")]),
            Ok(None)
        );
    }

    #[test]
    fn an_address_is_completed_by_the_other_variables() {
        let options = "connect_timeout=5&application_name=octo";
        assert_eq!(
            address(&[("database_url", "postgres://db.example.com:5433")]),
            Ok(Some(format!("postgres://octo@db.example.com:5433/octo?sslmode=require&{options}")))
        );
        assert_eq!(
            address(&[
                ("database_url", "postgres://[::1]:5432"),
                ("database_user", "ada@x"),
                ("database_password", "p@:/?#%+ &é"),
                ("database_name", "a/b"),
                ("database_tls", "off"),
            ]),
            Ok(Some(format!(
                "postgres://ada%40x:p%40%3A%2F%3F%23%25%2B%20%26%C3%A9@[::1]:5432/a%2Fb?sslmode=disable&{options}"
            )))
        );
    }

    #[test]
    fn a_wrong_variable_is_named() {
        for url in [
            "localhost:5432",
            "postgres://localhost",
            "postgres://:5432",
            "postgresql://localhost:5432",
            "postgres://localhost:x",
            "postgres://user@localhost:5432",
            "postgres://localhost:5432/db",
            "redis://localhost:5432",
        ] {
            assert_eq!(address(&[("database_url", url)]).unwrap_err().name, "database_url", "{url}");
        }
        const SERVER: (&str, &str) = ("database_url", "postgres://localhost:5432");
        assert_eq!(address(&[SERVER, ("database_tls", "prefer")]).unwrap_err().name, "database_tls");
        assert_eq!(address(&[SERVER, ("database_name", "")]).unwrap_err().name, "database_name");
        assert_eq!(address(&[SERVER, ("database_user", "")]).unwrap_err().name, "database_user");
    }
}
