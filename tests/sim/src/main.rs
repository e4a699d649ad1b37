//! Runs the free tier's counter against simulated providers and prints what came of it.

use std::time::Duration;

use octo_gateway::free_tier::{Limits, WindowModel};
use octo_sim::{
    counter::{CountWhenSending, OwnClock, Pure},
    load::Load,
    network::Network,
    run::{Report, START, Scenario, run},
};

fn limits(calls: i64, network: Network) -> Limits {
    Limits {
        calls,
        window: Duration::from_secs(60),
        block: Duration::from_secs(60),
        timeout: Duration::from_secs(5),
        skew: Duration::from_millis(if network == Network::Clean { 50 } else { 250 }),
    }
}

fn main() {
    let mut runs = 0;
    println!(
        "{:16} {:8} {:5} {:>4} | {:>8} {:>6} {:>6} {:>6} {:>6} {:>5} | {:>6} {:>6} | {:>6} {:>5}",
        "model",
        "load",
        "net",
        "N",
        "messages",
        "oracle",
        "paid",
        "exhaus",
        "block",
        "over",
        "naive",
        "over",
        "clock",
        "over"
    );
    for model in WindowModel::ALL {
        for load in Load::ALL {
            for network in [Network::Clean, Network::Dirty] {
                for calls in [10, 100] {
                    let limits = limits(calls, network);
                    let (mut ours, mut naive, mut clock) =
                        (Report::default(), Report::default(), Report::default());
                    for seed in 0..std::env::var("SEEDS").map_or(5, |s| s.parse().unwrap()) {
                        let scenario = Scenario { model, limits, load, network, windows: 60, seed };
                        ours.add(&run(&scenario, &mut Pure::new(model, limits, START)));
                        naive.add(&run(&scenario, &mut CountWhenSending::new(limits)));
                        clock.add(&run(&scenario, &mut OwnClock::new(limits)));
                        runs += 1;
                    }
                    println!(
                        "{:16} {:8} {:5} {:4} | {:8} {:6} {:6} {:6} {:6} {:5} | {:6} {:6} | {:6} {:5}",
                        model.name(),
                        load.name(),
                        if network == Network::Clean { "clean" } else { "dirty" },
                        calls,
                        ours.messages,
                        ours.oracle,
                        ours.paid(),
                        ours.exhausted,
                        ours.blocked,
                        ours.over,
                        naive.paid(),
                        naive.over,
                        clock.paid(),
                        clock.over
                    );
                }
            }
        }
    }
    println!("{runs} runs");
}
