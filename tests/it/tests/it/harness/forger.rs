//! Tokens made by somebody who knows everything but, unless a test says so, the signing key.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use jwt_simple::algorithms::{Ed25519KeyPair, EdDSAKeyPairLike, HS256Key, MACLike};
use serde_json::{Value, json};

/// A key that signs tokens, and the header that names it.
pub(crate) struct Forger {
    key: Ed25519KeyPair,
}

impl Forger {
    /// With a key of its own.
    pub(crate) fn new() -> Self {
        Self { key: Ed25519KeyPair::generate() }
    }

    /// The private key as the variable `signing_key` takes it.
    pub(crate) fn pem(&self) -> String {
        self.key.to_pem()
    }

    pub(crate) fn public_jwk(&self) -> Value {
        serde_json::from_str(&self.key.public_key().to_jwk()).unwrap()
    }

    /// The header of a genuine token signed with this key.
    pub(crate) fn header(&self) -> Value {
        json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": self.key.public_key().jwk_thumbprint() })
    }

    /// A genuine token of the account `id`, if there is one, with these rights; it holds for half an hour from `now`.
    pub(crate) fn token(&self, id: i64, role: &str, paid_access: bool, now: u64) -> String {
        let now = now / 1000;
        let payload = json!({
            "iss": "octo", "sub": id.to_string(), "aud": "octo-api", "iat": now, "exp": now + 1800,
            "jti": format!("token of {id}"), "sid": format!("01937d7e-0000-7000-8000-{id:012}"), "role": role,
            "paid_access": paid_access,
        });
        self.sign(&self.header(), &payload)
    }

    /// A token with exactly this header and payload, signed with this key.
    pub(crate) fn sign(&self, header: &Value, payload: &Value) -> String {
        self.sign_text(&header.to_string(), &payload.to_string())
    }

    /// The same of header and payload as they are written.
    pub(crate) fn sign_text(&self, header: &str, payload: &str) -> String {
        let text = format!("{}.{}", BASE64.encode(header), BASE64.encode(payload));
        let signature = self.key.key_pair().as_ref().sk.sign(text.as_bytes(), None);
        format!("{text}.{}", BASE64.encode(*signature))
    }
}

/// A token with exactly this header and payload, "signed" with HS256 under `secret`.
pub(crate) fn authenticate(secret: &[u8], header: &Value, payload: &Value) -> String {
    let text = unsigned(header, payload);
    let mac = HS256Key::from_bytes(secret).authentication_tag(text.as_bytes());
    format!("{text}.{}", BASE64.encode(mac))
}

/// The header and the payload of a token, encoded, without a signature.
pub(crate) fn unsigned(header: &Value, payload: &Value) -> String {
    format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(payload.to_string()))
}

/// What a token says.
pub(crate) fn payload(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64.decode(payload).unwrap()).unwrap()
}
