//! Warm standbys: supernodes that know us already, should the home fail.

use super::Peer;
use crate::context::Context;
use crate::id::LinkId;
use crate::identity::Contact;
use crate::io::Event;
use crate::time::Span;

impl Peer {
    pub(super) fn take_standbys(&mut self, cx: &mut Context, standbys: Vec<Contact>) {
        self.learn_hosts(cx, &standbys);
        self.standbys = standbys;
        self.standbys.truncate(cx.config.standbys);
        self.warm_up(cx);
    }

    /// Remembers supernodes for the day on which home and standbys are all gone.
    pub(super) fn learn_hosts(&mut self, cx: &mut Context, contacts: &[Contact]) {
        let mut learnt = false;
        for contact in contacts {
            learnt |= self.hosts.learn(contact, false);
        }
        if learnt {
            cx.event(Event::HostsChanged(self.hosts.contacts()));
        }
    }

    /// Links to every standby, and asks it to expect us.
    pub(super) fn warm_up(&mut self, cx: &mut Context) {
        // Not in step with others: after a storm all have logged in at about the same time.
        self.warm_at = cx.now + Span(cx.config.renew.0 / 2) + cx.jitter(cx.config.renew);
        self.wake_by(self.warm_at);
        for standby in self.standbys.clone() {
            match cx.links.ready_to(standby.node) {
                Some(link) => self.ask_to_stand_by(cx, link),
                None if !cx.links.has(standby.node) => {
                    cx.dial(&standby);
                }
                None => {}
            }
        }
    }

    pub(super) fn ask_to_stand_by(&mut self, cx: &mut Context, link: LinkId) {
        if !self.warm.insert(link) {
            return;
        }
        let Some(greeted) = cx.links.greeted(link) else { return };
        let transcript = greeted.transcript;
        if let Some(login) = self.login(cx, &transcript, true) {
            cx.send(link, login);
        }
    }
}
