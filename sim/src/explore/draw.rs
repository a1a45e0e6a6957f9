//! The random scenario of a seed.

use crate::scenario::file::{Model, NetworkSpec, PopulationSpec};
use crate::scenario::step::{Churn, Traffic};
use crate::scenario::{OneWayLinks, Pause, Scenario, SplitScaffold, Step, Under};
use crate::world::{Crash, Mischief};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::ops::RangeInclusive;

/// Peers of a drawn world. Small ones are drawn as often as great ones: what is wrong with few is
/// found sooner and read more easily.
const PEERS: (f64, f64) = (10.0, 120.0);
/// Steps between the first settling and the last messages.
const STEPS: RangeInclusive<usize> = 1..=5;
/// Everybody has to be in its place within this, in seconds.
const LIMIT_SECS: f64 = 240.0;
/// Sets these dice apart from those of the run, which have the same seed.
const STREAM: u64 = 100;

/// The scenario of a seed. All that is drawn is within what a network must live through: it may
/// lose messages while a fault lasts, and must be whole and lose none thereafter.
pub fn draw(seed: u64) -> Scenario {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(STREAM);
    let dice = &mut Dice(rng);
    let (population, network) = (dice.population(), dice.network());
    let mut steps = vec![Step::Settle { limit_secs: LIMIT_SECS }];
    let count = dice.0.random_range(STEPS);
    steps.extend((0..count).map(|_| dice.step()));
    steps.push(Step::Messages(Traffic { per_peer: 1.0, at_least: 20, over_secs: 20.0 }));
    Scenario::of(format!("explore-{seed}"), seed, population, network, steps)
}

struct Dice(ChaCha8Rng);

impl Dice {
    /// Hundredths, so that they read well in a file.
    fn hundredths(&mut self, range: RangeInclusive<u32>) -> f64 {
        f64::from(self.0.random_range(range)) / 100.0
    }

    /// Whole ones: seconds, mostly.
    fn whole(&mut self, range: RangeInclusive<u32>) -> f64 {
        f64::from(self.0.random_range(range))
    }

    fn how(&mut self) -> Crash {
        if self.0.random() { Crash::Vanish } else { Crash::Kill }
    }

    fn population(&mut self) -> PopulationSpec {
        let (least, most) = PEERS;
        let peers = (least * (most / least).powf(self.0.random::<f64>())).round() as usize;
        let degree = self.0.random_range(3..=8);
        let near = if self.0.random() { 0 } else { self.0.random_range(0..degree) };
        PopulationSpec {
            peers,
            supernodes: self.0.random_range(1..=5),
            degree,
            near,
            trees: Some(self.0.random_range(1..=8)),
            arrive_over_secs: Some(self.whole(2..=30)),
            register_every: if self.0.random() { 0 } else { self.0.random_range(2..=10) },
        }
    }

    fn network(&mut self) -> NetworkSpec {
        NetworkSpec {
            model: if self.0.random_bool(0.8) { Model::Plane } else { Model::Constant },
            mean_rtt_ms: self.whole(20..=300),
            ..NetworkSpec::default()
        }
    }

    fn under(&mut self) -> Under {
        Under {
            per_peer: self.hundredths(20..=200),
            at_least: 10,
            limit_secs: LIMIT_SECS,
            ..Under::default()
        }
    }

    fn step(&mut self) -> Step {
        match self.0.random_range(0..16) {
            0 => Step::Messages(Traffic {
                per_peer: self.hundredths(50..=400),
                at_least: 10,
                over_secs: self.whole(5..=30),
            }),
            1 => {
                Step::Lookups { count: self.0.random_range(1..=40), over_secs: self.whole(1..=20) }
            }
            2 | 3 => Step::Crash {
                share: self.hundredths(2..=60),
                how: self.how(),
                per_peer: self.hundredths(20..=200),
                at_least: 10,
                over_secs: 30.0,
                limit_secs: LIMIT_SECS,
            },
            4 | 5 => Step::Churn(self.churn()),
            6 => Step::CrashSupernodes {
                count: self.0.random_range(1..=3),
                how: self.how(),
                under: self.under(),
            },
            7 => Step::Restart { under: self.under() },
            _ => self.fault(),
        }
    }

