//! The results as a table for people and as JSON for later comparison.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::deployment::{ANSWER, CHAIN};
use crate::load::Outcome;
use crate::options::Options;

/// One scenario in one round.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measurement {
    pub(crate) round: usize,
    pub(crate) scenario: &'static str,
    #[serde(skip)]
    pub(crate) title: &'static str,
    /// Processor time of the host for one request, in microseconds.
    pub(crate) cpu_us: Option<f64>,
    /// By component and operation, for one request.
    pub(crate) store_calls: BTreeMap<String, f64>,
    pub(crate) outcome: Outcome,
}

/// Everything one run found out.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    rounds: usize,
    connections: usize,
    seconds_each: f64,
    cores: usize,
    /// Medians over the rounds, one for each scenario.
    scenarios: Vec<Summary>,
    /// The raw results.
    measurements: Vec<Measurement>,
}

#[derive(Debug, Serialize)]
struct Summary {
    scenario: &'static str,
    title: &'static str,
    requests_per_second: f64,
    /// The scenario's throughput as a share of a floor's in the same round.
    of_answer: f64,
    of_chain: f64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_us: f64,
    /// By component and operation, for one request, in the last round.
    store_calls: BTreeMap<String, f64>,
}

impl Report {
    pub(crate) fn new(options: &Options, measurements: Vec<Measurement>) -> Self {
        let mut scenarios: Vec<Summary> = Vec::new();
        for measurement in &measurements {
            if scenarios.iter().all(|summary| summary.scenario != measurement.scenario) {
                scenarios.push(summary(measurement, &measurements));
            }
        }
        Self {
            rounds: options.rounds,
            connections: options.connections,
            seconds_each: options.duration.as_secs_f64(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            scenarios,
            measurements,
        }
    }
}

fn summary(of: &Measurement, measurements: &[Measurement]) -> Summary {
    let mine = || measurements.iter().filter(|measurement| measurement.scenario == of.scenario);
    let median_of = |value: &dyn Fn(&Measurement) -> f64| median(mine().map(value).collect());
    // The ratio is taken within each round: what slows the machine slows both sides of it.
    let share_of = |floor: &str| {
        median_of(&|measurement| {
            measurements
                .iter()
                .find(|other| other.round == measurement.round && other.scenario == floor)
                .map_or(f64::NAN, |floor| measurement.outcome.rate() / floor.outcome.rate())
        })
    };
    Summary {
        scenario: of.scenario,
        title: of.title,
        requests_per_second: median_of(&|measurement| measurement.outcome.rate()),
        of_answer: share_of(ANSWER),
        of_chain: share_of(CHAIN),
        p50_ms: median_of(&|measurement| measurement.outcome.p50_ms),
        p99_ms: median_of(&|measurement| measurement.outcome.p99_ms),
        cpu_us: median_of(&|measurement| measurement.cpu_us.unwrap_or(f64::NAN)),
        store_calls: mine().next_back().map(|last| last.store_calls.clone()).unwrap_or_default(),
    }
}

/// The middle value, or the mean of the two middle ones.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    if values.len().is_multiple_of(2) { (at(middle.wrapping_sub(1)) + at(middle)) / 2.0 } else { at(middle) }
}

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Self { rounds, connections, seconds_each, cores, .. } = self;
        writeln!(
            out,
            "\n{connections} keep-alive connections; medians over {rounds} rounds of {seconds_each} s each; \
             server and client share {cores} cores\n"
        )?;
        writeln!(
            out,
            "| scenario | requests/s | of answer | of chain | p50 ms | p99 ms | host CPU µs | store calls |"
        )?;
        writeln!(out, "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")?;
        for summary in &self.scenarios {
            writeln!(
                out,
                "| {} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {:.0} | {:.0} |",
                summary.title,
                summary.requests_per_second,
                summary.of_answer,
                summary.of_chain,
                summary.p50_ms,
                summary.p99_ms,
                summary.cpu_us,
                summary.store_calls.values().fold(0.0, |sum, count| sum + count),
            )?;
        }
        writeln!(out, "\nStore calls of one request, by component:")?;
        for summary in &self.scenarios {
            for (operation, count) in &summary.store_calls {
                writeln!(out, "  {:<8} {operation:<40} {count:>6.2}", summary.scenario)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }
}
