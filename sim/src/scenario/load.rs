//! Where a scenario comes from: built in or a file, with what the command line changes.

use super::file::{Scenario, Source};
use super::lives::read_trace;
use super::step::Step;
use std::path::Path;

/// The built-in scenarios, by name.
const BUILT_IN: &[(&str, &str)] = &[
    ("steady", include_str!("../../scenarios/steady.toml")),
    ("crash20", include_str!("../../scenarios/crash20.toml")),
    ("crash50", include_str!("../../scenarios/crash50.toml")),
    ("churn", include_str!("../../scenarios/churn.toml")),
    ("flashcrowd", include_str!("../../scenarios/flashcrowd.toml")),
    ("partition", include_str!("../../scenarios/partition.toml")),
    ("asunder", include_str!("../../scenarios/asunder.toml")),
    ("asleep", include_str!("../../scenarios/asleep.toml")),
    ("sybil", include_str!("../../scenarios/sybil.toml")),
    ("flap", include_str!("../../scenarios/flap.toml")),
    ("flood", include_str!("../../scenarios/flood.toml")),
    ("outage2007", include_str!("../../scenarios/outage2007.toml")),
    ("outage2010", include_str!("../../scenarios/outage2010.toml")),
    ("mail", include_str!("../../scenarios/mail.toml")),
    ("revoke", include_str!("../../scenarios/revoke.toml")),
    ("scaffold", include_str!("../../scenarios/scaffold.toml")),
    ("spike", include_str!("../../scenarios/spike.toml")),
];

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
    /// Messages that wait, of each step that has any; the time for them grows alike.
    pub letters: Option<usize>,
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

/// The text of the built-in scenario or the file of this name.
pub(super) fn text(name: &str) -> Result<String, ScenarioError> {
    if let Some((_, text)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
        return Ok((*text).to_owned());
    }
    match std::fs::read_to_string(Path::new(name)) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(ScenarioError::Unknown { name: name.into() })
        }
        Err(error) => {
            Err(ScenarioError::Unreadable { name: name.into(), reason: error.to_string() })
        }
    }
}

impl Scenario {
    /// The built-in scenario of this name, or the one in the file of this name, with `change`.
    ///
    /// # Errors
    /// [`ScenarioError`].
    pub fn load(name: &str, change: &Change) -> Result<Scenario, ScenarioError> {
        Scenario::parse(name, &text(name)?, change)
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

    fn apply(&mut self, change: &Change) {
        let population = &mut self.population;
        population.peers = change.peers.unwrap_or(population.peers);
        population.supernodes = change.supernodes.unwrap_or(population.supernodes);
        population.degree = change.degree.unwrap_or(population.degree);
        population.near = change.near.unwrap_or(population.near);
        population.trees = change.trees.or(population.trees);
        self.seed = change.seed.unwrap_or(self.seed);
        for step in &mut self.step {
            if let (Step::Mail(letters), Some(count)) = (step.get_mut(), change.letters) {
                letters.scale(count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn options_are_checked_and_names_too() {
        let text = "name = 'x'\n[population]\npeers = 10\nsupernodes = 2\n";
        let change = Change { degree: Some(10), ..Change::default() };
        let error = Scenario::parse("x.toml", text, &change).expect_err("too many neighbours");
        assert_eq!(
            error.to_string(),
            "with these options, degree is more neighbours than there are peers"
        );
        let error = Scenario::load("stedy", &Change::default()).expect_err("no such file");
        assert!(error.to_string().starts_with("stedy: no such scenario"), "{error}");
    }
}
