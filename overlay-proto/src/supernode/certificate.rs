//! A supernode's own certificate is the root's word for a while. Only the root's key gives it a new
//! end, and that is best kept off line: so nobody renews it by himself, and its operator is told in
//! time.

use super::Supernode;
use crate::context::Context;
use crate::io::Event;
use crate::time::{Span, WallTime};

/// Thousandths of its life after which its end is told: four months before that of a year.
const DUE: u64 = 667;
/// How often it is told, and how often the clock is looked at before.
const TOLD_EVERY: Span = Span::secs(24 * 3_600);
const LOOK_EVERY: Span = Span::secs(3_600);

impl Supernode {
    /// Tells once a day that the certificate's end is near. To be called with each heartbeat.
    pub(super) fn watch_certificate(&mut self, cx: &mut Context) {
        if cx.now < self.certificate_at {
            return;
        }
        let Some(keys) = &cx.identity.supernode else { return };
        let (due, until) = (keys.certificate.due(DUE), keys.certificate.not_after);
        let is_due = cx.wall().0 / 1_000 >= due;
        self.certificate_at = cx.now + if is_due { TOLD_EVERY } else { LOOK_EVERY };
        if is_due {
            cx.event(Event::CertificateEnds { until: WallTime::from_secs(until) });
        }
    }

    /// Seconds that the certificate still holds.
    pub(super) fn certificate_secs(cx: &Context) -> u64 {
        let until = cx.identity.supernode.as_ref().map_or(0, |keys| keys.certificate.not_after);
        until.saturating_sub(cx.wall().0 / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use crate::Config;
    use crate::io::{Event, Input};
    use crate::testing::{Net, Realm, WALL};
    use crate::time::Span;

    #[test]
    fn its_end_is_told_in_time_once_a_day_and_shown_always() {
        let (mut net, mut realm) = (Net::new(), Realm::new(Config::default()));
        // It holds for 1,000,000 seconds from now.
        let node = net.add(realm.supernode(0));
        let told = |net: &Net| {
            let ends = |(_, event): &&(_, Event)| matches!(event, Event::CertificateEnds { .. });
            net.events.iter().filter(ends).count()
        };
        let left = |net: &Net| net.nodes[&node].supernode_view().expect("one").certificate_secs;
        net.run(Span::secs(10));
        assert_eq!(told(&net), 0);
        assert!((999_980..1_000_000).contains(&left(&net)), "{}", left(&net));
        let later = WALL.plus(Span::secs(700_000));
        net.input(node, Input::WallClock(later));
        net.run(Span::secs(3_700));
        assert_eq!(told(&net), 1);
        assert!(left(&net) < 300_000);
        net.run(Span::secs(23 * 3_600));
        assert_eq!(told(&net), 1);
        net.run(Span::secs(3_600));
        assert_eq!(told(&net), 2);
        net.input(node, Input::WallClock(WALL.plus(Span::secs(2_000_000))));
        assert_eq!(left(&net), 0);
    }
}
