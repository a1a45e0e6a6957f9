//! The table at the end of a run.

use super::Figures;
use comfy_table::{Cell, CellAlignment, Table, presets};

/// The figures as a table for a terminal.
pub fn summary(figures: &Figures) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header([figures.scenario.as_str(), "", ""]);
    for (name, value, note) in rows(figures) {
        table.add_row([
            Cell::new(name),
            Cell::new(value).set_alignment(CellAlignment::Right),
            Cell::new(note),
        ]);
    }
    table.to_string()
}

pub(super) type Row = (&'static str, String, String);

pub(super) fn rows(f: &Figures) -> Vec<Row> {
    let ms = |value: Option<f64>| value.map(|v| format!("{v:.0} ms"));
    let share = |value: Option<f64>| value.map(|v| format!("{:.3} %", 100.0 * v));
    let p99 = |value: Option<f64>| ms(value).map_or(String::new(), |v| format!("99 % within {v}"));
    let note = String::new;
    let world = format!("{} supernodes, k = {}, T = {}", f.supernodes, f.degree, f.trees);
    let mut rows: Vec<Row> = vec![("peers", f.peers.to_string(), world)];
    rows.push(("logged in", f.logged_in.to_string(), note()));
    let mut row = |name, value: Option<String>, note| rows.extend(value.map(|v| (name, v, note)));
    row("log-in", ms(f.login_ms_p50), p99(f.login_ms_p99));
    row("look-up", ms(f.lookup_ms_p50), note());
    let sent = format!("of {} sent, {} twice", f.messages_sent, f.duplicates);
    row("delivered", Some(f.messages_delivered.to_string()), sent);
    row("message and receipt", ms(f.message_ms_p50), p99(f.message_ms_p99));
    let bound = |v: f64| format!("{v:.3} times the Moore bound");
    let hops = f.hops_over_moore.map_or(note(), bound);
    row("hops", f.hops_mean.map(|v| format!("{v:.2}")), hops);
    row("hops, 99 %", f.hops_p99.map(|v| format!("{v:.0}")), note());
    row("shortest way there is", f.hops_graph_mean.map(|v| format!("{v:.2}")), note());
    row("latency over direct", f.stretch_mean.map(|v| format!("{v:.2}")), note());
    let p95 = f.stretch_p95.map_or(note(), |v| format!("95 % within {v:.2}"));
    row("the same, pair by pair", f.stretch_pairs_mean.map(|v| format!("{v:.2}")), p95);
    let load = f.load_max_over_mean.map(|v| format!("{v:.2}"));
    row("busiest peer over mean", load, note());
    row("escalations", Some(f.escalations.to_string()), note());
    let mean = f.degree_mean.map_or(note(), |mean| format!("mean {mean:.3} at the end"));
    row("degree at most", Some(f.degree_max.to_string()), mean);
    row("delivered before the crash", share(f.delivered_before_crash), note());
    row("without any repair", share(f.delivered_before_any_repair), note());
    let first = share(f.first_try_before_repair);
    let first = first.map_or(note(), |v| format!("{v} at the first try, without the scaffold"));
    row("delivered before repair", share(f.delivered_before_repair), first);
    let after = f.hops_mean_after_repair.map_or(note(), |hops| format!("{hops:.2} hops"));
    row("delivered after repair", share(f.delivered_after_repair), after);
    row("repair", ms(f.repair_ms_p50), p99(f.repair_ms_p99));
    let sought = f.revoked_sought.map_or(note(), |v| format!("looked for {v} times"));
    row("revoked", f.revoked.map(|v| v.to_string()), sought);
    let hidden = f.consulted_hidden.map_or(note(), |v| format!("{v} were told: no such user"));
    let found = f.consulted_found.zip(f.consulted).map(|(found, of)| format!("{found} of {of}"));
    row("found while supernodes lie", found, hidden);
    let last = f.converge_ms_max.map_or(note(), |v| format!("the last after {v:.0} ms"));
    let last = p99(f.converge_ms_p99) + if last.is_empty() { "" } else { ", " } + &last;
    row("one index again after", ms(f.converge_ms_p50), last);
    row("one owner a tree after", ms(f.owners_ms_max), note());
    let of = f.compared.map_or(note(), |v| format!("of {v} asked at two supernodes"));
    row("conflicting answers", f.conflicting_answers.map(|v| v.to_string()), of);
    let buried = f.buried_by_sleepers.map_or(note(), |v| format!("{v} given up who were there"));
    row("stale writes", f.stale_writes.map(|v| v.to_string()), buried);
    let told = f.messages_given_up.map_or(note(), |v| format!("{v} given up, as told"));
    row("messages lost", f.messages_lost.map(|v| v.to_string()), told);
    let before = share(f.liars_routes_share_before).map_or(note(), |v| format!("{v} before"));
    let links = share(f.liars_links_share).map_or(note(), |v| format!(", with {v} of the links"));
    row("ways through liars", share(f.liars_routes_share), before + &links);
    let links = f.strangers_links.map_or(note(), |v| format!("made {v} links"));
    row("strangers", f.strangers.map(|v| v.to_string()), links);
    let said = f.strangers_said.map_or(note(), |v| format!("and said {v} things"));
    row("got slots", f.strangers_slots.map(|v| v.to_string()), said);
    row("got answers", f.strangers_answers.map(|v| v.to_string()), note());
    let back = f.honest_returned.map_or(note(), |v| format!("of {v} who came back"));
    row("honest let in", f.honest_let_in.map(|v| v.to_string()), back);
    row("shut out after", ms(f.shut_out_ms_p50), p99(f.shut_out_ms_p99));
    row("the same from a heal", ms(f.shut_out_healed_ms_p50), p99(f.shut_out_healed_ms_p99));
    row("their sessions over after", ms(f.sessions_over_ms_p50), p99(f.sessions_over_ms_p99));
    let healed = (ms(f.sessions_over_healed_ms_p50), p99(f.sessions_over_healed_ms_p99));
    row("the same from a heal, too", healed.0, healed.1);
    let count = |v: Option<usize>| v.unwrap_or(0);
    let ends = f.mail_written.map_or(note(), |written| {
        let (expired, returned) = (count(f.mail_expired), count(f.mail_returned));
        format!("of {written}; {expired} expired, {returned} returned, {} open", count(f.mail_open))
    });
    row("mail delivered", f.mail_delivered.map(|v| v.to_string()), ends);
    let wrong = f.mail_lost.map_or(note(), |lost| {
        let (again, late) = (f.mail_duplicates.unwrap_or(0), f.mail_out_of_order.unwrap_or(0));
        format!("{lost} lost, {again} shown again, {late} out of order")
    });
    row("mail shown after", ms(f.mail_ms_p50), p99(f.mail_ms_p99));
    row("mail gone wrong", f.mail_lost.map(|v| v.to_string()), wrong);
    membership_rows(f, &mut row);
    let fresh = f.labels_fresh_seconds.map(|secs| format!("{secs:.1} s"));
    row("labels fresh again after", fresh, note());
    storm_rows(f, &mut row);
    let control = f.control_bytes_per_peer_second.map(|v| format!("{v:.0} B/s"));
    row("control traffic a peer", control, note());
    let per = |links: Option<f64>| links.map(|v| format!("{v:.1} links"));
    let and = |labels: Option<f64>| labels.map_or(note(), |v| format!("and {v:.1} labels"));
    row("a join changes", per(f.links_changed_per_join), and(f.labels_changed_per_join));
    row("a leave changes", per(f.links_changed_per_leave), and(f.labels_changed_per_leave));
    row("stale addresses", share(f.stale_addresses_share), note());
    let state = f.state_bytes_per_peer.map(|v| format!("{:.1} KB", v / 1_024.0));
    row("state of a peer", state, note());
    let asked = f.signatures_asked.map_or(note(), |asked| format!("of {asked} asked for"));
    row("signatures verified", f.signatures_verified.map(|v| v.to_string()), asked);
    let speed = f.events_per_second.map_or(note(), |v| format!("{v:.0} a second"));
    row("events", f.events.map(|v| v.to_string()), speed);
    let wall = format!("in {:.1} s", f.wall_seconds);
    row("simulated", Some(format!("{:.1} s", f.sim_seconds)), wall);
    row("peak memory", f.peak_rss_bytes.map(|v| format!("{} MB", v >> 20)), note());
    row("trace", f.trace_hash.clone(), format!("seed {}", f.seed));
    rows
}

fn membership_rows(f: &Figures, row: &mut impl FnMut(&'static str, Option<String>, String)) {
    let secs = |v: Option<f64>| v.map_or(String::new(), |v| format!("{v:.1} s"));
    let more = format!(
        "99 % within {}, all within {}; {} died",
        secs(f.membership_secs_p99),
        secs(f.membership_secs_max),
        f.membership_deaths.unwrap_or(0)
    );
    row("death of a supernode known", f.membership_secs_p50.map(|v| format!("{v:.1} s")), more);
    let unreached = f.membership_unreached.unwrap_or(0);
    let unreached = format!("and {unreached} over links that pass one way");
    row("living ones given up", f.membership_false_deaths.map(|v| v.to_string()), unreached);
    let bytes = |v: Option<f64>| v.map(|v| format!("{v:.0} B/s"));
    let dying = bytes(f.membership_bytes_per_second_dying).unwrap_or_default();
    row(
        "traffic a supernode",
        bytes(f.membership_bytes_per_second),
        format!("{dying} while some die"),
    );
}

fn storm_rows(f: &Figures, row: &mut impl FnMut(&'static str, Option<String>, String)) {
    let secs = |value: Option<f64>| value.map(|v| format!("{v:.0} s"));
    let and =
        |what: &str, value: Option<String>| value.map_or(String::new(), |v| format!("{what} {v}"));
    let all = format!(
        "{} {}",
        and("99 % after", secs(f.storm_secs_to_99)),
        and("all after", secs(f.storm_secs_to_100))
    );
    row("half logged in again after", secs(f.storm_secs_to_50), all);
    row("usual load borne again after", secs(f.storm_secs_to_normal), String::new());
    let p99 = f.flood_login_ms_p99.map_or(String::new(), |v| format!("99 % within {v:.0} ms"));
    row("log-in during the flood", f.flood_login_ms_p50.map(|v| format!("{v:.0} ms")), p99);
    let useful = f.storm_goodput_min.map(|v| format!("{:.0} % of the capacity", 100.0 * v));
    let peak = f.storm_logins_per_second_peak.map(|v| format!("{v:.0}"));
    row("log-ins a second, at most", peak, and("never below", useful));
    let refused = f.storm_refused_per_second_peak.map(|v| format!("{v:.0} a second"));
    let count = f.storm_refused.map(|v| v.to_string());
    row("put off or refused", count, and("at most", refused));
    let each = f.storm_attempts_per_client.map(|v| format!("{v:.2}"));
    let worst = f.storm_attempts_per_client_peak.map(|v| format!("{v:.2} in the worst 10 s"));
    row("attempts of each", each, worst.unwrap_or_default());
    let homes = f.storm_homes_given_up.map(|v| format!("and {v} of their sessions"));
    let lost = f.storm_supernodes_lost.map(|v| v.to_string());
    row("supernodes lost by overload", lost, homes.unwrap_or_default());
    let line = f.storm_line_secs_max.map(|v| format!("{v:.2} s"));
    row("longest wait for a core", line, and("warning before:", secs(f.storm_warning_secs)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_apply_is_left_out() {
        let mut figures = Figures { messages_sent: 7, ..Figures::default() };
        assert!(!summary(&figures).contains("repair"));
        figures.delivered_before_repair = Some(0.9994);
        assert!(summary(&figures).contains("99.940 %"));
        let json = serde_json::to_value(&figures).expect("plain values");
        assert_eq!(json["messages_sent"], 7);
        assert!(json.get("repair_ms_p50").is_none() && json.get("partial").is_none());
    }
}
