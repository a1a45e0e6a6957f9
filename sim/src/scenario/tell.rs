//! From what was watched to the figures.

use super::stage::Stage;
use crate::checks::delivery::{Message, Told};
use crate::checks::{Era, Findings};
use crate::measure::{regions, upkeep};
use crate::report::{Figures, Sample, moore, process};
use overlay_proto::wire::Class;
use std::time::Duration;

impl Stage<'_> {
    /// All that the checks have found. An interrupted run is judged by what cannot get better.
    pub(super) fn verdict(&self, figures: &Figures) -> Findings {
        let now = self.now();
        let mut findings = self.findings.clone();
        findings.extend(self.degree.verdict());
        findings.extend(self.hops.verdict());
        findings.extend(self.promise.verdict());
        findings.extend(self.presence.verdict());
        findings.extend(self.index.verdict());
        findings.extend(self.convergence.verdict());
        findings.extend(self.strangers.verdict());
        findings.extend(self.shut_out.verdict());
        findings.extend(self.talks.verdict());
        findings.extend(self.mail.findings());
        findings.extend(self.membership.findings());
        if figures.partial {
            return findings;
        }
        findings.extend(&self.storm.verdict(&self.series));
        findings.extend(&self.mail.verdict(now));
        let bars = &self.scenario.bars;
        findings.extend(&self.delivery.verdict(now, bars.delivered_before_repair));
        findings.extend(&self.liveness.verdict(&self.standing, now));
        if let Some((bar, hops)) = bars.hops_over_moore.zip(figures.hops_over_moore)
            && hops > bar
        {
            findings.add("bars", now, format!("hops are {hops:.3} times the bound, over {bar}"));
        }
        findings
    }

    /// The figures so far, but for the count of violations.
    pub(super) fn figures(&self, wall: Duration, partial: bool) -> Figures {
        let spec = &self.scenario.population;
        let mut figures = Figures {
            scenario: self.scenario.name.clone(),
            partial,
            seed: self.scenario.seed,
            peers: spec.peers,
            supernodes: spec.supernodes,
            degree: spec.degree,
            trees: self.scenario.trees(),
            logged_in: self.liveness.logins().len(),
            degree_max: self.degree.most(),
            degree_mean: Some(self.standing.degree_mean()),
            hops_graph_mean: self.standing.graph_distance(),
            escalations: self.escalations,
            parts: self.parts,
            sessions_lost: Some(self.liveness.sessions_lost()),
            ..Figures::default()
        };
        self.tell_of_messages(&mut figures);
        self.tell_of_walks(&mut figures);
        self.tell_of_upkeep(&mut figures);
        self.tell_of_waits(&mut figures);
        self.tell_of_storm(&mut figures);
        self.tell_of_outcasts(&mut figures);
        self.tell_of_convergence(&mut figures);
        self.tell_of_strangers(&mut figures);
        self.mail.tell(&mut figures);
        self.membership.tell(&mut figures);
        self.tell_of_effort(&mut figures, wall);
        figures
    }

    fn tell_of_messages(&self, figures: &mut Figures) {
        let messages = self.delivery.messages();
        figures.messages_sent = messages.len();
        figures.messages_delivered = self.delivery.delivered();
        figures.duplicates = self.delivery.duplicates();
        let counts = |message: &&Message| !self.crashed || went_straight(message);
        let all = Sample::new(messages.iter().filter(counts).filter_map(hops));
        (figures.hops_mean, figures.hops_p99) = (all.mean(), all.quantile(0.99));
        let bound = moore::mean_distance(figures.peers, figures.degree);
        figures.hops_moore_mean = Some(bound);
        figures.hops_over_moore = figures.hops_mean.map(|mean| mean / bound);
        let elapsed = Sample::new(messages.iter().filter_map(|message| match message.told? {
            Told::Delivered { elapsed, .. } => Some(elapsed.as_millis_f64()),
            Told::Failed(_) => None,
        }));
        (figures.message_ms_p50, figures.message_ms_p99) =
            (elapsed.quantile(0.5), elapsed.quantile(0.99));
        if !self.crashed {
            return;
        }
        figures.delivered_before_crash = self.delivery.share(Era::Before);
        figures.delivered_before_repair = self.delivery.share(Era::During);
        figures.delivered_after_repair = self.delivery.share(Era::After);
        let of = |era| messages.iter().filter(move |message| message.era == era);
        let straight = of(Era::During).filter(|message| went_straight(message)).count();
        let sent = of(Era::During).count();
        figures.first_try_before_repair = (sent > 0).then(|| straight as f64 / sent as f64);
        let after = of(Era::After).filter(|message| went_straight(message));
        figures.hops_mean_after_repair = Sample::new(after.filter_map(hops)).mean();
    }

    fn tell_of_walks(&self, figures: &mut Figures) {
        if let Some(survey) = &self.survey {
            figures.stretch_mean = survey.stretch_of_means;
            (figures.stretch_pairs_mean, figures.stretch_p95) =
                (survey.stretch.mean(), survey.stretch.quantile(0.95));
            figures.load_max_over_mean = survey.load_max_over_mean();
            figures.walks_delivered = survey.delivered();
        }
        let walked: usize = self.crash_walks.iter().map(|walks| walks.pairs).sum();
        let arrived: usize = self.crash_walks.iter().map(|walks| walks.hops.len()).sum();
        figures.delivered_before_any_repair = (walked > 0).then(|| arrived as f64 / walked as f64);
    }

    fn tell_of_upkeep(&self, figures: &mut Figures) {
        if let Some(each) = self.changes.per_join() {
            figures.links_changed_per_join = Some(each.links);
            figures.labels_changed_per_join = Some(each.labels);
        }
        if let Some(each) = self.changes.per_leave() {
            figures.links_changed_per_leave = Some(each.links);
            figures.labels_changed_per_leave = Some(each.labels);
        }
        let near = self.scenario.population.near;
        let lacking = || regions::lacking_near(&self.world, &self.population, near);
        figures.near_lacking_share = (near > 0).then(lacking).flatten();
        figures.stale_addresses_share = upkeep::stale_addresses(&self.world, &self.population);
        figures.state_bytes_per_peer = upkeep::state_bytes(&self.world, &self.population);
    }

    fn tell_of_waits(&self, figures: &mut Figures) {
        let repairs = Sample::millis(&self.standing.repairs());
        (figures.repair_ms_p50, figures.repair_ms_p99) =
            (repairs.quantile(0.5), repairs.quantile(0.99));
        let fresh = self.changes.labels_fresh_after();
        figures.labels_fresh_seconds = fresh.map(|span| span.as_millis_f64() / 1e3);
        let logins = Sample::millis(self.liveness.logins());
        (figures.login_ms_p50, figures.login_ms_p99) =
            (logins.quantile(0.5), logins.quantile(0.99));
        figures.lookup_ms_p50 = Sample::millis(self.liveness.lookups()).quantile(0.5);
    }

    fn tell_of_storm(&self, figures: &mut Figures) {
        self.tell_of_heat(figures);
        if let Some(flooded) = self.flooded.clone() {
            let logins = Sample::millis(&self.liveness.logins()[flooded.clone()]);
            figures.flood_logins = Some(flooded.len());
            (figures.flood_login_ms_p50, figures.flood_login_ms_p99) =
                (logins.quantile(0.5), logins.quantile(0.99));
        }
        let Some(storm) = self.storm.figures(&self.series) else { return };
        [figures.storm_secs_to_50, figures.storm_secs_to_99, figures.storm_secs_to_100] =
            storm.secs_to;
        figures.storm_logins_per_second_peak = Some(storm.logins_per_second_peak);
        figures.storm_goodput_min = storm.goodput_min;
        figures.storm_attempts_per_client = Some(storm.attempts_per_client);
        figures.storm_attempts_per_client_peak = Some(storm.attempts_per_client_peak);
        figures.storm_refused = Some(storm.refused);
        figures.storm_refused_per_second_peak = Some(storm.refused_per_second_peak);
        figures.storm_supernodes_lost = Some(storm.supernodes_lost);
        figures.storm_homes_given_up = Some(storm.homes_given_up);
        figures.storm_line_secs_max = Some(self.world.longest_line().0 as f64 / 1e6);
        figures.supernode_signatures_per_login = (self.storm.logins() > 0)
            .then(|| self.world.signatures_worked_on() as f64 / self.storm.logins() as f64);
        figures.storm_secs_to_normal = storm.secs_to_normal;
        figures.storm_warning_secs = storm.warning_secs;
    }

    fn tell_of_outcasts(&self, figures: &mut Figures) {
        if let Some((asked, found, hidden)) = self.index.counts() {
            figures.consulted = Some(asked);
            (figures.consulted_found, figures.consulted_hidden) = (Some(found), Some(hidden));
        }
        let Some(healed) = self.healed else { return };
        let (reached, beyond) = self.shut_out.waits(healed);
        let (reached, beyond) = (Sample::millis(&reached), Sample::millis(&beyond));
        let (outcasts, sought) = self.shut_out.counts();
        (figures.revoked, figures.revoked_sought) = (Some(outcasts), Some(sought));
        (figures.shut_out_ms_p50, figures.shut_out_ms_p99) =
            (reached.quantile(0.5), reached.quantile(0.99));
        (figures.shut_out_healed_ms_p50, figures.shut_out_healed_ms_p99) =
            (beyond.quantile(0.5), beyond.quantile(0.99));
        let (reached, beyond) = self.talks.waits(healed);
        let (reached, beyond) = (Sample::millis(&reached), Sample::millis(&beyond));
        (figures.sessions_over_ms_p50, figures.sessions_over_ms_p99) =
            (reached.quantile(0.5), reached.quantile(0.99));
        (figures.sessions_over_healed_ms_p50, figures.sessions_over_healed_ms_p99) =
            (beyond.quantile(0.5), beyond.quantile(0.99));
    }

    fn tell_of_convergence(&self, figures: &mut Figures) {
        let Some(counts) = self.convergence.counts() else { return };
        let took = Sample::millis(&counts.took);
        (figures.converge_ms_p50, figures.converge_ms_p99) =
            (took.quantile(0.5), took.quantile(0.99));
        figures.converge_ms_max = took.quantile(1.0);
        figures.owners_ms_max = Sample::millis(&counts.owners_took).quantile(1.0);
        figures.compared = Some(counts.compared);
        figures.conflicting_answers = Some(counts.conflicting);
        figures.compared_unanswered = Some(counts.unanswered);
        figures.stale_writes = Some(counts.stale_writes);
        figures.buried_by_sleepers = Some(counts.buried);
        let lost = |message: &&Message| {
            message.shown == 0 && !message.excused && !matches!(message.told, Some(Told::Failed(_)))
        };
        let given_up = |message: &&Message| {
            message.shown == 0 && matches!(message.told, Some(Told::Failed(_)))
        };
        let messages = self.delivery.messages();
        figures.messages_lost = Some(messages.iter().filter(lost).count());
        figures.messages_given_up = Some(messages.iter().filter(given_up).count());
    }

    fn tell_of_strangers(&self, figures: &mut Figures) {
        if let Some((before, after)) = self.lured {
            figures.liars_links_share = after.links;
            figures.liars_routes_share_before = before.routes;
            figures.liars_routes_share = after.routes;
        }
        let Some(siege) = self.siege else { return };
        let got = self.strangers.got();
        figures.strangers = Some(siege.strangers);
        figures.strangers_links = Some(siege.links);
        figures.strangers_said = Some(siege.said);
        figures.strangers_slots = Some(got.slots + got.sessions + got.records);
        figures.strangers_answers = Some(got.answers + got.dialled);
        figures.honest_returned = Some(siege.returned);
        figures.honest_let_in = Some(siege.let_in);
    }

    fn tell_of_effort(&self, figures: &mut Figures, wall: Duration) {
        let tally = self.world.tally();
        figures.sim_seconds = self.now().0 as f64 / 1e6;
        figures.wall_seconds = wall.as_secs_f64();
        figures.events = Some(tally.events);
        figures.events_per_second = Some(tally.events as f64 / wall.as_secs_f64().max(1e-9));
        figures.trace_hash = Some(self.world.trace_hash());
        figures.peak_rss_bytes = process::peak_rss_bytes();
        let checks = self.verifier.checks();
        figures.signatures_asked = Some(checks.asked);
        figures.signatures_verified = Some(checks.verified);
        figures.control_bytes_per_peer_second = self.settled.and_then(|(since, before)| {
            let bytes = tally.class(Class::Control).bytes - before;
            let secs = self.now().since(since).0 as f64 / 1e6;
            let peers = self.standing.here() as f64;
            (secs > 0.0 && peers > 0.0).then(|| bytes as f64 / secs / peers)
        });
    }
}

fn went_straight(message: &Message) -> bool {
    matches!(message.told, Some(Told::Delivered { tries: 1, escalated: false, .. }))
}

fn hops(message: &Message) -> Option<f64> {
    match message.told? {
        Told::Delivered { hops, .. } => Some(f64::from(hops)),
        Told::Failed(_) => None,
    }
}
