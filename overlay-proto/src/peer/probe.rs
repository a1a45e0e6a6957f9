//! Ping and trace: how far, how long, over whom.
//!
//! A trace sends one probe for each number of hops, as traceroute does with its hop limit
//! (RFC 792, time exceeded); the node at which a probe's hops end reports itself.

use super::Peer;
use super::location_cache::Whereabouts;
use super::routing::{Arrival, Route};
use super::session::reply;
use crate::config::TRACE_HOPS_MAX;
use crate::context::Context;
use crate::footprint::Heap;
use crate::id::{CommandId, NodeId};
use crate::io::{HopSeen, Reply};
use crate::name::Name;
use crate::status::Status;
use crate::time::Time;
use crate::wire::end_to_end::{Echo, EchoReply, HopReport};
use crate::wire::{Class, Packet, Payload};
use rand::Rng;
use std::collections::BTreeMap;

/// Probes a peer has under way at a time.
const PROBES_MAX: usize = 64;

/// Probes under way.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    open: BTreeMap<u64, Probe>,
}

#[derive(Debug)]
struct Probe {
    command: CommandId,
    to: NodeId,
    sent: Time,
    until: Time,
    /// The hops seen so far; none for a ping.
    trace: Option<BTreeMap<u8, HopSeen>>,
    arrived: Option<u8>,
}

impl Peer {
    /// Sends one probe, or, for a trace, one for each number of hops.
    pub(super) fn probe(
        &mut self,
        cx: &mut Context,
        command: CommandId,
        whereabouts: &Whereabouts,
        trace: bool,
    ) {
        if self.probes.open.len() >= PROBES_MAX {
            return reply(cx, command, Reply::Failed { status: Status::TOO_MANY });
        }
        // The low byte is left for the hop of each of a trace's probes.
        let nonce = cx.rng.next_u64() & !0xff;
        let until = cx.now + cx.config.patience;
        let probe = Probe {
            command,
            to: whereabouts.node,
            sent: cx.now,
            until,
            trace: trace.then(BTreeMap::new),
            arrived: None,
        };
        self.probes.open.insert(nonce, probe);
        self.wake_by(until);
        let to = whereabouts.destination(cx.identity.realm);
        let back = self.return_address(cx);
        if !trace {
            let echo = Payload::Echo(Echo { nonce, back });
            self.send_payload(cx, Class::Control, &to, &echo, Route::Hops);
            return;
        }
        for hop in 1..=TRACE_HOPS_MAX {
            let echo = Payload::Echo(Echo { nonce: nonce | u64::from(hop), back: back.clone() });
            let Ok(bytes) = echo.encode() else { return };
            let mut packet = Packet::new(Class::Control, cx.me, &to, &bytes);
            packet.set_probe(hop);
            self.route(cx, None, packet);
        }
    }

    pub(super) fn on_echo(&mut self, cx: &mut Context, arrival: Arrival, echo: &Echo) {
        let name = self.own_name(cx);
        let answer = Payload::EchoReply(EchoReply { nonce: echo.nonce, hops: arrival.hops, name });
        let to = arrival.destination(&echo.back);
        self.send_payload(cx, Class::Control, &to, &answer, arrival.way_back());
    }

    /// A probe's hops end here.
    pub(super) fn report_hop(&mut self, cx: &mut Context, packet: &Packet) {
        let Ok(Payload::Echo(echo)) = Payload::decode(packet.payload()) else { return };
        let arrival = Arrival {
            source: packet.source(),
            hops: packet.hops_taken(),
            escalated: false,
            astray: false,
        };
        let name = self.own_name(cx);
        let report = Payload::HopReport(HopReport { nonce: echo.nonce, hops: arrival.hops, name });
        let to = arrival.destination(&echo.back);
        self.send_payload(cx, Class::Control, &to, &report, Route::Hops);
    }

    pub(super) fn on_echo_reply(&mut self, cx: &mut Context, arrival: Arrival, answer: EchoReply) {
        let Some(probe) = self.probes.open.get_mut(&(answer.nonce & !0xff)) else { return };
        if probe.to != arrival.source {
            return;
        }
        if probe.trace.is_none() {
            let pong = Reply::Pong {
                hops: answer.hops,
                hops_back: arrival.hops,
                round_trip: cx.now.since(probe.sent),
            };
            let command = probe.command;
            self.probes.open.remove(&(answer.nonce & !0xff));
            return reply(cx, command, pong);
        }
        let first = probe.arrived.is_none_or(|hop| answer.hops < hop);
        if first {
            probe.arrived = Some(answer.hops);
        }
        self.hop_seen(cx, answer.nonce, arrival, answer.hops, answer.name);
    }

    pub(super) fn on_hop_report(&mut self, cx: &mut Context, arrival: Arrival, report: HopReport) {
        self.hop_seen(cx, report.nonce, arrival, report.hops, report.name);
    }

    fn hop_seen(
        &mut self,
        cx: &mut Context,
        nonce: u64,
        from: Arrival,
        hop: u8,
        name: Option<Name>,
    ) {
        let nonce = nonce & !0xff;
        let Some(probe) = self.probes.open.get_mut(&nonce) else { return };
        let round_trip = cx.now.since(probe.sent);
        if let Some(trace) = &mut probe.trace
            && hop <= TRACE_HOPS_MAX
        {
            trace.entry(hop).or_insert(HopSeen { hop, node: from.source, name, round_trip });
        }
        let complete = probe
            .trace
            .as_ref()
            .zip(probe.arrived)
            .is_some_and(|(trace, last)| (1..=last).all(|hop| trace.contains_key(&hop)));
        if complete {
            self.probe_ends(cx, nonce);
        }
    }

    fn probe_ends(&mut self, cx: &mut Context, nonce: u64) {
        let Some(probe) = self.probes.open.remove(&nonce) else { return };
        let outcome = match probe.trace {
            None => Reply::Failed { status: Status::TIMEOUT },
            Some(trace) => {
                let last = probe.arrived.unwrap_or(u8::MAX);
                let hops = trace.into_values().filter(|seen| seen.hop <= last).collect();
                Reply::Traced { hops, arrived: probe.arrived.is_some() }
            }
        };
        reply(cx, probe.command, outcome);
    }

    pub(super) fn tick_probes(&mut self, cx: &mut Context) {
        let due: Vec<u64> = self
            .probes
            .open
            .iter()
            .filter(|(_, probe)| cx.now >= probe.until)
            .map(|(nonce, _)| *nonce)
            .collect();
        due.into_iter().for_each(|nonce| self.probe_ends(cx, nonce));
        let next = self.probes.open.values().map(|probe| probe.until).min();
        self.wake_by(next.unwrap_or(Time::NEVER));
    }

    pub(super) fn own_name(&self, cx: &Context) -> Option<Name> {
        cx.identity.chain().and_then(|chain| chain.claimed_name()).cloned()
    }
}

impl Heap for Probe {
    fn heap(&self) -> usize {
        self.trace.heap()
    }
}

impl Heap for HopSeen {
    fn heap(&self) -> usize {
        self.name.heap()
    }
}

impl Heap for Probes {
    fn heap(&self) -> usize {
        self.open.heap()
    }
}
