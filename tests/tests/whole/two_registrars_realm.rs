//! A realm with two registrars, each a `supernode` process of its own, on one PostgreSQL database.

use crate::cluster::Cluster;
use overlay_node::driver::{self, Handle, Listen, Options};
use overlay_proto::Config;
use overlay_proto::id::{NodeId, RealmId};
use overlay_proto::identity::verify::StrictVerifier;
use overlay_proto::identity::{
    Contact, DeviceChain, Identity, Invitation, SecretKey, Subject, UserKeys,
};
use overlay_proto::io::{Command, Reply};
use overlay_proto::name::Name;
use overlay_proto::status::Status;
use overlay_supernode::store::{RegistrarStore, Registration, StorePlace};
use overlay_tests::{Realm, Running, eventually};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Names, each wanted at both registrars by two keys at the same time.
const NAMES: usize = 5_000;
/// Peers at each registrar that register names one after the other.
const PEERS: usize = 16;

/// The database of that name on a server that is up. There is no password, which the command line
/// would refuse.
fn database(cluster: &Cluster, name: &str) -> String {
    cluster.url(name).replace(":sesame@", "@")
}

/// Waits for the server by opening the store in it, which makes its tables.
fn await_server(url: &str) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    eventually("a database server that answers", || {
        let place = StorePlace::parse(url, Path::new("")).expect("a URL");
        runtime.block_on(async {
            let store = RegistrarStore::open(place, Registration::default()).await.ok()?;
            store.close().await;
            Some(())
        })
    });
}

/// A peer without a name that knows one registrar.
async fn peer(realm: RealmId, number: usize, registrar: &Contact) -> (Handle, NodeId) {
    let key = |kind: u8| {
        let mut bytes = [kind; 32];
        bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
        SecretKey::from_bytes(bytes)
    };
    let user = UserKeys { key: key(3).into(), chain: None };
    let identity = Identity { realm, device: key(4), user: Some(user), supernode: None };
    let node = identity.node();
    let options = Options {
        identity: Arc::new(identity),
        config: Arc::new(Config::default()),
        hosts: vec![registrar.clone()],
        listen: Listen { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 0, announce: Vec::new() },
        store: None,
        keeper: None,
        measure_logins: false,
        capture: None,
    };
    (driver::start(options).await.expect("a free port"), node)
}

/// What became of one try: the chain, or none if the name is taken.
type Try = (usize, NodeId, Option<Arc<DeviceChain>>);

/// Registers every `PEERS`th name from the `first` at one registrar, one after the other.
async fn register_all(realm: RealmId, first: usize, side: usize, at: Contact) -> Vec<Try> {
    let (handle, node) = peer(realm, 2 * first + side, &at).await;
    let mut tried = Vec::new();
    for number in (first..NAMES).step_by(PEERS) {
        let name = Name::new(&format!("user{number}")).expect("letters and digits");
        let outcome = loop {
            let register = Command::Register { name: name.clone(), code: None };
            match handle.command(register).await {
                Reply::Registered { chain } => break Some(chain),
                Reply::Failed { status: Status::NAME_TAKEN } => break None,
                // Nothing is promised by that. On a starved machine the two wait long for each
                // other's lock.
                Reply::Failed { status } if status.0 / 100 == 5 || status == Status::TIMEOUT => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                other => panic!("user{number}: {other:?}"),
            }
        };
        tried.push((number, node, outcome));
    }
    handle.shutdown().await;
    tried
}

/// The tries at each of the two registrars, all at the same time.
fn register_at_both(realm: RealmId, registrars: &[Contact; 2]) -> [Vec<Try>; 2] {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for first in 0..PEERS {
            for (side, registrar) in registrars.iter().enumerate() {
                let work = register_all(realm, first, side, registrar.clone());
                tasks.push((side, tokio::spawn(work)));
            }
        }
        let mut all = [Vec::new(), Vec::new()];
        for (side, task) in tasks {
            all[side].extend(task.await.expect("no panic"));
        }
        all
    })
}

/// Joins with an invitation, as `name`, in a folder of its own.
fn join(realm: &Realm, folder: &str, invitation: &str, name: &str) -> overlay_tests::Answer {
    realm.peer(folder, &["join", invitation, "--name", name])
}

fn contact_of(realm: &Realm, folder: &str) -> Contact {
    let invited = realm.supernode(folder, &["invite"]).json();
    let text = invited["invitation"].as_str().expect("a text");
    text.parse::<Invitation>().expect("an invitation").supernodes[0].clone()
}

/// A realm made with these flags and a registrar at `url`, and another one that has joined there.
fn two_registrars(url: &str, flags: &[&str]) -> Realm {
    let mut realm = Realm::start_with(1, &[&["--store", url], flags].concat());
    let ticket = realm.invitation(&["--registrar"]);
    let joined = realm.supernode("s1", &["join", &ticket, "--store", url]).json();
    assert_eq!(joined["registrar"], true);
    // A ticket makes one registrar.
    let again = realm.supernode("thief", &["join", &ticket, "--store", url]);
    assert_eq!(again.code, Some(3), "{again:?}");
    assert!(again.out.contains("used by another machine"), "{again:?}");
    realm.run_joined();
    realm.acquaint();
    realm
}

