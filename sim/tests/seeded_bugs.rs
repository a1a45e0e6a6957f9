//! The checks can fail: each mistake that a node can be told to make is found by the check that is
//! there for it, in a small world in which the same check finds nothing without the mistake.

#[path = "seeded_bugs/liar.rs"]
mod liar;

use overlay_proto::SeededBug;
use overlay_sim::scenario::{Change, Scenario, play};
use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

/// Some vanish while all talk; the rest repairs itself, talks on and asks for those that are gone.
const CRASH: &str = "
    name = 'crash'
    population = { peers = 60, supernodes = 3, degree = 4, trees = 4, arrive_over_secs = 10 }
    [[step]]
    settle = { limit_secs = 60 }
    [[step]]
    crash = { share = 0.3, how = 'vanish', per_peer = 20, over_secs = 30, limit_secs = 60 }
    [[step]]
    messages = { per_peer = 2, over_secs = 60 }
    [[step]]
    lookups = { count = 60, over_secs = 10 }
";

/// A home ends, and with it the ownership of some trees.
const HOMES: &str = "
    name = 'homes'
    population = { peers = 60, supernodes = 4, degree = 4, trees = 8, arrive_over_secs = 10 }
    [[step]]
    settle = { limit_secs = 60 }
    [[step]]
    crash_supernodes = { count = 1, how = 'kill', under = { limit_secs = 60 } }
";

/// Frames vanish, come twice and overtake each other; what was missed shows at the next keep-alives.
const CHAOS: &str = "
    name = 'chaos'
    population = { peers = 30, supernodes = 2, degree = 5, trees = 4, arrive_over_secs = 10 }
    [[step]]
    settle = { limit_secs = 60 }
    [[step]]
    chaos = { lose = 0.08, duplicate = 0.03, reorder = 0.03, for_secs = 20, under = { limit_secs = 60 } }
    [[step]]
    messages = { per_peer = 1, over_secs = 60 }
";

/// A supernode shows one user for another.
const FALSE_INDEX: &str = "
    name = 'false_index'
    population = { peers = 30, supernodes = 4, degree = 4, trees = 4, arrive_over_secs = 10 }
    [[step]]
    settle = { limit_secs = 60 }
    [[step]]
    lying_index = { share = 0.25, how = 'forge', lookups = 60, for_secs = 20, under = { limit_secs = 60 } }
";

/// Some are shut out while others have sessions with them.
const REVOKE: &str = "
    name = 'revoke'
    population = { peers = 30, supernodes = 3, degree = 4, trees = 4, arrive_over_secs = 10 }
    [[step]]
    settle = { limit_secs = 60 }
    [[step]]
    revoke = { share = 0.1, over_secs = 5, under = { limit_secs = 60 } }
";

/// Strangers with certificates that they have made themselves want in, a few to each peer.
const SYBIL: &str = "
    name = 'sybil'
    population = { peers = 12, supernodes = 2, degree = 4, trees = 4, arrive_over_secs = 10 }
    [[step]]
    settle = { limit_secs = 60 }
    [[step]]
    sybil = { per_peer = 4, for_secs = 10, under = { limit_secs = 60 } }
";

/// Some send old frames again, and among them where they were.
const REPLAY: &str = "
    name = 'replay'
    population = { peers = 30, supernodes = 4, degree = 4, trees = 4, arrive_over_secs = 10 }
    [[step]]
    settle = { limit_secs = 60 }
    [[step]]
    adversaries = { share = 0.3, kind = 'replay', for_secs = 60, under = { limit_secs = 60 } }
";

/// The scaffold is parted with a third of the peers, and becomes one again.
const PARTED: &str = "
    name = 'parted'
    population = { peers = 40, supernodes = 6, degree = 4, trees = 8, arrive_over_secs = 10 }
    [[step]]
    settle = { limit_secs = 60 }
    [[step]]
    partition = { share = 0.34, supernodes_too = true, for_secs = 30, under = { limit_secs = 120 } }
";

/// Two supernodes and some peers are not run for a while.
const ASLEEP: &str = "
    name = 'asleep'
    population = { peers = 40, supernodes = 6, degree = 4, trees = 4, arrive_over_secs = 10 }
    [[step]]
    settle = { limit_secs = 60 }
    [[step]]
    pause = { share = 0.1, supernodes = 0.34, for_secs = 20, least_secs = 2, under = { limit_secs = 120 } }
";

/// All supernodes restart, each with more to do than it can; all peers come back at once.
const STORM: &str = "
    name = 'storm'
    population = { peers = 200, supernodes = 2, degree = 4, trees = 4 }
    supernode = { logins_per_second = 2, login_ramp_secs = 10, check_us = 12000, sign_us = 6000, link_us = 20000 }
    [[step]]
    settle = { limit_secs = 240 }
    [[step]]
    outage = { supernodes = 1.0, how = 'kill', back_after_secs = 20, under = { per_peer = 0.1, limit_secs = 300 } }
";

/// Messages wait for recipients who come and go, some with old ratchets; mailboxes crash, and frames
/// come late, twice and not at all.
const MAIL: &str = "
    name = 'mail'
    population = { peers = 12, supernodes = 4, degree = 4, trees = 4, arrive_over_secs = 10 }
    [[step]]
    settle = { limit_secs = 60 }
    [[step]]
    mail = { count = 300, over_secs = 60, away = 0.5, supernodes_down = 2, lose = 0.01, duplicate = 0.05, reorder = 0.05, restored = 0.1 }
