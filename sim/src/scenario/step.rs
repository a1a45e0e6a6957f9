//! What can happen in a scenario: each step a plain value, with its limits.

use super::apart::{OneWayLinks, Pause, SplitScaffold, two};
use super::flood::Flood;
use super::hot::Hot;
use super::mail::Letters;
use super::revoke::Revocations;
use super::scaffold::Deaths;
use super::storm::Outage;
use super::sybil::Sybil;
use crate::world::{Crash, Falsehood, Mischief};
use serde::{Deserialize, Serialize};

/// One step: a table with one of these keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Wait until every peer is whole: logged in, with all neighbours up and a label in each tree.
    Settle {
        /// Seconds after which waiting ends, as a violation.
        limit_secs: f64,
    },
    /// Random users look up random others.
    Lookups {
        /// How often.
        count: usize,
        /// Seconds over which the look-ups are spread.
        over_secs: f64,
    },
    /// Messages between random pairs of live users.
    Messages(Traffic),
    /// Random peers end at once. Survivors go on talking at an even rate until all are whole again.
    Crash {
        /// Share of all live peers, from 0 to 1.
        share: f64,
        /// `vanish` (silence) or `kill` (connections are reset).
        how: Crash,
        /// Messages for each survivor in `over_secs`.
        per_peer: f64,
        /// Messages in `over_secs`, at least.
        #[serde(default)]
        at_least: usize,
        /// Seconds by which the rate of messages is set; they go on for as long as repair takes.
        over_secs: f64,
        /// Seconds after which repair should have ended: more is a violation.
        limit_secs: f64,
    },
    /// Peers leave and come back, each in a life of its own, while those on line talk. Who is down
    /// at the end stays so.
    Churn(Churn),
    /// A part of the network is cut off from the rest.
    Partition {
        /// Share of the live peers that are on the smaller side, or on each of the smaller ones, 0 to
        /// 1.
        share: f64,
        /// Whether the same share of the supernodes is there too. Default false.
        #[serde(default)]
        supernodes_too: bool,
        /// Into how many parts the network falls, 2 to 8. Default 2.
        #[serde(default = "two")]
        parts: u8,
        /// Seconds that it lasts.
        for_secs: f64,
        /// What is asked meanwhile and afterwards.
        #[serde(default)]
        under: Under,
    },
    /// Some peers can send and not receive, others receive and not send.
    OneWay {
        /// Share of the live peers, 0 to 1: half of them are mute and half deaf.
        share: f64,
        /// Whether the same share of the supernodes is so, too. Default false.
        #[serde(default)]
        supernodes_too: bool,
        /// Seconds that it lasts.
        for_secs: f64,
        /// What is asked meanwhile and afterwards.
        #[serde(default)]
        under: Under,
    },
    /// Some peers are cut off and back again, again and again.
    Flap {
        /// Share of the live peers, 0 to 1.
        share: f64,
        /// Seconds that each is cut off.
        down_secs: f64,
        /// Seconds that each is back.
        up_secs: f64,
        /// Seconds that it lasts.
        for_secs: f64,
        /// What is asked meanwhile and afterwards.
        #[serde(default)]
        under: Under,
    },
    /// All that some peers send or are sent takes longer.
    Slow {
        /// Share of the live peers, 0 to 1.
        share: f64,
        /// Seconds more, one way.
        delay_secs: f64,
        /// Seconds that it lasts.
        for_secs: f64,
        /// What is asked meanwhile and afterwards.
        #[serde(default)]
        under: Under,
    },
    /// Packets are lost beneath the streams, which stall until they have been sent again.
    Loss {
        /// Share of the frames, 0 to 1.
        share: f64,
        /// Milliseconds that a stream stalls.
        stall_ms: f64,
        /// Seconds that it lasts.
        for_secs: f64,
        /// What is asked meanwhile and afterwards.
        #[serde(default)]
        under: Under,
    },
    /// Frames vanish, come twice and overtake each other, which no real transport does. Meanwhile
    /// nothing wrong may be shown to anybody; afterwards everything heals.
    Chaos {
        /// Share of the frames that vanish, 0 to 1.
        lose: f64,
        /// Share of those that come twice, 0 to 1.
        duplicate: f64,
        /// Share of those that later ones overtake, 0 to 1.
        reorder: f64,
        /// Seconds that it lasts.
        for_secs: f64,
        /// What is asked meanwhile and afterwards.
        #[serde(default)]
        under: Under,
    },
    /// Some peers do not do as they should. Meanwhile nothing wrong may be shown to anybody, and
    /// messages between the others must arrive; afterwards everything heals.
    Adversaries {
        /// Share of the live peers, 0 to 1.
        share: f64,
        /// `drop` (packets of others end there), `lie` (about labels of others and their own) or
        /// `replay` (old frames go out again).
        kind: Mischief,
        /// How often, 0 to 1: of the packets of others that are dropped, of the own places that are
        /// forged, of the frames that an old one follows. Default 1.
        #[serde(default = "always")]
        rate: f64,
        /// Seconds that it lasts.
        for_secs: f64,
        /// What is asked meanwhile and afterwards.
        #[serde(default)]
        under: Under,
    },
    /// Some supernodes lie about who is where. Nobody may be shown as another; nobody may be said
    /// not to exist while only one of them lies.
    LyingIndex {
        /// Share of the live supernodes, 0 to 1; at least one.
        share: f64,
        /// `hide` (they sign that there is no such user), `forge` (they show somebody else) or
        /// `roll_back` (they show the oldest record that they have seen).
        how: Falsehood,
        /// Look-ups meanwhile, by random users of random others.
        lookups: usize,
        /// Seconds that it lasts.
        for_secs: f64,
        /// What is asked meanwhile and afterwards.
        #[serde(default)]
        under: Under,
    },
    /// The wall clocks of some peers and as great a share of the supernodes are set wrong, and set
    /// right again at the end. Sessions go on: only certificates are held against the clock.
    Clock {
        /// Share of the live peers and of the live supernodes, 0 to 1.
        share: f64,
        /// Seconds by which they are set forward; back, if negative.
        shift_secs: f64,
        /// Seconds that it lasts.
        for_secs: f64,
        /// What is asked meanwhile and afterwards.
        #[serde(default)]
        under: Under,
    },
    /// Random supernodes end at once.
    CrashSupernodes {
        /// How many; one is left in any case.
        count: usize,
        /// `vanish` (silence) or `kill` (connections are reset).
        how: Crash,
        /// What is asked until everybody is whole again.
        #[serde(default)]
        under: Under,
    },
    /// The scaffold falls apart, and every peer still reaches all of it.
    SplitScaffold(SplitScaffold),
    /// Links between neighbours and between supernodes carry one way only.
    OneWayLinks(OneWayLinks),
    /// Processes are not run for a while.
    Pause(Pause),
    /// Nodes that belong to nobody ask for sessions, far more often than supernodes can look.
    Flood(Flood),
    /// Many strangers to each peer want in.
    Sybil(Sybil),
    /// Everybody wants one user at once; the others talk as before.
    Hot(Hot),
    /// Supernodes end, users crash and come back, and all want to log in at once.
    Outage(Outage),
    /// Users write messages that wait for their recipients, while these come and go, mailboxes crash
    /// and frames are lost. Each must be shown once, in order, and each sender told.
    Mail(Letters),
    /// The registrar shuts users out, who must be gone everywhere within the deadline.
    Revoke(Revocations),
    /// Supernodes die while words between them are lost and some of their links pass one way only. All
    /// others must hear of each death in time, and of none that is none.
    Scaffold(Deaths),
    /// All supernodes and users that are down start again: the supernodes at their old addresses.
    Restart {
        /// What is asked until everybody is whole again.
        #[serde(default)]
        under: Under,
    },
}

