//! Why a command is refused, and how clients are told.

use http::StatusCode;
use octo_access::keys::SigningFailed;
use octo_core::{Problem, SqlError, StoreError};

use crate::{accounts::NotChanged, password::HashingFailed};

/// Why a command is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The address or the user name belongs to an account already.
    #[error("the address or the user name is taken")]
    Taken,
    /// No account has this name and password.
    #[error("wrong name or password")]
    BadCredentials,
    /// Too many attempts; the next one is heard at this time.
    #[error("too many attempts")]
    TooManyAttempts {
        /// How long to wait, in seconds.
        seconds: u64,
    },
    /// Too many registrations from one place; the next one is heard after this time.
    #[error("too many registrations")]
    TooManyRegistrations {
        /// How long to wait, in seconds.
        seconds: u64,
    },
    /// Too many passwords are being hashed.
    #[error("too many passwords are being hashed")]
    TooBusy,
    /// The password is the account's own name.
    #[error("the password repeats the account's name")]
    PasswordRepeatsName,
    /// The refresh token is unknown.
    #[error("the refresh token is unknown")]
    UnknownRefreshToken,
    /// The refresh token is used up, or of a session that is over.
    #[error("the refresh token is not accepted any more")]
    SpentRefreshToken,
    /// There is no such account.
    #[error("there is no such account")]
    NoSuchAccount,
    /// It would leave no active administrator.
    #[error("it is the last active administrator")]
    LastAdministrator,
    /// The account has no such session.
    #[error("the account has no such session")]
    NoSuchSession,
    /// The first administrator cannot be made: wrong secret, or none is set.
    #[error("the bootstrap secret is not accepted")]
    BadBootstrapSecret,
    /// There is an administrator already, or no account with this address.
    #[error("there is an administrator already, or no such account")]
    NoFirstAdministrator,
    /// Something of ours failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Something of ours that failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The database.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// The shared store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The hash function.
    #[error(transparent)]
    Hashing(#[from] HashingFailed),
    /// The token library.
    #[error(transparent)]
    Signing(#[from] SigningFailed),
}

macro_rules! refusal_from_failures {
    ($($failure:ty),*) => {
        $(impl From<$failure> for Refusal {
            fn from(failure: $failure) -> Self {
                Refusal::Failed(failure.into())
            }
        })*
    };
}
refusal_from_failures!(SqlError, StoreError, HashingFailed, SigningFailed);

impl From<NotChanged> for Refusal {
    fn from(error: NotChanged) -> Self {
        match error {
            NotChanged::Taken => Refusal::Taken,
            NotChanged::NoSuchAccount => Refusal::NoSuchAccount,
            NotChanged::LastAdministrator => Refusal::LastAdministrator,
            // Anyone who proved the old password has proven nothing.
            NotChanged::OtherPassword => Refusal::BadCredentials,
            NotChanged::Sql(error) => error.into(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let problem = |status, slug, title, detail: &str| Problem::new(status, slug, title, detail);
        match refusal {
            Refusal::Taken => problem(
                StatusCode::CONFLICT,
                "account-exists",
                "There is an account with this address or user name",
                "Log in with POST /auth/login, or choose another.",
            ),
            Refusal::BadCredentials => problem(
                StatusCode::UNAUTHORIZED,
                "bad-credentials",
                "The name or the password is wrong",
                "No account has this name and password.",
            ),
            Refusal::TooManyAttempts { seconds } => problem(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-attempts",
                "There were too many attempts to log in",
                "The next one is heard after the time that `retry-after` says, or after the one it then says, whatever others do.",
            )
            .retry_after(seconds),
            Refusal::TooManyRegistrations { seconds } => problem(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-registrations",
                "There were too many registrations from one place",
                "Nothing was changed. Send the same request again after the time that `retry-after` says.",
            )
            .retry_after(seconds),
            Refusal::TooBusy => problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "too-busy",
                "Too many passwords are being checked at once",
                "Nothing was changed. Send the same request again in a moment.",
            )
            .retry_after(1),
            Refusal::PasswordRepeatsName => Problem::invalid(
                "/password",
                "must not be the account's own name; choose another password or name",
            ),
            Refusal::UnknownRefreshToken | Refusal::SpentRefreshToken => problem(
                StatusCode::UNAUTHORIZED,
                "bad-refresh-token",
                "The refresh token is not accepted",
                "It is unknown, was used before, or its session is over. Log in again.",
            ),
            Refusal::NoSuchAccount | Refusal::NoSuchSession => problem(
                StatusCode::NOT_FOUND,
                "not-found",
                "There is nothing here",
                "There is no such account or session.",
            ),
            Refusal::LastAdministrator => problem(
                StatusCode::CONFLICT,
                "last-administrator",
                "This is the last active administrator",
                "Make another account administrator first; nobody could do so afterwards.",
            ),
            Refusal::BadBootstrapSecret => problem(
                StatusCode::FORBIDDEN,
                "bad-bootstrap-secret",
                "The bootstrap secret is not accepted",
                "Send the value of the variable `bootstrap_secret` as `authorization: Bearer`.",
            ),
            Refusal::NoFirstAdministrator => problem(
                StatusCode::CONFLICT,
                "no-first-administrator",
                "No first administrator was made",
                "There is an active administrator already, or no active account with this address. Register it first.",
            ),
            Refusal::Failed(Failure::Sql(error)) => error.into(),
            Refusal::Failed(Failure::Store(error)) => error.into(),
            Refusal::Failed(failure) => Problem::internal().because(failure),
        }
    }
}
