//! `supernode status` and `supernode peers`.

use crate::api::SupernodeStatus;
use overlay_node::api::{Client, ClientError};
use overlay_node::cli::{Failure, Output, duration, printable, short, table, table_of};
use overlay_node::data::Folder;
use overlay_proto::status::Status;
use overlay_proto::view::{ChildView, MemberView};
use serde::de::DeserializeOwned;

pub(super) async fn status(folder: &Folder, out: &Output) -> Result<(), Failure> {
    let status: SupernodeStatus = get(folder, "/v1/status").await?;
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
    let peers: Vec<ChildView> = get(folder, "/v1/peers").await?;
    out.show(&peers, || match peers.is_empty() {
        true => "no peers are logged in here".to_owned(),
        false => peer_table(&peers),
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
    table_of(&[
        ("node", node.node.clone()),
        ("realm", node.realm.clone()),
        ("registers users", if node.registrar { "yes" } else { "no" }.to_owned()),
        (
            "peers",
            format!(
                "{}, with {} links up and {} free slots{}",
                node.children,
                node.links,
                node.free_slots,
                if node.draining { "; draining" } else { "" }
            ),
        ),
        ("locations", node.locations.to_string()),
        ("trees owned", node.trees_owned.to_string()),
        (
            "since the start",
            format!(
                "{} log-ins, {} refused, {} packets over the scaffold",
                node.logins, node.refused, node.escalated
            ),
        ),
        ("addresses", status.addresses.join(" ")),
        ("process", format!("{}, version {}", status.process, status.version)),
    ])
}

fn member_table(members: &[MemberView]) -> String {
    let mut shown = table(&["supernode", "state", "peers", "addresses"]);
    for member in members {
        shown.add_row([
            short(&member.node).to_owned(),
            if member.alive { "up" } else { "not heard of" }.to_owned(),
            member.children.to_string(),
            printable(&member.addresses.join(" ")),
        ]);
    }
    shown.to_string()
}

fn peer_table(peers: &[ChildView]) -> String {
    let mut shown = table(&["user", "node", "links", "trees", "on line", "address"]);
    for peer in peers {
        shown.add_row([
            printable(&peer.name),
            short(&peer.node).to_owned(),
            peer.links.to_string(),
            peer.labels.to_string(),
            duration(peer.online_secs),
            printable(&peer.address),
        ]);
    }
    shown.to_string()
}
