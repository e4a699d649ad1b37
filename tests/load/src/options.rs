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
  --spin               on a real Spin, the program that SPIN_BIN names, with a provider outside it
  --upstream ADDRESS   with --spin: where that provider listens (default: a free port of 127.0.0.1)
  --peer FILE          with --spin: another gateway to measure beside Octo, which forwards to that provider: JSON with
                       name, address (HOST:PORT), path, headers (an object) and body; may be repeated
  --only NAME          measure one thing only, to profile it: answer, chain, free, free-redis, paid, paid-redis,
                       login, refresh, token-record, token-signature, jobs, parcels, points, shop; with --spin: answer,
                       chain, forward, increment, jwks, stranger, free, free-redis or the name of a peer
  --out FILE           the raw results of every round as JSON
  --help               this text
";

/// What to do.
pub(crate) enum Command {
    /// Print [`HELP`].
    Help,
    /// Be the load generator: one load from standard input, its outcome to standard output.
    Drive,
    /// Be a provider outside, which listens there.
    Upstream(String),
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
    /// On a real Spin.
    pub(crate) spin: bool,
    /// Where the provider outside listens.
    pub(crate) upstream: String,
    /// Files that describe other gateways.
    pub(crate) peers: Vec<PathBuf>,
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
            spin: false,
            upstream: "127.0.0.1:0".to_owned(),
            peers: Vec::new(),
            only: None,
            out: None,
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Value(value) if value == "drive" => return Ok(Self::Drive),
                Value(value) if value == "upstream" => return Ok(Self::Upstream(parser.value()?.string()?)),
                Short('h') | Long("help") => return Ok(Self::Help),
                Long("quick") => {
                    options.rounds = 1;
                    options.duration = Duration::from_millis(400);
                    options.warm_up = Duration::from_millis(100);
                }
                Long("floors") => options.floors = true,
                Long("spin") => options.spin = true,
                Long("upstream") => options.upstream = parser.value()?.string()?,
                Long("peer") => options.peers.push(parser.value()?.into()),
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
