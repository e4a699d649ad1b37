//! The results as a table for people and as JSON for later comparison.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::deployment::{ANSWER, CHAIN, FORWARD, LANE};
use crate::jobs::JobsReport;
use crate::load::Outcome;
use crate::options::Options;
use crate::parcels::ParcelsReport;
use crate::points::PointsReport;
use crate::shop::ShopReport;
use crate::usage::Usage;

/// One scenario in one round.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measurement {
    pub(crate) round: usize,
    pub(crate) scenario: String,
    #[serde(skip)]
    pub(crate) title: String,
    pub(crate) connections: usize,
    /// Processor time of our own host for one request, in microseconds.
    pub(crate) cpu_us: Option<f64>,
    /// What one request made of the stores.
    pub(crate) usage: Usage,
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
    /// The same for messages that come one at a time.
    alone: Vec<Alone>,
    /// The raw results.
    measurements: Vec<Measurement>,
    #[serde(flatten)]
    domains: Domains,
}

/// What was measured of domains by themselves.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Domains {
    pub(crate) jobs: Option<JobsReport>,
    pub(crate) parcels: Option<ParcelsReport>,
    pub(crate) points: Option<PointsReport>,
    pub(crate) shop: Option<ShopReport>,
}

impl Display for Domains {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Self { jobs, parcels, points, shop } = self;
        for report in [
            jobs.as_ref().map(|it| it as &dyn Display),
            parcels.as_ref().map(|it| it as _),
            points.as_ref().map(|it| it as _),
            shop.as_ref().map(|it| it as _),
        ]
        .into_iter()
        .flatten()
        {
            write!(out, "{report}")?;
        }
        Ok(())
    }
}

#[derive(Debug, Serialize)]
struct Summary {
    scenario: String,
    title: String,
    requests_per_second: f64,
    /// The scenario's throughput as a share of a floor's in the same round; not a number where that was not measured.
    of_answer: f64,
    of_chain: f64,
    of_forward: f64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_us: f64,
    /// Calls of anything that the host has, for one request, in the last round.
    host_calls: f64,
    /// By component and operation, for one request, in the last round.
    store_calls: BTreeMap<String, f64>,
}

/// What a message takes when nothing else is going on.
#[derive(Debug, Serialize)]
struct Alone {
    scenario: String,
    title: String,
    /// Until the answer, in microseconds on the average.
    answered_us: f64,
    /// The same as a multiple of what forwarding takes in the same round.
    of_forward: f64,
    /// From then until it is settled through another component, in microseconds.
    finish_us: f64,
    /// Calls to stores, and those of them that go to the counter in Redis.
    store_calls: f64,
    redis_calls: f64,
    /// What reserving and settling takes of the whole time; see [`Usage::counter_us`].
    counter_us: f64,
    share: f64,
}

