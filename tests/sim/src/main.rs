//! Runs the free tier's counter against simulated providers, prints what came of it, and fails when a call
//! arrived that a provider does not allow.
//!
//! `octo-sim [--seeds COUNT] [--redis URL] [--picture FILE.svg]`: with `--redis` the script on that server
//! counts (its keys under `{octo:free}` are lost), otherwise the rules themselves; `--picture` draws the
//! comparison under critical load.

mod surprises;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, bail, ensure};
use lexopt::ValueExt;
use octo_gateway::free_tier::{Limits, RedisFreeTier, WindowModel};
use octo_sim::{
    counter::{CountWhenSending, OwnClock, Pure, Scripted},
    load::Load,
    network::Network,
    picture::{Bars, draw},
    real_redis::RealRedis,
    run::{Report, START, Scenario, run},
};

struct Options {
    seeds: u64,
    redis: Option<RealRedis>,
    picture: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let options = options()?;
    println!(
        "Window and block 60 s, timeout 5 s; 60 windows, {} seeds; sums over the seeds. `over` counts arrivals \
         that the provider does not allow,\n`share` is paid/oracle.\n",
        options.seeds
    );
    println!(
        "{:54} | {:>8} {:>7} {:>7} {:>6} {:>4} | {:>8} {:>7} {:>7} | count when sending | own clock's minute",
        "", "messages", "oracle", "paid", "share", "over", "no room", "blocked", "failed"
    );
    let (mut runs, mut over, mut bars) = (0, 0, Vec::new());
    for model in WindowModel::ALL {
        for load in Load::ALL {
            for network in [Network::Clean, Network::Dirty] {
                for calls in [10, 100] {
                    let [ours, sending, clock] = compare(&options, model, load, network, calls)?;
                    runs += options.seeds;
                    over += ours.over;
                    print_row(model, load, network, calls, [&ours, &sending, &clock]);
                    if load == Load::Critical && network == Network::Clean && calls == 100 {
                        bars.push(Bars { model, ours, sending, clock });
                    }
                }
            }
        }
    }
    println!("\n{runs} runs, {over} arrivals over the limit");
    over += surprises::print(&options)?;
    if let Some(path) = options.picture {
        std::fs::write(&path, draw(&bars)).with_context(|| format!("cannot write {}", path.display()))?;
    }
    ensure!(over == 0, "the guarantee does not hold");
    Ok(())
}

fn options() -> anyhow::Result<Options> {
    let mut options = Options { seeds: 5, redis: None, picture: None };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Long("seeds") => options.seeds = parser.value()?.parse()?,
            lexopt::Arg::Long("redis") => {
                options.redis = Some(RealRedis::connect(&parser.value()?.string()?)?);
            }
            lexopt::Arg::Long("picture") => options.picture = Some(parser.value()?.into()),
            _ => bail!("usage: octo-sim [--seeds COUNT] [--redis URL] [--picture FILE.svg]"),
        }
    }
    Ok(options)
}

/// The clocks of a dirty network are badly set, too.
fn limits(calls: i64, network: Network) -> Limits {
    Limits {
        calls,
        window: Duration::from_secs(60),
        block: Duration::from_secs(60),
        timeout: Duration::from_secs(5),
        skew: Duration::from_millis(if network == Network::Clean { 50 } else { 250 }),
    }
}

/// Ours, counting when sending, and the own clock's minute, over the same messages.
fn compare(
    options: &Options,
    model: WindowModel,
    load: Load,
    network: Network,
    calls: i64,
) -> anyhow::Result<[Report; 3]> {
    let limits = limits(calls, network);
    let mut reports = [Report::default(); 3];
    let [ours, sending, clock] = &mut reports;
    for seed in 0..options.seeds {
        let scenario = Scenario::new(model, limits, load, network, 60, seed);
        ours.add(&run_ours(options, &scenario)?);
        sending.add(&run(&scenario, &mut CountWhenSending::new(limits)));
        clock.add(&run(&scenario, &mut OwnClock::new(limits)));
    }
    Ok(reports)
}

/// Our counter in one scenario.
fn run_ours(options: &Options, scenario: &Scenario) -> anyhow::Result<Report> {
    let Scenario { model, limits, .. } = *scenario;
    Ok(match &options.redis {
        None => run(scenario, &mut Pure::new(model, limits, START)),
        Some(redis) => {
            let tier = RedisFreeTier::new(redis, model, limits).in_virtual_time();
            for part in ["state", "open", "settled", "line", "leases", "figures", "recent"] {
                redis.command(&["DEL", &tier.fresh_key().replace("fresh", part)])?;
            }
            redis.command(&["SET", &tier.fresh_key(), "1"])?;
            run(scenario, &mut Scripted(tier))
        }
    })
}

fn print_row(model: WindowModel, load: Load, network: Network, calls: i64, reports: [&Report; 3]) {
    let [ours, sending, clock] = reports;
    let network = match network {
        Network::Clean => "all answered",
        Network::Dirty => "4 % lost, crashed, refused",
    };
    let name = format!("{:16} {:8} N={calls:<3} {network}", model.name(), load.name());
    let share = ours.paid() as f64 / ours.oracle.max(1) as f64;
    println!(
        "{name:54} | {:8} {:7} {:7} {:6} {:4} | {:8} {:7} {:7} | {:7} over {:5} | {:7} over {:5}",
        ours.messages,
        ours.oracle,
        ours.paid(),
        if ours.oracle == 0 { String::new() } else { format!("{share:.4}") },
        ours.over,
        ours.exhausted,
        ours.blocked,
        ours.failed + ours.crashed,
        sending.paid(),
        sending.over,
        clock.paid(),
        clock.over,
    );
}
