//! The variables of a component.

use std::{cell::RefCell, time::Duration};

use octo_core::{Clock, UnixMillis};

use crate::SpinClock;

/// A variable, by the one interface to them that does not make who asks wait.
pub(crate) fn variable(name: &str) -> Option<String> {
    spin_sdk_7::experimental::wasi::config::store::get(name).ok()?
}

/// How long the settings of an instance are good for: a provider of variables may change them.
const GOOD_FOR: Duration = Duration::from_secs(1);

thread_local! {
    static KEPT: RefCell<Option<(UnixMillis, String)>> = const { RefCell::new(None) };
}

/// The variable `settings`, as it is or was a moment ago.
pub(crate) fn settings_block() -> Option<String> {
    let now = SpinClock.now();
    let kept = KEPT.with_borrow(|kept| {
        kept.as_ref().filter(|(read_at, _)| now.since(*read_at) < GOOD_FOR).map(|(_, text)| text.clone())
    });
    kept.or_else(|| {
        let text = variable("settings")?;
        KEPT.set(Some((now, text.clone())));
        Some(text)
    })
}
