use super::*;
use crate::data::{Folder, Kept};
use args::{JoinArgs, PeerArgs, RunArgs};
use clap::CommandFactory;
use overlay_proto::id::{NodeId, RealmId};
use overlay_proto::identity::{Contact, Invitation};
use overlay_proto::status::Status;
use std::net::SocketAddr;

const OUT: Output = Output { json: true };

#[test]
fn every_command_has_help_with_an_example() {
    let command = PeerArgs::command();
    command.clone().debug_assert();
    for sub in command.get_subcommands() {
        let name = sub.get_name();
        assert!(sub.get_about().is_some(), "{name} says what it does");
        let example = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(example.starts_with(&format!("Example: peer {name}")), "{name}: {example}");
    }
}

/// An invitation to a realm whose only supernode has no address: nobody will answer.
fn invitation(realm: u8) -> String {
    let nobody = Contact { node: NodeId([9; 32]), addresses: Vec::new() };
    let realm = RealmId([realm; 32]);
    Invitation { realm, supernodes: vec![nobody], code: None, ticket: None }.to_string()
}

fn join_args(invitation: &str, name: &str) -> JoinArgs {
    JoinArgs { invitation: invitation.to_owned(), name: name.to_owned(), code: None }
}

#[tokio::test]
async fn a_join_that_cannot_be_leaves_no_folder() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = Folder::at(dir.path().join("data"));
    for (invitation, name, status) in [
        ("trellis1broken".to_owned(), "alice", Status::MALFORMED),
        ("https://example.org".to_owned(), "alice", Status::MALFORMED),
        (invitation(1), "al ice", Status::INVALID_NAME),
    ] {
        let done = join::join(&folder, join_args(&invitation, name), &OUT).await;
        let failure = done.expect_err("refused");
        assert_eq!((failure.problem.status, failure.code), (status, 3));
        assert!(!folder.path().exists());
    }
}

#[tokio::test]
async fn an_invitation_of_another_realm_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = Folder::at(dir.path());
    folder.keep(&Kept::new(RealmId([2; 32]), Vec::new())).expect("kept");
    let done = join::join(&folder, join_args(&invitation(1), "alice"), &OUT).await;
    assert_eq!(done.expect_err("foreign").problem.status, Status::FOREIGN_REALM);
}

#[tokio::test]
async fn a_run_without_a_join_names_the_file_that_is_missing() {
    let dir = tempfile::tempdir().expect("a folder");
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let args = RunArgs {
        listen,
        announce: Vec::new(),
        exit_with_parent: true,
        hops_only: false,
        capture: None,
    };
    let failure = run::run(&Folder::at(dir.path()), args, &OUT).await.expect_err("nobody joined");
    assert!(failure.line().contains("identity.cbor is missing"), "{}", failure.line());
    assert_eq!(failure.code, 1);
}

#[tokio::test]
async fn a_command_without_a_peer_says_how_to_start_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let command = args::PeerCommand::Status;
    let failure = commands::ask(&Folder::at(dir.path()), command, &OUT).await.expect_err("none");
    assert_eq!(failure.code, 5);
    assert!(failure.line().contains("peer run"), "{}", failure.line());
}

#[test]
fn contacts_and_devices_alone_are_listed() {
    use clap::Parser;
    for name in ["contacts", "device"] {
        let typed = PeerArgs::try_parse_from(["peer", name]).expect("taken");
        let (PeerCommand::Contacts { command: None } | PeerCommand::Device { command: None }) =
            typed.command
        else {
            panic!("{typed:?}");
        };
    }
}
