//! `peer device`: one user on several computers.
//!
//! The new computer makes its own key, on the disk before it asks; the user's key stays where it
//! is. See `overlay_proto::identity::pairing` for what a code protects from whom.

use super::args::{DeviceCommand, JoinDeviceArgs};
use super::ask::Asker;
use super::exit::Failure;
use super::join::{data_flag, unexpected};
use super::life::late;
use super::output::{Output, clock, duration, printable, short, table};
use crate::api::{Devices, OwnDevice};
use crate::data::{Folder, Kept, KeyKind};
use crate::driver::{self, Listen, Options};
use overlay_proto::Config;
use overlay_proto::identity::{DeviceCode, Identity};
use overlay_proto::io::{Command, Reply};
use overlay_proto::status::Status;
use overlay_proto::time::WallTime;
use serde::Serialize;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// What `peer device join --json` prints.
#[derive(Debug, Serialize)]
struct Joined {
    name: String,
    node: String,
    realm: String,
    label: String,
}

pub(super) async fn device(
    folder: &Folder,
    command: DeviceCommand,
    out: &Output,
) -> Result<(), Failure> {
    let peer = Asker::of(folder);
    match command {
        DeviceCommand::Add => {
            let made = peer.device_code().await?;
            // Alone on its line, to be copied.
            out.show(&made, || made.code.clone());
            out.note(&format!(
                "for one computer, within {}: peer device join CODE\n\
                 whoever has this code until then can be you: send it to nobody",
                duration(made.valid_secs)
            ));
        }
        DeviceCommand::Join(args) => join(folder, args, out).await?,
        DeviceCommand::List => {
            let devices = peer.devices().await?;
            out.show(&devices, || device_table(&devices));
        }
        DeviceCommand::Revoke { device } => {
            let known = peer.devices().await?;
            let found = choose(&known, &device)?;
            let done = peer.revoke_device(&found.node).await?;
            out.show(&done, || {
                format!("{} is shut out, everywhere within seconds and for good", shown(found))
            });
        }
    }
    Ok(())
}

async fn join(folder: &Folder, args: JoinDeviceArgs, out: &Output) -> Result<(), Failure> {
    let code: DeviceCode = args.code.parse()?;
    if args.label.trim().is_empty() || args.label.len() > 64 {
        return Err(Failure::usage("a label has 1 to 64 bytes"));
    }
    folder.create()?;
    let _lock = folder.lock()?;
    folder.refuse_if_joined()?;
    let device = folder.joining_key(KeyKind::Device)?;
    let identity = Identity { realm: code.realm, device, user: None, supernode: None };
    let handle = driver::start(Options {
        identity: Arc::new(identity),
        config: Arc::new(Config::default()),
        hosts: code.supernodes.clone(),
        listen: Listen { ip: Ipv4Addr::UNSPECIFIED.into(), port: 0, announce: Vec::new() },
        store: None,
        keeper: None,
        measure_logins: false,
        capture: None,
    })
    .await?;
    let (realm, contacts) = (code.realm, code.supernodes.clone());
    let asked = handle
        .command(Command::JoinDevice { code: Arc::new(code), label: args.label.trim().to_owned() });
    let reply = late(out, "asking your other device...", asked).await;
    let node = handle.id().to_string();
    handle.shutdown().await;
    let chain = match reply {
        Reply::Registered { chain } => chain,
        Reply::Failed { status } => return Err(refused(folder, status)),
        other => return Err(unexpected(&other)),
    };
    folder.keep_joining_key(KeyKind::Device)?;
    let name = chain.claimed_name().map(ToString::to_string).unwrap_or_default();
    let mut kept = Kept::new(realm, contacts);
    kept.chain = Some((*chain).clone());
    kept.key_elsewhere = true;
    folder.keep(&kept)?;
    let joined = Joined { name, node, realm: realm.to_string(), label: args.label };
    out.show(&joined, || {
        format!(
            "This computer is a device of {} now.\nGo on with: peer run{}",
            joined.name,
            data_flag(folder)
        )
    });
    Ok(())
}

