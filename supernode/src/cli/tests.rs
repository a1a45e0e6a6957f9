use super::args::{InitArgs, JoinArgs, Place, Registration, Storage, SupernodeArgs};
use super::*;
use clap::CommandFactory;
use invitation::Permission;
use overlay_node::data::Folder;
use overlay_node::driver;
use overlay_node::settings;
use overlay_proto::id::RegistryId;
use overlay_proto::identity::Invitation;
use overlay_proto::status::Status;

const OUT: Output = Output { json: true };

fn place() -> Place {
    let announce = vec!["/dns4/sn.example.org/tcp/443".to_owned()];
    Place { listen: ([127, 0, 0, 1], 4_777).into(), announce }
}

fn init_args() -> InitArgs {
    let registration =
        Registration { registration: None, registration_code: Some("se\"same".to_owned()) };
    InitArgs { place: place(), registration, storage: Storage { store: None } }
}

fn join_args(invitation: String) -> JoinArgs {
    let InitArgs { place, storage, .. } = init_args();
    let registration = Registration { registration: None, registration_code: None };
    JoinArgs { invitation, place, registration, storage }
}

#[test]
fn every_command_has_help_with_an_example() {
    let command = SupernodeArgs::command();
    command.clone().debug_assert();
    for sub in command.get_subcommands() {
        let name = sub.get_name();
        assert!(sub.get_about().is_some(), "{name} says what it does");
        let example = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(example.starts_with("Example: ") && example.contains(name), "{name}: {example}");
    }
}

#[test]
fn a_realm_is_made_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = Folder::at(dir.path().join("data"));
    init::init(&folder, &init_args(), &OUT).expect("made");
    let made = folder.load(driver::wall()).expect("loads").identity;
    let keys = made.supernode.as_ref().expect("a supernode");
    assert!(keys.registrar.is_some() && keys.root.is_some());
    let again = init::init(&folder, &init_args(), &OUT).expect_err("there already");
    assert_eq!(again.problem.status, Status::FORBIDDEN);
    let kept = folder.load(driver::wall()).expect("still loads").identity;
    assert_eq!(kept.realm, made.realm);

    // Without its identity the folder still holds keys that nothing may overwrite.
    std::fs::remove_file(folder.file("identity.cbor")).expect("removed");
    let failure = init::init(&folder, &init_args(), &OUT).expect_err("keys are there");
    assert!(failure.line().contains("root.key"), "{}", failure.line());
}

#[test]
fn the_settings_that_init_writes_are_those_that_run_reads() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = Folder::at(dir.path());
    init::init(&folder, &init_args(), &OUT).expect("made");
    let args = ["supernode", "--data", dir.path().to_str().expect("a text"), "run"];
    let args: SupernodeArgs =
        settings::parse(PROGRAM, args.iter().map(Into::into).collect()).expect("reads");
    let SupernodeCommand::Run(run) = args.command else { panic!("{:?}", args.command) };
    assert_eq!(run.place.listen, place().listen);
    assert_eq!(run.place.announce, place().announce);
    assert_eq!(run.registration.registration_code.as_deref(), Some("se\"same"));
}

#[tokio::test]
async fn a_users_invitation_makes_no_supernode() {
    let dir = tempfile::tempdir().expect("a folder");
    let realm = Folder::at(dir.path().join("realm"));
    init::init(&realm, &init_args(), &OUT).expect("made");
    let identity = realm.load(driver::wall()).expect("loads").identity;
    let addresses = invitation::addresses_at(place().listen, &[]).expect("fixed");
    let contact = overlay_proto::identity::Contact { node: identity.node(), addresses };
    let text =
        invitation::make(&identity, vec![contact], Permission::User { code: None }).expect("made");
    text.parse::<Invitation>().expect("an invitation");
    let folder = Folder::at(dir.path().join("further"));
    let args = join_args(text);
    let failure = join::join(&folder, &args, &OUT).await.expect_err("no ticket");
    assert_eq!((failure.problem.status, failure.code), (Status::WRONG_ROLE, 3));
    assert!(!folder.path().exists());
}

/// The invitation with this permission of a realm that has just been made.
fn invited(dir: &std::path::Path, permission: Permission) -> String {
    let realm = Folder::at(dir.join("realm"));
    init::init(&realm, &init_args(), &OUT).expect("made");
    let identity = realm.load(driver::wall()).expect("loads").identity;
    let addresses = invitation::addresses_at(place().listen, &[]).expect("fixed");
    let contact = overlay_proto::identity::Contact { node: identity.node(), addresses };
    invitation::make(&identity, vec![contact], permission).expect("made")
}

