//! The keys: `auth` signs with one, everybody verifies with the public ones.

use jwt_simple::{
    algorithms::{Ed25519KeyPair, Ed25519PublicKey, EdDSAKeyPairLike, EdDSAPublicKeyLike},
    claims::{Audiences, JWTClaims},
    common::{HeaderOptions, VerificationOptions},
    prelude::{Duration, UnixTimeStamp},
    token::Token,
};
use octo_core::UnixMillis;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::claims::{Claims, MAX_LENGTH, Rejection, Role, SKEW_SECS, TYPE, Unverified};

/// The claims RFC 7519 does not register.
#[derive(Serialize, Deserialize)]
struct OwnClaims {
    sid: String,
    role: Role,
    paid_access: bool,
    #[serde(flatten, skip_deserializing)]
    further: Map<String, Value>,
}

/// The key pair that signs access tokens.
#[derive(Clone)]
pub struct SigningKey(Ed25519KeyPair);

/// The text is no Ed25519 private key we can read.
#[derive(Debug, thiserror::Error)]
#[error("must be an Ed25519 private key in PKCS #8 PEM, such as `openssl genpkey -algorithm ed25519` makes")]
pub struct BadKey;

impl SigningKey {
    /// A new key from the platform's randomness.
    pub fn generate() -> Self {
        Self(Ed25519KeyPair::generate()).named()
    }

    /// The key in a PKCS #8 PEM text.
    pub fn from_pem(pem: &str) -> Result<Self, BadKey> {
        // A variable set from a shell or a TOML file often has its line ends escaped.
        Ed25519KeyPair::from_pem(&pem.trim().replace("\\n", "\n"))
            .map(|key| Self(key).named())
            .map_err(|_| BadKey)
    }

    /// The key in the form of [`SigningKey::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadKey> {
        Ed25519KeyPair::from_bytes(bytes).map(|key| Self(key).named()).map_err(|_| BadKey)
    }

    /// The secret key's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    fn named(self) -> Self {
        let id = self.0.public_key().jwk_thumbprint();
        Self(self.0.with_key_id(&id))
    }

    /// The key's id: its RFC 7638 thumbprint.
    pub fn id(&self) -> String {
        self.0.key_id().clone().unwrap_or_default()
    }

    /// The public half.
    pub fn public_jwk(&self) -> Value {
        let jwk = self.0.public_key().with_key_id(&self.id()).to_jwk();
        serde_json::from_str(&jwk).unwrap_or_default()
    }

    /// Signs `claims`.
    pub fn sign(&self, claims: &Claims) -> Result<String, SigningFailed> {
        let own = OwnClaims {
            sid: claims.sid.clone(),
            role: claims.role,
            paid_access: claims.paid_access,
            further: claims.further.clone(),
        };
        let claims = JWTClaims {
            issued_at: Some(timestamp(claims.iat)),
            expires_at: Some(timestamp(claims.exp)),
            invalid_before: None,
            issuer: Some(claims.iss.clone()),
            subject: Some(claims.sub.clone()),
            audiences: Some(Audiences::AsString(claims.aud.clone())),
            jwt_id: Some(claims.jti.clone()),
            nonce: None,
            custom: own,
        };
        let header = HeaderOptions { signature_type: Some(TYPE.into()), content_type: None };
        self.0.sign_with_options(claims, &header).map_err(|_| SigningFailed)
    }
}

/// The token library could not sign. It has no cause a caller could act on.
#[derive(Debug, thiserror::Error)]
#[error("a token could not be signed")]
pub struct SigningFailed;

fn timestamp(seconds: i64) -> UnixTimeStamp {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// The public keys that tokens are verified with.
#[derive(Debug)]
pub struct PublicKeys(Vec<(String, Ed25519PublicKey)>);

impl PublicKeys {
    /// Reads a JWK Set (RFC 7517); keys that are not Ed25519 are skipped.
    pub fn from_jwks(jwks: &[u8]) -> Option<Self> {
        let jwks: Value = serde_json::from_slice(jwks).ok()?;
        let keys = jwks.get("keys")?.as_array()?.iter().filter_map(|jwk| {
            let id = jwk.get("kid")?.as_str()?.to_owned();
            Some((id, Ed25519PublicKey::from_jwk(&jwk.to_string()).ok()?))
        });
        Some(Self(keys.collect()))
    }

    /// Checks the token's signature with the key its header names. The algorithm is fixed by the key, the
    /// type by [`TYPE`]; keys named inside the token (`jwk`, `jku`, `x5u`) are never looked at. The claims
    /// have passed [`Claims::check`] before.
    pub fn verify(&self, token: &Unverified<'_>, now: UnixMillis) -> Result<(), Rejection> {
        let header = Token::decode_metadata(token.token).map_err(|_| Rejection::Malformed)?;
        let id = header.key_id().ok_or(Rejection::NotSigned)?;
        let (_, key) = self.0.iter().find(|(known, _)| known == id).ok_or(Rejection::NotSigned)?;
        let options = VerificationOptions {
            required_signature_type: Some(TYPE.into()),
            artificial_time: Some(timestamp(now.as_secs())),
            time_tolerance: Some(timestamp(SKEW_SECS)),
            max_token_length: Some(MAX_LENGTH),
            ..VerificationOptions::default()
        };
        match key.verify_token::<OwnClaims>(token.token, Some(options)) {
            Ok(_) => Ok(()),
            Err(_) => Err(Rejection::NotSigned),
        }
    }
}

/// The JWK Set that publishes `keys`.
pub fn jwks(keys: &[Value]) -> Value {
    json!({ "keys": keys })
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
