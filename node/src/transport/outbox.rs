//! What waits to be sent on one link: a bounded queue a class, served strictly in order of class and
//! fairly within one.

use super::fair_queue::FairQueue;
use super::limits::{FRAME_COST_BYTES, QUEUED_BYTES_MAX, WRITE_BYTES_MAX, queued_max};
use super::queued::Queued;
use overlay_proto::config::FRAME_BYTES_MAX;
use overlay_proto::wire::Class;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Bytes of a frame's length before it.
pub(crate) const LENGTH_BYTES: usize = 4;

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The class's queue is full: this frame, or one of a sender who has more in it, was dropped.
    Full,
    /// All links together hold as much as they may, and this one its share: frames of this class of
    /// the link were dropped to make room.
    Crowded(Class),
    /// The link is being hung up.
    Closed,
    /// Larger than any frame may be.
    TooLarge,
}

/// The queues of one link, between the loop, which never waits, and the link's writer.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queues: Mutex<Queues>,
    changed: Notify,
    closed: Notify,
    all: Arc<Queued>,
}

#[derive(Debug, Default)]
struct Queues {
    classes: [FairQueue; Class::ALL.len()],
    closed: bool,
}

/// The bytes that a queue holds, with what its frames cost beside them.
fn held(queue: &FairQueue) -> usize {
    queue.bytes() + queue.frames() * FRAME_COST_BYTES
}

impl Outbox {
    /// The queues of a link whose share is one of `all`.
    pub(crate) fn sharing(all: Arc<Queued>) -> Outbox {
        Outbox { queues: Mutex::default(), changed: Notify::new(), closed: Notify::new(), all }
    }

    /// Queues a frame.
    ///
    /// # Errors
    /// [`Refused`]; a frame is dropped then.
    pub(crate) fn push(&self, class: Class, frame: Vec<u8>) -> Result<(), Refused> {
        if frame.len() > FRAME_BYTES_MAX {
            return Err(Refused::TooLarge);
        }
        let mut queues = self.lock();
        if queues.closed {
            return Err(Refused::Closed);
        }
        let cost = frame.len() + FRAME_COST_BYTES;
        let queue = &mut queues.classes[class as usize];
        let is_full =
            queue.frames() >= queued_max(class) || queue.bytes() + frame.len() > QUEUED_BYTES_MAX;
        if class == Class::Control && (is_full || !self.all.has_room(held(queue) + cost)) {
            return Err(Refused::Full);
        }
        queue.push(frame);
        self.all.add(cost);
        if is_full {
            self.all.sub(queue.drop_from_longest().map_or(0, |bytes| bytes + FRAME_COST_BYTES));
        }
        let shed = self.shed(&mut queues);
        drop(queues);
        self.changed.notify_one();
        match shed {
            Some(class) => Err(Refused::Crowded(class)),
            None if is_full => Err(Refused::Full),
            None => Ok(()),
        }
    }

    /// Drops the least urgent frames until the link holds no more than its share. Returns the class
    /// that lost last.
    fn shed(&self, queues: &mut Queues) -> Option<Class> {
        let mut shed = None;
        while !self.all.has_room(queues.classes.iter().map(held).sum()) {
            // Without its control frames a link is of no use: it is hung up rather.
            let classes = Class::ALL.into_iter().rev().filter(|class| *class != Class::Control);
            let lost = classes.into_iter().find_map(|class| {
                let bytes = queues.classes[class as usize].drop_from_longest()?;
                Some((class, bytes))
            });
            let Some((class, bytes)) = lost else { break };
            self.all.sub(bytes + FRAME_COST_BYTES);
            shed = Some(class);
        }
        shed
    }