    fn churn(&mut self) -> Churn {
        let is_exponential = self.0.random();
        let mut shape = || if is_exponential { 1.0 } else { self.hundredths(40..=200) };
        let (shape, down_shape) = (shape(), shape());
        Churn {
            over_secs: self.whole(30..=180),
            mean_up_secs: self.whole(60..=600),
            shape,
            mean_down_secs: self.whole(5..=90),
            down_shape,
            logout_share: self.hundredths(0..=100),
            trace: None,
            per_peer: self.hundredths(20..=100),
            at_least: 0,
            limit_secs: LIMIT_SECS,
        }
    }

    fn pause(&mut self, under: Under) -> Pause {
        let for_secs = self.whole(1..=120);
        Pause {
            share: self.hundredths(0..=40),
            supernodes: self.hundredths(0..=70),
            for_secs,
            least_secs: self.0.random_bool(0.5).then_some(1.0),
            over_secs: self.whole(0..=20),
            under,
        }
    }

    /// Something that is wrong with the network for a while.
    fn fault(&mut self) -> Step {
        let (for_secs, under) = (self.whole(5..=60), self.under());
        match self.0.random_range(0..11) {
            0 => Step::Partition {
                share: self.hundredths(5..=50),
                supernodes_too: self.0.random(),
                parts: self.0.random_range(2..=3),
                for_secs,
                under,
            },
            1 => Step::OneWay {
                share: self.hundredths(5..=30),
                supernodes_too: self.0.random(),
                for_secs,
                under,
            },
            8 => Step::SplitScaffold(SplitScaffold {
                parts: self.0.random_range(2..=3),
                for_secs,
                under,
            }),
            9 => Step::OneWayLinks(OneWayLinks { share: self.hundredths(2..=30), for_secs, under }),
            10 => Step::Pause(self.pause(under)),
            2 => Step::Flap {
                share: self.hundredths(5..=30),
                down_secs: self.whole(1..=20),
                up_secs: self.whole(3..=30),
                for_secs,
                under,
            },
            3 => Step::Slow {
                share: self.hundredths(5..=50),
                delay_secs: self.hundredths(5..=300),
                for_secs,
                under,
            },
            4 => Step::Loss {
                share: self.hundredths(1..=20),
                stall_ms: self.whole(50..=1_000),
                for_secs,
                under,
            },
            5 | 6 => Step::Adversaries {
                share: self.hundredths(2..=20),
                kind: match self.0.random_range(0..3) {
                    0 => Mischief::Drop,
                    1 => Mischief::Lie,
                    _ => Mischief::Replay,
                },
                rate: if self.0.random() { 1.0 } else { self.hundredths(1..=100) },
                for_secs,
                under,
            },
            _ => Step::Chaos {
                lose: self.hundredths(0..=10),
                duplicate: self.hundredths(0..=10),
                reorder: self.hundredths(0..=10),
                for_secs,
                under,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Change;
    use std::collections::BTreeSet;

    #[test]
    fn a_drawn_scenario_is_the_same_when_it_is_read_back() {
        let mut kinds = BTreeSet::new();
        for seed in 0..300 {
            let scenario = draw(seed);
            let text = scenario.to_toml();
            let again = Scenario::parse("x.toml", &text, &Change::default());
            let again = again.unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
            assert!(again.is_like(&scenario), "seed {seed}:\n{text}");
            for step in &scenario.step {
                let kind = format!("{:?}", step.get_ref());
                kinds.insert(kind.split([' ', '(']).next().unwrap_or("").to_owned());
            }
        }
        assert_eq!(kinds.len(), 17, "all kinds of steps are drawn: {kinds:?}");
    }
}
