//! The links of the world: a slab, two ends each, numbered so that no number comes twice.

use overlay_proto::id::LinkId;
use overlay_proto::time::{Span, Time};

/// What one end of a link knows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It has dialled and does not know of the link yet.
    Opening,
    /// It may send and receive.
    Up,
    /// It has hung up and is about to be told that the link is down.
    Leaving,
    /// It is gone.
    Down,
}

/// One link: a reliable stream each way.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) hosts: [u32; 2],
    pub(super) ends: [End; 2],
    /// One way, the same both ways.
    pub(super) delay: Span,
    /// When the last thing sent toward each end arrives there: nothing overtakes.
    pub(super) last_arrival: [Time; 2],
    generation: u32,
}

/// Which link, which end of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EndAt {
    pub(super) index: usize,
    pub(super) end: usize,
}

impl EndAt {
    pub(super) fn other(self) -> EndAt {
        EndAt { index: self.index, end: 1 - self.end }
    }
}

/// All links. An end's number is its generation, its place in the slab and its side.
#[derive(Debug, Default)]
pub(super) struct Links {
    slab: Vec<Link>,
    free: Vec<u32>,
}

impl Links {
    /// A new link from `dialler` to `target`, up at the target's end.
    pub(super) fn open(&mut self, dialler: u32, target: u32, delay: Span, now: Time) -> EndAt {
        let (hosts, ends) = ([dialler, target], [End::Opening, End::Up]);
        let fresh = |generation| Link { hosts, ends, delay, last_arrival: [now; 2], generation };
        let index = match self.free.pop() {
            Some(index) => {
                let place = &mut self.slab[index as usize];
                *place = fresh(place.generation);
                index as usize
            }
            None => {
                self.slab.push(fresh(0));
                self.slab.len() - 1
            }
        };
        EndAt { index, end: 0 }
    }

    /// The number of an end, as its node knows the link.
    pub(super) fn id(&self, at: EndAt) -> LinkId {
        let generation = u64::from(self.slab[at.index].generation);
        LinkId(generation << 32 | (at.index as u64) << 1 | at.end as u64)
    }

    /// Where the end of this number is, unless the link is gone.
    pub(super) fn find(&self, id: LinkId) -> Option<EndAt> {
        let index = ((id.0 & 0xffff_ffff) >> 1) as usize;
        let link = self.slab.get(index)?;
        (u64::from(link.generation) == id.0 >> 32)
            .then_some(EndAt { index, end: (id.0 & 1) as usize })
    }

    pub(super) fn get_mut(&mut self, at: EndAt) -> &mut Link {
        &mut self.slab[at.index]
    }

    pub(super) fn host(&self, at: EndAt) -> u32 {
        self.slab[at.index].hosts[at.end]
    }

    pub(super) fn end(&self, at: EndAt) -> End {
        self.slab[at.index].ends[at.end]
    }

    pub(super) fn set_end(&mut self, at: EndAt, end: End) {
        let link = &mut self.slab[at.index];
        let was_live = link.ends != [End::Down; 2];
        link.ends[at.end] = end;
        if was_live && link.ends == [End::Down; 2] {
            link.generation += 1;
            self.free.push(at.index as u32);
        }
    }

    /// The ends that `is_host` has, of links not wholly down, in the slab's order.
    pub(super) fn ends_of(&self, is_host: impl Fn(u32) -> bool) -> Vec<EndAt> {
        let ends = (0..self.slab.len()).flat_map(|index| [0, 1].map(|end| EndAt { index, end }));
        ends.filter(|at| self.end(*at) != End::Down && is_host(self.host(*at))).collect()
    }

    /// Links that are not wholly down.
    pub(super) fn live(&self) -> usize {
        self.slab.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_used_again_and_a_number_is_not() {
        let mut links = Links::default();
        let first = links.open(1, 2, Span::millis(1), Time(0));
        let (id, other) = (links.id(first), links.id(first.other()));
        assert_ne!(id, other);
        assert_eq!(links.find(other), Some(first.other()));
        links.set_end(first, End::Down);
        assert_eq!(links.live(), 1);
        links.set_end(first.other(), End::Down);
        assert_eq!((links.live(), links.find(id)), (0, None));
        let second = links.open(3, 4, Span::millis(1), Time(0));
        assert_eq!(second.index, first.index);
        assert_ne!(links.id(second), id);
        assert_eq!(links.ends_of(|host| host == 4), [second.other()]);
    }
}
