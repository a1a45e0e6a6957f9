//! `supernode status` and `supernode peers`.

use crate::api::SupernodeStatus;
use overlay_node::api::{Client, ClientError};
use overlay_node::cli::{Failure, Output, duration, printable, short, table, table_of};
use overlay_node::data::Folder;
use overlay_proto::status::Status;
use overlay_proto::view::{ChildView, MemberView, SupernodeView};
use serde::de::DeserializeOwned;
use std::cmp::Ordering;

pub(super) async fn status(folder: &Folder, out: &Output) -> Result<(), Failure> {
    let mut status: SupernodeStatus = get(folder, "/v1/status").await?;
    status.supernode.members.sort_by(order);
    out.show(&status, || {
        let glance = glance(&status);
        match status.supernode.members.is_empty() {
            true => format!("{glance}\n\nno other supernodes"),
            false => format!("{glance}\n\n{}", member_table(&status.supernode.members)),
        }
    });
    Ok(())
}

pub(super) async fn peers(folder: &Folder, out: &Output) -> Result<(), Failure> {
    let mut peers: Vec<ChildView> = get(folder, "/v1/peers").await?;
    peers.sort_by(|a, b| (&a.name, &a.node).cmp(&(&b.name, &b.node)));
    out.show(&peers, || match peers.is_empty() {
        true => "no peers are logged in here".to_owned(),
        false => format!("{}\n\n{} peers", peer_table(&peers), peers.len()),
    });
    Ok(())
}

async fn get<A: DeserializeOwned>(folder: &Folder, route: &str) -> Result<A, Failure> {
    Client::new(folder.socket()).get(route).await.map_err(not_running)
}

/// What to do where no supernode answers.
pub(super) fn not_running(error: ClientError) -> Failure {
    match error {
        ClientError::NotRunning { .. } => Failure::new(
            Status::NOT_LOGGED_IN,
            "no supernode runs in this data folder",
            "start `supernode run` in another terminal, or choose the right folder with --data DIR",
        ),
        other => other.into(),
    }
}

fn glance(status: &SupernodeStatus) -> String {
    let node = &status.supernode;
    let state = if node.draining { "draining" } else { "up" };
    let mut rows = vec![
        ("node", node.node.clone()),
        ("realm", node.realm.clone()),
        ("state", format!("{state} for {}", duration(node.uptime_secs))),
        ("registers users", if node.registrar { "yes" } else { "no" }.to_owned()),
    ];
    rows.extend(load_rows(node));
    rows.extend(done_rows(node));
    rows.push(("certificate", certificate(node.certificate_secs)));
    rows.push(("addresses", status.addresses.join(" ")));
    if let Some(address) = status.metrics {
        rows.push(("metrics", format!("http://{address}/metrics")));
    }
    rows.push(("process", format!("{}, version {}", status.process, status.version)));
    table_of(&rows)
}

/// Months before its end there is time to renew it; the log says so, too.
fn certificate(secs: u64) -> String {
    match secs {
        0 => "has ended: no supernode and no peer takes it; `supernode renew`".to_owned(),
        secs => format!("holds for {}; then `supernode renew`", duration(secs)),
    }
}

/// What it carries now.
fn load_rows(node: &SupernodeView) -> Vec<(&'static str, String)> {
    vec![
        (
            "peers",
            format!(
                "{} of at most {}; {}",
                node.children,
                node.peers_hard,
                match node.draining {
                    true => "draining: all are being sent elsewhere".to_owned(),
                    false => format!("from {} on newcomers are sent elsewhere", node.peers_soft),
                }
            ),
        ),
        ("their links", format!("{} up, {} slots free", node.links, node.free_slots)),
        ("standby for", format!("{} peers of other supernodes", node.standby_links)),
        ("locations", node.locations.to_string()),
        ("trees owned", node.trees_owned.to_string()),
        (
            "waiting",
            format!(
                "{} requests for links, {} look-ups, {} for the store",
                node.requests_open, node.finds_open, node.store_open
            ),
        ),
    ]
}

/// What it has done since its start.
fn done_rows(node: &SupernodeView) -> Vec<(&'static str, String)> {
    let counts = &node.counters;
    let refused: Vec<String> = counts
        .logins_refused
        .iter()
        .map(|refused| format!("{} for {}", refused.count, refused.status))
        .collect();
    let refused = if refused.is_empty() { "none refused".to_owned() } else { refused.join(", ") };
    vec![
        (
            "log-ins",
            format!(
                "{} tried: {} admitted, {} for a standby, {} sent elsewhere; {refused}",
                counts.logins_tried,
                counts.logins_admitted,
                counts.logins_standby,
                counts.logins_redirected
            ),
        ),
        ("takes", format!("{} log-ins a second at most", node.logins_per_second)),
        (
            "in two minutes",
            format!("{} by about {} clients", counts.recent_attempts, counts.recent_clients),
        ),
        (
            "done",
            format!(
                "{} names, {} look-ups, {} slots filled, {} packets over the scaffold",
                counts.registered,
                counts.lookups_answered,
                counts.slots_spliced + counts.slots_paired,
                node.escalated
            ),
        ),
    ]
}

