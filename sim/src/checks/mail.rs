//! Messages that wait: each that was promised is shown once, in the order of its sender, and its
//! sender is told how it ended, whoever crashed meanwhile.

use super::Findings;
use crate::report::{Figures, Sample};
use crate::scenario::asked::Asked;
use crate::scenario::population::Population;
use crate::world::{Seen, Sighting};
use overlay_proto::id::MessageId;
use overlay_proto::io::Reply;
use overlay_proto::mail::ShownLetter;
use overlay_proto::status::Status;
use overlay_proto::time::Time;
use std::collections::BTreeMap;

const CHECK: &str = "mail";

/// One message.
#[derive(Debug, Clone)]
struct Written {
    from: usize,
    to: usize,
    at: Time,
    /// Whether its writer was told that it is durable.
    promised: bool,
    shown: Option<Time>,
    told: Option<Status>,
}

/// The ledger of all messages that wait.
#[derive(Debug, Default)]
pub struct Mail {
    written: Vec<Written>,
    by_id: BTreeMap<MessageId, u32>,
    /// Of each conversation, the number of the message shown last.
    last: BTreeMap<(usize, usize), u32>,
    /// Promised messages that were not shown or whose senders were not told.
    open: usize,
    duplicates: u64,
    out_of_order: u64,
    findings: Findings,
}

impl Mail {
    /// Enters a message and returns its number and text.
    pub fn write(&mut self, from: usize, to: usize, at: Time) -> (u32, String) {
        let number = self.written.len() as u32;
        self.written.push(Written { from, to, at, promised: false, shown: None, told: None });
        (number, text(number, from, to))
    }

    /// Looks at what a host has told.
    pub fn see(&mut self, sighting: &Sighting, population: &Population) {
        let seen = match &sighting.what {
            Seen::Shown(letter) => self.shown(sighting, letter, population),
            Seen::Ended(id, status) => self.ended(*id, *status),
            Seen::Reply(id, reply) => match Asked::of(*id) {
                Some(Asked::Write(number)) => self.replied(number, reply),
                _ => Ok(()),
            },
            _ => Ok(()),
        };
        if let Err(what) = seen {
            self.findings.add(CHECK, sighting.at, what);
        }
    }

    fn shown(&mut self, at: &Sighting, got: &ShownLetter, who: &Population) -> Result<(), String> {
        let read = String::from_utf8_lossy(&got.body.0).into_owned();
        let number = read.split(' ').nth(1).and_then(|word| word.parse::<u32>().ok());
        let number = number.ok_or_else(|| format!("nobody wrote {read:?}"))?;
        let entry = self.written.get_mut(number as usize);
        let entry = entry.ok_or_else(|| format!("nobody wrote {read:?}"))?;
        if read != text(number, entry.from, entry.to) {
            return Err(format!("message {number} was shown as {read:?}"));
        }
        if who.user(at.host) != Some(entry.to) || got.from != *who.name(entry.from) {
            return Err(format!(
                "message {number} was shown to host {} from {}",
                at.host, got.from
            ));
        }
        if entry.shown.replace(at.at).is_some() {
            self.duplicates += 1;
            return Err(format!("message {number} was shown again"));
        }
        self.open -= usize::from(entry.promised && entry.told == Some(Status::OK));
        let last = self.last.insert((entry.from, entry.to), number);
        if last.is_some_and(|last| last > number) {
            self.out_of_order += 1;
            return Err(format!("message {number} was shown after {last:?}"));
        }
        Ok(())
    }

    fn ended(&mut self, id: MessageId, status: Status) -> Result<(), String> {
        // The writer of one whose reply was lost does not know its id either.
        let Some(number) = self.by_id.get(&id).copied() else { return Ok(()) };
        let Some(entry) = self.written.get_mut(number as usize) else { return Ok(()) };
        if let Some(before) = entry.told.replace(status) {
            return Err(format!("message {number} has ended twice: {before}, {status}"));
        }
        self.open -= usize::from(entry.shown.is_some() || status != Status::OK);
        if status == Status::OK && entry.shown.is_none() {
            return Err(format!("message {number} counts as delivered and was not shown"));
        }
        Ok(())
    }

    fn replied(&mut self, number: u32, reply: &Reply) -> Result<(), String> {
        let Some(entry) = self.written.get_mut(number as usize) else { return Ok(()) };
        match reply {
            Reply::Written { id } => {
                entry.promised = true;
                self.by_id.insert(*id, number);
                self.open += 1;
                Ok(())
            }
            Reply::Failed { .. } => Ok(()),
            other => Err(format!("message {number} was answered by {other:?}")),
        }
    }

    /// Promised messages that have no end yet.
    pub fn open(&self) -> usize {
        self.open
    }

