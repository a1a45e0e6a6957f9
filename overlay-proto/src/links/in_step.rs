//! Whether both ends of a link agree on what has been told over it.
//!
//! Places, neighbourhoods and reports are told once, and then only what changes. Each end keeps a
//! running checksum of what it told and of what it heard, and every keep-alive compares them: its
//! place in the stream is the same at both ends. An end that has missed something, by whatever
//! mistake of a transport, a driver or our own, asks the other to tell all of it anew
//! (anti-entropy: Demers et al., "Epidemic algorithms for replicated database maintenance", 1987).

use crate::context::Context;
use crate::id::LinkId;
use crate::time::{Span, Time};
use crate::wire::message::Resync;

/// The two running checksums of one end: CRC-32 over the frames that tell news, in their order.
/// They guard against mistakes, not against a liar, who would tell lies just as well.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub told: u32,
    heard: u32,
    /// When this end may be made to tell everything again.
    anew_at: Time,
}

fn after(sum: u32, frame: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(sum);
    hasher.update(frame);
    hasher.finalize()
}

/// Counts news that goes out over `link`.
pub(crate) fn note_told(cx: &mut Context, link: LinkId, frame: &[u8]) {
    if let Some(link) = cx.links.by_id.get_mut(&link) {
        link.step.told = after(link.step.told, frame);
    }
}

/// The checksum of one frame, to be counted when the frame has been taken: one that is refused
/// changes nothing.
pub(crate) struct News(crc32fast::Hasher);

impl News {
    pub fn of(frame: &[u8]) -> News {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(frame);
        News(hasher)
    }

    /// Counts the frame as news that has come over `link`.
    pub fn heard(self, cx: &mut Context, link: LinkId) {
        if let Some(link) = cx.links.by_id.get_mut(&link) {
            let mut sum = crc32fast::Hasher::new_with_initial(link.step.heard);
            sum.combine(&self.0);
            link.step.heard = sum.finalize();
        }
    }
}

/// News that came over `link` could not be kept: it is wanted again.
pub(crate) fn miss(cx: &mut Context, link: LinkId) {
    News::of(b"missed").heard(cx, link);
}

/// The other end says what it has told so far. If that is not what came, it shall begin anew.
pub(super) fn compare(cx: &mut Context, link: LinkId, told: u32) {
    let missed = cx.links.get(link).is_some_and(|link| link.step.heard != told);
    if missed && !seeded!(MissUnnoticed) {
        cx.send(link, Resync { anew: false });
    }
}

/// Takes the wish for everything anew, or its fulfilment. True if this end is to tell everything.
/// A wish soon after another is not heard: one question must not cost many answers.
pub(crate) fn begin_anew(cx: &mut Context, link: LinkId, message: &Resync) -> bool {
    let (now, pause) = (cx.now, Span(cx.config.keep_alive.0 / 2));
    let Some(known) = cx.links.by_id.get_mut(&link) else { return false };
    if message.anew {
        known.step.heard = 0;
        return false;
    }
    if now < known.step.anew_at {
        return false;
    }
    known.step.anew_at = now + pause;
    known.step.told = 0;
    cx.send(link, Resync { anew: true });
    true
}

#[cfg(test)]
mod tests {
    use crate::Config;
    use crate::id::NodeId;
    use crate::io::Input;
    use crate::testing::{Net, Realm};
    use crate::time::Span;
    use crate::wire::codec;
    use crate::wire::message::Resync;

    /// Of what the peers believe of each other: how much is what was issued last, and how much not.
    fn beliefs(net: &Net, users: &[NodeId]) -> (usize, usize) {
        let places = users.iter().filter_map(|user| net.nodes[user].place());
        let beliefs = places.flat_map(|place| place.neighbours);
        let labels = |node: NodeId| net.nodes[&node].issued().map(|issued| issued.labels);
        let (right, wrong): (Vec<_>, Vec<_>) = beliefs.partition(|belief| {
            belief.issued.as_ref().map(|issued| issued.labels.clone()) == labels(belief.node)
        });
        (right.len(), wrong.len())
    }

    /// A network of a supernode and nobody else.
    fn empty() -> (Net, Realm) {
        let (mut net, mut realm) = (Net::new(), Realm::new(Config::default()));
        let supernode = realm.supernode(0);
        net.add(supernode);
        (net, realm)
    }

    #[test]
    fn what_was_lost_on_the_way_is_told_again() {
        let [report, placed, neighbourhood] = [16, 30, 31];
        for lost in [report, placed, neighbourhood] {
            let (mut net, mut realm) = empty();
            net.losing = Some(lost);
            let users = net.log_in(&mut realm, 0..5);
            net.run(Span::secs(4));
            net.losing = None;
            let whole = |net: &Net| {
                let labelled = |user: &NodeId| net.peer(*user).labels == net.peer(*user).trees;
                beliefs(net, &users) == (20, 0) && users.iter().all(labelled)
            };
            assert!(!whole(&net), "{lost}: it was needed");
            net.run(Span::secs(20));
            assert!(whole(&net), "{lost}: {:?}", beliefs(&net, &users));
        }
    }

    #[test]
    fn who_asks_for_everything_all_the_time_does_not_get_it_each_time() {
        let (mut net, mut realm) = empty();
        let users = net.log_in(&mut realm, 0..2);
        net.run(Span::secs(10));
        let (node, link) = (users[0], net.link_of(users[0]));
        let wish = Resync { anew: false };
        let frame = codec::encode(&wish.into()).expect("short");
        net.input(node, Input::Received { link, frame: frame.clone() });
        let once = net.nodes[&node].digest();
        net.input(node, Input::Received { link, frame });
        assert_eq!(net.nodes[&node].digest(), once, "the second wish changes nothing");
    }
}
