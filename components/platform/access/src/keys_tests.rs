use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jwt_simple::algorithms::{HS256Key, MACLike};
use octo_core::{
    KeyValue,
    testing::{FakeKeyValue, ready},
};
use proptest::prelude::*;

use super::*;
use crate::{
    SessionRecord,
    claims::{AUDIENCE, ISSUER, LONGEST_SECS, digest},
    record::{Grants, Vouched},
};

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn claims() -> Claims {
    Claims {
        iss: ISSUER.into(),
        sub: "7".into(),
        aud: AUDIENCE.into(),
        iat: NOW.as_secs(),
        exp: NOW.as_secs() + 900,
        jti: "01937d7e-0000-7000-8000-000000000002".into(),
        sid: "01937d7e-0000-7000-8000-000000000001".into(),
        role: Role::User,
        paid_access: true,
        further: Map::new(),
    }
}

fn public(key: &SigningKey) -> PublicKeys {
    PublicKeys::from_jwks(jwks(&[key.public_jwk()]).to_string().as_bytes()).unwrap()
}

fn verify(key: &SigningKey, token: &str) -> Result<(), Rejection> {
    Unverified::parse(token).and_then(|token| public(key).verify(&token, NOW))
}

/// A token with the given header and payload and a signature part of our choice.
fn raw(header: &str, payload: &str, signature: &str) -> String {
    let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{signature}", encode(header), encode(payload))
}

#[test]
fn a_signed_token_verifies_and_says_what_was_signed() {
    let key = SigningKey::generate();
    let token = key.sign(&claims()).unwrap();
    assert_eq!(verify(&key, &token), Ok(()));
    let parsed = Unverified::parse(&token).unwrap();
    assert_eq!(parsed.claims, claims());
    assert_eq!(parsed.claims.check(NOW), Ok(()));
    assert!(token.len() < 512, "{} bytes", token.len());
}

#[test]
fn a_key_survives_its_bytes_and_its_pem() {
    let key = SigningKey::generate();
    let again = SigningKey::from_bytes(&key.to_bytes()).unwrap();
    assert_eq!(key.id(), again.id());
    let pem = key.0.to_pem();
    assert_eq!(SigningKey::from_pem(&pem.replace('\n', "\\n")).unwrap().id(), key.id());
    assert!(SigningKey::from_pem("nonsense").is_err());
}