impl Report {
    pub(crate) fn new(options: &Options, measurements: Vec<Measurement>, domains: Domains) -> Self {
        let of = |connections: usize| -> Vec<Measurement> {
            measurements.iter().filter(|it| it.connections == connections).cloned().collect()
        };
        let (together, one_by_one) = (of(options.connections), of(1));
        let first = |all: &[Measurement]| -> Vec<Measurement> {
            all.iter().filter(|it| it.round == 1).cloned().collect()
        };
        let scenarios = first(&together).iter().map(|it| summary(it, &together)).collect();
        let floors = [ANSWER, CHAIN];
        let messages = first(&one_by_one).into_iter().filter(|it| !floors.contains(&it.scenario.as_str()));
        let alone = messages.map(|it| alone(&it, &one_by_one)).collect();
        Self {
            rounds: options.rounds,
            connections: options.connections,
            seconds_each: options.duration.as_secs_f64(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            scenarios,
            alone,
            measurements,
            domains,
        }
    }
}

fn summary(of: &Measurement, measurements: &[Measurement]) -> Summary {
    let mine = || measurements.iter().filter(|measurement| measurement.scenario == of.scenario);
    let median_of = |value: &dyn Fn(&Measurement) -> f64| median(mine().map(value).collect());
    let share_of =
        |floor: &str| median_of(&|measurement| ratio(measurement, floor, measurements, Outcome::rate));
    Summary {
        scenario: of.scenario.clone(),
        title: of.title.clone(),
        requests_per_second: median_of(&|measurement| measurement.outcome.rate()),
        of_answer: share_of(ANSWER),
        of_chain: share_of(CHAIN),
        of_forward: share_of(&forward_of(of)),
        p50_ms: median_of(&|measurement| measurement.outcome.p50_ms),
        p99_ms: median_of(&|measurement| measurement.outcome.p99_ms),
        cpu_us: median_of(&|measurement| measurement.cpu_us.unwrap_or(f64::NAN)),
        host_calls: mine().next_back().map_or(f64::NAN, |last| last.usage.all_calls()),
        store_calls: mine().next_back().map(|last| last.usage.store_calls.clone()).unwrap_or_default(),
    }
}

/// What is measured of it as a multiple of the same of a floor. It is taken within a round: what slows the machine slows
/// both sides.
fn ratio(of: &Measurement, floor: &str, all: &[Measurement], value: impl Fn(&Outcome) -> f64) -> f64 {
    let floor = all.iter().find(|other| other.round == of.round && other.scenario == floor);
    floor.map_or(f64::NAN, |floor| value(&of.outcome) / value(&floor.outcome))
}

/// The floor of a gateway in the lane of what is measured.
fn forward_of(of: &Measurement) -> String {
    let mark = if of.scenario.ends_with(LANE) { LANE } else { "" };
    format!("{FORWARD}{mark}")
}

fn alone(of: &Measurement, measurements: &[Measurement]) -> Alone {
    let mine = || measurements.iter().filter(|measurement| measurement.scenario == of.scenario);
    let median_of = |value: &dyn Fn(&Measurement) -> f64| median(mine().map(value).collect());
    let answered = |it: &Measurement| it.outcome.mean_ms * 1000.0;
    Alone {
        scenario: of.scenario.clone(),
        title: of.title.clone(),
        answered_us: median_of(&answered),
        of_forward: median_of(&|it| ratio(it, &forward_of(it), measurements, |outcome| outcome.mean_ms)),
        finish_us: median_of(&|it| it.usage.finish_us),
        store_calls: median_of(&|it| it.usage.calls()),
        redis_calls: median_of(&|it| it.usage.redis_calls()),
        counter_us: median_of(&|it| it.usage.counter_us()),
        share: median_of(&|it| it.usage.counter_us() / (answered(it) + it.usage.finish_us)),
    }
}

/// p50 and p99.
pub(crate) fn percentiles(mut times: Vec<f64>) -> [f64; 2] {
    times.sort_by(f64::total_cmp);
    [times.len() / 2, times.len() * 99 / 100].map(|index| times.get(index).copied().unwrap_or(f64::NAN))
}

/// The middle value, or the mean of the two middle ones.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    if values.len().is_multiple_of(2) { (at(middle.wrapping_sub(1)) + at(middle)) / 2.0 } else { at(middle) }
}

/// A number with so many decimals, or a dash where there is none.
struct Known(f64, usize);

impl Display for Known {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Self(number, decimals) = self;
        if number.is_nan() { out.write_str("-") } else { write!(out, "{number:.decimals$}") }
    }
}

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Self { rounds, connections, seconds_each, cores, .. } = self;
        writeln!(
            out,
            "\n{connections} keep-alive connections; medians over {rounds} rounds of {seconds_each} s each; \
             server and client share {cores} cores\n"
        )?;
        if !self.scenarios.is_empty() {
            writeln!(
                out,
                "| scenario | requests/s | of answer | of chain | of forward | p50 ms | p99 ms | host CPU µs | \
                 host calls | store calls |"
            )?;
            writeln!(out, "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")?;
        }
        for summary in &self.scenarios {
            writeln!(
                out,
                "| {} | {:.0} | {} | {} | {} | {:.2} | {:.2} | {} | {} | {} |",
                summary.title,
                summary.requests_per_second,
                Known(summary.of_answer, 2),
                Known(summary.of_chain, 2),
                Known(summary.of_forward, 2),
                summary.p50_ms,
                summary.p99_ms,
                Known(summary.cpu_us, 0),
                Known(summary.host_calls, 0),
                Known(summary.store_calls.values().fold(0.0, |sum, count| sum + count), 0),
            )?;
        }
        if !self.alone.is_empty() {
            writeln!(out, "\nOne request at a time:\n")?;
            writeln!(
                out,
                "| scenario | answered µs | of forward | then settled µs | store calls | of them to Redis | \
                 reserve + settle µs | share % |"
            )?;
            writeln!(out, "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")?;
        }
        for alone in &self.alone {
            writeln!(
                out,
                "| {} | {:.0} | {} | {:.0} | {:.1} | {:.1} | {:.0} | {:.0} |",
                alone.title,
                alone.answered_us,
                Known(alone.of_forward, 2),
                alone.finish_us,
                alone.store_calls,
                alone.redis_calls,
                alone.counter_us,
                alone.share * 100.0
            )?;
        }
        write!(out, "{}", self.domains)?;
        if !self.scenarios.is_empty() {
            writeln!(out, "\nStore calls of one request, by component:")?;
        }
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