";

/// Supernodes vanish while words of the membership protocol are lost, and some links pass one way. They
/// are so many that heartbeats are too slow to find a death in that time.
const SCAFFOLD: &str = "
    name = 'scaffold'
    population = { peers = 4, supernodes = 100, degree = 2, trees = 2, arrive_over_secs = 5 }
    [[step]]
    settle = { limit_secs = 60 }
    [[step]]
    [step.scaffold]
    share = 0.1
    how = 'vanish'
    over_secs = 4
    quiet_secs = 2
    lose = 0.1
    one_way = 0.1
    for_secs = 16
    known_within_secs = 11
    under = { limit_secs = 60 }
";

/// One of these must show a mistake; without it, none may show anything. A single one would tie the
/// test to the core's timing.
const SEEDS: [u64; 4] = [1, 2, 3, 4];

/// A world in which a mistake shows.
#[derive(Debug, Clone, Copy)]
enum World {
    Scenario(&'static str),
    /// One of the peers lies about its place in this way.
    Liar(liar::Lie),
}

/// Where each mistake shows, and the check that finds it.
fn expected(bug: SeededBug) -> (World, &'static str) {
    use SeededBug::*;
    let (crash, homes) = (World::Scenario(CRASH), World::Scenario(HOMES));
    match bug {
        LabelNotReissued | OrphanKeepsLabel | SlotOfTheWrongEnd => (crash, "labels"),
        MissUnnoticed => (World::Scenario(CHAOS), "places"),
        EpochIgnoredInChoice | TwoRootsAccepted => (homes, "labels"),
        DegreeOffByOne => (crash, "degree"),
        LossUnreported | SilenceUnnoticed => (crash, "liveness"),
        PlaceUnchecked => (World::Liar(liar::Lie::Forgery), "places"),
        OlderPlaceWins => (World::Liar(liar::Lie::Replay), "places"),
        EpochIgnoredInDistance | DeadLinksIgnored => (crash, "promise"),
        VisitedIgnored | HopNotCounted => (crash, "hops"),
        MessageShownAgain | ReceiptWithoutShowing | OlderRecordWins => (crash, "delivery"),
        LeaseNeverEnds => (crash, "presence"),
        ChainUnchecked => (World::Scenario(SYBIL), "strangers"),
        LastRecordWins => (World::Scenario(REPLAY), "convergence"),
        TreeNotHandedOver => (World::Scenario(PARTED), "convergence"),
        SleeperBuries => (World::Scenario(ASLEEP), "convergence"),
        RecordUnchecked => (World::Scenario(FALSE_INDEX), "index"),
        OutcastKept => (World::Scenario(REVOKE), "talks"),
        LetterShownAgain | LetterGapIgnored | KeptIsDelivered => (World::Scenario(MAIL), "mail"),
        SuspectIsDead | DeathUnheard => (World::Scenario(SCAFFOLD), "membership"),
        EverybodyAtOnce | NoBackOff => (World::Scenario(STORM), "storm"),
    }
}

/// What the checks find in a world whose nodes make this mistake, and which checks they are.
fn found(world: World, seed: u64, bug: Option<SeededBug>) -> (BTreeSet<&'static str>, Vec<String>) {
    let text = match world {
        World::Scenario(text) => text,
        World::Liar(lie) => {
            let flaws = liar::flaws(lie, seed, bug);
            let checks = flaws.iter().map(|_| overlay_sim::checks::places::CHECK).collect();
            return (checks, flaws);
        }
    };
    let change = Change { seed: Some(seed), ..Change::default() };
    let mut scenario = Scenario::parse("test", text, &change).expect("valid");
    scenario.seeded_bug = bug;
    let findings = play(&scenario, &mut (), &AtomicBool::new(false)).findings;
    let checks = findings.kept().iter().map(|violation| violation.check).collect();
    (checks, findings.kept().iter().map(ToString::to_string).collect())
}

#[test]
fn nothing_is_found_where_no_mistake_is_made() {
    let liars = [liar::Lie::Forgery, liar::Lie::Replay].map(World::Liar);
    let scenarios = [
        CRASH,
        HOMES,
        CHAOS,
        STORM,
        FALSE_INDEX,
        MAIL,
        SYBIL,
        REPLAY,
        PARTED,
        ASLEEP,
        REVOKE,
        SCAFFOLD,
    ]
    .map(World::Scenario);
    for world in scenarios.into_iter().chain(liars) {
        for seed in SEEDS {
            let (checks, found) = found(world, seed, None);
            assert!(checks.is_empty(), "{world:?}, seed {seed}: {found:#?}");
        }
    }
}

#[test]
fn every_mistake_is_found_by_its_check() {
    let mut missed = Vec::new();
    for bug in SeededBug::ALL {
        let (world, check) = expected(*bug);
        let mut else_found = Vec::new();
        let by = SEEDS.iter().find(|seed| {
            let (checks, found) = found(world, **seed, Some(*bug));
            else_found.extend(found);
            checks.contains(check)
        });
        if by.is_none() {
            missed.push(format!("{bug:?} is not found by {check}, only {else_found:#?}"));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}
