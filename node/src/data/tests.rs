use super::keys::read_private;
use super::*;
use overlay_proto::id::{MessageId, NodeId, RealmId};
use overlay_proto::identity::{
    Certificate, CertificateError, Contact, DeviceChain, Role, SecretKey, Validity,
};
use overlay_proto::io::ReceivedText;
use overlay_proto::name::Name;
use overlay_proto::status::Status;
use overlay_proto::time::{Span, WallTime};
use overlay_proto::wire::TransportAddress;
use std::fs;
use std::sync::Arc;
use tempfile::TempDir;

const NOW: WallTime = WallTime::from_secs(1_800_000_000);
const DAY: Span = Span::secs(24 * 3_600);

fn folder() -> (TempDir, Folder) {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = Folder::at(dir.path().join("new/data"));
    folder.create().expect("made");
    (dir, folder)
}

fn key(byte: u8) -> SecretKey {
    SecretKey::from_bytes([byte; 32])
}

/// A folder in which alice has joined, with certificates of a day.
fn joined() -> (TempDir, Folder) {
    let (dir, folder) = folder();
    let (root, registrar, user, device) = (key(1), key(2), key(3), key(4));
    let realm = RealmId(root.public());
    let issue = |by: &SecretKey, role, subject: &SecretKey, name| {
        let validity = Validity::starting(NOW, DAY);
        Certificate::issue(by, realm, role, subject.public(), name, 1, validity)
    };
    let chain = DeviceChain {
        registrar: issue(&root, Role::Registrar, &registrar, None),
        user: issue(&registrar, Role::User, &user, Name::new("alice").ok()),
        device: issue(&user, Role::Device, &device, None),
    };
    folder.write_key(KeyKind::User, &user).expect("written");
    folder.write_key(KeyKind::Device, &device).expect("written");
    let mut kept = Kept::new(realm, vec![contact(9)]);
    kept.chain = Some(chain);
    folder.keep(&kept).expect("written");
    (dir, folder)
}

fn contact(byte: u8) -> Contact {
    let address = TransportAddress::new("/ip4/192.0.2.7/tcp/4002").expect("short");
    Contact { node: NodeId([byte; 32]), addresses: vec![address] }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o777
}

#[test]
fn only_the_owner_can_read_anything() {
    let (_dir, folder) = joined();
    let _lock = folder.lock().expect("free");
    folder.keep_hosts(&[contact(1)]).expect("kept");
    drop(folder.inbox().expect("opened"));
    assert_eq!(mode(folder.path()), 0o700);
    let files: Vec<_> = fs::read_dir(folder.path()).expect("a folder").flatten().collect();
    assert!(files.len() >= 6, "{files:?}");
    for file in files {
        assert_eq!(mode(&file.path()), 0o600, "{file:?}");
    }
}

#[test]
fn what_was_kept_is_loaded() {
    let (_dir, folder) = joined();
    let loaded = folder.load(NOW).expect("loads");
    let chain = loaded.identity.chain().expect("registered");
    assert_eq!(chain.claimed_name().map(Name::as_str), Some("alice"));
    assert_eq!(loaded.identity.node().0, key(4).public());
    assert_eq!(loaded.contacts, [contact(9)]);
}

#[test]
fn a_key_is_never_overwritten() {
    let (_dir, folder) = joined();
    let before = fs::read(folder.file("user.key")).expect("there");
    let error = folder.write_key(KeyKind::User, &key(5)).expect_err("there already");
    assert!(matches!(error, DataError::Exists { .. }), "{error}");
    assert_eq!(fs::read(folder.file("user.key")).expect("there"), before);
}

#[test]
fn each_damaged_file_is_named_and_left_as_it_is() {
    type Damage = fn(Vec<u8>) -> Vec<u8>;
    let damages: [(&str, Damage); 4] = [
        ("empty", |_| Vec::new()),
        ("cut short", |bytes| bytes[..bytes.len() / 2].to_vec()),
        ("one digit", |mut bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] = if bytes[middle] == b'0' { b'1' } else { b'0' };
            bytes
        }),
        ("not text", |_| vec![0xff; 200]),
    ];
    for file in ["user.key", "device.key", "identity.cbor"] {
        for (what, damage) in damages {
            let (_dir, folder) = joined();
            let path = folder.file(file);
            let damaged = damage(fs::read(&path).expect("there"));
            fs::write(&path, &damaged).expect("written");
            let error = folder.load(NOW).expect_err(what).to_string();
            assert!(error.contains(file), "{file}, {what}: {error}");
            assert_eq!(fs::read(&path).expect("there"), damaged, "{file}, {what}");
        }
    }
}

#[test]
fn keys_of_another_kind_or_user_are_refused() {
    let (_dir, folder) = joined();
    fs::copy(folder.file("user.key"), folder.file("device.key")).expect("copied");
    let error = folder.load(NOW).expect_err("not a device's key");
    assert!(matches!(error, DataError::Damaged { .. }), "{error}");

    let (_dir, folder) = joined();
    fs::remove_file(folder.file("user.key")).expect("removed");
    folder.write_key(KeyKind::User, &key(6)).expect("written");
    let error = folder.load(NOW).expect_err("not the certified key");
    assert_eq!(error.status(), Status::UNPROVEN, "{error}");
}

#[test]
fn missing_files_are_named_with_the_way_out() {
    for file in ["user.key", "device.key", "identity.cbor"] {
        let (_dir, folder) = joined();
        fs::remove_file(folder.file(file)).expect("removed");
        let error = folder.load(NOW).expect_err("missing");
        assert!(matches!(error, DataError::Missing { .. }), "{error}");
        assert!(error.to_string().contains(file), "{error}");
    }
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let (_dir, folder) = joined();
    let path = folder.file("device.key");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("set");
    let error = folder.load(NOW).expect_err("exposed");
    assert!(matches!(error, DataError::Exposed { mode: 0o644, .. }), "{error}");
}

