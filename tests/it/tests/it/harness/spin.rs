//! A real Spin instead of our own host: the program that `cargo xtask test --spin` names.
//!
//! There the clock runs, nothing can be broken on purpose and nobody keeps a record of what components do. A test that
//! comes to need such a thing is left out ([`left_out`]); the command counts those apart from the failed ones.

use std::ffi::OsString;
use std::time::Duration;

use xtask::servers::Spin;

/// Names the Spin that runs every application.
const CHOICE: &str = "OCTO_TEST_SPIN";

/// The Spin that the environment names.
pub(crate) fn chosen() -> Option<OsString> {
    std::env::var_os(CHOICE).filter(|program| !program.is_empty())
}

/// Ends a test that a real Spin cannot give what it needs.
pub(crate) fn left_out(needs: &str) -> ! {
    // The words by which `cargo xtask test --spin` tells it from a failure.
    panic!("left out on a real Spin: it needs {needs}")
}

/// Leaves a test out that asserts what only our own host lets be known, before it has begun.
pub(crate) fn not_on_spin(needs: &str) {
    if chosen().is_some() {
        left_out(needs);
    }
}

/// What the components have printed. Spin writes it while the answer is under way.
pub(super) fn log(spin: &Spin) -> String {
    std::thread::sleep(Duration::from_millis(500));
    spin.log().unwrap()
}
