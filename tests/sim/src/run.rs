//! One simulation: messages, counter, network, provider, and the oracle beside them.

use std::{cmp::Reverse, collections::BinaryHeap};

use octo_core::UnixMillis;
use octo_gateway::free_tier::{
    Ask, ClosedReason, Decision, End, Limits, Outcome, RateLimitHints, Slot, WindowModel,
};

use crate::{
    counter::Counter,
    load::Load,
    network::{Fate, Network},
    provider::Provider,
    random::Random,
    truth::Truth,
};

/// When every simulation begins: a multiple of any window used.
pub const START: UnixMillis = UnixMillis(1_800_000_000_000);
const INSTANCES: usize = 3;

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// How the provider counts.
    pub model: WindowModel,
    /// What it allows.
    pub limits: Limits,
    /// How messages come.
    pub load: Load,
    /// What happens to calls.
    pub network: Network,
    /// For how many windows.
    pub windows: i64,
    /// Decides all chance.
    pub seed: u64,
    /// What the counter is not told.
    pub truth: Truth,
    /// How long each message would rather wait for a free slot than be paid for, in milliseconds.
    pub patience: i64,
}

impl Scenario {
    /// A provider that is as the operator says, and messages that do not wait.
    pub fn new(
        model: WindowModel,
        limits: Limits,
        load: Load,
        network: Network,
        windows: i64,
        seed: u64,
    ) -> Self {
        Self { model, limits, load, network, windows, seed, truth: Truth::default(), patience: 0 }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Messages sent.
    pub messages: u64,
    /// Processed by the free provider.
    pub free: u64,
    /// Paid because every slot was held.
    pub exhausted: u64,
    /// Paid because the provider was left alone after a refusal.
    pub blocked: u64,
    /// Paid because the provider was left alone after failures in a row.
    pub failing: u64,
    /// Paid because the free call gave no result.
    pub failed: u64,
    /// Messages lost with an instance that crashed; the client sends them again, which counts as paid.
    pub crashed: u64,
    /// Arrivals at the free provider beyond what it allows.
    pub over: u64,
    /// Those of them that were not because of an earlier one, and were reserved when the store knew the end
    /// of a call that tells the truth: any answer, or one that proves the provider's clock off when it is.
    pub over_taught: u64,
    /// How often it blocked because of them.
    pub blocks: u64,
    /// Messages that waited.
    pub waited: u64,
    /// What the perfect greedy caller pays.
    pub oracle: u64,
}

impl Report {
    /// Messages paid for because the free provider was thought to have no room: what the oracle's are to be
    /// compared with.
    pub fn paid(&self) -> u64 {
        self.exhausted + self.blocked + self.failing
    }

