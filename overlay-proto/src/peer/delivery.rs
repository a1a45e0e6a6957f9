//! Texts, delivered once: sent again until the receipt is back, shown the first time only.

use super::Peer;
use super::locate::{Errand, Waiter, lease_secs};
use super::location_cache::Whereabouts;
use super::routing::{Arrival, Route};
use super::session::reply;
use crate::config::{OUTGOING_MAX, SEEN_MESSAGES_MAX, TEXT_BYTES_MAX};
use crate::context::Context;
use crate::footprint::Heap;
use crate::id::{CommandId, MessageId, NodeId, ShortId};
use crate::identity::Domain;
use crate::io::{Event, ReceivedText, Reply};
use crate::name::Name;
use crate::status::Status;
use crate::time::{Span, Time, WallTime};
use crate::wire::end_to_end::{Moved, Receipt, Text};
use crate::wire::{Class, Payload};
use rand::Rng;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The longest wait for a receipt before the text is sent again.
const RECEIPT_PATIENCE_MAX: Span = Span::secs(8);
/// From this try on a text takes the scaffold: two ways hop by hop have failed by then.
const SCAFFOLD_FROM_TRY: u32 = 3;

/// Texts under way, and those received.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    /// Boxed: a node of the map has room for eleven.
    outgoing: BTreeMap<MessageId, Box<Outgoing>>,
    seen: Seen,
}

#[derive(Debug)]
struct Outgoing {
    command: CommandId,
    to: Name,
    text: String,
    started: Time,
    sent_ms: u64,
    tries: u32,
    /// When to send again. Never while the recipient's location is being asked for.
    again_at: Time,
    sent_to: Option<NodeId>,
    first_hop: Option<ShortId>,
}

impl Outgoing {
    /// Counts a try; the next is due after twice the time that this one had.
    fn tried(&mut self, cx: &Context) {
        let shift = self.tries.min(8);
        self.tries += 1;
        let patience = Span(cx.config.receipt_patience.0 << shift);
        self.again_at = cx.now + patience.min(RECEIPT_PATIENCE_MAX);
    }
}

/// The ids of the newest texts, to show each once.
#[derive(Debug, Default)]
struct Seen {
    ids: BTreeSet<(NodeId, MessageId)>,
    order: VecDeque<(NodeId, MessageId)>,
}