#[tokio::test]
async fn a_registrar_joins_with_the_store_that_it_shares_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = Folder::at(dir.path().join("further"));
    let registrar = Permission::Registrar { registry: RegistryId([7; 16]) };
    let mut args = join_args(invited(dir.path(), registrar));
    let failure = join::join(&folder, &args, &OUT).await.expect_err("no store");
    assert_eq!(failure.code, 2);
    assert!(failure.line().contains("--store postgres://"), "{}", failure.line());
    args.storage.store = Some(args::StoreText("names.sqlite".to_owned()));
    let failure = join::join(&folder, &args, &OUT).await.expect_err("a file");
    assert_eq!((failure.problem.status, failure.code), (Status::FORBIDDEN, 3));
    assert!(failure.line().contains("is a file, which registrars cannot share"));
    assert!(!folder.path().exists(), "nothing was made");
}

#[tokio::test]
async fn a_supernodes_invitation_makes_no_registrar() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = Folder::at(dir.path().join("further"));
    let mut args = join_args(invited(dir.path(), Permission::Supernode));
    args.storage.store = Some(args::StoreText("postgres://ann@db/realm".to_owned()));
    let failure = join::join(&folder, &args, &OUT).await.expect_err("no registrar's ticket");
    assert_eq!((failure.problem.status, failure.code), (Status::WRONG_ROLE, 3));
    assert!(failure.line().contains("supernode invite --registrar"), "{}", failure.line());
    assert!(!folder.path().exists(), "nothing was made");
}

#[tokio::test]
async fn a_realm_on_a_file_invites_no_registrar() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = Folder::at(dir.path());
    init::init(&folder, &init_args(), &OUT).expect("made");
    let args = ["supernode", "invite", "--registrar", "--listen", "127.0.0.1:4777"];
    let args: SupernodeArgs =
        settings::parse(PROGRAM, args.iter().map(Into::into).collect()).expect("reads");
    let SupernodeCommand::Invite(args) = args.command else { panic!() };
    let failure = invite::invite(&folder, args, &OUT).await.expect_err("a file");
    assert_eq!((failure.problem.status, failure.code), (Status::FORBIDDEN, 3));
    assert!(failure.line().contains("supernode backup"), "{}", failure.line());
    assert!(!folder.file("store.sqlite").exists(), "nothing was made");
}

#[tokio::test]
async fn nobody_is_asked_where_none_runs() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = Folder::at(dir.path());
    assert_eq!(show::status(&folder, &OUT).await.expect_err("none runs").code, 5);
    assert_eq!(show::peers(&folder, &OUT).await.expect_err("none runs").code, 5);
}

#[test]
fn a_password_on_the_command_line_is_refused_and_not_repeated() {
    let words = |words: &[&str]| words.iter().map(Into::into).collect::<Vec<OsString>>();
    let url = "postgres://ann:sesame@db/realm";
    for shown in
        [&["supernode", "run", "--store", url][..], &["supernode", &format!("--store={url}")]]
    {
        let failure = store::shown_to_all(&words(shown)).expect("refused");
        assert_eq!(failure.code, 2);
        assert!(failure.line().contains("TRELLIS_STORE") && !failure.line().contains("sesame"));
    }
    let plain = ["supernode", "run", "--store", "postgres://ann@db/realm"];
    assert_eq!(store::shown_to_all(&words(&plain)), None);
    let args: SupernodeArgs =
        settings::parse(PROGRAM, words(&["supernode", "run", "--store", url])).expect("reads");
    assert!(!format!("{args:?}").contains("sesame"));
}

#[tokio::test]
async fn the_desk_works_without_a_running_supernode() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = Folder::at(dir.path().join("data"));
    init::init(&folder, &init_args(), &OUT).expect("made");
    let args = |words: &[&str]| {
        let all = [&["supernode"][..], words].concat();
        let args: SupernodeArgs =
            settings::parse(PROGRAM, all.iter().map(Into::into).collect()).expect("reads");
        args.command
    };
    let SupernodeCommand::Codes(new) = args(&["codes", "new", "--uses", "3"]) else { panic!() };
    codes::codes(&folder, &new, &OUT).await.expect("made");
    let SupernodeCommand::Codes(revoke) = args(&["codes", "revoke", "1"]) else { panic!() };
    codes::codes(&folder, &revoke, &OUT).await.expect("revoked");
    assert_eq!(codes::codes(&folder, &revoke, &OUT).await.expect_err("gone").code, 3);
    let SupernodeCommand::Users(users) = args(&["users"]) else { panic!() };
    users::users(&folder, &users, &OUT).await.expect("listed");
    let SupernodeCommand::Approve(approve) = args(&["approve", "alice"]) else { panic!() };
    assert_eq!(users::approve(&folder, &approve, &OUT).await.expect_err("nobody").code, 3);
    let file = dir.path().join("names.backup");
    let file = file.to_str().expect("plain");
    let SupernodeCommand::Backup(backup) = args(&["backup", file]) else { panic!() };
    backup::backup(&folder, &backup, &OUT).await.expect("made");
    assert_eq!(backup::backup(&folder, &backup, &OUT).await.expect_err("there").code, 1);
    let SupernodeCommand::Restore(restore) = args(&["restore", file]) else { panic!() };
    backup::restore(&folder, &restore, &OUT).await.expect("restored");
}
