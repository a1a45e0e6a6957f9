//! Who wants to be a supernode or a registrar, and has no ticket for that.

use super::*;
use crate::config::REQUESTS_MAX;
use crate::id::RegistryId;
use crate::identity::chain::{check_registrar, check_supernode};
use crate::identity::verify::StrictVerifier;
use crate::identity::{
    RegistrarGrant, Revocation, RevocationList, Revoker, Subject, Ticket, proof,
};
use crate::io::{StoreAnswer, StoreRequest};
use crate::time::WallTime;
use crate::wire::message::{Enroll, EnrollReply, RegistrarClaim};

const GRANT: RegistrarGrant = RegistrarGrant { serial: 900, registry: RegistryId([7; 16]) };

impl Door {
    fn enroll(&mut self, link: LinkId, enroll: Enroll) -> Option<EnrollReply> {
        self.say(link, &enroll.into()).into_iter().find_map(|message| match message {
            Message::EnrollReply(reply) => Some(reply),
            _ => None,
        })
    }

    /// What the store answers to what it was asked last.
    fn store_answers(&mut self, link: LinkId, answer: StoreAnswer) -> Option<EnrollReply> {
        let (id, _) = self.asked.last().cloned().expect("the store was asked");
        let frames = self.give(link, Input::Stored { id, answer });
        frames.iter().find_map(|frame| match decode_message(frame) {
            Ok(Message::EnrollReply(reply)) => Some(reply),
            _ => None,
        })
    }
}

fn ticket(root: &SecretKey, registrar: Option<RegistrarGrant>) -> Ticket {
    Ticket::issue(root, 800, registrar, WALL.plus(Span::secs(60)))
}

fn claim(by: &SecretKey, of: &SecretKey, transcript: &[u8; 32], serial: u64) -> RegistrarClaim {
    let text = proof::enrolment(transcript, serial, &of.public());
    RegistrarClaim { key: Subject(of.public()), proof: by.sign(Domain::Enroll, &text) }
}

#[test]
fn a_ticket_gives_the_role_that_it_names_and_no_other() {
    let mut keys = Keys::new();
    let mut door = keys.door();
    let root = keys.root.clone();
    let (device, registrar) = (key(40), key(41));
    let knocked = door.knock(&device, |_| {}, |_| {}).expect("greeted");
    let (link, transcript) = (knocked.link, knocked.transcript);
    let (plain, full) = (ticket(&root, None), ticket(&root, Some(GRANT)));
    let good = claim(&registrar, &registrar, &transcript, 800);
    let raised = Ticket { registrar: Some(GRANT), ..plain.clone() };
    let lowered = Ticket { registrar: None, ..full.clone() };
    let elsewhere = RegistrarGrant { registry: RegistryId([8; 16]), ..GRANT };
    let moved = Ticket { registrar: Some(elsewhere), ..full.clone() };
    let renumbered = RegistrarGrant { serial: 1, ..GRANT };
    let renumbered = Ticket { registrar: Some(renumbered), ..full.clone() };
    let late = Ticket::issue(&root, 800, Some(GRANT), WALL);
    let forged = Ticket::issue(&keys.registrar, 800, Some(GRANT), WALL.plus(Span::secs(60)));
    let other = claim(&key(42), &registrar, &transcript, 800);
    let before = claim(&registrar, &registrar, &[9; 32], 800);
    let number = claim(&registrar, &registrar, &transcript, 801);
    let cases = [
        ("a plain ticket with a claim", &plain, Some(&good), Status::WRONG_ROLE),
        ("a registrar's ticket without one", &full, None, Status::WRONG_ROLE),
        ("a ticket with a grant put in", &raised, Some(&good), Status::UNPROVEN),
        ("a ticket with its grant taken out", &lowered, None, Status::UNPROVEN),
        ("a ticket for another store", &moved, Some(&good), Status::UNPROVEN),
        ("a ticket with another number", &renumbered, Some(&good), Status::UNPROVEN),
        ("an old ticket", &late, Some(&good), Status::EXPIRED),
        ("a registrar's own ticket", &forged, Some(&good), Status::UNPROVEN),
        ("a key of somebody else", &full, Some(&other), Status::UNPROVEN),
        ("a proof from another link", &full, Some(&before), Status::UNPROVEN),
        ("a proof for another ticket", &full, Some(&number), Status::UNPROVEN),
    ];
    for (what, ticket, claimed, status) in cases {
        let ask = Enroll { ticket: ticket.clone(), registrar: claimed.cloned() };
        let reply = door.enroll(link, ask).expect(what);
        assert_eq!(reply.status, status, "{what}");
        assert_eq!((reply.certificate, reply.registrar), (None, None), "{what}");
        assert_eq!(door.asked.len(), 0, "{what}: the ticket is used up");
    }
    // The same ticket as it is meant gives both certificates, once it is used up.
    assert_eq!(door.enroll(link, Enroll { ticket: full, registrar: Some(good) }), None);
    let subject = Subject(registrar.public());
    let node = NodeId(device.public());
    let redeem = StoreRequest::RedeemTicket { serial: 800, node, registrar: Some(subject) };
    assert_eq!(door.asked.last().map(|(_, request)| request), Some(&redeem));
    let reply = door.store_answers(link, StoreAnswer::Granted { serial: 800 }).expect("answered");
    let realm = keys.realm.id();
    let (node_says, own) = (reply.certificate.expect("given"), reply.registrar.expect("given"));
    assert_eq!(check_supernode(&node_says, &StrictVerifier, realm, node, WALL), Ok(()));
    assert_eq!(check_registrar(&own, &StrictVerifier, realm, &registrar.public(), WALL), Ok(()));
    assert_eq!((node_says.serial, own.serial), (800, 900));
    // A plain one never gives a registrar's, and a refusal by the store gives nothing.
    assert_eq!(door.enroll(link, Enroll { ticket: plain.clone(), registrar: None }), None);
    let reply = door.store_answers(link, StoreAnswer::Granted { serial: 800 }).expect("answered");
    assert!(reply.certificate.is_some() && reply.registrar.is_none());
    assert_eq!(door.enroll(link, Enroll { ticket: plain, registrar: None }), None);
    let reply = door.store_answers(link, StoreAnswer::Taken).expect("answered");
    assert_eq!((reply.status, reply.certificate), (Status::FORBIDDEN, None));
}