/// What is asked of the network while something fails, and afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Under {
    /// Messages for each user in `over_secs`, between users that are on line. Default 1.
    pub per_peer: f64,
    /// Messages in `over_secs`, at least. Default 0.
    pub at_least: usize,
    /// Seconds by which the rate of messages is set; they go on until all is whole. Default 30.
    pub over_secs: f64,
    /// Seconds after the end of the fault in which all must be whole. Default 240.
    pub limit_secs: f64,
}

impl Default for Under {
    fn default() -> Under {
        Under { per_peer: 1.0, at_least: 0, over_secs: 30.0, limit_secs: four_minutes() }
    }
}

impl Under {
    pub(super) fn talk(&self) -> Traffic {
        Traffic { per_peer: self.per_peer, at_least: self.at_least, over_secs: self.over_secs }
    }

    pub(super) fn check(&self) -> Result<(), Flaw> {
        natural("per_peer", self.per_peer)?;
        positive("over_secs", self.over_secs)?;
        natural("limit_secs", self.limit_secs)
    }
}

/// Messages between random pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// Messages for each live peer.
    pub per_peer: f64,
    /// Messages in all, at least. Default 0.
    #[serde(default)]
    pub at_least: usize,
    /// Seconds over which they are spread.
    pub over_secs: f64,
}

