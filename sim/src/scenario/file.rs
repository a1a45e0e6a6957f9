//! The scenario file: every field and its default, and what follows from them.

use super::lives::Turn;
use super::step::Step;
use crate::checks::storm::Capacity;
use crate::net::Latency;
use crate::world::{Transport, Work};
use overlay_proto::time::Span;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toml::Spanned;

/// Users that log in at each supernode in a second, unless the file says otherwise.
const LOGINS_PER_SECOND: u64 = 10;
/// Users do not log in faster than over this time, however few they are.
const ARRIVAL_MIN: Span = Span::secs(20);

/// A whole scenario. The same file and seed give the same run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name in reports.
    pub name: String,
    /// All dice of the run come from it. Default 1.
    #[serde(default = "one")]
    pub seed: u64,
    /// Who takes part.
    pub population: PopulationSpec,
    /// The network beneath.
    #[serde(default)]
    pub network: NetworkSpec,
    /// What a supernode can do.
    #[serde(default)]
    pub supernode: SupernodeSpec,
    /// What the figures must reach.
    #[serde(default)]
    pub bars: Bars,
    /// What happens once everybody has been told to log in, in order: `[[step]]`.
    #[serde(default)]
    pub step: Vec<Spanned<Step>>,
    /// The mistake that every node makes on purpose.
    #[cfg(feature = "seeded-bugs")]
    #[serde(skip)]
    pub seeded_bug: Option<overlay_proto::SeededBug>,
    /// Where the scenario was read, for errors.
    #[serde(skip)]
    pub(super) source: Source,
    /// The traces that steps name, by the name they are given there.
    #[serde(skip)]
    pub(super) traces: BTreeMap<String, Vec<Turn>>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Source {
    pub(super) file: String,
    pub(super) text: String,
}

fn one() -> u64 {
    1
}

/// Who takes part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PopulationSpec {
    /// Users, one peer each.
    pub peers: usize,
    /// Supernodes. The first is the realm's root machine and registrar.
    pub supernodes: usize,
    /// Neighbours a peer has at most. Default 8.
    #[serde(default = "degree")]
    pub degree: usize,
    /// Of them, those within the peer's own region; its home is then the nearest supernode, and
    /// paths follow latency. Default 0: the fewest hops.
    #[serde(default)]
    pub near: usize,
    /// Spanning trees. Default: 8 below 10,000 peers, 16 to 100,000, 32 above.
    pub trees: Option<usize>,
    /// Seconds over which the users log in. Default: 20, or as long as 10 users a second at each
    /// supernode take.
    pub arrive_over_secs: Option<f64>,
    /// Each so-many-th user has no certificate yet and registers through the protocol. Default 0:
    /// none.
    #[serde(default)]
    pub register_every: usize,
}

fn degree() -> usize {
    8
}

/// The network beneath.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkSpec {
    /// `plane` (cities on a plane, the default) or `constant`.
    pub model: Model,
    /// Mean round-trip time of two random hosts, in milliseconds. Default 100.
    pub mean_rtt_ms: f64,
    /// Cities of the plane. Default 60.
    pub cities: usize,
    /// Median access delay of a host on the plane, in milliseconds of round trip. Default 6.
    pub access_ms: f64,
    /// Seconds after which a dial is given up that nobody answers. Default 3.
    pub dial_timeout_secs: f64,
    /// Megabits per second of each link, each way. Default 100.
    pub link_mbit: f64,
    /// Milliseconds that the durable store takes. Default 5.
    pub disk_ms: f64,
}

impl Default for NetworkSpec {
    fn default() -> NetworkSpec {
        NetworkSpec {
            model: Model::Plane,
            mean_rtt_ms: 100.0,
            cities: 60,
            access_ms: 6.0,
            dial_timeout_secs: 3.0,
            link_mbit: 100.0,
            disk_ms: 5.0,
        }
    }
}

/// How latency comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Model {
    /// Clustered cities on a plane, each host with an access delay of its own.
    Plane,
    /// The same for every pair.
    Constant,
}

/// What a supernode can do: by default all at once, and as many log-ins as the core's settings say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SupernodeSpec {
    /// Microseconds of its core to read a frame and do what it says, without signatures. Default 0.
    pub frame_us: f64,
    /// Microseconds to check a signature. Default 0.
    pub check_us: f64,
    /// Microseconds to make a signature. Default 0.
    pub sign_us: f64,
    /// Microseconds for the handshake of a new link. Default 0.
    pub link_us: f64,
    /// Log-ins that it looks at in a second: what its driver has measured. Default 500.
    pub logins_per_second: u32,
    /// Seconds after a start in which it comes up to that, from a quarter. Default 30.
    pub login_ramp_secs: f64,
}

