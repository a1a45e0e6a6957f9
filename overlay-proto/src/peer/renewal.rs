//! Certificates get a new end before they expire, without the user.
//!
//! At two thirds of its life, and a little later by chance so that users who came together do not
//! come back together, a device asks through its home for the user's certificate with a new end.
//! Its own certificate comes from the user's key: at once on the device that has it; from that
//! device, by a message through the overlay, on every other. The new chain is durable before it is
//! used; it is shown with the next location record, and the session goes on.

use super::Peer;
use super::locate::Waiter;
use super::location_cache::Whereabouts;
use super::routing::{Arrival, Route};
use crate::context::Context;
use crate::id::{NodeId, StoreId};
use crate::identity::{Certificate, DeviceChain};
use crate::io::{Event, Output, StoreRequest};
use crate::time::{Span, Time, WallTime};
use crate::wire::end_to_end::{DeviceRenewal, DeviceRenewed};
use crate::wire::message::{Found, RegistrarReply, Renew};
use crate::wire::{Class, Payload};
use std::sync::Arc;

/// Thousandths of a certificate's life after which it is renewed, and as many more by chance.
const DUE: u64 = 667;
const DUE_SPREAD: u64 = 83;
/// Thousandths of its life before which nobody gives a certificate a new end.
pub(crate) const NOT_BEFORE: u64 = 500;
/// A renewal that has led nowhere is tried again after this long, and as much more by chance.
const AGAIN: Span = Span::secs(30);

/// How far the renewal is.
#[derive(Debug, Default)]
pub(crate) struct Renewal {
    /// Thousandths of a life, drawn once.
    due: Option<u64>,
    /// Nothing is tried before this.
    not_before: Time,
    asked: Option<u64>,
    writing: Option<(StoreId, Arc<DeviceChain>)>,
}

impl Peer {
    /// Renews what is due. The wall clock may have jumped since: it is compared each time.
    pub(super) fn tick_renewal(&mut self, cx: &mut Context) {
        let Some(chain) = cx.identity.chain().cloned() else { return };
        if self.session.online().is_none() {
            return;
        }
        let share = match self.devices.renewal.due {
            Some(share) => share,
            None => DUE + cx.random_below(DUE_SPREAD as usize) as u64,
        };
        self.devices.renewal.due = Some(share);
        let wall = cx.wall().0 / 1_000;
        let due_at = chain.user.due(share).min(chain.device.due(share));
        if wall < due_at {
            let wait = Span::secs((due_at - wall).min(3_600));
            return self.wake_by(cx.now + wait);
        }
        if cx.now < self.devices.renewal.not_before {
            let at = self.devices.renewal.not_before;
            return self.wake_by(at);
        }
        let again = cx.now + AGAIN + cx.jitter(AGAIN);
        self.devices.renewal.not_before = again;
        self.wake_by(again);
        if wall >= chain.user.due(share) {
            self.ask_registrar(cx, &chain);
        } else {
            self.renew_device(cx, &chain);
        }
    }

    fn ask_registrar(&mut self, cx: &mut Context, chain: &DeviceChain) {
        let Some(home) = self.session.online() else { return };
        let id = cx.fresh_id();
        self.devices.renewal.asked = Some(id);
        let (registrar, user) = (chain.registrar.clone(), chain.user.clone());
        cx.send(home, Renew { id, registrar, user });
    }

    /// The user's certificate has a new end.
    pub(super) fn on_renewed(&mut self, cx: &mut Context, answer: RegistrarReply) {
        if self.devices.renewal.asked != Some(answer.id) {
            return;
        }
        self.devices.renewal.asked = None;
        let (Some(given), Some(held)) = (answer.certificates, cx.identity.chain().cloned()) else {
            return;
        };
        let device = self.certify(cx, cx.me).unwrap_or_else(|| held.device.clone());
        self.offer_chain(cx, DeviceChain { registrar: given.registrar, user: given.user, device });
    }

    /// This device's own certificate, by the user's key wherever it is.
    fn renew_device(&mut self, cx: &mut Context, chain: &DeviceChain) {
        if let Some(device) = self.certify(cx, cx.me) {
            return self.offer_chain(cx, DeviceChain { device, ..chain.clone() });
        }
        if let Some(name) = chain.claimed_name().cloned() {
            self.ask_for(cx, name, Waiter::OwnDevices);
        }
    }

