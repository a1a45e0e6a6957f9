//! The scenario file: every field, its default and its limits.

use super::lives::{Turn, read_trace};
use super::step::Step;
use crate::net::Latency;
use crate::world::Transport;
use overlay_proto::config::{DEGREE_MAX, TREES_MAX};
use overlay_proto::time::Span;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use toml::Spanned;

/// The built-in scenarios, by name.
const BUILT_IN: &[(&str, &str)] = &[
    ("steady", include_str!("../../scenarios/steady.toml")),
    ("crash20", include_str!("../../scenarios/crash20.toml")),
    ("crash50", include_str!("../../scenarios/crash50.toml")),
    ("churn", include_str!("../../scenarios/churn.toml")),
    ("flashcrowd", include_str!("../../scenarios/flashcrowd.toml")),
    ("partition", include_str!("../../scenarios/partition.toml")),
    ("flap", include_str!("../../scenarios/flap.toml")),
];
/// Most peers of a world. Link and host numbers are 32 bits; memory ends long before.
const PEERS_MAX: usize = 10_000_000;

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
    source: Source,
    /// The traces that steps name, by the name they are given there.
    #[serde(skip)]
    traces: BTreeMap<String, Vec<Turn>>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Source {
    file: String,
    text: String,
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

/// Settings that replace those of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Users.
    pub peers: Option<usize>,
    /// Supernodes.
    pub supernodes: Option<usize>,
    /// Neighbours a peer has at most.
    pub degree: Option<usize>,
    /// Neighbours within the peer's region.
    pub near: Option<usize>,
    /// Spanning trees.
    pub trees: Option<usize>,
    /// The seed.
    pub seed: Option<u64>,
}