    /// Frames that wait, and their bytes.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        let queues = self.lock();
        let sum =
            |(frames, bytes), queue: &FairQueue| (frames + queue.frames(), bytes + queue.bytes());
        queues.classes.iter().fold((0, 0), sum)
    }

    /// Takes no more frames. The writer ends when it has sent what is queued.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
        self.closed.notify_one();
    }

    /// Returns once [`Outbox::close`] has been called. For one waiter.
    pub(crate) async fn closed(&self) {
        while !self.lock().closed {
            self.closed.notified().await;
        }
    }

    /// Waits for frames and moves them into `buffer`, each after its length, until the queues are
    /// empty or [`WRITE_BYTES_MAX`] is reached. Returns how many; zero once it is closed and empty.
    pub(crate) async fn fill(&self, buffer: &mut Vec<u8>) -> u64 {
        loop {
            match self.try_fill(buffer) {
                Some(frames) => return frames,
                None => self.changed.notified().await,
            }
        }
    }

    fn try_fill(&self, buffer: &mut Vec<u8>) -> Option<u64> {
        let mut queues = self.lock();
        let mut frames = 0;
        for queue in &mut queues.classes {
            while let Some(next) = queue.front() {
                if frames > 0 && buffer.len() + LENGTH_BYTES + next.len() > WRITE_BYTES_MAX {
                    return Some(frames);
                }
                // At most FRAME_BYTES_MAX, by `push`.
                buffer.extend_from_slice(&(next.len() as u32).to_be_bytes());
                buffer.extend_from_slice(next);
                self.all.sub(next.len() + FRAME_COST_BYTES);
                queue.pop();
                frames += 1;
            }
        }
        (frames > 0 || queues.closed).then_some(frames)
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        // Nothing in here panics half-way, so a poisoned lock guards sound queues.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let queues = self.queues.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.all.sub(queues.classes.iter().map(held).sum());
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::QUEUED_BYTES_OF_ALL_MAX;
    use super::*;

    fn filled(outbox: &Outbox) -> Vec<u8> {
        let mut buffer = Vec::new();
        outbox.try_fill(&mut buffer);
        buffer
    }

    #[test]
    fn classes_are_served_in_order_and_each_in_its_own() {
        let outbox = Outbox::default();
        for (class, byte) in [
            (Class::Bulk, 7),
            (Class::Message, 5),
            (Class::Control, 1),
            (Class::RealTime, 3),
            (Class::Control, 2),
        ] {
            outbox.push(class, vec![byte]).expect("room");
        }
        let sent = filled(&outbox);
        let firsts: Vec<u8> = sent.chunks(5).map(|frame| frame[4]).collect();
        assert_eq!(firsts, [1, 2, 3, 5, 7]);
        assert!(sent.chunks(5).all(|frame| frame[..4] == [0, 0, 0, 1]));
    }

    #[test]
    fn one_write_holds_many_frames_but_not_too_many() {
        let outbox = Outbox::default();
        for _ in 0..10 {
            outbox.push(Class::Bulk, vec![0; 20_000]).expect("room");
        }
        let writes: Vec<usize> = (0..5).map(|_| filled(&outbox).len()).collect();
        assert_eq!(writes, [60_012, 60_012, 60_012, 20_004, 0]);
        outbox.push(Class::Bulk, vec![0; FRAME_BYTES_MAX]).expect("the largest frame goes alone");
        assert_eq!(filled(&outbox).len(), FRAME_BYTES_MAX + LENGTH_BYTES);
    }

    #[test]
    fn each_queue_has_its_limits() {
        let outbox = Outbox::default();
        for class in Class::ALL {
            for _ in 0..queued_max(class) {
                outbox.push(class, vec![1]).expect("room");
            }
            assert_eq!(outbox.push(class, vec![1]), Err(Refused::Full));
        }
        let all = Class::ALL.map(queued_max).iter().sum();
        assert_eq!(outbox.waiting(), (all, all));
        let outbox = Outbox::default();
        let largest = QUEUED_BYTES_MAX / FRAME_BYTES_MAX;
        let taken = (0..200).filter(|_| outbox.push(Class::Bulk, vec![0; FRAME_BYTES_MAX]).is_ok());
        assert_eq!(taken.count(), largest);
        let over = vec![0; FRAME_BYTES_MAX + 1];
        assert_eq!(outbox.push(Class::Control, over), Err(Refused::TooLarge));
    }

    #[test]
    fn all_links_together_are_bounded_and_one_that_carries_has_room() {
        let all = Arc::new(Queued::default());
        let stalled: Vec<Outbox> = (0..300).map(|_| Outbox::sharing(Arc::clone(&all))).collect();
        for _ in 0..200 {
            for outbox in &stalled {
                let _ = outbox.push(Class::Bulk, vec![0; FRAME_BYTES_MAX / 2]);
                assert!(all.bytes() <= QUEUED_BYTES_OF_ALL_MAX);
            }
        }
        assert!(all.bytes() > QUEUED_BYTES_OF_ALL_MAX * 9 / 10, "{}", all.bytes());
        let carries = Outbox::sharing(Arc::clone(&all));
        for _ in 0..1_000 {
            for class in Class::ALL {
                carries.push(class, vec![0; 10_000]).expect("room");
            }
            filled(&carries);
        }
        drop((stalled, carries));
        assert_eq!(all.bytes(), 0);
    }

    #[test]
    fn without_room_the_least_urgent_are_dropped() {
        let all = Arc::new(Queued::default());
        let others: Vec<Outbox> = (0..40).map(|_| Outbox::sharing(Arc::clone(&all))).collect();
        for outbox in &others {
            while outbox.push(Class::Bulk, vec![0; FRAME_BYTES_MAX]).is_ok() {}
        }
        let outbox = &others[0];
        assert_eq!(outbox.push(Class::RealTime, vec![1; 100]), Err(Refused::Crowded(Class::Bulk)));
        let lost: Vec<usize> = (0..500)
            .filter_map(|_| match outbox.push(Class::Message, vec![2; 9_000]) {
                Err(Refused::Crowded(class)) => Some(class as usize),
                _ => None,
            })
            .collect();
        // First all there is of bulk, then the messages themselves.
        assert_eq!(lost.first(), Some(&(Class::Bulk as usize)));
        assert_eq!(lost.last(), Some(&(Class::Message as usize)));
        assert!(lost.is_sorted_by(|a, b| a >= b), "{lost:?}");
        // Control frames are never dropped; who does not take even those is hung up.
        let taken = (0..5_000).filter(|_| outbox.push(Class::Control, vec![3; 9_000]).is_ok());
        assert!(taken.count() < 1_000);
        assert_eq!(outbox.push(Class::Control, vec![3; 9_000]), Err(Refused::Full));
    }

    #[tokio::test]
    async fn a_closed_outbox_gives_what_it_has_and_then_ends() {
        let outbox = Outbox::default();
        outbox.push(Class::Message, vec![9; 3]).expect("room");
        outbox.close();
        assert_eq!(outbox.push(Class::Message, vec![9]), Err(Refused::Closed));
        outbox.closed().await;
        let mut buffer = Vec::new();
        assert_eq!(outbox.fill(&mut buffer).await, 1);
        assert_eq!(outbox.fill(&mut buffer).await, 0);
    }
}