#[test]
fn who_is_out_is_not_enrolled_again() {
    let mut keys = Keys::new();
    let mut door = keys.door();
    let root = keys.root.clone();
    let (device, registrar) = (key(40), key(41));
    let entry = |number, role, subject: &SecretKey| Revocation {
        number,
        role,
        serial: 1,
        subject: Subject(subject.public()),
        issuer: None,
        since: WALL.0 / 1_000,
        until: u64::MAX,
    };
    let entries = vec![entry(1, Role::Supernode, &device), entry(2, Role::Registrar, &registrar)];
    let revoker = Revoker::Root(root.clone());
    let list = RevocationList::issue(&revoker, keys.realm.id(), entries, WallTime(WALL.0));
    door.give(LinkId(0), Input::Revocations(vec![Arc::new(list)]));
    let knocked = door.knock(&device, |_| {}, |_| {}).expect("greeted");
    let ask = Enroll { ticket: ticket(&root, None), registrar: None };
    let reply = door.enroll(knocked.link, ask).expect("refused");
    assert_eq!(reply.status, Status::REVOKED);
    // Another machine with the registrar's key that is out.
    let knocked = door.knock(&key(43), |_| {}, |_| {}).expect("greeted");
    let good = claim(&registrar, &registrar, &knocked.transcript, 800);
    let ask = Enroll { ticket: ticket(&root, Some(GRANT)), registrar: Some(good) };
    let reply = door.enroll(knocked.link, ask).expect("refused");
    assert_eq!(reply.status, Status::REVOKED);
    assert_eq!(door.asked.len(), 0);
}

#[test]
fn enrolments_that_wait_for_the_store_have_an_end() {
    let mut keys = Keys::new();
    let mut door = keys.door();
    let ticket = ticket(&keys.root, None);
    let knocked = door.knock(&key(40), |_| {}, |_| {}).expect("greeted");
    let ask = || Enroll { ticket: ticket.clone(), registrar: None };
    for _ in 0..REQUESTS_MAX {
        assert_eq!(door.enroll(knocked.link, ask()), None);
    }
    let reply = door.enroll(knocked.link, ask()).expect("refused");
    assert_eq!((reply.status, door.asked.len()), (Status::OVERLOADED, REQUESTS_MAX));
    door.store_answers(knocked.link, StoreAnswer::Failed).expect("answered");
    assert_eq!(door.enroll(knocked.link, ask()), None, "there is room for one again");
}
