//! Searches in the index: which replicas are asked, how many, and what their answers are worth.
//!
//! The first replica that knows a device on line ends a search: its record proves itself to the
//! asker. A wrong answer that proves nothing by itself (nobody, off line, an old record) takes two
//! replicas that say so. An asker that was led astray says that it wants a careful answer; then two
//! are asked in any case, and the newest record that its device has signed wins.

use super::Supernode;
use super::registry::Pending;
use crate::config::{LOCATION_REPLICAS, REQUESTS_MAX};
use crate::context::Context;
use crate::denial::{DENIALS_NEEDED, Denial, Question};
use crate::id::{LinkId, NodeId, StoreId};
use crate::io::{Output, StoreAnswer, StoreRequest};
use crate::location::index_key;
use crate::name::Name;
use crate::status::Status;
use crate::time::{Span, Time};
use crate::wire::Packet;
use crate::wire::message::{Found, Locate, Lookup, LookupReply};
use std::sync::Arc;

/// A search over the replicas of one key.
#[derive(Debug)]
pub(crate) struct Find {
    question: Question,
    purpose: Purpose,
    /// Whether the asker was led astray before.
    careful: bool,
    /// Answers that settle what proves nothing by itself.
    needed: usize,
    /// Replicas not asked yet, the next one last.
    rest: Vec<NodeId>,
    /// The replica that has been asked, and until when it may answer.
    asked: NodeId,
    until: Time,
    heard: Heard,
}

/// What the replicas have said so far.
#[derive(Debug, Default)]
struct Heard {
    /// Answers that count.
    answers: usize,
    /// The newest record of each device, newest first.
    found: Vec<Found>,
    denials: Vec<Denial>,
}

/// What a search is for.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// A peer's question.
    Answer(Asker),
    /// A packet on the scaffold.
    Carry { packet: Packet },
}

/// A peer that waits for an answer.
#[derive(Debug)]
pub(crate) struct Asker {
    link: LinkId,
    id: u64,
    name: Name,
}

/// What one replica says.
#[derive(Debug)]
struct Answer {
    status: Status,
    found: Vec<Found>,
    denials: Vec<Denial>,
}

impl Supernode {
    pub(super) fn on_lookup(&mut self, cx: &mut Context, link: LinkId, lookup: &Lookup) {
        let Lookup { id, ref name, nonce, careful } = *lookup;
        let key = index_key(cx.identity.realm, name);
        // An older peer has none: a number of ours keeps old denials out here.
        let nonce = if nonce == 0 { cx.fresh_id() } else { nonce };
        let asker = Asker { link, id, name: name.clone() };
        let rest = self.replicas_to_ask(cx, key);
        self.search(cx, Question { realm: cx.identity.realm, key, nonce }, careful, rest, asker);
    }

    /// Looks for the home of a packet's destination. The search begins anywhere among the replicas:
    /// a packet that was led astray comes again, and is not led so by the same one each time.
    pub(super) fn find_home(&mut self, cx: &mut Context, packet: Packet) {
        let (realm, key) = (cx.identity.realm, packet.key());
        let mut rest = self.replicas_to_ask(cx, key);
        let first = cx.random_below(rest.len().min(LOCATION_REPLICAS));
        rest.rotate_left(first);
        let question = Question { realm, key, nonce: 0 };
        self.search(cx, question, false, rest, Purpose::Carry { packet });
    }

    fn search(
        &mut self,
        cx: &mut Context,
        question: Question,
        careful: bool,
        mut rest: Vec<NodeId>,
        purpose: impl Into<Purpose>,
    ) {
        let purpose = purpose.into();
        if self.finds.len() >= REQUESTS_MAX {
            return self.found(cx, purpose, Status::OVERLOADED, Heard::default());
        }
        rest.reverse();
        let needed = rest.len().min(DENIALS_NEEDED);
        let (asked, until, heard) = (cx.me, cx.now, Heard::default());
        let find = Find { question, purpose, careful, needed, rest, asked, until, heard };
        self.ask_next(cx, find);
    }

    fn ask_next(&mut self, cx: &mut Context, mut find: Find) {
        while !find.is_settled()
            && let Some(replica) = find.rest.pop()
        {
            if replica == cx.me {
                let answer = self.own_answer(cx, &find.question);
                find.hear(cx, replica, answer);
            } else if let Some(link) = self.members.link_to(replica) {
                let id = cx.fresh_id();
                let Question { key, nonce, .. } = find.question;
                find.until = cx.now + Span(cx.config.patience.0 / 4);
                find.asked = replica;
                self.counters.replicas_asked += 1;
                cx.send(link, Locate { id, key, nonce });
                self.finds.insert(id, find);
                return;
            }
        }
        self.conclude(cx, find);
    }

