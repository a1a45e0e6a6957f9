//! What a living network goes through.

use super::delivery;
use super::plan::{Errand, Options, Plan};
use super::population::{Births, Population, Resident};
use super::progress::{Show, Silent};
use super::storm::Storm;
use super::verdict::Seen;
use super::watch::{Watched, until_all_in_place};
use super::workload::{Pace, Told, look_up_all, send_all};
use std::collections::BTreeSet;
use tokio::time::Instant;

/// A living network and what it is to go through.
pub(super) struct Stage<'a> {
    pub population: &'a mut Population,
    pub births: Births<'a>,
    pub plan: &'a Plan,
    pub options: &'a Options,
    pub show: &'a dyn Show,
}

impl Stage<'_> {
    /// Plays all phases; what is seen goes to `seen`.
    pub async fn play(mut self, seen: &mut Seen) {
        let nobody = BTreeSet::new();
        seen.placed = self.watch("taking places", Instant::now(), &nobody, seen).await;
        self.look_up(seen).await;
        self.messages("messages before the crash", &self.plan.before, seen).await;
        delivery::settle(self.population, &self.plan.before).await;
        let mut victims = Vec::new();
        if self.options.storm {
            self.storm(seen).await;
            self.messages("messages after the storm", &self.plan.during, seen).await;
            self.messages("messages", &self.plan.after, seen).await;
        } else if self.anything_to_kill() {
            victims = self.crash(seen).await;
            self.messages("messages after repair", &self.plan.after, seen).await;
        } else {
            self.messages("messages", &self.plan.during, seen).await;
            self.messages("messages", &self.plan.after, seen).await;
        }
        let errands: Vec<Errand> = [&self.plan.before, &self.plan.during, &self.plan.after]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        self.show.phase("comparing inboxes", 0);
        delivery::settle(self.population, &errands).await;
        seen.judgement = delivery::judge(self.population, &errands).await;
        self.explain(&errands, seen);
        self.unexpected_ends(&victims, seen);
        self.show.over("");
    }

    fn anything_to_kill(&self) -> bool {
        self.plan.supernode_victim.is_some() || !self.plan.peer_victims.is_empty()
    }

    async fn watch(
        &self,
        phase: &str,
        began: Instant,
        affected: &BTreeSet<usize>,
        seen: &mut Seen,
    ) -> Watched {
        self.show.phase(phase, self.options.peers);
        let watched =
            until_all_in_place(self.population, self.options, began, affected, self.show).await;
        seen.watched(&watched, &format!("at the end of \"{phase}\""));
        self.show.over("");
        watched
    }

    async fn look_up(&self, seen: &mut Seen) {
        self.show.phase("look-ups", self.plan.lookups.len());
        seen.lookups = look_up_all(self.population, &self.plan.lookups, self.show).await;
        for (who, what) in seen.lookups.wrong.clone() {
            seen.find(&who, what);
        }
        self.show.over("");
    }

    async fn messages(&self, phase: &str, errands: &[Errand], seen: &mut Seen) {
        self.show.phase(phase, errands.len());
        seen.told.extend(send_all(self.population, errands, Pace::AtOnce, self.show).await);
        self.show.over("");
    }

    /// Kills at once, and watches the repair while survivors write to each other.
    async fn crash(&self, seen: &mut Seen) -> Vec<&Resident> {
        let supernodes = &self.population.supernodes;
        let peers = self.plan.peer_victims.iter().map(|victim| &self.population.peers[*victim]);
        let victims: Vec<&Resident> = self
            .plan
            .supernode_victim
            .map(|victim| &supernodes[victim])
            .into_iter()
            .chain(peers)
            .collect();
        let names: Vec<&str> = victims.iter().map(|victim| victim.name.as_str()).collect();
        self.show.phase(&format!("kill -9 of {}", names.join(", ")), 0);
        let nodes: BTreeSet<&str> = victims.iter().map(|victim| victim.node.as_str()).collect();
        let hit = |ties: &BTreeSet<String>| ties.iter().any(|node| nodes.contains(node.as_str()));
        let affected: BTreeSet<usize> = seen
            .placed
            .ties
            .iter()
            .filter(|(peer, ties)| !self.plan.peer_victims.contains(peer) && hit(ties))
            .map(|(peer, _)| *peer)
            .collect();
        let began = Instant::now();
        for victim in &victims {
            victim.process.kill();
        }
        for victim in &victims {
            victim.process.ended().await;
        }
        self.show.over(&format!("{} peers lost a neighbour or their home", affected.len()));
        let (watched, told) = tokio::join!(
            self.repair(began, &affected),
            send_all(self.population, &self.plan.during, Pace::Spread, &Silent),
        );
        seen.watched(&watched, "at the end of repair");
        seen.told.extend(told);
        seen.repaired = Some(watched);
        victims
    }

    /// Kills every supernode and starts them again; all peers log in anew.
    async fn storm(&mut self, seen: &mut Seen) {
        self.show.phase("every supernode dies and starts again", self.options.peers);
        let began = Instant::now();
        let storm = Storm::blow(self.population, &self.births, self.show).await;
        self.show.over(&format!("{:.1} s", began.elapsed().as_secs_f64()));
        for (who, what) in &storm.wrong {
            seen.find(who, what.clone());
        }
        seen.storm = Some(storm);
        let watched = self.watch("taking places again", began, &BTreeSet::new(), seen).await;
        seen.repaired = Some(watched);
    }

    async fn repair(&self, began: Instant, affected: &BTreeSet<usize>) -> Watched {
        self.show.phase("repair, with messages", self.options.peers - self.plan.peer_victims.len());
        let watched =
            until_all_in_place(self.population, self.options, began, affected, self.show).await;
        self.show.over(&format!("{:.1} s", began.elapsed().as_secs_f64()));
        watched
    }

    /// Turns what is wrong with the messages into findings, with what the senders were told.
    fn explain(&self, errands: &[Errand], seen: &mut Seen) {
        for (who, what) in std::mem::take(&mut seen.judgement.wrong) {
            seen.find(&who, what);
        }
        let told = std::mem::take(&mut seen.told);
        for (errand, told) in errands.iter().zip(&told) {
            if let Told::Failed(why) = told {
                let (from, to) =
                    (&self.population.peers[errand.from], &self.population.peers[errand.to]);
                seen.find(
                    &from.name,
                    format!("was told of {:?} to {}: {why}", errand.text, to.name),
                );
            }
        }
        seen.told = told;
    }

    fn unexpected_ends(&self, victims: &[&Resident], seen: &mut Seen) {
        for node in self.population.supernodes.iter().chain(&self.population.peers) {
            let meant = victims.iter().any(|victim| victim.node == node.node);
            if let (Some(status), false) = (node.process.exit(), meant) {
                seen.find(&node.name, format!("ended by itself with {status}"));
            }
        }
    }
}
