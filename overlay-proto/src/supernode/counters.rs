//! What a supernode has done since its start.

use super::asking::Asking;
use crate::id::NodeId;
use crate::status::Status;
use crate::time::Time;
use crate::view::{CountersView, RefusalsView};
use std::collections::BTreeMap;

/// Codes by which refusals are told apart; [`Status::ALL`] is shorter, and a code that comes from
/// elsewhere counts as [`Status::INTERNAL`] once there are so many.
const CODES_MAX: usize = 64;

/// Counts since the start. They only grow.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Log-ins by outcome; see [`CountersView`].
    tried: u64,
    pub admitted: u64,
    standby: u64,
    challenged: u64,
    redirected: u64,
    refused_logins: BTreeMap<Status, u64>,
    /// Requests of all kinds that were refused.
    pub refused: u64,
    pub registered: u64,
    pub spliced: u64,
    pub paired: u64,
    pub relinked: u64,
    pub swapped: u64,
    pub escalated: u64,
    pub places: u64,
    pub lookups: u64,
    pub replicas_asked: u64,
    asking: Asking,
}

impl Counters {
    /// The log-in of `node` was given a session.
    pub fn login_admitted(&mut self, node: NodeId, now: Time) {
        self.admitted += 1;
        self.tried(node, now);
    }

    /// It was for a warm link to a standby, and got it.
    pub fn login_standby(&mut self, node: NodeId, now: Time) {
        self.standby += 1;
        self.tried(node, now);
    }

    /// It was answered with the names of others.
    pub fn login_redirected(&mut self, node: NodeId, now: Time) {
        self.redirected += 1;
        self.tried(node, now);
    }

    /// It was given a cookie to show at once: that will be the attempt.
    pub fn login_challenged(&mut self) {
        self.challenged += 1;
    }

    /// It was refused; a redirection that ends the link counts as such.
    pub fn login_refused(&mut self, node: NodeId, status: Status, now: Time) {
        self.refused += 1;
        if status.is_redirect() {
            return self.login_redirected(node, now);
        }
        let room = self.refused_logins.len() < CODES_MAX;
        let known = room || self.refused_logins.contains_key(&status);
        let code = if known { status } else { Status::INTERNAL };
        *self.refused_logins.entry(code).or_default() += 1;
        self.tried(node, now);
    }

    fn tried(&mut self, node: NodeId, now: Time) {
        self.tried += 1;
        self.asking.saw(node, now);
    }

    /// All of them, for the owner.
    pub fn view(&self, now: Time) -> CountersView {
        let (attempts, clients) = self.asking.recent(now);
        CountersView {
            logins_tried: self.tried,
            logins_challenged: self.challenged,
            logins_admitted: self.admitted,
            logins_standby: self.standby,
            logins_redirected: self.redirected,
            logins_refused: self.refused_logins.iter().map(refusals).collect(),
            recent_attempts: attempts,
            recent_clients: clients,
            registered: self.registered,
            slots_spliced: self.spliced,
            slots_paired: self.paired,
            relinked: self.relinked,
            swapped: self.swapped,
            places_issued: self.places,
            lookups_answered: self.lookups,
            replicas_asked: self.replicas_asked,
        }
    }
}

