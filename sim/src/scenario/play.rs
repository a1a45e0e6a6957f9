//! Plays a scenario from beginning to end.

use super::file::Scenario;
use super::stage::{Interrupted, Stage};
use crate::checks::Findings;
use crate::measure::{Record, Topology};
use crate::report::Figures;
use crate::world::{Follow, Tally};
use overlay_proto::status::Status;
use overlay_proto::time::Time;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// What was measured.
    pub figures: Figures,
    /// What was measured on the way, to be drawn.
    pub record: Record,
    /// What was found wrong. The run has passed if this is empty and it was not interrupted.
    pub findings: Findings,
    /// What senders were told when it did not work, and how often.
    pub failures: BTreeMap<Status, u64>,
    /// What the world has counted.
    pub tally: Tally,
}

impl Outcome {
    /// Whether the run went to its end and every check holds.
    pub fn passed(&self) -> bool {
        !self.figures.partial && self.findings.count() == 0
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    /// The world's time.
    pub now: Time,
    /// Inputs given to nodes.
    pub events: u64,
    /// Peers that live.
    pub here: usize,
    /// Of them, those in their places.
    pub whole: usize,
    /// Messages under way.
    pub open: usize,
}

/// Shows how far a run is.
pub trait Progress {
    /// The next phase begins.
    fn phase(&mut self, text: &str);
    /// Called every few thousand events.
    fn pulse(&mut self, pulse: Pulse);
}

/// Shows nothing.
impl Progress for () {
    fn phase(&mut self, _: &str) {}
    fn pulse(&mut self, _: Pulse) {}
}

/// Plays `scenario` until its end or until `stop` is set.
pub fn play(scenario: &Scenario, progress: &mut dyn Progress, stop: &AtomicBool) -> Outcome {
    play_on(Stage::new(scenario, progress, stop))
}

/// The same, with what happens at some hosts told of.
pub fn play_following(scenario: &Scenario, follow: Follow, stop: &AtomicBool) -> Outcome {
    let mut silent = ();
    let mut stage = Stage::new(scenario, &mut silent, stop);
    stage.world.follow(follow);
    play_on(stage)
}

fn play_on(mut stage: Stage<'_>) -> Outcome {
    let began = Instant::now();
    let end = stage.run();
    stage.keep_moment();
    let mut figures = stage.figures(began.elapsed(), end.is_err());
    let findings = stage.verdict(&figures);
    figures.violations = findings.count();
    let (failures, tally) = (stage.delivery.failures(), stage.world.tally().clone());
    let record = stage.record();
    Outcome { figures, record, findings, failures, tally }
}

impl Stage<'_> {
    /// What can be drawn of the run. To be asked once, at the end.
    fn record(&mut self) -> Record {
        let topology = Topology::of(&self.world, &self.population);
        let series = std::mem::take(&mut self.series);
        Record { series, storm: self.storm.begun(), survey: self.survey.take(), topology }
    }

    fn run(&mut self) -> Result<(), Interrupted> {
        self.arrive()?;
        self.scenario.step.iter().try_for_each(|step| self.step(step.get_ref()))?;
        self.agree()?;
        self.phase("walks over the network");
        self.survey_the_end();
        Ok(())
    }
}