    /// Asks the user's other devices; the one that has the key answers.
    pub(super) fn ask_own_devices(&mut self, cx: &mut Context, found: &[Found]) {
        let Some(chain) = cx.identity.chain().cloned() else { return };
        let Some(name) = chain.claimed_name().cloned() else { return };
        let back = self.return_address(cx);
        let ask = Payload::DeviceRenewal(DeviceRenewal { chain, back });
        let me = cx.me;
        for found in found.iter().filter(|f| f.lease_ms > 0 && f.record.node() != me) {
            let to = Whereabouts::of(&found.record, name.clone(), cx.now);
            let to = to.destination(cx.identity.realm);
            self.send_payload(cx, Class::Control, &to, &ask, Route::Hops);
        }
    }

    /// Another device of this user wants a new end. Whoever asks: the answer is of use only to who
    /// has that device's key.
    pub(super) fn on_device_renewal(
        &mut self,
        cx: &mut Context,
        arrival: Arrival,
        ask: &DeviceRenewal,
    ) {
        let node = NodeId(ask.chain.device.subject.0);
        let checked = cx.prove(&ask.chain, node);
        let ours = checked.is_ok_and(|member| {
            cx.identity.user.as_ref().is_some_and(|user| user.public() == member.user)
        });
        let listed = self.devices.list.iter().find(|entry| entry.node == node);
        let Some(entry) = listed.filter(|entry| ours && entry.revoked_ms.is_none()) else {
            return;
        };
        let held = entry.certificate.clone();
        let device = if cx.wall().0 / 1_000 < held.due(NOT_BEFORE) {
            // Renewed already; the answer was lost.
            held
        } else {
            let Some(device) = self.certify(cx, node) else { return };
            self.keep_renewed(cx, &device);
            device
        };
        let to = arrival.destination(&ask.back);
        let answer = Payload::DeviceRenewed(DeviceRenewed { device });
        self.send_payload(cx, Class::Control, &to, &answer, arrival.way_back());
    }

    pub(super) fn on_device_renewed(&mut self, cx: &mut Context, answer: DeviceRenewed) {
        let Some(held) = cx.identity.chain().cloned() else { return };
        if is_later(&answer.device, &held.device) {
            self.offer_chain(cx, DeviceChain { device: answer.device, ..(*held).clone() });
        }
    }

    /// Gives a better chain to the store, if others will believe it.
    fn offer_chain(&mut self, cx: &mut Context, chain: DeviceChain) {
        let Some(held) = cx.identity.chain().cloned() else { return };
        let checked = chain.check(cx.verifier(), cx.identity.realm, cx.me, cx.wall());
        let same = chain.user.subject == held.user.subject && chain.user.name == held.user.name;
        let better = is_later(&chain.user, &held.user) || is_later(&chain.device, &held.device);
        if checked.is_err() || !same || !better || self.devices.renewal.writing.is_some() {
            return;
        }
        let (id, chain) = (StoreId(cx.fresh_id()), Arc::new(chain));
        self.devices.renewal.writing = Some((id, chain.clone()));
        cx.emit(Output::Store { id, request: StoreRequest::KeepChain { chain } });
    }

    /// The new chain is durable, or not: then the old one serves on and the next try follows.
    pub(super) fn on_chain_stored(&mut self, cx: &mut Context, id: StoreId, durable: bool) {
        let Some((_, chain)) = self.devices.renewal.writing.take_if(|(wanted, _)| *wanted == id)
        else {
            return;
        };
        if !durable {
            return;
        }
        let until = chain.user.not_after.min(chain.device.not_after);
        let identity = Arc::make_mut(&mut cx.identity);
        if let Some(user) = &mut identity.user {
            user.chain = Some(chain);
        }
        cx.event(Event::Renewed { until: WallTime::from_secs(until) });
        // The rest may be due as well.
        self.devices.renewal.not_before = Time(0);
        self.publish_now(cx);
        self.wake_by(cx.now);
    }
}

fn is_later(new: &Certificate, held: &Certificate) -> bool {
    new.not_after > held.not_after
}

#[cfg(test)]
mod tests;
