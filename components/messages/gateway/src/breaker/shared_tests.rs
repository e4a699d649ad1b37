use octo_core::testing::{FakeKeyValue, ready};

use super::*;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const SECOND: Duration = Duration::from_secs(1);

fn gate(store: &FakeKeyValue) -> SharedBreaker<'_, FakeKeyValue> {
    SharedBreaker::new(store, "paid", 6 * SECOND)
}

fn permit(store: &FakeKeyValue, now: UnixMillis) -> Permit {
    let state = ready(gate(store).read()).unwrap();
    ready(gate(store).permit(&state, now)).unwrap()
}

fn pass(store: &FakeKeyValue, now: UnixMillis) -> Pass {
    match permit(store, now) {
        Permit::Go(pass) => pass,
        closed => panic!("{closed:?}"),
    }
}

fn fail(store: &FakeKeyValue, now: UnixMillis) {
    let pass = pass(store, now);
    ready(gate(store).failed(&pass, now)).unwrap();
}

#[test]
fn while_all_is_well_a_call_costs_one_read() {
    let store = FakeKeyValue::default();
    let pass = pass(&store, NOW);
    ready(gate(&store).answered(&pass)).unwrap();
    assert_eq!(store.calls.get(), 1);
    assert!(store.keys().is_empty());
}

#[test]
fn five_failures_in_a_row_close_it_for_everybody_and_one_answer_opens_it() {
    let store = FakeKeyValue::default();
    (0..5).for_each(|_| fail(&store, NOW));
    assert_eq!(permit(&store, NOW), Permit::Closed { until: NOW + 5 * SECOND, cause: Cause::Failing });

    let probe = pass(&store, NOW + 5 * SECOND);
    assert!(probe.lease.is_some());
    for _ in 0..3 {
        assert!(matches!(permit(&store, NOW + 5 * SECOND), Permit::Closed { .. }));
    }
    ready(gate(&store).answered(&probe)).unwrap();
    assert_eq!(pass(&store, NOW + 6 * SECOND), Pass::default());
    assert!(store.keys().is_empty(), "{:?}", store.keys());
}

#[test]
fn an_answer_takes_failures_back() {
    let store = FakeKeyValue::default();
    (0..4).for_each(|_| fail(&store, NOW));
    let answered = pass(&store, NOW);
    assert!(answered.after_failures);
    ready(gate(&store).answered(&answered)).unwrap();
    (0..4).for_each(|_| fail(&store, NOW));
    pass(&store, NOW);
}

#[test]
fn a_failed_probe_closes_it_for_twice_as_long() {
    let store = FakeKeyValue::default();
    (0..5).for_each(|_| fail(&store, NOW));
    fail(&store, NOW + 5 * SECOND);
    assert_eq!(
        permit(&store, NOW + 5 * SECOND),
        Permit::Closed { until: NOW + 15 * SECOND, cause: Cause::Failing }
    );
}

#[test]
fn a_probe_that_is_overtaken_opens_nothing() {
    let store = FakeKeyValue::default();
    ready(gate(&store).refused(NOW)).unwrap();
    let probe = pass(&store, NOW);
    ready(gate(&store).refused(NOW + 90 * SECOND)).unwrap();
    ready(gate(&store).answered(&probe)).unwrap();
    assert_eq!(
        permit(&store, NOW + 7 * SECOND),
        Permit::Closed { until: NOW + 90 * SECOND, cause: Cause::Refused }
    );
}

#[test]
fn a_probe_that_crashes_is_replaced_even_before_it_took_its_lease() {
    let store = FakeKeyValue::default();
    ready(gate(&store).refused(NOW)).unwrap();
    ready(store.increment(&format!("gateway/paid/probe/{}/0", NOW.0), 1)).unwrap();
    assert!(matches!(permit(&store, NOW + SECOND), Permit::Closed { .. }));
    let crashed = pass(&store, NOW + 6 * SECOND);
    assert!(crashed.lease.is_some());
    assert!(matches!(permit(&store, NOW + 7 * SECOND), Permit::Closed { .. }));
    assert!(pass(&store, NOW + 12 * SECOND).lease.is_some());
}

#[test]
fn a_note_is_kept_beside_the_breaker() {
    let store = FakeKeyValue::default();
    let gate: SharedBreaker<'_, _, Vec<i64>> = SharedBreaker::new(&store, "free", SECOND);
    ready(gate.change(|state| state.note.push(7))).unwrap();
    ready(gate.refused(NOW)).unwrap();
    let state = ready(gate.read()).unwrap();
    assert_eq!((state.note.as_slice(), state.breaker.until), ([7].as_slice(), Some(NOW)));
    let Permit::Go(probe) = ready(gate.permit(&state, NOW)).unwrap() else { panic!("closed") };
    ready(gate.answered(&probe)).unwrap();
    assert_eq!(ready(gate.read()).unwrap().note, [7]);
}