    /// What was found on the way.
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// What is wrong at the end.
    pub fn verdict(&self, now: Time) -> Findings {
        let mut findings = Findings::default();
        for (number, entry) in self.written.iter().enumerate().filter(|(_, w)| w.promised) {
            let Written { from, to, at, shown, told, .. } = entry;
            let of =
                format!("message {number} from {from} to {to}, written at {} s", at.0 / 1_000_000);
            match (shown, told) {
                (None, None) => findings.add(CHECK, now, format!("{of}, has no end")),
                (Some(_), None) => {
                    findings.add(CHECK, now, format!("{of}, was shown, and its writer not told"));
                }
                (None, Some(Status::OK)) => findings.add(CHECK, now, format!("{of}, is lost")),
                _ => {}
            }
        }
        findings
    }

    /// The figures of these messages.
    pub fn tell(&self, figures: &mut Figures) {
        if self.written.is_empty() {
            return;
        }
        let promised = || self.written.iter().filter(|written| written.promised);
        let ended = |is: fn(Status) -> bool| {
            Some(promised().filter(|written| written.told.is_some_and(is)).count())
        };
        figures.mail_written = Some(promised().count());
        figures.mail_delivered = ended(|status| status == Status::OK);
        figures.mail_expired = ended(|status| status == Status::MESSAGE_EXPIRED);
        figures.mail_returned =
            ended(|status| status != Status::OK && status != Status::MESSAGE_EXPIRED);
        let mut why: BTreeMap<Status, usize> = BTreeMap::new();
        let failed = promised().filter_map(|written| written.told.filter(|s| !s.is_success()));
        failed.for_each(|status| *why.entry(status).or_default() += 1);
        let why: Vec<String> = why.iter().map(|(s, count)| format!("{} x{count}", s.0)).collect();
        figures.mail_returned_why = (!why.is_empty()).then(|| why.join(", "));
        let lost = promised().filter(|w| w.shown.is_none() && w.told == Some(Status::OK));
        figures.mail_lost = Some(lost.count());
        figures.mail_open = Some(promised().filter(|written| written.told.is_none()).count());
        figures.mail_duplicates = Some(self.duplicates);
        figures.mail_out_of_order = Some(self.out_of_order);
        let waits = promised().filter_map(|w| Some(w.shown?.since(w.at).as_millis_f64()));
        let waits = Sample::new(waits);
        (figures.mail_ms_p50, figures.mail_ms_p99) = (waits.quantile(0.5), waits.quantile(0.99));
    }
}

/// The text of a message: no two are equal, and none fits other people.
fn text(number: u32, from: usize, to: usize) -> String {
    format!("mail {number} from {from} to {to}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay_proto::encoding::Blob;
    use overlay_proto::id::NodeId;
    use overlay_proto::name::Name;

    fn sight(host: u32, what: Seen) -> Sighting {
        Sighting { at: Time(9), host, what }
    }

    fn shown(text: &str) -> Sighting {
        let letter = ShownLetter {
            id: MessageId([0; 16]),
            from: Name::new("u00001").expect("canonical"),
            node: NodeId([0; 32]),
            seq: 0,
            sent_ms: 0,
            body: Blob(text.as_bytes().to_vec()),
        };
        sight(2, Seen::Shown(Box::new(letter)))
    }

    type Then<'a> = &'a dyn Fn(&[String]) -> Sighting;

    /// Two messages of the first user to the second, in a world with one supernode; both promised.
    fn found(then: &[Then]) -> (u64, u64) {
        let (mut mail, who) = (Mail::default(), Population::new(1, 3));
        let texts: Vec<String> = (0..2).map(|_| mail.write(0, 1, Time(1)).1).collect();
        for number in 0..2 {
            let reply = Reply::Written { id: MessageId([number; 16]) };
            mail.see(&sight(1, Seen::Reply(Asked::Write(number.into()).id(), reply)), &who);
        }
        then.iter().for_each(|sighting| mail.see(&sighting(&texts), &who));
        (mail.findings().count(), mail.verdict(Time(10)).count())
    }

    #[test]
    fn each_mistake_is_found_and_nothing_else() {
        let first = |texts: &[String]| shown(&texts[0]);
        let second = |texts: &[String]| shown(&texts[1]);
        let told = |number: u8, status| {
            move |_: &[String]| sight(1, Seen::Ended(MessageId([number; 16]), status))
        };
        let (done, other) = (told(0, Status::OK), told(1, Status::OK));
        assert_eq!(found(&[&first, &done, &second, &other]), (0, 0));
        assert_eq!(found(&[&first, &done, &told(1, Status::MESSAGE_EXPIRED)]), (0, 0));
        assert_eq!(found(&[&second, &first, &done, &other]), (1, 0), "out of order");
        assert_eq!(found(&[&first, &first, &done, &second, &other]), (1, 0), "twice");
        assert_eq!(found(&[&first, &done, &other]), (1, 1), "lost");
        assert_eq!(found(&[&first, &done, &second]), (0, 1), "no end");
        assert_eq!(found(&[]), (0, 2));
    }
}
