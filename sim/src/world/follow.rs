//! What chosen hosts are told and what they do, line by line: for who wants to know why.

use overlay_proto::io::{Input, Output};
use overlay_proto::time::Time;
use overlay_proto::wire::{Frame, Packet};
use std::collections::BTreeSet;
use std::fmt::{self, Debug};

/// Characters of a line at most: a log-in's answer names many nodes.
const LINE_CHARS_MAX: usize = 400;

/// Which hosts are followed, and who is told what happens there.
pub struct Follow {
    hosts: BTreeSet<u32>,
    tell: Box<dyn FnMut(&str)>,
}

impl Follow {
    /// Tells of these hosts, as violations name them: `29.422961 2850 <- link 17 Hello(..)` for what one
    /// is told, `->` for what it does then; at which second of the world, and at which host.
    pub fn new(hosts: impl IntoIterator<Item = u32>, tell: impl FnMut(&str) + 'static) -> Follow {
        Follow { hosts: hosts.into_iter().collect(), tell: Box::new(tell) }
    }

    pub(super) fn told(&mut self, at: Time, host: u32, input: &Input) {
        self.line(at, host, "<-", || match input {
            Input::Received { link, frame } => format!("link {} {}", link.0, said(frame)),
            other => format!("{other:?}"),
        });
    }

    pub(super) fn does(&mut self, at: Time, host: u32, output: &Output) {
        self.line(at, host, "->", || match output {
            Output::Send { link, frame, .. } => format!("link {} {}", link.0, said(frame)),
            other => format!("{other:?}"),
        });
    }

    /// One line, if the host is followed. The text is made only then.
    fn line(&mut self, at: Time, host: u32, arrow: &str, text: impl FnOnce() -> String) {
        if !self.hosts.contains(&host) {
            return;
        }
        let (secs, micros) = (at.0 / 1_000_000, at.0 % 1_000_000);
        let line = format!("{secs}.{micros:06} {host} {arrow} {}", text());
        match line.char_indices().nth(LINE_CHARS_MAX) {
            Some((end, _)) => (self.tell)(&format!("{}…", &line[..end])),
            None => (self.tell)(&line),
        }
    }
}

impl Debug for Follow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follow").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

/// What a frame says.
fn said(frame: &[u8]) -> String {
    match Frame::decode(frame.to_vec()) {
        Ok(Frame::Message(message)) => format!("{message:?}"),
        Ok(Frame::Packet(packet)) => in_short(&packet),
        Err(error) => format!("{} bytes that are no frame: {error}", frame.len()),
    }
}

fn in_short(packet: &Packet) -> String {
    format!(
        "{:?} packet from {:?} to {:?}, {} hops taken, {} bytes",
        packet.class(),
        packet.source(),
        packet.destination(),
        packet.hops_taken(),
        packet.payload().len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::id::LinkId;
    use std::cell::RefCell;
    use std::rc::Rc;

    #[test]
    fn only_the_chosen_are_told_of_in_one_line_each() {
        let lines = Rc::new(RefCell::new(Vec::new()));
        let heard = lines.clone();
        let mut follow = Follow::new([7], move |line| heard.borrow_mut().push(line.to_owned()));
        let at = Time(29_000_042);
        follow.told(at, 7, &Input::Tick);
        follow.told(at, 8, &Input::Tick);
        follow.told(at, 7, &Input::Received { link: LinkId(3), frame: vec![0xff; 3] });
        follow.does(at, 7, &Output::HangUp { link: LinkId(3) });
        follow.line(at, 7, "->", || "é".repeat(2 * LINE_CHARS_MAX));
        let lines = lines.borrow();
        assert_eq!(lines[0], "29.000042 7 <- Tick");
        assert!(
            lines[1].starts_with("29.000042 7 <- link 3 3 bytes that are no frame"),
            "{lines:?}"
        );
        assert!(lines[2].starts_with("29.000042 7 -> HangUp"), "{lines:?}");
        assert_eq!((lines.len(), lines[3].chars().count()), (4, LINE_CHARS_MAX + 1));
    }
}