/// How peers come and go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Churn {
    /// Seconds that it lasts.
    pub over_secs: f64,
    /// Mean seconds that a process runs. Default 600.
    #[serde(default = "ten_minutes")]
    pub mean_up_secs: f64,
    /// Shape of the Weibull distribution of these seconds, 0.2 to 10: 1 is exponential, below 1 a
    /// few live long and most not. Default 1.
    #[serde(default = "exponential")]
    pub shape: f64,
    /// Mean seconds until the user is back. Default 60.
    #[serde(default = "a_minute")]
    pub mean_down_secs: f64,
    /// Shape of the distribution of these seconds. Default 1.
    #[serde(default = "exponential")]
    pub down_shape: f64,
    /// Share of the departures that are by logout, 0 to 1. Of the others half vanish and half are
    /// killed. Default 0.5.
    #[serde(default = "half")]
    pub logout_share: f64,
    /// Instead of drawn lives: a file with lines `secs,user,up` and `secs,user,down`, seconds from
    /// the step's start in rising order and users from 1. Relative to the scenario's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Messages for each user in `over_secs`. Default 1.
    #[serde(default = "exponential")]
    pub per_peer: f64,
    /// Messages in `over_secs`, at least. Default 0.
    #[serde(default)]
    pub at_least: usize,
    /// Seconds after its end in which all that are up must be whole. Default 240.
    #[serde(default = "four_minutes")]
    pub limit_secs: f64,
}

fn ten_minutes() -> f64 {
    600.0
}

fn a_minute() -> f64 {
    60.0
}

fn four_minutes() -> f64 {
    240.0
}

fn exponential() -> f64 {
    1.0
}

fn always() -> f64 {
    1.0
}

fn half() -> f64 {
    0.5
}

/// A number that cannot be: its key and why.
pub(super) type Flaw = (&'static str, &'static str);

pub(super) fn demand(key: &'static str, holds: bool, reason: &'static str) -> Result<(), Flaw> {
    if holds { Ok(()) } else { Err((key, reason)) }
}

pub(super) fn natural(key: &'static str, value: f64) -> Result<(), Flaw> {
    demand(key, value.is_finite() && value >= 0.0, "must not be negative")
}

pub(super) fn positive(key: &'static str, value: f64) -> Result<(), Flaw> {
    demand(key, value.is_finite() && value > 0.0, "must be above zero")
}

pub(super) fn share(key: &'static str, value: f64) -> Result<(), Flaw> {
    demand(key, (0.0..=1.0).contains(&value), "must be 0 to 1")
}