impl Seen {
    /// Whether it is new; remembered then.
    fn insert(&mut self, from: NodeId, id: MessageId) -> bool {
        if !self.ids.insert((from, id)) && !seeded!(MessageShownAgain) {
            return false;
        }
        self.order.push_back((from, id));
        if self.order.len() > SEEN_MESSAGES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

impl Peer {
    pub(super) fn on_send(&mut self, cx: &mut Context, command: CommandId, to: Name, text: String) {
        let refusal = if !self.may_ask() {
            Some(Status::NOT_LOGGED_IN)
        } else if text.len() > TEXT_BYTES_MAX {
            Some(Status::TOO_LARGE)
        } else if self.delivery.outgoing.len() >= OUTGOING_MAX {
            Some(Status::TOO_MANY)
        } else {
            None
        };
        if let Some(status) = refusal {
            return reply(cx, command, Reply::Failed { status });
        }
        let mut id = [0; 16];
        cx.rng.fill_bytes(&mut id);
        let id = MessageId(id);
        let outgoing = Outgoing {
            command,
            to: to.clone(),
            text,
            started: cx.now,
            sent_ms: cx.wall().0,
            tries: 0,
            again_at: Time::NEVER,
            sent_to: None,
            first_hop: None,
        };
        self.delivery.outgoing.insert(id, Box::new(outgoing));
        self.locate(cx, to, Errand::Send(id));
    }

    /// The recipient's location is known: the text sets out.
    pub(super) fn send_text(&mut self, cx: &mut Context, id: MessageId, to: &Whereabouts) {
        let Some(chain) = cx.identity.chain().cloned() else { return };
        let Some(outgoing) = self.delivery.outgoing.get_mut(&id) else { return };
        let node = to.node;
        outgoing.sent_to = Some(node);
        outgoing.tried(cx);
        let route = match (outgoing.tries, outgoing.first_hop) {
            (SCAFFOLD_FROM_TRY.., _) => Route::Scaffold,
            (2, Some(hop)) => Route::Avoiding(hop),
            _ => Route::Hops,
        };
        let again_at = outgoing.again_at;
        let (text, sent_ms) = (outgoing.text.clone(), outgoing.sent_ms);
        let signed = text_signed(node, id, sent_ms, &text);
        let signature = cx.identity.device.sign_before(cx.verifier(), Domain::Message, &signed);
        let back = self.return_address(cx);
        let payload = Payload::Text(Text { id, from: chain, text, sent_ms, back, signature });
        let to = to.destination(cx.identity.realm);
        let hop = self.send_payload(cx, Class::Message, &to, &payload, route);
        if let Some(outgoing) = self.delivery.outgoing.get_mut(&id) {
            outgoing.first_hop = hop;
        }
        self.wake_by(again_at);
    }

    /// Where the recipient is cannot be said just now: that was a try, and others follow.
    pub(super) fn text_waits(&mut self, cx: &mut Context, id: MessageId) {
        let Some(outgoing) = self.delivery.outgoing.get_mut(&id) else { return };
        outgoing.tried(cx);
        let again_at = outgoing.again_at;
        self.wake_by(again_at);
    }

    /// The recipient cannot be found.
    pub(super) fn text_failed(&mut self, cx: &mut Context, id: MessageId, status: Status) {
        if let Some(outgoing) = self.delivery.outgoing.remove(&id) {
            reply(cx, outgoing.command, Reply::Failed { status });
        }
    }

    pub(super) fn on_text(&mut self, cx: &mut Context, arrival: Arrival, text: Text) {
        let Ok(member) = cx.prove(&text.from, arrival.source) else { return };
        let signed = text_signed(cx.me, text.id, text.sent_ms, &text.text);
        let key = &member.node.0;
        if text.text.len() > TEXT_BYTES_MAX
            || !Domain::Message.is_signed(cx.verifier(), key, &signed, &text.signature)
        {
            return;
        }
        let signature = cx.identity.device.sign_before(
            cx.verifier(),
            Domain::Receipt,
            &receipt_signed(member.node, text.id, arrival.hops, arrival.escalated),
        );
        let receipt =
            Receipt { id: text.id, hops: arrival.hops, escalated: arrival.escalated, signature };
        let to = arrival.destination(&text.back);
        let route_back = arrival.way_back();
        if self.delivery.seen.insert(member.node, text.id) && !seeded!(ReceiptWithoutShowing) {
            self.counters.received += 1;
            cx.event(Event::Received(ReceivedText {
                id: text.id,
                from: member.name,
                node: member.node,
                text: text.text,
                sent: WallTime(text.sent_ms),
                hops: arrival.hops,
                escalated: arrival.escalated,
            }));
        }
        if arrival.astray
            && let Some(record) = self.location_record(cx, lease_secs(cx))
        {
            let moved = Payload::Moved(Moved { record });
            self.send_payload(cx, Class::Control, &to, &moved, route_back);
        }
        // Each copy gets a receipt: the one before may have been lost.
        self.send_payload(cx, Class::Message, &to, &Payload::Receipt(receipt), route_back);
    }

    pub(super) fn on_receipt(&mut self, cx: &mut Context, arrival: Arrival, receipt: &Receipt) {
        let Some(outgoing) = self.delivery.outgoing.get(&receipt.id) else { return };
        let signed = receipt_signed(cx.me, receipt.id, receipt.hops, receipt.escalated);
        let key = &arrival.source.0;
        let genuine = outgoing.sent_to == Some(arrival.source)
            && Domain::Receipt.is_signed(cx.verifier(), key, &signed, &receipt.signature);
        if !genuine {
            return;
        }
        let Some(outgoing) = self.delivery.outgoing.remove(&receipt.id) else { return };
        let delivered = Reply::Delivered {
            id: receipt.id,
            hops: receipt.hops,
            tries: outgoing.tries,
            escalated: receipt.escalated,
            elapsed: cx.now.since(outgoing.started),
        };
        reply(cx, outgoing.command, delivered);
    }

    /// Sends again what has no receipt, with the newest location; gives up after the last try.
    pub(super) fn tick_delivery(&mut self, cx: &mut Context) {
        let due: Vec<MessageId> = self
            .delivery
            .outgoing
            .iter()
            .filter(|(_, outgoing)| cx.now >= outgoing.again_at)
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            let Some(outgoing) = self.delivery.outgoing.get_mut(&id) else { continue };
            if outgoing.tries >= cx.config.send_tries {
                self.text_failed(cx, id, Status::TIMEOUT);
                continue;
            }
            outgoing.again_at = Time::NEVER;
            let to = outgoing.to.clone();
            let waiter = Waiter::Errand(Errand::Send(id));
            // Whether the place was wrong or the way there, nobody can say.
            match outgoing.sent_to {
                Some(_) => self.ask_again(cx, to, waiter),
                None => self.ask_for(cx, to, waiter),
            }
        }
        let next = self.delivery.outgoing.values().map(|outgoing| outgoing.again_at).min();
        self.wake_by(next.unwrap_or(Time::NEVER));
    }
}

fn text_signed(to: NodeId, id: MessageId, sent_ms: u64, text: &str) -> Vec<u8> {
    [to.0.as_slice(), &id.0, &sent_ms.to_be_bytes(), text.as_bytes()].concat()
}

fn receipt_signed(to: NodeId, id: MessageId, hops: u8, escalated: bool) -> Vec<u8> {
    [to.0.as_slice(), &id.0, &[hops, u8::from(escalated)]].concat()
}

impl Heap for Outgoing {
    fn heap(&self) -> usize {
        self.to.heap() + self.text.heap()
    }
}

impl Heap for Delivery {
    fn heap(&self) -> usize {
        self.outgoing.heap() + self.seen.ids.heap() + self.seen.order.heap()
    }
}
