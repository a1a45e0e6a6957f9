//! What waits to be sent on one link: a bounded queue a class, served strictly in order of class and
//! fairly within one.

use super::fair_queue::FairQueue;
use super::limits::{QUEUED_BYTES_MAX, WRITE_BYTES_MAX, queued_max};
use overlay_proto::config::FRAME_BYTES_MAX;
use overlay_proto::wire::Class;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Bytes of a frame's length before it.
pub(crate) const LENGTH_BYTES: usize = 4;

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The class's queue is full: this frame, or one of a sender who has more in it, was dropped.
    Full,
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
}

#[derive(Debug, Default)]
struct Queues {
    classes: [FairQueue; Class::ALL.len()],
    closed: bool,
}

impl Outbox {
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
        let queue = &mut queues.classes[class as usize];
        let is_full =
            queue.frames() >= queued_max(class) || queue.bytes() + frame.len() > QUEUED_BYTES_MAX;
        if is_full && class == Class::Control {
            return Err(Refused::Full);
        }
        queue.push(frame);
        if is_full {
            queue.drop_from_longest();
        }
        drop(queues);
        self.changed.notify_one();
        if is_full { Err(Refused::Full) } else { Ok(()) }
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

#[cfg(test)]
mod tests {
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