fn refused(folder: &Folder, status: Status) -> Failure {
    let final_answer =
        matches!(status.0, 400..500) && ![Status::TIMEOUT, Status::OFFLINE].contains(&status);
    if final_answer && let Err(error) = folder.drop_joining_key(KeyKind::Device) {
        tracing::warn!(%error, "the key of a refused join is still there");
    }
    match status {
        Status::FORBIDDEN => Failure::new(
            status,
            "the code is used up, too old, or not the newest one",
            "make a new one with `peer device add` on your other device",
        ),
        Status::OFFLINE | Status::TIMEOUT | Status::NO_ROUTE => Failure::new(
            status,
            "your other device did not answer",
            "see that `peer run` is on line there, then make a new code with `peer device add`",
        ),
        Status::TOO_MANY => Failure::new(
            status,
            "you have as many devices as a user may have",
            "shut one out first, with `peer device revoke`",
        ),
        other => other.into(),
    }
}

/// The one device that is meant by a label or the first digits of a node id.
fn choose<'a>(known: &'a Devices, text: &str) -> Result<&'a OwnDevice, Failure> {
    let is_id = text.len() >= 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let meant = |device: &&OwnDevice| {
        device.label.as_deref() == Some(text)
            || is_id && device.node.starts_with(&text.to_ascii_lowercase())
    };
    let mut found = known.devices.iter().filter(meant);
    match (found.next(), found.next()) {
        (Some(device), None) if device.this => Err(Failure::new(
            Status::FORBIDDEN,
            "this is the device you are at",
            "ask the operator of the realm to shut the whole user out: supernode revoke NAME",
        )),
        (Some(device), None) => Ok(device),
        (Some(_), Some(_)) => Err(Failure::new(
            Status::MALFORMED,
            format!("\"{}\" means more than one device", printable(text)),
            "give the first digits of its node id, from `peer device list`",
        )),
        (None, _) => Err(Failure::new(
            Status::UNKNOWN_NAME,
            format!("there is no device \"{}\"", printable(text)),
            "see `peer device list`",
        )),
    }
}

fn shown(device: &OwnDevice) -> String {
    match &device.label {
        Some(label) => printable(label),
        None => short(&device.node).to_owned(),
    }
}

fn device_table(known: &Devices) -> String {
    let mut rows = table(&["device", "node", "added", "state", "last seen"]);
    for device in &known.devices {
        let state = match (device.revoked_ms, device.online, device.this) {
            (Some(_), ..) => "shut out",
            (None, _, true) => "this one",
            (None, true, _) => "on line",
            (None, false, _) => "off line",
        };
        rows.add_row([
            device.label.as_deref().map_or("-".to_owned(), printable),
            short(&device.node).to_owned(),
            device.added_ms.map_or("-".to_owned(), |ms| clock(WallTime(ms), driver::wall())),
            state.to_owned(),
            device.seen_ms_ago.map_or("-".to_owned(), |ms| format!("{} ago", duration(ms / 1_000))),
        ]);
    }
    rows.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(label: Option<&str>, node: &str, this: bool) -> OwnDevice {
        OwnDevice {
            label: label.map(ToOwned::to_owned),
            node: node.to_owned(),
            this,
            added_ms: None,
            revoked_ms: None,
            online: true,
            seen_ms_ago: Some(3_000),
        }
    }

    #[test]
    fn a_device_is_meant_by_its_label_or_its_id() {
        let devices = vec![
            device(None, "aaaa1111", true),
            device(Some("laptop"), "bbbb2222", false),
            device(Some("laptop"), "bbbb3333", false),
            device(Some("phone"), "cccc4444", false),
        ];
        let known = Devices { devices };
        let choose = |text| choose(&known, text).map(|device| device.node.as_str());
        assert_eq!(choose("phone").ok(), Some("cccc4444"));
        assert_eq!(choose("BBBB3").ok(), Some("bbbb3333"));
        let status = |text| choose(text).expect_err("not one").problem.status;
        assert_eq!(status("laptop"), Status::MALFORMED);
        assert_eq!(status("tablet"), Status::UNKNOWN_NAME);
        assert_eq!(status("aaaa1111"), Status::FORBIDDEN);
        assert!(device_table(&known).contains("this one"));
    }
}