#[test]
fn certificates_hold_for_their_time_only() {
    let (_dir, folder) = joined();
    let expired = folder.load(NOW.plus(DAY)).expect_err("expired");
    assert_eq!(expired.status(), Status::EXPIRED);
    let early = folder.load(WallTime(NOW.0 - 7_200_000)).expect_err("too early");
    assert!(matches!(early, DataError::Certificate { source: CertificateError::NotYetValid, .. }));
}

#[test]
fn one_process_at_a_time() {
    let (_dir, folder) = folder();
    let lock = folder.lock().expect("free");
    let error = folder.lock().expect_err("taken");
    let DataError::InUse { process, .. } = error else { panic!("{error}") };
    assert_eq!(process, Some(std::process::id()));
    drop(lock);
    folder.lock().expect("free again");
}

#[test]
fn keys_of_a_join_are_the_same_until_it_is_refused_or_granted() {
    let (_dir, folder) = folder();
    let first = folder.joining_key(KeyKind::User).expect("made").public();
    assert_eq!(folder.joining_key(KeyKind::User).expect("kept").public(), first);
    assert!(!folder.file("user.key").exists(), "nothing looks usable");
    folder.drop_joining_key(KeyKind::User).expect("dropped");
    folder.drop_joining_key(KeyKind::User).expect("nothing to drop");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);

    let second = folder.joining_key(KeyKind::User).expect("made").public();
    assert_ne!(second, first);
    folder.keep_joining_key(KeyKind::User).expect("granted");
    folder.keep_joining_key(KeyKind::User).expect("granted already");
    assert_eq!(folder.key(KeyKind::User).expect("in force").public(), second);
    // A join begun anew has the same name only with the same key.
    assert_eq!(folder.joining_key(KeyKind::User).expect("in force").public(), second);
}

#[test]
fn a_write_that_fails_leaves_the_old_file() {
    let (_dir, folder) = joined();
    let path = folder.file("identity.cbor");
    let before = read_private(&path, 1 << 20).expect("read");
    // A folder in the way of the new file's name: the last step of the write fails.
    fs::create_dir(folder.file("hosts.json")).expect("made");
    folder.keep_hosts(&[contact(1)]).expect_err("in the way");
    assert_eq!(read_private(&path, 1 << 20).expect("read"), before);
    let strays = fs::read_dir(folder.path()).expect("a folder").flatten();
    let strays = strays.filter(|file| file.file_name().to_string_lossy().starts_with(".new-"));
    assert_eq!(strays.count(), 0, "no half-written file is left");
}

#[test]
fn the_host_cache_comes_first_and_a_damaged_one_is_passed_over() {
    let (_dir, folder) = folder();
    assert_eq!(folder.hosts(&[contact(9)]), [contact(9)]);
    folder.keep_hosts(&[contact(1), contact(9)]).expect("kept");
    assert_eq!(folder.hosts(&[contact(9), contact(2)]), [contact(1), contact(9), contact(2)]);
    fs::write(folder.file("hosts.json"), "[{]").expect("written");
    assert_eq!(folder.hosts(&[contact(9)]), [contact(9)]);
    let many: Vec<Contact> = (0..=255).map(contact).collect();
    folder.keep_hosts(&many).expect("kept");
    assert_eq!(folder.hosts(&[]).len(), overlay_proto::config::HOSTS_MAX);
}

fn text(text: &str) -> ReceivedText {
    ReceivedText {
        id: MessageId([7; 16]),
        from: Name::new("bob").expect("a name"),
        node: NodeId([8; 32]),
        text: Arc::<str>::from(text).to_string(),
        sent: NOW,
        hops: 3,
        escalated: false,
    }
}

#[test]
fn texts_are_numbered_across_starts_and_a_torn_line_is_cut_off() {
    let (_dir, folder) = folder();
    let mut inbox = folder.inbox().expect("opened");
    assert_eq!(inbox.add(&text("one"), NOW).expect("added").number, 1);
    inbox.add(&text("two\nlines"), NOW).expect("added");
    drop(inbox);
    let path = folder.file("inbox.jsonl");
    let whole = fs::read(&path).expect("there");
    fs::write(&path, [&whole, &whole[..20]].concat()).expect("torn");
    let seen = |after| -> Vec<String> {
        folder.read_inbox(after).expect("read").into_iter().map(|entry| entry.text).collect()
    };
    assert_eq!(seen(0), ["one", "two\nlines"], "readable before it is mended");
    let mut inbox = folder.inbox().expect("opened");
    assert_eq!(fs::read(&path).expect("there"), whole);
    assert_eq!(inbox.add(&text("three"), NOW).expect("added").number, 3);
    assert_eq!(seen(0), ["one", "two\nlines", "three"]);
    assert_eq!(seen(2), ["three"]);
}

#[test]
fn the_inbox_keeps_two_files_at_most() {
    let (_dir, folder) = folder();
    let mut inbox = folder.inbox().expect("opened").cut_at(1_000);
    for n in 1..=50 {
        inbox.add(&text(&n.to_string()), NOW).expect("added");
    }
    drop(inbox);
    let entries = folder.read_inbox(0).expect("read");
    assert!((5..=14).contains(&entries.len()), "{} texts in two files", entries.len());
    assert!(entries.windows(2).all(|two| two[0].number + 1 == two[1].number));
    assert_eq!(folder.inbox().expect("opened").last(), 50);
}
