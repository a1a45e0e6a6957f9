//! Floods from machines of their own neither keep honest peers out of a supernode nor grow it
//! (catalogue 18, 19, 20). The figures are printed: `-- --nocapture`.

use overlay_tests::usage::{cpu, memory};
use overlay_tests::{Realm, Running, eventually};
use serde_json::Value;
use std::time::{Duration, Instant};

const MIB: f64 = 1_048_576.0;
/// Users of honest peers have numbers below those of all others.
const HONEST: u32 = 0;
const OTHERS: u32 = 10_000;

/// Log-ins a second of a supernode that is flooded with them: eight addresses with 32 attempts a
/// second each are more than ten times that.
const CAPACITY: u32 = 20;
const FLOODERS: [&str; 8] = ["f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7"];

/// A number that a longer run sets to something larger.
fn setting(name: &str, otherwise: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

struct Trial {
    realm: Realm,
    honest_count: u32,
    honest_so_far: u32,
}

impl Trial {
    fn start(attackers: &[&str], flags: &[&str]) -> Option<Trial> {
        let flags = [&["--degree", "4"], flags].concat();
        let realm = Realm::start_on_machines(&[&["honest"], attackers].concat(), &flags)?;
        let honest_count = setting("FLOOD_HONEST", 12);
        Some(Trial { realm, honest_count, honest_so_far: HONEST })
    }

    fn pid(&self) -> u32 {
        self.realm.supernodes[0].pid()
    }

    /// New honest peers come one after the other; what became of them.
    fn honest(&mut self) -> Value {
        let (first, count) = (self.honest_so_far.to_string(), self.honest_count.to_string());
        self.honest_so_far += self.honest_count;
        let folder = self.realm.folder("s0");
        let words = [folder.to_str().expect("plain"), &first, &count];
        let told = outcome(&mut self.realm.crowd("honest", "honest", &words));
        assert_eq!(told["got_in"], self.honest_count);
        told
    }

    fn crowd(&self, machine: &str, kind: &str, first: u32, count: u32) -> Running {
        let folder = self.realm.folder("s0");
        let (first, count) = (first.to_string(), count.to_string());
        let words = [folder.to_str().expect("plain"), &first, &count];
        let mut crowd = self.realm.crowd(machine, kind, &words);
        crowd.line("a crowd", |line| (line == "ready").then_some(()));
        crowd
    }

    fn status(&self) -> Value {
        self.realm.supernode("s0", &["status"]).json()
    }

    fn links(&self, counter: &str) -> u64 {
        self.status()["transport"][counter].as_u64().expect("a counter of the links")
    }
}

/// What a crowd says at its end.
fn outcome(crowd: &mut Running) -> Value {
    crowd.close_input();
    crowd.line("an outcome", |line| serde_json::from_str::<Value>(line).ok())
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / MIB
}

#[test]
fn half_open_connections_keep_nobody_out() {
    let Some(mut trial) = Trial::start(&["mallory"], &[]) else { return };
    let count = setting("FLOOD_HALF_OPEN", 2_000);
    let alone = trial.honest();
    let before = memory(trial.pid());
    let sources = trial.realm.lan.as_ref().expect("machines").more_addresses("mallory", 40);
    let words = [count.to_string(), sources.join(",")];
    let used = cpu(trial.pid());
    let mut flood = trial.realm.crowd("mallory", "silent", &[&words[0], &words[1]]);
    flood.line("a crowd", |line| (line == "ready").then_some(()));
    eventually("the places of silent connections being taken", || {
        (trial.links("connections_refused") > u64::from(count)).then_some(())
    });
    // What is let in says nothing, so all this is for the others, but for a byte a second each.
    let used = cpu(trial.pid()) - used;
    let turned_away = trial.links("connections_refused");
    let honest = trial.honest();
    let after = memory(trial.pid());
    let flood = outcome(&mut flood);
    let open = flood["open"].as_u64().expect("a number");
    println!(
        "half-open: {count} from 40 addresses, {open} open at the end, {turned_away} turned away for \
         {:.0} us each; memory {:.1} MiB before, {:.1} MiB then, {:.1} KiB each; honest alone {alone}, \
         then {honest}",
        used * 1e6 / turned_away as f64,
        mib(before),
        mib(after),
        (after.saturating_sub(before)) as f64 / 1_024.0 / open.max(1) as f64,
    );
    // Without a place for who has none, nearly every dial fails.
    let failed = honest["dials_failed"].as_u64().expect("a number");
    assert!(failed * 4 <= u64::from(trial.honest_count), "{failed} dials of honest peers failed");
    assert!(after.saturating_sub(before) < 64 << 20, "{before} bytes before, {after} then");
}

#[test]
fn members_that_never_read_do_not_grow_a_supernode() {
    let Some(mut trial) = Trial::start(&["mallory"], &[]) else { return };
    trial.honest();
    let count = setting("FLOOD_DEAF", 100);
    let before = memory(trial.pid());
    for wave in 1..=setting("FLOOD_WAVES", 1) {
        let mut deaf = trial.crowd("mallory", "deaf", OTHERS * wave, count);
        let mut most = memory(trial.pid());
        let honest = trial.honest();
        eventually("those who do not read being hung up", || {
            most = most.max(memory(trial.pid()));
            (trial.links("links_stalled") >= u64::from(count * wave)).then_some(())
        });
        // Their connections are gone as well, of those, too, that do not even read what is below.
        eventually("the connections being closed", || {
            (trial.links("connections") < u64::from(count / 4)).then_some(())
        });
        println!(
            "not reading: {count} links, memory {:.1} MiB before, {:.1} MiB at most, {:.1} MiB after \
             them; honest {honest}; {}",
            mib(before),
            mib(most),
            mib(memory(trial.pid())),
            outcome(&mut deaf),
        );
        assert!(most - before < 256 << 20, "{before} bytes before, {most} then");
    }
}

#[test]
fn a_flood_of_forged_log_ins_keeps_nobody_out() {
    let flags = ["--logins-per-second", &CAPACITY.to_string()];
    let Some(mut trial) = Trial::start(&FLOODERS, &flags) else { return };
    let alone = trial.honest();
    let (before, status_before) = (memory(trial.pid()), trial.status());
    let (began, used) = (Instant::now(), cpu(trial.pid()));
    let mut floods: Vec<Running> = (0..)
        .zip(&FLOODERS)
        .map(|(number, machine)| trial.crowd(machine, "strangers", OTHERS * (number + 1), 5_000))
        .collect();
    std::thread::sleep(Duration::from_secs(setting("FLOOD_SECS", 5).into()));
    let honest = trial.honest();
    let (secs, used) = (began.elapsed().as_secs_f64(), cpu(trial.pid()) - used);
    let answers: Vec<Value> = floods.iter_mut().map(outcome).collect();
    drop(floods);
    eventually("the last stranger being gone", || {
        let status = trial.status();
        (status["strangers"] == 0 && status["transport"]["links"] == 0).then_some(())
    });
    let (after, status) = (memory(trial.pid()), trial.status());
    let refused = |status: &Value| status["refused"].as_u64().expect("a number");
    let count = refused(&status) - refused(&status_before);
    println!(
        "forged log-ins: {count} refused in {secs:.1} s, {:.1} times what is taken; {:.0} a second of \
         processor time; memory {:.1} MiB before, {:.1} MiB after; honest alone {alone}, then {honest}; \
         {answers:?}",
        count as f64 / secs / f64::from(CAPACITY),
        count as f64 / used,
        mib(before),
        mib(after),
    );
    for kept in ["children", "requests_open", "finds_open", "store_open"] {
        assert!(status[kept].as_u64() <= status_before[kept].as_u64(), "{kept}: {status}");
    }
    // Where the honest ones were last.
    assert_eq!(status["locations"], trial.honest_so_far, "{status}");
}
