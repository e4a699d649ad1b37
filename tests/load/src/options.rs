//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;

/// The text of `--help`.
pub(crate) const HELP: &str = "\
Throughput and latency of POST /messages beside the host's floors.

  --quick              one short round, to see that everything works (2 s)
  --rounds N           how often every scenario is measured; medians are reported (default 5)
  --seconds S          how long one measurement lasts (default 3)
  --connections N      keep-alive connections, each with one request at a time (default 16)
  --floors             measure the floors only: what the host can do, without Octo
  --only NAME          measure one thing only, to profile it: answer, chain, free, free-redis, paid, paid-redis,
                       login, refresh, token-record, token-signature, jobs, parcels, points, shop
  --out FILE           the raw results of every round as JSON
  --help               this text
";

/// What to do.
pub(crate) enum Command {
    /// Print [`HELP`].
    Help,
    /// Be the load generator: one load from standard input, its outcome to standard output.
    Drive,
    /// Run the benchmark.
    Measure(Options),
}

/// How to measure.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) rounds: usize,
    pub(crate) duration: Duration,
    /// Time at the start of each measurement that does not count.
    pub(crate) warm_up: Duration,
    pub(crate) connections: usize,
    /// Only the components of `tests/guests`.
    pub(crate) floors: bool,
    /// Only the scenario of this name.
    pub(crate) only: Option<String>,
    pub(crate) out: Option<PathBuf>,
}

impl Command {
    pub(crate) fn from_env() -> anyhow::Result<Self> {
        let mut options = Options {
            rounds: 5,
            duration: Duration::from_secs(3),
            warm_up: Duration::from_millis(500),
            connections: 16,
            floors: false,
            only: None,
            out: None,
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Value(value) if value == "drive" => return Ok(Self::Drive),
                Short('h') | Long("help") => return Ok(Self::Help),
                Long("quick") => {
                    options.rounds = 1;
                    options.duration = Duration::from_millis(400);
                    options.warm_up = Duration::from_millis(100);
                }
                Long("floors") => options.floors = true,
                Long("rounds") => options.rounds = parser.value()?.parse::<usize>()?.max(1),
                Long("seconds") => {
                    options.duration = Duration::try_from_secs_f64(parser.value()?.parse()?)?;
                }
                Long("connections") => options.connections = parser.value()?.parse::<usize>()?.max(1),
                Long("only") => options.only = Some(parser.value()?.string()?),
                Long("out") => options.out = Some(parser.value()?.into()),
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(Self::Measure(options))
    }
}