impl Default for SupernodeSpec {
    fn default() -> SupernodeSpec {
        SupernodeSpec {
            frame_us: 0.0,
            check_us: 0.0,
            sign_us: 0.0,
            link_us: 0.0,
            logins_per_second: 500,
            login_ramp_secs: 30.0,
        }
    }
}

/// What the figures must reach. What is not named is not judged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bars {
    /// Least share of the messages sent between a crash and the end of repair that arrive. Default
    /// 0; messages sent at any other time must all arrive.
    pub delivered_before_repair: f64,
    /// Most mean hops, in Moore bounds.
    pub hops_over_moore: Option<f64>,
}

impl Scenario {
    /// One that no file holds yet. [`Scenario::is_playable`] tells whether its numbers can be.
    pub fn of(
        name: String,
        seed: u64,
        population: PopulationSpec,
        network: NetworkSpec,
        steps: Vec<Step>,
    ) -> Scenario {
        let source = Source { file: format!("{name}.toml"), text: String::new() };
        let step = steps.into_iter().map(|step| Spanned::new(0..0, step)).collect();
        let (bars, traces) = (Bars::default(), BTreeMap::new());
        Scenario {
            name,
            seed,
            population,
            network,
            supernode: SupernodeSpec::default(),
            bars,
            step,
            #[cfg(feature = "seeded-bugs")]
            seeded_bug: None,
            source,
            traces,
        }
    }

    /// The text of its file. Read back, it gives the same run.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("tables of plain values and lists can be written")
    }

    /// Whether it gives the same run, whatever file it came from.
    pub fn is_like(&self, other: &Scenario) -> bool {
        self.to_toml() == other.to_toml() && self.traces == other.traces
    }

    /// The turns of a trace that a step names.
    pub(super) fn trace(&self, name: &str) -> &[Turn] {
        self.traces.get(name).map_or(&[], Vec::as_slice)
    }

    /// Trees: as set, or by size.
    pub fn trees(&self) -> usize {
        self.population.trees.unwrap_or_else(|| trees_by_size(self.population.peers))
    }

    /// How long the users take to log in.
    pub fn arrival(&self) -> Span {
        let paced = Span(self.population.peers as u64 * self.pace().0).max(ARRIVAL_MIN);
        self.population.arrive_over_secs.map_or(paced, span)
    }

    /// The mean time between two users that log in, unless the file says otherwise.
    pub(super) fn pace(&self) -> Span {
        // Well below what supernodes can do: there is more to a newcomer than its log-in.
        let able = u64::from(self.supernode.logins_per_second / 3).max(1);
        let each = LOGINS_PER_SECOND.min(able);
        Span(1_000_000 / (each * self.population.supernodes as u64))
    }

    /// The model of latency.
    pub fn latency(&self) -> Latency {
        let network = &self.network;
        let mean_rtt = span(network.mean_rtt_ms / 1e3);
        match network.model {
            Model::Constant => Latency::Constant(Span(mean_rtt.0 / 2)),
            Model::Plane => Latency::Plane {
                mean_rtt,
                cities: network.cities,
                access: span(network.access_ms / 1e3),
            },
        }
    }

    /// How transports behave.
    pub fn transport(&self) -> Transport {
        Transport {
            dial_timeout: span(self.network.dial_timeout_secs),
            bytes_per_second: (self.network.link_mbit * 125_000.0) as u64,
            disk: span(self.network.disk_ms / 1e3),
            ..Transport::default()
        }
    }

    /// What work costs a supernode.
    pub fn work(&self) -> Work {
        let of = |micros: f64| span(micros / 1e6);
        let spec = &self.supernode;
        Work {
            frame: of(spec.frame_us),
            check: of(spec.check_us),
            sign: of(spec.sign_us),
            link: of(spec.link_us),
        }
    }

    /// How many log-ins a supernode can look at.
    pub fn capacity(&self) -> Capacity {
        let spec = &self.supernode;
        let ramp = span(spec.login_ramp_secs);
        Capacity { logins_per_second: spec.logins_per_second, ramp }
    }

    /// The command that plays this run again.
    pub fn replay(&self) -> String {
        let p = &self.population;
        format!(
            "sim run {} --peers {} --supernodes {} --degree {} --near {} --trees {} --seed {}",
            self.source.file,
            p.peers,
            p.supernodes,
            p.degree,
            p.near,
            self.trees(),
            self.seed
        )
    }
}

/// Seconds as a span.
pub(super) fn span(secs: f64) -> Span {
    Span((secs * 1e6) as u64)
}

/// Trees for so many peers, unless told otherwise: more are needed to hold the hops down as they
/// grow more.
pub fn trees_by_size(peers: usize) -> usize {
    match peers {
        0..10_000 => 8,
        10_000..=100_000 => 16,
        _ => 32,
    }
}