impl Step {
    /// Checks every number.
    pub(super) fn check(&self) -> Result<(), Flaw> {
        match self {
            Step::Settle { limit_secs } => natural("limit_secs", *limit_secs),
            Step::Lookups { over_secs, .. } => natural("over_secs", *over_secs),
            Step::Messages(traffic) => {
                natural("over_secs", traffic.over_secs)?;
                natural("per_peer", traffic.per_peer)
            }
            Step::Crash { share, per_peer, over_secs, limit_secs, .. } => {
                natural("limit_secs", *limit_secs)?;
                demand("share", (0.0..1.0).contains(share), "must be 0 to below 1")?;
                positive("over_secs", *over_secs)?;
                natural("per_peer", *per_peer)
            }
            Step::Churn(churn) => churn.check(),
            Step::Flood(flood) => flood.check(),
            Step::Hot(hot) => hot.check(),
            Step::Sybil(sybil) => sybil.check(),
            Step::SplitScaffold(split) => split.check(),
            Step::OneWayLinks(cut) => cut.check(),
            Step::Pause(pause) => pause.check(),
            Step::Outage(outage) => outage.check(),
            Step::Revoke(revoke) => revoke.check(),
            Step::Mail(letters) => letters.check(),
            Step::Scaffold(deaths) => deaths.check(),
            Step::CrashSupernodes { under, .. } | Step::Restart { under } => under.check(),
            fault => fault.check_fault(),
        }
    }

    /// Those that last for a while.
    fn check_fault(&self) -> Result<(), Flaw> {
        let (for_secs, under) = match *self {
            Step::Partition { share: part, parts, for_secs, under, .. } => {
                share("share", part)?;
                demand("parts", (2..=8).contains(&parts), "must be 2 to 8")?;
                (for_secs, under)
            }
            Step::OneWay { share: part, for_secs, under, .. } => {
                share("share", part)?;
                (for_secs, under)
            }
            Step::Flap { share: part, down_secs, up_secs, for_secs, under } => {
                share("share", part)?;
                positive("down_secs", down_secs)?;
                positive("up_secs", up_secs)?;
                (for_secs, under)
            }
            Step::Slow { share: part, delay_secs: more, for_secs, under } => {
                share("share", part)?;
                natural("delay_secs", more)?;
                (for_secs, under)
            }
            Step::Loss { share: part, stall_ms: more, for_secs, under } => {
                share("share", part)?;
                natural("stall_ms", more)?;
                (for_secs, under)
            }
            Step::Chaos { lose, duplicate, reorder, for_secs, under } => {
                share("lose", lose)?;
                share("duplicate", duplicate)?;
                share("reorder", reorder)?;
                (for_secs, under)
            }
            Step::Adversaries { share: part, rate, for_secs, under, .. } => {
                share("share", part)?;
                share("rate", rate)?;
                (for_secs, under)
            }
            Step::LyingIndex { share: part, for_secs, under, .. } => {
                share("share", part)?;
                (for_secs, under)
            }
            Step::Clock { share: part, shift_secs, for_secs, under } => {
                share("share", part)?;
                natural("shift_secs", shift_secs.abs())?;
                (for_secs, under)
            }
            _ => return Ok(()),
        };
        natural("for_secs", for_secs)?;
        under.check()
    }
}

impl Churn {
    fn check(&self) -> Result<(), Flaw> {
        positive("over_secs", self.over_secs)?;
        positive("mean_up_secs", self.mean_up_secs)?;
        positive("mean_down_secs", self.mean_down_secs)?;
        for (key, shape) in [("shape", self.shape), ("down_shape", self.down_shape)] {
            demand(key, (0.2..=10.0).contains(&shape), "must be 0.2 to 10")?;
        }
        share("logout_share", self.logout_share)?;
        natural("per_peer", self.per_peer)?;
        natural("limit_secs", self.limit_secs)
    }
}