    /// A replica is asked.
    pub(super) fn on_locate(&mut self, cx: &mut Context, link: LinkId, locate: &Locate) {
        let Locate { id, key, nonce } = *locate;
        let question = Question { realm: cx.identity.realm, key, nonce };
        let Answer { status, found, denials } = self.own_answer(cx, &question);
        cx.send(link, LookupReply { id, status, found, denials });
    }

    /// A replica has answered.
    pub(super) fn on_locate_reply(&mut self, cx: &mut Context, from: NodeId, reply: LookupReply) {
        // Numbers can be guessed: only who was asked is heard.
        if self.finds.get(&reply.id).is_none_or(|find| find.asked != from) {
            return;
        }
        let Some(mut find) = self.finds.remove(&reply.id) else { return };
        let LookupReply { status, found, denials, .. } = reply;
        find.hear(cx, from, Answer { status, found, denials });
        self.ask_next(cx, find);
    }

    pub(super) fn tick_finds(&mut self, cx: &mut Context) {
        let due: Vec<u64> =
            self.finds.iter().filter(|(_, find)| cx.now >= find.until).map(|(id, _)| *id).collect();
        for id in due {
            if let Some(find) = self.finds.remove(&id) {
                self.ask_next(cx, find);
            }
        }
    }

    /// What this supernode keeps under a key.
    fn own_answer(&self, cx: &Context, question: &Question) -> Answer {
        let found = self.directory.find(question.key, cx.now);
        let status = match self.judge(cx, &found) {
            // Who keeps the records of other names has nothing to say of this one.
            Status::UNKNOWN_NAME if !self.replicas(cx, question.key).contains(&cx.me) => {
                Status::NO_ROUTE
            }
            status => status,
        };
        let keys = cx.identity.supernode.as_ref();
        let denials = match (status, keys) {
            (Status::UNKNOWN_NAME, Some(keys)) if question.nonce != 0 => {
                let (key, by) = (&cx.identity.device, keys.certificate.clone());
                vec![Denial::sign(key, by, question, cx.wall(), cx.verifier())]
            }
            _ => Vec::new(),
        };
        Answer { status, found, denials }
    }

    /// 200 for a user with a device on line, 480 for one that was seen, 404 for nobody; 504 where
    /// that cannot be said: for a while after a member was lost, all replicas of a record may have
    /// gone with its home, and it is published again; and who has just started, or had newcomers wait
    /// until just now, does not know yet who will be there.
    fn judge(&self, cx: &Context, found: &[Found]) -> Status {
        let unsettled = self.members.are_unsettled(cx);
        let young = self.gate.calm_for(cx) < Span(2 * cx.config.renew.0);
        match (is_live(found), found.is_empty()) {
            (true, _) => Status::OK,
            (false, true) if unsettled || young => Status::NO_ROUTE,
            (false, true) => Status::UNKNOWN_NAME,
            // Also who was withdrawn on our side of a partition and lives on the other.
            (false, false) if unsettled => Status::NO_ROUTE,
            (false, false) => Status::OFFLINE,
        }
    }

    fn conclude(&mut self, cx: &mut Context, find: Find) {
        let Find { question, purpose, needed, mut heard, .. } = find;
        let own = self.judge(cx, &heard.found);
        let status = match own {
            Status::OK => Status::OK,
            Status::UNKNOWN_NAME if heard.denials.len() >= needed => Status::UNKNOWN_NAME,
            Status::OFFLINE if heard.answers >= needed => Status::OFFLINE,
            _ => Status::NO_ROUTE,
        };
        heard.found.sort_by_key(|found| std::cmp::Reverse(found.record.seq));
        let may_ask = cx.identity.is_registrar() && self.pending.len() < REQUESTS_MAX;
        match purpose {
            Purpose::Answer(asker) if heard.found.is_empty() && may_ask => {
                self.ask_the_store(cx, question, asker, status);
            }
            purpose => self.found(cx, purpose, status, heard),
        }
    }

    /// Nobody has a record of the user, which the index may have lost since they were seen last; the
    /// store knows whether there is such a user.
    fn ask_the_store(
        &mut self,
        cx: &mut Context,
        question: Question,
        asker: Asker,
        index_says: Status,
    ) {
        let id = StoreId(cx.fresh_id());
        let request = StoreRequest::FindUser { name: asker.name.clone() };
        self.pending.insert(id, Pending::Name { question, asker, index_says });
        cx.emit(Output::Store { id, request });
    }

