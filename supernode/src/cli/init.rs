//! `supernode init`: a new realm.

use super::args::{InitArgs, Place, Registration, Storage};
use crate::realm;
use clap::ValueEnum;
use overlay_node::cli::{Failure, Output};
use overlay_node::data::{Folder, Kept, KeyKind, system_rng};
use overlay_node::driver;
use overlay_proto::id::NodeId;
use serde::Serialize;
use std::fmt::Write;

/// What `supernode init --json` prints.
#[derive(Debug, Serialize)]
struct Made {
    realm: String,
    node: String,
    data: String,
    listen: String,
}

pub(super) fn init(folder: &Folder, args: &InitArgs, out: &Output) -> Result<(), Failure> {
    folder.create()?;
    let _lock = folder.lock()?;
    folder.refuse_if_used()?;
    let made = realm::create(driver::wall(), &mut system_rng());
    folder.write_key(KeyKind::Root, &made.root)?;
    folder.write_key(KeyKind::Registrar, &made.registrar.key)?;
    folder.write_key(KeyKind::Device, &made.device)?;
    settle(folder, &args.place, Some((&args.registration, &args.storage)))?;
    let mut kept = Kept::new(made.realm, Vec::new());
    kept.supernode = Some((*made.identity().supernode.expect("made as one").certificate).clone());
    kept.registrar = Some(made.registrar.certificate.clone());
    folder.keep(&kept)?;
    let made = Made {
        realm: made.realm.to_string(),
        node: NodeId(made.device.public()).to_string(),
        data: folder.path().display().to_string(),
        listen: args.place.listen.to_string(),
    };
    out.show(&made, || {
        format!(
            "A new realm: {}\nIts keys are in {}; keep a copy of root.key where nobody else gets at it.\n\
             Go on with: supernode run, then supernode invite in another terminal",
            made.realm, made.data
        )
    });
    Ok(())
}

/// Writes the settings that `run` and `invite` will need, unless there are some.
pub(super) fn settle(
    folder: &Folder,
    place: &Place,
    registrar: Option<(&Registration, &Storage)>,
) -> Result<(), Failure> {
    let mut text = String::from(
        "# Settings of this supernode. A flag or an environment variable beats a line here.\n",
    );
    // A text in quotes with its own quotes escaped is TOML as well as JSON.
    let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
    let _ = writeln!(text, "listen = {}", quoted(&place.listen.to_string()));
    if !place.announce.is_empty() {
        let all: Vec<String> = place.announce.iter().map(|address| quoted(address)).collect();
        let _ = writeln!(text, "announce = [{}]", all.join(", "));
    }
    if let Some((registration, storage)) = registrar {
        let policy = registration.registration.and_then(|policy| policy.to_possible_value());
        let lines = [
            ("registration", policy.map(|policy| policy.get_name().to_owned())),
            ("registration-code", registration.registration_code.clone()),
            ("store", storage.store.as_ref().map(|store| store.0.clone())),
        ];
        for (key, value) in lines {
            let Some(value) = value else { continue };
            let _ = writeln!(text, "{key} = {}", quoted(&value));
        }
    }
    Ok(folder.write_settings(&text)?)
}