#[test]
fn tokens_of_another_key_algorithm_or_type_are_refused() {
    let key = SigningKey::generate();
    let payload = serde_json::to_string(&claims()).unwrap();
    let kid = key.id();

    let foreign = SigningKey::generate().sign(&claims()).unwrap();
    assert_eq!(verify(&key, &foreign), Err(Rejection::NotSigned), "unknown kid");

    for alg in ["none", "None", "NONE"] {
        let header = format!(r#"{{"alg":"{alg}","typ":"at+jwt","kid":"{kid}"}}"#);
        assert_eq!(verify(&key, &raw(&header, &payload, "")), Err(Rejection::NotSigned), "{alg}");
    }

    // Key confusion: HS256 keyed with the public key's bytes.
    let public_bytes = key.0.public_key().to_bytes();
    let confused = HS256Key::from_bytes(&public_bytes).with_key_id(&kid);
    let own = OwnClaims { sid: claims().sid, role: Role::Admin, paid_access: true, further: Map::new() };
    let forged =
        jwt_simple::claims::Claims::with_custom_claims(own, Duration::from_days(1)).with_issuer(ISSUER);
    let forged = forged.with_audience(AUDIENCE).with_subject("7").with_jwt_id("x");
    let header = HeaderOptions { signature_type: Some(TYPE.into()), content_type: None };
    let forged = confused.authenticate_with_options(forged, &header).unwrap();
    assert_eq!(verify(&key, &forged), Err(Rejection::NotSigned), "HS256 with the public key");

    // A JWT of ours, but of another type.
    let own = OwnClaims { sid: claims().sid, role: Role::User, paid_access: true, further: Map::new() };
    let plain = jwt_simple::claims::Claims::with_custom_claims(own, Duration::from_days(1))
        .with_issuer(ISSUER)
        .with_audience(AUDIENCE)
        .with_subject("7")
        .with_jwt_id("x");
    assert_eq!(verify(&key, &key.0.sign(plain).unwrap()), Err(Rejection::NotSigned), "typ: JWT");
}

#[test]
fn keys_inside_the_token_are_not_believed() {
    let (key, attacker) = (SigningKey::generate(), SigningKey::generate());
    let token = attacker.sign(&claims()).unwrap();
    let signature = token.rsplit('.').next().unwrap();
    let payload = serde_json::to_string(&claims()).unwrap();
    for extra in [
        format!(r#""jwk":{}"#, attacker.public_jwk()),
        r#""jku":"http://evil.example/keys""#.into(),
        r#""x5u":"http://evil.example/keys""#.into(),
    ] {
        let header = format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{}",{extra}}}"#, key.id());
        assert!(verify(&key, &raw(&header, &payload, signature)).is_err(), "{extra}");
    }
}

#[test]
fn claims_are_held_to_their_rules() {
    let rule = |change: fn(&mut Claims)| {
        let mut claims = claims();
        change(&mut claims);
        claims.check(NOW)
    };
    assert_eq!(rule(|_| {}), Ok(()));
    assert_eq!(rule(|c| c.aud = "octo-refresh".into()), Err(Rejection::WrongAudience));
    assert_eq!(rule(|c| c.iss = "else".into()), Err(Rejection::WrongAudience));
    assert_eq!(rule(|c| c.exp = NOW.as_secs()), Err(Rejection::Expired));
    assert_eq!(rule(|c| c.exp = NOW.as_secs() + 1), Ok(()));
    assert_eq!(rule(|c| c.iat = NOW.as_secs() + 6), Err(Rejection::FromTheFuture));
    assert_eq!(rule(|c| c.exp = c.iat + LONGEST_SECS), Ok(()));
    assert_eq!(rule(|c| c.exp = c.iat + LONGEST_SECS + 1), Err(Rejection::HoldsTooLong));
    assert_eq!(rule(|c| c.iat -= LONGEST_SECS), Err(Rejection::HoldsTooLong));
    assert_eq!(rule(|c| c.iat = i64::MIN), Err(Rejection::HoldsTooLong));
    assert_eq!(rule(|c| c.exp = i64::MAX), Err(Rejection::HoldsTooLong));
}

#[test]
fn malformed_tokens_are_refused_before_any_lookup() {
    let key = SigningKey::generate();
    let token = key.sign(&claims()).unwrap();
    let long = "x".repeat(MAX_LENGTH + 1);
    for bad in ["", ".", "..", "a.b.c", "a.b", &long, &token[..token.len() / 2], &format!("{token}.x")] {
        assert_eq!(Unverified::parse(bad).err(), Some(Rejection::Malformed), "{bad}");
    }
    let mut odd = claims();
    odd.sid = "../../auth/jwks".into();
    let token = key.sign(&odd).unwrap();
    assert_eq!(Unverified::parse(&token).err(), Some(Rejection::Malformed), "a session id is a UUID");
}

#[test]
fn a_record_vouches_for_the_very_token_and_ends_all_of_its_session() {
    let store = FakeKeyValue::default();
    let key = SigningKey::generate();
    let (first, second) = (key.sign(&claims()).unwrap(), {
        let mut later = claims();
        later.iat += 1;
        key.sign(&later).unwrap()
    });
    let (first, second) = (Unverified::parse(&first).unwrap(), Unverified::parse(&second).unwrap());
    let sid = &first.claims.sid;
    assert_eq!(ready(SessionRecord::read(&store, sid)), Ok(None));

    for grants in [
        Grants { role: Role::User, paid_access: false },
        Grants { role: Role::Admin, paid_access: true },
        Grants { role: Role::Service, paid_access: false },
    ] {
        let live = SessionRecord::Live { digest: digest(second.token), grants };
        ready(live.write(&store, sid)).unwrap();
        let record = ready(SessionRecord::read(&store, sid)).unwrap().unwrap();
        assert_eq!(record, live);
        assert_eq!(record.vouches_for(&second), Ok((Vouched::Yes, grants)));
        assert_eq!(record.vouches_for(&first), Ok((Vouched::Unknown, grants)));
    }

    ready(SessionRecord::Ended.write(&store, sid)).unwrap();
    let record = ready(SessionRecord::read(&store, sid)).unwrap().unwrap();
    assert_eq!(record.vouches_for(&first), Err(Rejection::Ended));
    assert_eq!(record.vouches_for(&second), Err(Rejection::Ended));
}

#[test]
fn a_record_that_cannot_be_read_ends_the_session() {
    let store = FakeKeyValue::default();
    let digest = "x".repeat(43);
    for text in [&digest, &format!("{digest} root paid"), &format!("{digest} admin"), "", "\u{0}"] {
        ready(store.set("auth/session/s", text.as_bytes())).unwrap();
        assert_eq!(ready(SessionRecord::read(&store, "s")), Ok(Some(SessionRecord::Ended)), "{text}");
    }
}

#[test]
fn further_claims_are_signed_and_change_nothing_of_ours() {
    let key = SigningKey::generate();
    let mut claims = claims();
    claims.further.insert("uid".into(), "u".into());
    let token = key.sign(&claims).unwrap();
    assert_eq!(verify(&key, &token), Ok(()));
    let parsed = Unverified::parse(&token).unwrap();
    assert_eq!(parsed.claims, Claims { further: Map::new(), ..claims });
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&payload).unwrap()["uid"], "u");
}

#[test]
fn claims_said_twice_are_no_claims() {
    let payload = serde_json::to_string(&claims()).unwrap();
    for twice in [r#""role":"admin""#, r#""sub":"1""#, r#""exp":9999999999"#, r#""paid_access":true"#] {
        let payload = payload.replacen('{', &format!("{{{twice},"), 1);
        let token = raw(r#"{"alg":"EdDSA","typ":"at+jwt"}"#, &payload, "x");
        assert_eq!(Unverified::parse(&token).err(), Some(Rejection::Malformed), "{twice}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever single character of a token is changed, it no longer verifies.
    #[test]
    fn no_changed_token_verifies(position in any::<prop::sample::Index>(), replacement in "[A-Za-z0-9_.=-]") {
        let key = SigningKey::generate();
        let token = key.sign(&claims()).unwrap();
        let at = position.index(token.len());
        prop_assume!(token[at..=at] != replacement);
        let mut changed = token.clone();
        changed.replace_range(at..=at, &replacement);
        prop_assert!(verify(&key, &changed).is_err(), "{changed}");
    }

    #[test]
    fn arbitrary_text_is_never_accepted(text in ".{0,300}") {
        prop_assert!(verify(&SigningKey::generate(), &text).is_err());
    }
}