    /// The registrar's store has said whether there is such a user.
    pub(super) fn name_asked(
        &mut self,
        cx: &mut Context,
        question: Question,
        asker: Asker,
        index_says: Status,
        answer: StoreAnswer,
    ) {
        let keys = cx.identity.supernode.as_ref().and_then(|keys| keys.registrar.as_ref());
        let (status, denials) = match (answer, keys) {
            (StoreAnswer::Missing, Some(keys)) => {
                let by = Arc::new(keys.certificate.clone());
                let denial = Denial::sign(&keys.key, by, &question, cx.wall(), cx.verifier());
                (Status::UNKNOWN_NAME, vec![denial])
            }
            (StoreAnswer::Found { .. }, _) if index_says == Status::UNKNOWN_NAME => {
                (Status::OFFLINE, Vec::new())
            }
            _ => (Status::NO_ROUTE, Vec::new()),
        };
        let heard = Heard { denials, ..Heard::default() };
        self.found(cx, Purpose::Answer(asker), status, heard);
    }

    fn found(&mut self, cx: &mut Context, purpose: Purpose, status: Status, heard: Heard) {
        let Heard { found, denials, .. } = heard;
        match purpose {
            Purpose::Answer(Asker { link, id, .. }) => {
                self.counters.lookups += 1;
                if cx.links.greeted(link).is_some() {
                    // Beside a record, or while in doubt, they say nothing.
                    let denials = if status == Status::UNKNOWN_NAME { denials } else { Vec::new() };
                    cx.send(link, LookupReply { id, status, found, denials });
                }
            }
            Purpose::Carry { packet } => self.carry_to(cx, packet, &found),
        }
    }
}

impl From<Asker> for Purpose {
    fn from(asker: Asker) -> Purpose {
        Purpose::Answer(asker)
    }
}

impl Find {
    /// Whether no further replica has to be asked.
    fn is_settled(&self) -> bool {
        let careful = self.careful && self.heard.answers < self.needed;
        let live = is_live(&self.heard.found) && !careful;
        live || self.heard.answers > 0 && self.heard.answers >= self.needed
    }

    /// Takes a replica's answer. One that is not what it should be is none.
    fn hear(&mut self, cx: &Context, from: NodeId, mut answer: Answer) {
        answer.found.retain(|found| !cx.revoked.bars(&found.record.chain));
        let own = from == cx.me;
        // The first answer is checked by who has asked; what is compared with others, or acted upon
        // here, is checked here.
        let alone = self.heard.answers == 0 && !self.careful && is_live(&answer.found);
        if !own && (!alone || matches!(self.purpose, Purpose::Carry { .. })) {
            answer.found.retain(|found| self.is_genuine(cx, found));
            answer.denials.retain(|denial| {
                denial.check(&self.question, cx.verifier(), cx.wall()) == Ok(from)
            });
        }
        match answer.status {
            Status::OK | Status::OFFLINE if !answer.found.is_empty() => {
                self.heard.answers += 1;
                self.heard.merge(answer.found);
            }
            Status::UNKNOWN_NAME if !answer.denials.is_empty() => {
                self.heard.answers += 1;
                self.heard.denials.extend(answer.denials.into_iter().take(1));
            }
            // It cannot say; what it has may be of use.
            _ => self.heard.merge(answer.found),
        }
    }

    fn is_genuine(&self, cx: &Context, found: &Found) -> bool {
        let member = found.record.check(cx.verifier(), cx.identity.realm, cx.wall());
        member.is_ok_and(|member| index_key(cx.identity.realm, &member.name) == self.question.key)
    }
}

impl Heard {
    /// Keeps the newest record of each device.
    fn merge(&mut self, found: Vec<Found>) {
        for fresh in found {
            let node = fresh.record.node();
            match self.found.iter_mut().find(|held| held.record.node() == node) {
                Some(held) if held.record.seq < fresh.record.seq => *held = fresh,
                Some(held) if held.record.seq == fresh.record.seq => {
                    held.lease_ms = held.lease_ms.max(fresh.lease_ms);
                }
                Some(_) => {}
                None => self.found.push(fresh),
            }
        }
    }
}

fn is_live(found: &[Found]) -> bool {
    found.iter().any(|found| found.lease_ms > 0)
}