#[test]
fn a_registrar_takes_no_other_store_and_goes_out_with_its_key() {
    let Some(cluster) = Cluster::get() else { return };
    let (url, other) = (database(cluster, "template1"), database(cluster, "nowhere"));
    await_server(&url);
    let mut realm = two_registrars(&url, &["--registration", "approve"]);
    let settings = std::fs::read_to_string(realm.folder("s1").join("config.toml"));
    let settings = settings.expect("it has settings");
    assert!(settings.contains("registration = \"approve\""), "taken over: {settings}");

    // What one has noted the other one knows, and decides.
    let invitation = realm.invitation(&[]);
    assert_eq!(join(&realm, "alice", &invitation, "alice").code, Some(6));
    realm.supernode("s1", &["approve", "alice"]).json();
    join(&realm, "alice", &invitation, "alice").json();

    // The second one's own key goes out with its machine, even while that is down.
    let status = realm.supernode("s1", &["status"]).json();
    let node = status["node"].as_str().expect("a node id").to_owned();
    realm.supernodes[1].kill9();
    let refused = realm.supernode("s1", &["run", "--store", "names.sqlite"]);
    assert_eq!(refused.code, Some(3), "a file: {refused:?}");
    assert!(!realm.folder("s1").join("names.sqlite").exists(), "it was made");
    assert_ne!(realm.supernode("s1", &["run", "--store", &other]).code, Some(0));
    realm.supernode("s0", &["revoke", "--node", &node]).json();
    let lists = realm.supernode("s0", &["revocations"]).json();
    let entries = lists.as_array().expect("lists").iter();
    let entries = entries.flat_map(|list| list["entries"].as_array().expect("entries"));
    let roles: Vec<&str> = entries.filter_map(|entry| entry["role"].as_str()).collect();
    assert_eq!(roles, ["registrar", "supernode"]);
}

#[test]
fn ten_thousand_tries_at_two_registrars_and_the_loss_of_one() {
    let Some(cluster) = Cluster::get() else { return };
    let url = database(cluster, "postgres");
    await_server(&url);
    let mut realm = two_registrars(&url, &[]);
    // Another database of the same server: refused before the ticket is used up.
    let other = database(cluster, "template1");
    let ticket = realm.invitation(&["--registrar"]);
    let refused = realm.supernode("s2", &["join", &ticket, "--store", &other]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    let refused = refused.out;
    // What is there is nothing at all, or the store of the other test.
    let told = ["is not the one of this realm's registrars", "belongs to realm"];
    assert!(told.iter().any(|told| refused.contains(told)), "{refused}");
    assert!(!realm.folder("s2").exists(), "something was made");
    let registrars = [contact_of(&realm, "s0"), contact_of(&realm, "s1")];
    assert_ne!(registrars[0].node, registrars[1].node);
    let invitation = realm.invitation(&[]);
    let parsed: Invitation = invitation.parse().expect("an invitation");

    let both = register_at_both(parsed.realm, &registrars);
    let mut owners: BTreeMap<usize, NodeId> = BTreeMap::new();
    let (mut twice, mut serials, mut signers) = (0, BTreeSet::new(), [None::<Subject>; 2]);
    for (side, tries) in both.iter().enumerate() {
        assert_eq!(tries.len(), NAMES, "every try was answered");
        for (number, node, chain) in tries {
            let Some(chain) = chain else { continue };
            twice += usize::from(owners.insert(*number, *node).is_some());
            serials.insert(chain.user.serial);
            // Whoever has the realm's key believes what either has signed.
            let now = driver::wall();
            let member = chain.check(&StrictVerifier, parsed.realm, *node, now).expect("believed");
            assert_eq!(member.name.as_str(), format!("user{number}"));
            let signer = signers[side].get_or_insert(chain.registrar.subject);
            assert_eq!(*signer, chain.registrar.subject, "each signs with a key of its own");
        }
    }
    let granted: Vec<usize> = both
        .iter()
        .map(|tries| tries.iter().filter(|(.., chain)| chain.is_some()).count())
        .collect();
    println!(
        "{} tries: {} names at one registrar, {} at the other, {twice} at both",
        2 * NAMES,
        granted[0],
        granted[1]
    );
    assert_eq!(twice, 0, "names given to two keys");
    assert_eq!(owners.len(), NAMES, "every name has an owner");
    assert_eq!(serials.len(), NAMES, "every certificate has a number of its own");
    assert!(granted.iter().all(|count| *count > NAMES / 20), "they did not meet: {granted:?}");
    assert_ne!(signers[0], signers[1]);

    // Certified while both live; the invitation names the dead one, too.
    join(&realm, "alice", &invitation, "alice").json();
    realm.supernodes[0].kill9();
    join(&realm, "bob", &invitation, "bob").json();
    let refused = join(&realm, "eve", &invitation, "user7");
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.out.contains("409"), "{refused:?}");
    let _running: Vec<Running> = ["alice", "bob"].map(|name| realm.run_peer(name)).into();
}
