//! Nodes that do not do as they should: their core stays as it is, what it sends is bent on its
//! way out.

use super::passage::packet_of;
use super::{Machine, World};
use overlay_proto::config::TREES_MAX;
use overlay_proto::coordinates::{Label, LabelChanges, Labels};
use overlay_proto::id::{LinkId, NodeId};
use overlay_proto::wire::packet::PACKET_MARK;
use overlay_proto::wire::{Message, codec};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Old frames that a replayer keeps for each of its links.
const OLD_FRAMES: usize = 32;
/// How far a forged place is ahead of the true one: believed, it would stay.
const FORGED_AHEAD: u64 = 1_000;

/// What a node does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mischief {
    /// Packets that are not its own end here, at the rate.
    Drop,
    /// It tells its neighbours that all of its neighbours are roots of every tree, so that each
    /// destination looks near; and at the rate it says so of itself, too, in a place that no home
    /// has signed.
    Lie,
    /// With each frame, at the rate, an old one of the same link goes out again.
    Replay,
}

/// Who does something wrong, and what they remember.
#[derive(Debug, Default)]
pub(super) struct Adversaries {
    acts: BTreeMap<u32, (Mischief, f64)>,
    old: BTreeMap<LinkId, VecDeque<Vec<u8>>>,
    /// There are none before there are adversaries.
    dice: Option<ChaCha8Rng>,
}

impl Adversaries {
    pub(super) fn is_one(&self, host: u32) -> bool {
        !self.acts.is_empty() && self.acts.contains_key(&host)
    }

    fn strikes(&mut self, rate: f64) -> bool {
        self.dice.as_mut().is_some_and(|dice| dice.random::<f64>() < rate)
    }

    /// One of the old frames of a link, each equally likely.
    fn draw_old(&mut self, link: LinkId) -> Option<Vec<u8>> {
        let old = self.old.get(&link).filter(|old| !old.is_empty())?;
        let drawn = self.dice.as_mut()?.random_range(0..old.len());
        old.get(drawn).cloned()
    }

    fn remember(&mut self, link: LinkId, frame: &[u8]) {
        let old = self.old.entry(link).or_default();
        if old.len() >= OLD_FRAMES {
            old.pop_front();
        }
        old.push_back(frame.to_vec());
    }
}

impl<M: Machine> World<M> {
    /// Has these hosts do something wrong from now on, at a rate from 0 to 1 as the dice decide.
    pub fn corrupt(&mut self, hosts: &[u32], mischief: Mischief, rate: f64, dice: ChaCha8Rng) {
        self.adversaries.acts.extend(hosts.iter().map(|host| (*host, (mischief, rate))));
        self.adversaries.dice = Some(dice);
    }

    /// All hosts do as they should again. What was believed of their lies stays with who did.
    pub fn reform(&mut self) {
        self.adversaries = Adversaries::default();
    }

    /// What an adversary really sends on its link instead of `frame`.
    pub(super) fn bend(&mut self, host: u32, link: LinkId, frame: Vec<u8>) -> Vec<Vec<u8>> {
        let me = self.hosts[host as usize].node;
        let Some((mischief, rate)) = self.adversaries.acts.get(&host).copied() else {
            return vec![frame];
        };
        let strikes = self.adversaries.strikes(rate);
        match mischief {
            Mischief::Drop if strikes && is_foreign(&frame, me) => {
                self.tally.lost(frame.len());
                Vec::new()
            }
            Mischief::Drop => vec![frame],
            Mischief::Lie => vec![lie(&frame, strikes).unwrap_or(frame)],
            Mischief::Replay => {
                let again = if strikes { self.adversaries.draw_old(link) } else { None };
                self.adversaries.remember(link, &frame);
                std::iter::once(frame).chain(again).collect()
            }
        }
    }
}

fn is_foreign(frame: &[u8], me: NodeId) -> bool {
    packet_of(frame).is_some_and(|packet| packet.source() != me)
}

/// The same message with labels that are as good as can be; `None` for any other message.
fn lie(frame: &[u8], forge: bool) -> Option<Vec<u8>> {
    if frame.first() == Some(&PACKET_MARK) {
        return None;
    }
    let mut message = codec::decode_message(frame).ok()?;
    match &mut message {
        Message::Neighbourhood(news) => {
            news.entries.iter_mut().for_each(|entry| entry.labels = lied(&entry.labels));
        }
        Message::Placed(placed) if forge => {
            placed.coordinates.labels = roots(&placed.coordinates.labels);
            placed.coordinates.seq += FORGED_AHEAD;
        }
        _ => return None,
    }
    codec::encode(&message).ok()
}

/// Changes in the same trees, to roots.
fn lied(changes: &LabelChanges) -> LabelChanges {
    let mut labels = Labels::none(TREES_MAX);
    let mut trees = 0;
    for (tree, label) in changes.iter() {
        labels.set(tree, label);
        trees |= 1 << tree;
    }
    LabelChanges::of(&roots(&labels), trees)
}

/// The root's label in each tree: nobody can be nearer to everybody.
fn roots(labels: &Labels) -> Labels {
    let root = |label: Label| label.epoch().map_or(Label::NONE, Label::root);
    Labels::from(labels.iter().map(root).collect::<Vec<Label>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::coordinates::{Epoch, LinkCost};
    use overlay_proto::id::ShortId;
    use overlay_proto::wire::message::{FarEntry, Neighbourhood};

    #[test]
    fn a_lie_names_roots_of_the_same_epochs_in_the_same_trees() {
        let deep = Label::root(Epoch(3)).child(1).expect("shallow");
        let labels = Labels::from(vec![Label::NONE, deep, Label::NONE, deep]);
        let changes = LabelChanges::of(&labels, 0b0011);
        let entry = FarEntry {
            slot: 1,
            node: ShortId([7; 8]),
            cost: LinkCost::default(),
            labels: changes,
            dead_slots: 0,
            dead_parents: 0,
        };
        let honest: Message = Neighbourhood { whole: true, entries: vec![entry] }.into();
        let frame = codec::encode(&honest).expect("short");
        let told = codec::decode_message(&lie(&frame, false).expect("a lie")).expect("well-formed");
        let Message::Neighbourhood(news) = told else { panic!("another message: {told:?}") };
        let expected = Labels::from(vec![Label::NONE, Label::root(Epoch(3))]);
        assert_eq!(news.entries[0].labels, LabelChanges::of(&expected, 0b0011));
    }
}
