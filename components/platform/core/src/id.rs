//! Identifiers for messages, requests and sessions.

use crate::{Clock, Entropy};

/// A new identifier: a UUID of version 7 (RFC 9562), so that ids sort by the time they were made and
/// nobody can guess the next one (74 random bits).
pub fn new_id(clock: &impl Clock, entropy: &impl Entropy) -> String {
    let mut random = [0; 10];
    entropy.fill(&mut random);
    let millis = u64::try_from(clock.now().0).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().to_string()
}
