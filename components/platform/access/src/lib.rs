//! The access token: who may do what, until when.
//!
//! A token is a JWT after RFC 9068, signed with Ed25519 by `auth`, the only holder of the private key. Every
//! component checks it before any work:
//!
//! 1. [`Unverified::parse`] bounds it and reads its claims without believing them;
//! 2. the [session record](record) under the token's session says whether the session has ended and what the
//!    account may do now, and holds the digest of the token `auth` signed last for it: the same digest proves
//!    the same bytes, and the signature need not be checked again;
//! 3. otherwise [`PublicKeys::verify`] checks the signature, and in any case [`Claims::check`] the claims.
//!
//! So a message costs one store read; an ended session is refused, and a right that was given or taken counts,
//! at once and everywhere.

pub mod claims;
pub mod keys;
pub mod record;

pub use claims::{Claims, Rejection, Role, Unverified};
pub use keys::{PublicKeys, SigningKey};
pub use record::{Grants, SessionRecord};
