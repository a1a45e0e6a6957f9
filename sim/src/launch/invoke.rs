//! The command lines of the children, and what is read from their answers.

use super::plan::Options;
use overlay_node::api::ApiEvent;
use std::ffi::OsString;
use std::path::Path;

/// Every node listens on this machine only, at a port that the system picks.
const LISTEN: &str = "127.0.0.1:0";
/// Every invitation begins so.
const INVITATION: &str = "trellis1";

fn words<const N: usize>(words: [&str; N], data: &Path) -> Vec<OsString> {
    let mut all: Vec<OsString> = words.into_iter().map(OsString::from).collect();
    all.extend(["--data".into(), data.into(), "--json".into()]);
    all
}

fn listen() -> [OsString; 2] {
    ["--listen".into(), LISTEN.into()]
}

/// Where a node listens that was at this port before.
fn listen_again(port: u16) -> [OsString; 2] {
    ["--listen".into(), format!("127.0.0.1:{port}").into()]
}

/// `supernode init`.
pub(super) fn init(data: &Path) -> Vec<OsString> {
    words(["init"], data)
}

/// `supernode join`.
pub(super) fn join_scaffold(data: &Path, invitation: &str) -> Vec<OsString> {
    words(["join", invitation], data)
}

/// `supernode invite`, for a further supernode or for users.
pub(super) fn invite(data: &Path, to_scaffold: bool) -> Vec<OsString> {
    let mut all = words(["invite"], data);
    all.extend(to_scaffold.then(|| "--supernode".into()));
    all
}

/// `supernode run`, at `port` if it was there before. The shape of the topology is the supernodes'
/// to tell.
pub(super) fn run_supernode(data: &Path, options: &Options, port: Option<u16>) -> Vec<OsString> {
    let (degree, trees) = (options.degree.to_string(), options.trees.to_string());
    let mut all = words(["run", "--exit-with-parent"], data);
    all.extend(port.map_or_else(listen, listen_again));
    all.extend(["--degree".into(), degree.into(), "--trees".into(), trees.into()]);
    all
}

/// `peer run`.
pub(super) fn run_peer(data: &Path) -> Vec<OsString> {
    let mut all = words(["run", "--exit-with-parent"], data);
    all.extend(listen());
    all
}

/// `peer join`.
pub(super) fn join(data: &Path, invitation: &str, name: &str) -> Vec<OsString> {
    words(["join", invitation, "--name", name], data)
}

/// The invitation in what `supernode invite` has written.
pub(super) fn invitation(written: &str) -> Option<String> {
    let begin = written.find(INVITATION)?;
    let rest = &written[begin..];
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
    Some(rest[..end].to_owned())
}

/// The event in a line of a node that runs.
pub(super) fn event(line: &str) -> Option<ApiEvent> {
    serde_json::from_str(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invitation_is_found_in_text_and_json() {
        for written in
            ["trellis1abc9\n", "{\"invitation\":\"trellis1abc9\"}", "Here: trellis1abc9."]
        {
            assert_eq!(invitation(written).as_deref(), Some("trellis1abc9"));
        }
        assert_eq!(invitation("no"), None);
    }

    #[test]
    fn events_are_told_from_other_lines() {
        let line = r#"{"event":"placed","labels":8,"neighbours":7}"#;
        assert_eq!(event(line), Some(ApiEvent::Placed { labels: 8, neighbours: 7 }));
        assert_eq!(event("on line"), None);
    }
}