/// Why a scenario cannot be played. Nothing has run when this is returned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// Neither a built-in scenario nor a file.
    #[error(
        "{name}: no such scenario: name a TOML file or one of {}",
        Scenario::built_in().collect::<Vec<_>>().join(", ")
    )]
    Unknown {
        /// What was named.
        name: String,
    },
    /// The file is there and cannot be read.
    #[error("{name}: {reason}")]
    Unreadable {
        /// The file.
        name: String,
        /// Why.
        reason: String,
    },
    /// It has an unknown key, lacks one, or has a value of the wrong kind.
    #[error("{file}, line {line}: {reason}")]
    Invalid {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// Why.
        reason: String,
    },
    /// The command line asks for a number that cannot be.
    #[error("{key} {reason}")]
    Impossible {
        /// Which setting.
        key: &'static str,
        /// Why.
        reason: String,
    },
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
            bars,
            step,
            #[cfg(feature = "seeded-bugs")]
            seeded_bug: None,
            source,
            traces,
        }
    }

    /// Whether every number is within its limits.
    pub fn is_playable(&self) -> bool {
        self.check().is_ok()
    }

    /// The text of its file. Read back, it gives the same run.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("tables of plain values and lists can be written")
    }

    /// Whether it gives the same run, whatever file it came from.
    pub fn is_like(&self, other: &Scenario) -> bool {
        self.to_toml() == other.to_toml() && self.traces == other.traces
    }

    /// The built-in scenario of this name, or the one in the file of this name, with `change`.
    ///
    /// # Errors
    /// [`ScenarioError`].
    pub fn load(name: &str, change: &Change) -> Result<Scenario, ScenarioError> {
        if let Some((_, text)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
            return Scenario::parse(name, text, change);
        }
        match std::fs::read_to_string(Path::new(name)) {
            Ok(text) => Scenario::parse(name, &text, change),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(ScenarioError::Unknown { name: name.into() })
            }
            Err(error) => {
                Err(ScenarioError::Unreadable { name: name.into(), reason: error.to_string() })
            }
        }
    }

    /// The names of the built-in scenarios.
    pub fn built_in() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// Reads `text`, which came from `file`, applies `change` and checks every number.
    ///
    /// # Errors
    /// [`ScenarioError`].
    pub fn parse(file: &str, text: &str, change: &Change) -> Result<Scenario, ScenarioError> {
        let mut scenario: Scenario = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            ScenarioError::Invalid {
                file: file.into(),
                line: 1 + text[..start.min(text.len())].matches('\n').count(),
                reason: error.message().to_owned(),
            }
        })?;
        scenario.source = Source { file: file.into(), text: text.into() };
        scenario.check()?;
        scenario.apply(change);
        // What the file had right, the command line may have made wrong.
        scenario.check().map_err(|error| match error {
            ScenarioError::Invalid { reason, .. } => {
                ScenarioError::Impossible { key: "with these options,", reason }
            }
            other => other,
        })?;
        scenario.read_traces()?;
        Ok(scenario)
    }

    fn read_traces(&mut self) -> Result<(), ScenarioError> {
        for step in &self.step {
            let Step::Churn(churn) = step.get_ref() else { continue };
            let Some(name) = &churn.trace else { continue };
            let text = self.read_beside(name)?;
            let turns = read_trace(&text, self.population.peers).map_err(|(line, reason)| {
                ScenarioError::Invalid { file: name.clone(), line, reason }
            })?;
            self.traces.insert(name.clone(), turns);
        }
        Ok(())
    }

    /// The text of a file that this scenario names, relative to where the scenario itself is.
    fn read_beside(&self, name: &str) -> Result<String, ScenarioError> {
        let folder = Path::new(&self.source.file).parent().unwrap_or(Path::new(""));
        let unreadable = |error: std::io::Error| {
            let reason = format!("{error}; {} names it", self.source.file);
            ScenarioError::Unreadable { name: name.into(), reason }
        };
        std::fs::read_to_string(folder.join(name)).map_err(unreadable)
    }

    /// The turns of a trace that a step names.
    pub(super) fn trace(&self, name: &str) -> &[Turn] {
        self.traces.get(name).map_or(&[], Vec::as_slice)
    }

    fn apply(&mut self, change: &Change) {
        let population = &mut self.population;
        population.peers = change.peers.unwrap_or(population.peers);
        population.supernodes = change.supernodes.unwrap_or(population.supernodes);
        population.degree = change.degree.unwrap_or(population.degree);
        population.near = change.near.unwrap_or(population.near);
        population.trees = change.trees.or(population.trees);
        self.seed = change.seed.unwrap_or(self.seed);
    }

    fn check(&self) -> Result<(), ScenarioError> {
        let p = &self.population;
        self.demand("peers", (2..=PEERS_MAX).contains(&p.peers), "must be 2 to 10,000,000")?;
        self.demand("supernodes", (1..=512).contains(&p.supernodes), "must be 1 to 512")?;
        let degree = (2..=DEGREE_MAX).contains(&p.degree);
        self.demand("degree", degree, "must be 2 to 16")?;
        self.demand("degree", p.degree < p.peers, "is more neighbours than there are peers")?;
        self.demand(
            "near",
            p.near < p.degree,
            "leaves no link out of the region: it must be less than the degree",
        )?;
        let trees = p.trees.is_none_or(|trees| (1..=TREES_MAX).contains(&trees));
        self.demand("trees", trees, "must be 1 to 32")?;
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let natural = |value: f64| value.is_finite() && value >= 0.0;
        let arrive = p.arrive_over_secs.is_none_or(natural);
        self.demand("arrive_over_secs", arrive, "must not be negative")?;
        let n = &self.network;
        self.demand("mean_rtt_ms", positive(n.mean_rtt_ms), "must be above zero")?;
        self.demand("cities", n.cities > 0, "must be above zero")?;
        self.demand("access_ms", natural(n.access_ms), "must not be negative")?;
        self.demand("dial_timeout_secs", positive(n.dial_timeout_secs), "must be above zero")?;
        self.demand("link_mbit", positive(n.link_mbit), "must be above zero")?;
        self.demand("disk_ms", natural(n.disk_ms), "must not be negative")?;
        let bar = (0.0..=1.0).contains(&self.bars.delivered_before_repair);
        self.demand("delivered_before_repair", bar, "must be 0 to 1")?;
        self.step.iter().try_for_each(|step| self.check_step(step))
    }

    fn check_step(&self, step: &Spanned<Step>) -> Result<(), ScenarioError> {
        let from = step.span().start;
        let checked = step.get_ref().check();
        checked.or_else(|(key, reason)| self.demand_from(from, key, false, reason))
    }

    fn demand(&self, key: &'static str, holds: bool, reason: &str) -> Result<(), ScenarioError> {
        self.demand_from(0, key, holds, reason)
    }

    /// As [`Scenario::demand`], for a key that stands behind the byte `from` of the file.
    fn demand_from(
        &self,
        from: usize,
        key: &'static str,
        holds: bool,
        reason: &str,
    ) -> Result<(), ScenarioError> {
        if holds {
            return Ok(());
        }
        let text = &self.source.text;
        let (before, behind) = text.split_at_checked(from).unwrap_or((text, ""));
        let names_it = |line: &str| {
            let code = line.split('#').next().unwrap_or(line);
            code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == key)
        };
        let further = behind.lines().position(names_it).unwrap_or(0);
        let line = 1 + before.matches('\n').count() + further;
        let (file, reason) = (self.source.file.clone(), format!("{key} {reason}"));
        Err(ScenarioError::Invalid { file, line, reason })
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
        Span(1_000_000 / (LOGINS_PER_SECOND * self.population.supernodes as u64))
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

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "name = 'x'\n[population]\npeers = 10\nsupernodes = 2\n";

    const SETTLE: &str = "[[step]]\nsettle = { limit_secs = 3 }\n";
    const BAD_SETTLE: &str = "[[step]]\nsettle = { limit_secs = -3 }\n";

    fn error(text: &str) -> String {
        let error = Scenario::parse("x.toml", text, &Change::default()).expect_err("invalid");
        error.to_string()
    }

    #[test]
    fn built_ins_are_valid_and_sizes_have_their_trees() {
        for name in Scenario::built_in() {
            let trees = |peers| {
                let change = Change { peers: Some(peers), ..Change::default() };
                Scenario::load(name, &change).expect("valid").trees()
            };
            assert_eq!([1_000, 10_000, 100_000, 100_001].map(trees), [8, 16, 16, 32]);
        }
    }

    #[test]
    fn errors_name_file_line_and_reason() {
        assert!(Scenario::parse("x.toml", GOOD, &Change::default()).is_ok());
        let cases = [
            (GOOD.replace("peers", "pears"), "x.toml, line 3: unknown field `pears`"),
            (GOOD.replace("10", "'ten'"), "x.toml, line 3: invalid type: string"),
            (GOOD.replace("10", "-10"), "x.toml, line 3: invalid value: integer `-10`"),
            (GOOD.replace("= 10", "= 5"), "x.toml, line 1: degree is more neighbours"),
            (format!("{GOOD}degree = 17\n"), "x.toml, line 5: degree must be 2 to 16"),
            (format!("{GOOD}[network]\nlink_mbit = -1\n"), "x.toml, line 6: link_mbit must be"),
            (
                format!("{GOOD}[[step]]\nsettle = {{ limit = 3 }}\n"),
                "x.toml, line 6: unexpected keys in table: limit",
            ),
            (format!("{GOOD}[[step]]\ndance = {{}}\n"), "x.toml, line 6: unknown variant `dance`"),
            (format!("{GOOD}{SETTLE}{BAD_SETTLE}"), "x.toml, line 8: limit_secs must not be"),
            ("name = ".into(), "x.toml, line 1: "),
        ];
        for (text, expected) in cases {
            let error = error(&text);
            assert!(error.starts_with(expected), "{error}\nnot: {expected}");
        }
    }

    #[test]
    fn options_are_checked_and_names_too() {
        let change = Change { degree: Some(10), ..Change::default() };
        let error = Scenario::parse("x.toml", GOOD, &change).expect_err("too many neighbours");
        assert_eq!(
            error.to_string(),
            "with these options, degree is more neighbours than there are peers"
        );
        let error = Scenario::load("stedy", &Change::default()).expect_err("no such file");
        assert!(error.to_string().starts_with("stedy: no such scenario"), "{error}");
    }
}
