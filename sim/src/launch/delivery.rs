//! Whether every message arrived, once, with its text and its sender, by the recipients' inboxes.

use super::plan::Errand;
use super::population::Population;
use overlay_node::data::InboxEntry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A receipt may be faster than the recipient's disk, and a message than a receipt that was lost.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two looks into the inboxes.
const PAUSE: Duration = Duration::from_millis(50);

/// What was found in the inboxes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Of each errand, in order: how often it is in the recipient's inbox.
    pub arrived: Vec<usize>,
    /// What is wrong, and at whom.
    pub wrong: Vec<(String, String)>,
}

impl Judgement {
    /// Messages that arrived exactly once.
    pub fn once(&self) -> usize {
        self.arrived.iter().filter(|times| **times == 1).count()
    }

    /// Times that a message was there again.
    pub fn duplicates(&self) -> u64 {
        self.arrived.iter().map(|times| times.saturating_sub(1) as u64).sum()
    }
}

/// Waits until all messages are in their inboxes, or no longer than is reasonable.
pub async fn settle(population: &Population, errands: &[Errand]) {
    let until = Instant::now() + PATIENCE;
    let mut missing: BTreeSet<usize> = errands.iter().map(|errand| errand.to).collect();
    while !missing.is_empty() && Instant::now() < until {
        let mut still = BTreeSet::new();
        for recipient in missing {
            let inbox = population.peers[recipient].inbox().await.unwrap_or_default();
            let there: BTreeSet<&str> = inbox.iter().map(|entry| entry.text.as_str()).collect();
            let mine = errands.iter().filter(|errand| errand.to == recipient);
            if !mine.into_iter().all(|errand| there.contains(errand.text.as_str())) {
                still.insert(recipient);
            }
        }
        missing = still;
        if !missing.is_empty() {
            sleep(PAUSE).await;
        }
    }
}

/// Compares all inboxes, of the living and the dead, with what was sent.
pub async fn judge(population: &Population, errands: &[Errand]) -> Judgement {
    let mut inboxes = Vec::new();
    let mut unreadable = Vec::new();
    for peer in &population.peers {
        inboxes.push(peer.inbox().await.unwrap_or_else(|error| {
            unreadable.push((peer.name.clone(), format!("inbox: {error}")));
            Vec::new()
        }));
    }
    let names: Vec<&str> = population.peers.iter().map(|peer| peer.name.as_str()).collect();
    let mut judgement = compare(&names, &inboxes, errands);
    judgement.wrong.extend(unreadable);
    judgement
}

fn compare(names: &[&str], inboxes: &[Vec<InboxEntry>], errands: &[Errand]) -> Judgement {
    let by_text: BTreeMap<&str, usize> =
        errands.iter().enumerate().map(|(number, errand)| (errand.text.as_str(), number)).collect();
    let mut judgement = Judgement { arrived: vec![0; errands.len()], wrong: Vec::new() };
    for (owner, inbox) in inboxes.iter().enumerate() {
        for entry in inbox {
            let number = by_text.get(entry.text.as_str()).copied();
            let expected = number.filter(|number| {
                let errand = &errands[*number];
                errand.to == owner && names[errand.from] == entry.from
            });
            match expected {
                Some(number) => judgement.arrived[number] += 1,
                None => {
                    let what =
                        format!("got {:?} from {}, which was never sent", entry.text, entry.from);
                    judgement.wrong.push((names[owner].to_owned(), what));
                }
            }
        }
    }
    for (errand, times) in errands.iter().zip(&judgement.arrived) {
        let Errand { from, to, text } = errand;
        let what = match times {
            1 => continue,
            0 => format!("never got {text:?} from {}", names[*from]),
            _ => format!("got {text:?} from {} {times} times", names[*from]),
        };
        judgement.wrong.push((names[*to].to_owned(), what));
    }
    judgement
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(from: &str, text: &str) -> InboxEntry {
        InboxEntry {
            number: 1,
            id: String::new(),
            from: from.to_owned(),
            node: String::new(),
            text: text.to_owned(),
            sent_ms: 0,
            received_ms: 0,
            hops: 1,
            escalated: false,
        }
    }

    #[test]
    fn each_fault_is_found() {
        let errand = |from, to, text: &str| Errand { from, to, text: text.to_owned() };
        let errands = [errand(0, 1, "a"), errand(1, 0, "b"), errand(0, 2, "c"), errand(2, 0, "d")];
        let names = ["alice", "bob", "carol"];
        let alice = vec![entry("bob", "b"), entry("bob", "b"), entry("bob", "d")];
        let inboxes = [alice, vec![entry("alice", "a")], vec![entry("alice", "x")]];
        let judgement = compare(&names, &inboxes, &errands);
        assert_eq!(judgement.arrived, [1, 2, 0, 0]);
        assert_eq!((judgement.once(), judgement.duplicates()), (1, 1));
        // Twice b, never c, never d, a wrong sender, a text that nobody sent.
        assert_eq!(judgement.wrong.len(), 5, "{judgement:?}");
        let clean = compare(&names, &[vec![], vec![entry("alice", "a")], vec![]], &errands[..1]);
        assert_eq!((clean.once(), clean.wrong.len()), (1, 0));
    }
}