    /// The sum of two.
    pub fn add(&mut self, other: &Report) {
        for (mine, others) in [
            (&mut self.messages, other.messages),
            (&mut self.free, other.free),
            (&mut self.exhausted, other.exhausted),
            (&mut self.blocked, other.blocked),
            (&mut self.failing, other.failing),
            (&mut self.failed, other.failed),
            (&mut self.crashed, other.crashed),
            (&mut self.over, other.over),
            (&mut self.over_taught, other.over_taught),
            (&mut self.blocks, other.blocks),
            (&mut self.waited, other.waited),
            (&mut self.oracle, other.oracle),
        ] {
            *mine += others;
        }
    }
}

enum Event {
    /// It asks for a slot.
    Message {
        /// The event at which it asked first.
        id: usize,
        came: i64,
    },
    Arrives(usize),
    Ends {
        call: usize,
        outcome: Option<Outcome>,
    },
}

struct Call {
    slot: Slot,
    taken: Option<bool>,
    /// What the answer tells.
    told: RateLimitHints,
    /// Reserved when the store knew the end of a call that tells the truth.
    taught: bool,
}

/// Runs `scenario` with `counter`.
pub fn run(scenario: &Scenario, counter: &mut (impl Counter + ?Sized)) -> Report {
    let Scenario { model, limits, load, network, windows, seed, truth, patience } = *scenario;
    let (window, timeout, skew) = (whole(limits.window), whole(limits.timeout), whole(limits.skew));
    // Chance of its own for the messages, so that each counter meets the same ones.
    let mut random = Random::new(seed);
    let times = load.times(limits.calls, window, windows * window, &mut Random::new(seed ^ 0x00AD));
    let within_skew = random.between(-skew, skew);
    let ahead = truth.ahead.unwrap_or(within_skew);
    let real = Limits { calls: truth.calls.unwrap_or(limits.calls), ..limits };
    let skews: Vec<i64> = (0..INSTANCES).map(|_| random.between(-skew, skew)).collect();
    let mut provider = Provider::new(model, &real, ahead);

    let mut report = Report { messages: times.len() as u64, ..Report::default() };
    let mut oracles = Provider::new(model, &real, ahead);
    for time in &times {
        if oracles.has_room(START.0 + time) {
            oracles.arrive(START.0 + time);
        } else {
            report.oracle += 1;
        }
    }

    let mut events = BinaryHeap::new();
    let mut waiting: Vec<Option<Event>> = Vec::new();
    let mut calls: Vec<Call> = Vec::new();
    for time in times {
        events.push(Reverse((START.0 + time, waiting.len())));
        waiting.push(Some(Event::Message { id: waiting.len(), came: START.0 + time }));
    }
    let mut taught = false;
    while let Some(Reverse((now, index))) = events.pop() {
        let Some(event) = waiting.get_mut(index).and_then(Option::take) else { continue };
        let mut plan = |at: i64, event: Event| {
            events.push(Reverse((at, waiting.len())));
            waiting.push(Some(event));
        };
        match event {
            Event::Message { id, came } => {
                let instance = random.between(0, INSTANCES as i64 - 1) as usize;
                let way = network.way(timeout, &mut random);
                let wait_until = (patience > 0).then(|| UnixMillis(came + patience));
                let ask = Ask { id: id.to_string(), first: now == came, wait_until };
                match counter.reserve(&ask, UnixMillis(now), skews.get(instance).copied().unwrap_or(0)) {
                    Decision::Queue(_) if way.fate == Fate::CrashedBefore => report.crashed += 1,
                    Decision::Queue(again) => {
                        report.waited += u64::from(now == came);
                        // It asks again when it was told to, or a little later.
                        plan((again.0 + way.start).max(now + 1), Event::Message { id, came });
                    }
                    Decision::Deny(closed) => match closed.reason {
                        ClosedReason::FreeExhausted => report.exhausted += 1,
                        ClosedReason::FreeBlocked => report.blocked += 1,
                        ClosedReason::FreeFailing => report.failing += 1,
                    },
                    Decision::Allow(slot) => {
                        let call = calls.len();
                        calls.push(Call { slot, taken: None, told: RateLimitHints::default(), taught });
                        let start = now + way.start;
                        let in_time = way.there + way.back < timeout;
                        if !matches!(way.fate, Fate::CallLost | Fate::NotSent | Fate::CrashedBefore) {
                            plan(start + way.there.min(timeout), Event::Arrives(call));
                        }
                        let end = match way.fate {
                            Fate::NotSent => Some((start, Some(Outcome::NotSent))),
                            Fate::Answered if in_time => Some((start + way.there + way.back, None)),
                            Fate::Answered | Fate::AnswerLost | Fate::CallLost => {
                                Some((start + timeout, Some(Outcome::Unknown)))
                            }
                            Fate::CrashedBefore | Fate::CrashedAfter => None,
                        };
                        match end {
                            Some((at, outcome)) => plan(at + way.settle, Event::Ends { call, outcome }),
                            None => report.crashed += 1,
                        }
                    }
                }
            }
            Event::Arrives(call) => {
                let punished = provider.punishes(now);
                let taken = provider.arrive(now);
                if let Some(call) = calls.get_mut(call) {
                    call.taken = Some(taken);
                    call.told = truth.tells.of(provider.told(now));
                    report.over_taught += u64::from(!taken && !punished && call.taught);
                }
            }
            Event::Ends { call, outcome } => {
                let Some(call) = calls.get(call) else { continue };
                let outcome = outcome.unwrap_or(match call.taken {
                    Some(true) => Outcome::Answered,
                    _ => Outcome::Refused { retry_after: None },
                });
                if outcome == Outcome::Answered {
                    report.free += 1;
                } else {
                    report.failed += 1;
                }
                let answered = matches!(outcome, Outcome::Answered | Outcome::Refused { .. });
                let told = if answered { call.told } else { RateLimitHints::default() };
                let proof = told.date.is_some_and(|date| {
                    date.0 - now > skew || date.0 + 999 - call.slot.reserved_at.0 < -skew
                });
                taught |= answered && (truth.ahead.is_none() || proof);
                counter.settle(&call.slot, &End { outcome, told }, UnixMillis(now));
            }
        }
    }
    (report.over, report.blocks) = (provider.over, provider.blocks);
    report
}

fn whole(duration: std::time::Duration) -> i64 {
    duration.as_millis() as i64
}
