//! What a frame holds, as values with names.

use overlay_proto::config::TREES_MAX;
use overlay_proto::coordinates::Label;
use overlay_proto::wire::codec::Frame;
use overlay_proto::wire::fault::{Fault, frame_fault, payload_fault};
use overlay_proto::wire::{Message, Packet, Payload, datagram};
use serde::Serialize;

/// What is in a frame.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum What {
    /// A message.
    Message { number: u8, name: &'static str, fields: Box<Message> },
    /// A packet.
    Packet(Box<Header>),
    /// It is no frame.
    Fault { offset: usize, reason: String },
}

/// A packet, field by field.
#[derive(Debug, Serialize)]
pub(super) struct Header {
    class: String,
    probe: bool,
    escalated: bool,
    searching: bool,
    congested: bool,
    hops_left: u8,
    hops_taken: u8,
    estimate: u8,
    tree: Option<usize>,
    failed_trees: u32,
    source: String,
    destination: String,
    key: u64,
    labels: Vec<String>,
    visited: Vec<Visit>,
    pub(super) payload: Carried,
}

#[derive(Debug, Serialize)]
struct Visit {
    node: String,
    exhausted: bool,
}

/// What a packet carries.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Carried {
    /// A message from end to end.
    Message { number: u8, name: &'static str, length: usize, fields: Box<Payload> },
    /// A datagram of a session.
    Datagram { deaf: bool, length: usize },
    /// Neither.
    Fault { offset: usize, reason: String },
}

impl What {
    /// What is in `frame`.
    pub(super) fn of(frame: Vec<u8>) -> What {
        match Frame::decode(frame.clone()) {
            Ok(Frame::Message(message)) => What::Message {
                number: message.number(),
                name: message.name(),
                fields: Box::new(message),
            },
            Ok(Frame::Packet(packet)) => What::Packet(Box::new(Header::of(&packet))),
            Err(error) => {
                let fault = frame_fault(&frame);
                let Fault { offset, reason } =
                    fault.unwrap_or(Fault { offset: 0, reason: error.to_string() });
                What::Fault { offset, reason }
            }
        }
    }

    /// Whether something in it does not decode.
    pub(super) fn is_faulty(&self) -> bool {
        match self {
            What::Message { .. } => false,
            What::Packet(header) => matches!(header.payload, Carried::Fault { .. }),
            What::Fault { .. } => true,
        }
    }
}

impl Header {
    fn of(packet: &Packet) -> Header {
        let mut room = [Label::NONE; TREES_MAX];
        let labels = packet.labels(&mut room).iter().map(|label| format!("{label:?}")).collect();
        let visited = packet.visited();
        let visited =
            visited.map(|(node, exhausted)| Visit { node: node.to_string(), exhausted }).collect();
        Header {
            class: format!("{:?}", packet.class()),
            probe: packet.is_probe(),
            escalated: packet.is_escalated(),
            searching: packet.is_searching(),
            congested: packet.is_congested(),
            hops_left: packet.hops_left(),
            hops_taken: packet.hops_taken(),
            estimate: packet.estimate(),
            tree: packet.followed(),
            failed_trees: packet.failed_trees(),
            source: packet.source().to_string(),
            destination: packet.destination().to_string(),
            key: packet.key().0,
            labels,
            visited,
            payload: Carried::of(packet.payload()),
        }
    }
}

impl Carried {
    fn of(payload: &[u8]) -> Carried {
        if let Some(deaf) = datagram::read(payload) {
            return Carried::Datagram { deaf, length: payload.len() - datagram::DATAGRAM_HEAD };
        }
        match Payload::decode(payload) {
            Ok(message) => Carried::Message {
                number: message.number(),
                name: message.name(),
                length: payload.len(),
                fields: Box::new(message),
            },
            Err(error) => {
                let fault = payload_fault(payload);
                let Fault { offset, reason } =
                    fault.unwrap_or(Fault { offset: 0, reason: error.to_string() });
                Carried::Fault { offset, reason }
            }
        }
    }
}
