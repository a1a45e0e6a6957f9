use super::*;
use crate::id::UserKey;
use crate::identity::{DeviceChain, Signature};
use crate::testing::realm::Realm;
use proptest::prelude::*;
use std::sync::Arc;

/// Letters of one sender.
struct Sender {
    chain: Arc<DeviceChain>,
    member: Member,
}

impl Sender {
    fn new() -> Sender {
        let identity = Realm::new(crate::Config::default()).user(1).identity;
        let chain = identity.chain().expect("registered").clone();
        let user = UserKey(chain.user.subject.0);
        let name = chain.claimed_name().expect("named").clone();
        Sender { member: Member { node: identity.node(), name, user }, chain }
    }

    /// The letter `seq`, part of a message of so many.
    fn letter(&self, seq: u64, floor: u64, (part, parts): (u8, u8)) -> Letter {
        let message = seq - u64::from(part);
        Letter {
            from: self.chain.clone(),
            to: UserKey([0; 32]),
            id: MessageId([message as u8; 16]),
            seq,
            floor,
            part,
            parts,
            sent_ms: 0,
            expires_ms: 1_000,
            body: Blob(vec![seq as u8]),
            signature: Signature([0; 64]),
        }
    }
}

/// A recipient, and all that it has shown.
#[derive(Default)]
struct Reader {
    inbox: Inbox,
    shown: Vec<Vec<u8>>,
    told: Vec<(u8, Status)>,
}

impl Reader {
    fn get(&mut self, sender: &Sender, copy: u8, letter: Letter) {
        let (mut batch, mut due) = (Batch::default(), Vec::new());
        let copy = MessageId([copy; 16]);
        self.inbox.take(Time(1), copy, &sender.member, letter, &mut batch, &mut due);
        self.note(batch, due);
    }

    fn wait(&mut self, now: Time) {
        let (mut batch, mut due) = (Batch::default(), Vec::new());
        self.inbox.skip_gaps(now, Span::secs(1), &mut batch, &mut due);
        self.note(batch, due);
    }

    fn note(&mut self, batch: Batch, due: Vec<Settled>) {
        self.shown.extend(batch.show.into_iter().map(|letter| letter.body.0));
        self.told.extend(due.into_iter().map(|settled| (settled.copy.0[0], settled.status)));
    }
}

#[test]
fn a_letter_waits_for_the_one_before_it_and_its_sender_for_the_receipt() {
    let (sender, mut reader) = (Sender::new(), Reader::default());
    reader.get(&sender, 1, sender.letter(1, 0, (0, 1)));
    assert_eq!((reader.shown.len(), reader.told.len()), (0, 0));
    reader.get(&sender, 0, sender.letter(0, 0, (0, 1)));
    assert_eq!(reader.shown, [[0], [1]]);
    assert_eq!(reader.told, [(0, Status::OK), (1, Status::OK)]);
    reader.get(&sender, 9, sender.letter(1, 0, (0, 1)));
    assert_eq!((reader.shown.len(), reader.told[2]), (2, (9, Status::OK)), "sealed again");
}

#[test]
fn nobody_waits_below_the_floor() {
    let (sender, mut reader) = (Sender::new(), Reader::default());
    reader.get(&sender, 8, sender.letter(8, 7, (0, 1)));
    assert!(reader.shown.is_empty(), "the seventh may come");
    reader.get(&sender, 9, sender.letter(9, 8, (0, 1)));
    assert_eq!(reader.shown, [[8], [9]], "the seventh has ended");
}

#[test]
fn waiting_has_an_end_and_who_comes_later_is_told() {
    let (sender, mut reader) = (Sender::new(), Reader::default());
    reader.get(&sender, 1, sender.letter(1, 0, (0, 1)));
    reader.wait(Time(500_000));
    assert!(reader.shown.is_empty());
    reader.wait(Time(1_000_001));
    assert_eq!(reader.shown, [[1]]);
    reader.get(&sender, 0, sender.letter(0, 0, (0, 1)));
    assert_eq!((reader.shown.len(), reader.told[1]), (1, (0, Status::STALE)));
}

#[test]
fn a_message_is_shown_whole_or_not_at_all() {
    let (sender, mut reader) = (Sender::new(), Reader::default());
    reader.get(&sender, 0, sender.letter(0, 0, (0, 3)));
    reader.get(&sender, 2, sender.letter(2, 0, (2, 3)));
    assert!(reader.shown.is_empty());
    reader.get(&sender, 1, sender.letter(1, 0, (1, 3)));
    assert_eq!(reader.shown, [[0, 1, 2]]);
    // Of the next one a part never comes.
    reader.get(&sender, 3, sender.letter(3, 3, (0, 2)));
    reader.get(&sender, 5, sender.letter(5, 3, (0, 1)));
    reader.wait(Time(2_000_000));
    reader.wait(Time(4_000_000));
    reader.wait(Time(6_000_000));
    assert_eq!(reader.shown[1..], [[5]]);
    assert!(reader.told.contains(&(3, Status::STALE)), "{:?}", reader.told);
}

proptest! {
    /// Whatever comes in whatever order and however often: each once, in order.
    #[test]
    fn each_once_in_order(order in prop::collection::vec(0_u64..12, 0..80)) {
        let (sender, mut reader) = (Sender::new(), Reader::default());
        for (copy, seq) in (0..).zip(order.iter().copied().chain(0..12)) {
            reader.get(&sender, copy, sender.letter(seq, 0, (0, 1)));
        }
        let expected: Vec<Vec<u8>> = (0..12).map(|seq| vec![seq]).collect();
        prop_assert_eq!(reader.shown, expected);
    }
}