fn refusals((status, count): (&Status, &u64)) -> RefusalsView {
    RefusalsView { status: *status, count: *count }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use crate::identity::Validity;
    use crate::io::{Command, Reply};
    use crate::name::Name;
    use crate::testing::{Net, Realm};
    use crate::time::{Span, WallTime};
    use crate::view::SupernodeView;

    fn node(n: u64) -> NodeId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        NodeId(bytes)
    }

    #[test]
    fn a_storm_shows_as_many_attempts_of_few_clients_until_it_is_two_windows_ago() {
        let mut counters = Counters::default();
        let at = |secs| Time(0) + Span::secs(secs);
        for secs in 50..70 {
            (0..10).for_each(|n| counters.login_admitted(node(n), at(secs)));
        }
        let recent = |counters: &Counters, secs| {
            let view = counters.view(at(secs));
            (view.recent_attempts, view.recent_clients)
        };
        assert_eq!(recent(&counters, 70), (200, 10));
        assert_eq!(recent(&counters, 119), (200, 10));
        assert_eq!(recent(&counters, 121), (100, 10), "the first window is too long ago");
        assert_eq!(recent(&counters, 181), (0, 0));
        counters.login_admitted(node(77), at(500));
        assert_eq!(recent(&counters, 500), (1, 1), "nothing is left of former windows");
        assert_eq!(counters.view(at(500)).logins_tried, 201);
    }

    /// Everything that a supernode counts moves, and what was tried is what came of it.
    #[test]
    fn a_realm_at_work_is_counted() {
        let mut realm = Realm::new(Config::default());
        let mut net = Net::new();
        let supers = net.start_supernodes(&mut realm, 0..2);
        net.run(Span::secs(5));
        let users = net.log_in(&mut realm, 0..12);
        let newcomer = net.add(realm.newcomer(60));
        let name = |n: u8| Name::new(&format!("u{n}")).expect("valid");
        let register = Command::Register { name: name(60), code: None };
        let reply = net.ask(newcomer, register);
        assert!(matches!(reply, Reply::Registered { .. }), "{reply:?}");
        let expired = realm.user_valid(61, Validity { from: WallTime(0), until: WallTime(1) });
        let expired = net.add(expired);
        let reply = net.ask(expired, Command::Login);
        assert!(matches!(reply, Reply::Failed { .. }), "{reply:?}");
        net.run(Span::secs(20));
        for user in &users[..3] {
            net.ask(*user, Command::Lookup { name: name(11) });
        }
        let views: Vec<_> =
            supers.iter().filter_map(|node| net.nodes[node].supernode_view()).collect();
        for view in &views {
            let counts = &view.counters;
            let refused: u64 = counts.logins_refused.iter().map(|refused| refused.count).sum();
            let outcomes =
                counts.logins_admitted + counts.logins_standby + counts.logins_redirected + refused;
            assert_eq!(outcomes, counts.logins_tried, "{counts:?}");
            assert_eq!(view.logins, counts.logins_admitted);
            assert!(counts.recent_clients <= counts.recent_attempts, "{counts:?}");
            assert_eq!(view.uptime_secs, net.now.0 / Span::secs(1).0);
            let member = view.members.first().expect("the other one");
            assert!(member.alive && member.up_secs == Some(view.uptime_secs), "{member:?}");
        }
        let measured = |view: &SupernodeView| view.members.iter().any(|m| m.rtt_ms > Some(0.0));
        assert!(views.iter().any(measured), "one end has dialled and measures");
        let sum = |of: &dyn Fn(&CountersView) -> u64| -> u64 {
            views.iter().map(|view| of(&view.counters)).sum()
        };
        assert!(sum(&|c| c.logins_admitted) >= 12 && sum(&|c| c.logins_standby) >= 12);
        let expired = RefusalsView { status: Status::EXPIRED, count: 1 };
        assert_eq!(sum(&|c| u64::from(c.logins_refused.contains(&expired))), 1);
        // With every log-in its own.
        assert_eq!((sum(&|c| c.registered), sum(&|c| c.lookups_answered)), (1, 12 + 3));
        assert!(sum(&|c| c.places_issued) >= 12 && sum(&|c| c.slots_paired) > 0);
        let moved = (sum(&|c| c.slots_spliced), sum(&|c| c.relinked));
        assert!(moved.0 > 0 && moved.1 > 0, "{moved:?}");
        assert_eq!(views.iter().map(|view| view.standby_links).sum::<usize>(), 12);
    }

    #[test]
    fn refusals_are_told_apart_by_code_but_not_without_end() {
        let mut counters = Counters::default();
        counters.login_refused(node(1), Status::EXPIRED, Time(0));
        counters.login_refused(node(1), Status::EXPIRED, Time(0));
        counters.login_refused(node(1), Status::ASK_THERE, Time(0));
        let view = counters.view(Time(0));
        assert_eq!(view.logins_refused, [RefusalsView { status: Status::EXPIRED, count: 2 }]);
        assert_eq!((view.logins_redirected, counters.refused), (1, 3));
        (1_000..3_000).for_each(|code| counters.login_refused(node(1), Status(code), Time(0)));
        assert!(counters.refused_logins.len() <= CODES_MAX + 1);
        assert_eq!(counters.refused_logins.values().sum::<u64>(), 2_002);
    }
}
