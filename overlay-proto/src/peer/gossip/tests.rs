//! A home is told what it needs to know of those around a peer.

use crate::Config;
use crate::coordinates::{Coordinates, Label, Labels};
use crate::id::{LinkId, NodeId};
use crate::identity::verify::StrictVerifier;
use crate::identity::{Contact, SecretKey};
use crate::io::Input;
use crate::testing::{Net, Realm, address};
use crate::time::Span;
use crate::view::IssuedView;
use crate::wire::message::{Assign, Placed, Report, SlotContact};
use crate::wire::{Message, codec};

/// The number of the message by which a home gives a place.
const ASSIGN: u8 = 15;

/// Two peers of one supernode, whose key it is.
struct Pair {
    net: Net,
    realm: Realm,
    key: SecretKey,
    home: NodeId,
    me: NodeId,
    other: NodeId,
}

impl Pair {
    fn new() -> Pair {
        let (mut net, mut realm) = (Net::new(), Realm::new(Config::default()));
        let setup = realm.supernode(0);
        let key = setup.identity.device.clone();
        let home = net.add(setup);
        let users = net.log_in(&mut realm, 0..2);
        net.run(Span::secs(10));
        Pair { net, realm, key, home, me: users[0], other: users[1] }
    }

    /// A newer place of `node`, as the home would sign it.
    fn place(&self, node: NodeId, change: impl FnOnce(&mut IssuedView)) -> Coordinates {
        let mut issued = self.net.nodes[&node].issued().expect("a place");
        issued.seq += 1;
        change(&mut issued);
        let IssuedView { seq, slots, labels } = issued;
        let labels = Labels::from(labels);
        Coordinates::issue(&self.key, &StrictVerifier, node, seq, slots, labels)
    }

    /// What the peer reports over `home` within two seconds of getting `message` over `link`.
    fn reports_after(&mut self, link: LinkId, message: Message, home: LinkId) -> Vec<Report> {
        let frame = codec::encode(&message).expect("short");
        self.net.tapped = true;
        self.net.input(self.me, Input::Received { link, frame });
        self.net.run(Span::secs(2));
        let told = self.net.tap.iter().filter(|tapped| tapped.link == home);
        let report = |frame: &[u8]| match codec::decode_message(frame) {
            Ok(Message::Report(report)) => Some(report),
            _ => None,
        };
        told.filter_map(|tapped| report(&tapped.frame)).collect()
    }
}

#[test]
fn a_home_that_takes_over_hears_also_of_places_that_the_old_one_signed() {
    let mut pair = Pair::new();
    let new = pair.net.start_supernodes(&mut pair.realm, 1..2)[0];
    pair.net.run(Span::secs(10));
    let place = pair.place(pair.other, |issued| issued.labels[0] = Label::NONE);
    // The new home has signed nothing yet.
    pair.net.losing = Some(ASSIGN);
    pair.net.kill(pair.home);
    pair.net.run(Span::secs(3));
    assert_eq!(pair.net.peer(pair.me).home, Some(new.to_string()));

    let (link, home) =
        (pair.net.link_between(pair.me, pair.other), pair.net.link_between(pair.me, new));
    let placed = Placed { coordinates: place.clone(), issuer: None };
    let reports = pair.reports_after(link, placed.into(), home);
    assert!(reports.iter().any(|report| report.neighbours.contains(&place)), "{reports:?}");
}

#[test]
fn a_neighbour_that_the_home_names_anew_is_reported_with_its_place() {
    let mut pair = Pair::new();
    let coordinates = pair.place(pair.me, |_| ());
    let slot = coordinates.slot_of(pair.other.short()).expect("a neighbour");
    let contact = Contact { node: pair.other, addresses: vec![address(pair.other)] };
    let named = SlotContact { slot, contact, home: pair.home, dial: false };
    let assign = Assign { coordinates, contacts: vec![named] };
    let home = pair.net.link_between(pair.me, pair.home);
    let reports = pair.reports_after(home, assign.into(), home);
    let is_told = |report: &Report| {
        report.slots.iter().any(|it| it.slot == slot && it.up && it.node == pair.other.short())
            && report.neighbours.iter().any(|place| place.node == pair.other)
    };
    assert!(reports.iter().any(is_told), "{reports:?}");
}
