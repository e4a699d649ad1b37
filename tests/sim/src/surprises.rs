//! Providers that are not what the operator says, and messages that wait: a table of its own.

use octo_gateway::free_tier::WindowModel;
use octo_sim::{
    load::Load,
    network::Network,
    run::{Report, Scenario},
    truth::{Tells, Truth},
};

use crate::{Options, limits, run_ours};

const CALLS: i64 = 100;
const REAL: i64 = 60;
const AHEAD: i64 = 3_000;
const PATIENCE: i64 = 20_000;

/// Prints the table; the arrivals over the limit that nothing excuses.
pub(crate) fn print(options: &Options) -> anyhow::Result<u64> {
    println!(
        "\nN={CALLS}, as many messages as the operator says the provider takes, all answered. `knowing` counts \
         the arrivals over the limit\nthat were reserved when an answer had told the truth, without those refused \
         because of an earlier one.\n"
    );
    println!(
        "{:16} {:44} | {:>8} {:>7} {:>7} | {:>7} {:>6} {:>5} {:>7}",
        "", "", "messages", "oracle", "paid", "waited", "blocks", "over", "knowing"
    );
    let mut unexcused = 0;
    for model in WindowModel::ALL {
        for (name, truth, patience, strict) in cases(model) {
            let mut sum = Report::default();
            for seed in 0..options.seeds {
                let limits = limits(CALLS, Network::Clean);
                let scenario = Scenario::new(model, limits, Load::Critical, Network::Clean, 60, seed);
                sum.add(&run_ours(options, &Scenario { truth, patience, ..scenario })?);
            }
            println!(
                "{:16} {name:44} | {:8} {:7} {:7} | {:7} {:6} {:5} {:7}",
                model.name(),
                sum.messages,
                sum.oracle,
                sum.paid(),
                sum.waited,
                sum.blocks,
                sum.over,
                sum.over_taught,
            );
            unexcused += if strict { sum.over_taught } else { 0 };
        }
    }
    Ok(unexcused)
}

/// What happens, and whether no call may be too many once the truth was told.
fn cases(model: WindowModel) -> Vec<(&'static str, Truth, i64, bool)> {
    let lower = |limit, room| Truth {
        calls: Some(REAL),
        tells: Tells { limit, room, date: false },
        ..Truth::default()
    };
    let mut cases = vec![
        ("messages wait up to 20 s", Truth::default(), PATIENCE, true),
        (
            "the limit is as said, and told as q, r and t",
            Truth { tells: Tells::ALL, ..Truth::default() },
            0,
            true,
        ),
        ("the limit is 60, told as q", lower(true, false), 0, true),
        ("the limit is 60, told as r and t", lower(false, true), 0, false),
        ("the limit is 60, told by refusals alone", lower(false, false), 0, false),
    ];
    if model == WindowModel::Aligned {
        let tells = Tells { date: true, ..Tells::default() };
        let shifted = Truth { ahead: Some(AHEAD), tells, ..Truth::default() };
        cases.push(("the clock is 3 s ahead, told as Date", shifted, 0, true));
        let silent = Truth { tells: Tells::default(), ..shifted };
        cases.push(("the clock is 3 s ahead, not told", silent, 0, false));
    }
    cases
}