/// Those that live first, of them the nearest; the order never hangs on chance.
fn order(a: &MemberView, b: &MemberView) -> Ordering {
    let far = |member: &MemberView| member.rtt_ms.unwrap_or(f64::INFINITY);
    b.alive.cmp(&a.alive).then_with(|| far(a).total_cmp(&far(b))).then_with(|| a.node.cmp(&b.node))
}

fn member_table(members: &[MemberView]) -> String {
    let headings =
        ["supernode", "state", "peers", "free slots", "round trip", "names", "addresses"];
    let mut shown = table(&headings);
    for member in members {
        shown.add_row([
            short(&member.node).to_owned(),
            state(member),
            member.children.to_string(),
            member.free_slots.to_string(),
            member.rtt_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1} ms")),
            if member.registrar { "registers" } else { "-" }.to_owned(),
            printable(&member.addresses.join(" ")),
        ]);
    }
    shown.to_string()
}

fn state(member: &MemberView) -> String {
    match (member.alive, member.draining, member.up_secs) {
        (false, ..) => format!("not heard of for {}", duration(member.heard_secs)),
        (true, true, _) => "draining".to_owned(),
        (true, false, Some(secs)) => format!("up for {}", duration(secs)),
        (true, false, None) => "up".to_owned(),
    }
}

fn peer_table(peers: &[ChildView]) -> String {
    let mut shown = table(&["user", "node", "links", "trees", "on line", "lease", "address"]);
    for peer in peers {
        shown.add_row([
            printable(&peer.name),
            short(&peer.node).to_owned(),
            format!("{}/{}", peer.links, peer.degree),
            peer.labels.to_string(),
            duration(peer.online_secs),
            duration(peer.lease_secs),
            printable(&peer.address),
        ]);
    }
    shown.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(node: &str, alive: bool, rtt_ms: Option<f64>) -> MemberView {
        MemberView {
            node: node.repeat(8),
            alive,
            children: 12,
            addresses: vec!["/ip4/192.0.2.1/tcp/4002".to_owned()],
            registrar: alive,
            draining: false,
            links: 96,
            free_slots: 3,
            rtt_ms,
            heard_secs: 7_300,
            up_secs: alive.then_some(200),
        }
    }

    #[test]
    fn members_are_shown_with_their_state_those_that_live_first_and_the_nearest_of_them() {
        let mut members = [
            member("d", false, None),
            member("c", true, None),
            member("b", true, Some(20.0)),
            member("a", true, Some(30.26)),
        ];
        members.sort_by(order);
        let nodes: String = members.iter().map(|member| &member.node[..1]).collect();
        assert_eq!(nodes, "bacd");
        let shown = member_table(&members);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[2].contains("up for 3 min") && lines[2].contains("30.3 ms"), "{shown}");
        assert!(lines[4].contains("not heard of for 2 h"), "{shown}");
        members[0].draining = true;
        assert_eq!(state(&members[0]), "draining");
    }

    #[test]
    fn a_glance_tells_state_limits_and_why_log_ins_were_refused() {
        let node = serde_json::json!({
            "version": "1", "process": 7, "addresses": ["/a"], "metrics": "127.0.0.1:9464",
            "node": "n", "realm": "r", "registrar": true, "children": 5, "locations": 6,
            "links": 40, "free_slots": 0, "trees_owned": 8, "escalated": 1, "logins": 5,
            "refused": 2, "members": [], "uptime_secs": 7_200, "peers_soft": 800,
            "peers_hard": 1000, "counters": { "logins_tried": 9, "logins_refused": [{ "status": 410, "count": 2 }] },
        });
        let status: SupernodeStatus = serde_json::from_value(node).expect("a status");
        let shown = glance(&status);
        for wanted in [
            "up for 2 h",
            "5 of at most 1000; from 800 on",
            "9 tried",
            "2 for 410 the certificate has expired",
            "http://127.0.0.1:9464/metrics",
        ] {
            assert!(shown.contains(wanted), "{wanted:?} is not in {shown}");
        }
    }
}
