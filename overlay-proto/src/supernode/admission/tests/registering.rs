//! Floods of registrations.

use super::*;
use crate::id::UserKey;
use crate::identity::proof;
use crate::io::{Remote, StoreRequest};
use crate::name::Name;
use crate::wire::message::Register;

/// What became of a registration at first sight.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// The store was asked, with the address it came from.
    Asked(Option<Remote>),
    Refused(Status),
}

impl Desk {
    fn register(&mut self, who: &Visitor, number: u32, good: bool) -> Seen {
        let name = Name::new(&format!("user{number}")).expect("valid");
        let user = UserKey(who.key.public());
        let proven = if good { who.transcript } else { [0; 32] };
        let text = proof::registration(&proven, &name, &user.0);
        let proof = who.key.sign(Domain::Register, &text);
        let register = frame(Register { name, user, code: None, proof });
        let outputs = self.give(Input::Received { link: who.link, frame: register });
        let seen = outputs.into_iter().find_map(|output| match output {
            Output::Store { request: StoreRequest::ClaimName { origin, .. }, .. } => {
                Some(Seen::Asked(origin))
            }
            Output::Send { frame, .. } => match codec::decode_message(&frame) {
                Ok(Message::RegisterReply(reply)) => Some(Seen::Refused(reply.status)),
                _ => None,
            },
            _ => None,
        });
        seen.expect("an answer, or a question to the store")
    }
}

fn flood(desk: &mut Desk, from: &str, count: u32) -> (u32, u32) {
    let visitor = desk.visit(key(7_000), from);
    let (mut asked, mut refused) = (0, 0);
    for number in 0..count {
        match desk.register(&visitor, number, true) {
            Seen::Asked(_) => asked += 1,
            Seen::Refused(status) => {
                assert_eq!(status, Status::TOO_MANY);
                refused += 1;
            }
        }
    }
    (asked, refused)
}

#[test]
fn an_address_that_floods_leaves_half_of_the_burst_to_others() {
    let mut desk = desk(10);
    let (asked, refused) = flood(&mut desk, &address(1), 1_000);
    assert!(asked < 200 && asked + refused == 1_000, "{asked} looked at, {refused} refused");
    // Everybody else registers as before: each has a share of its own.
    for n in 2..100 {
        let visitor = desk.visit(key(n), &address(n));
        let origin = Remote::of(&TransportAddress::new(address(n)).expect("short"));
        assert_eq!(desk.register(&visitor, n, true), Seen::Asked(origin), "{n}");
    }
    // A while later it is one of them again.
    desk.pass(Span::secs(30));
    assert!(flood(&mut desk, &address(1), 10).0 == 10);
}

#[test]
fn who_proves_nothing_uses_its_address_up_sooner() {
    let mut desk = desk(10);
    flood(&mut desk, &address(1), 1_000);
    let liar = desk.visit(key(2), &address(2));
    let tries = (0..10).map(|n| desk.register(&liar, n, false)).collect::<Vec<_>>();
    let unproven = tries.iter().filter(|seen| **seen == Seen::Refused(Status::UNPROVEN)).count();
    let too_many = tries.iter().filter(|seen| **seen == Seen::Refused(Status::TOO_MANY)).count();
    assert!((1..=5).contains(&unproven) && unproven + too_many == 10, "{tries:?}");
}

#[test]
fn this_machine_itself_has_no_address_to_charge() {
    let mut desk = desk(10);
    assert_eq!(flood(&mut desk, "/ip4/127.0.0.1/tcp/1", 1_000), (1_000, 0));
    let visitor = desk.visit(key(1), "/ip4/127.0.0.1/tcp/1");
    assert_eq!(desk.register(&visitor, 1, true), Seen::Asked(None));
}
