//! A realm on this machine for one test.

use crate::program::{Answer, eventually, run};
use crate::running::Running;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Everybody listens at a port that the system picks.
const LISTEN: &str = "127.0.0.1:0";

/// A realm with its supernodes running. Everything ends when it is dropped.
#[derive(Debug)]
pub struct Realm {
    dir: TempDir,
    /// Supernodes; the first has the root and the registrar.
    pub supernodes: Vec<Running>,
}

impl Realm {
    /// A realm of so many supernodes, each of which knows all others.
    ///
    /// # Panics
    /// If it does not come to life.
    pub fn start(supernodes: usize) -> Realm {
        Realm::start_with(supernodes, &[])
    }

    /// The same, the first supernode made by `supernode init` with these flags.
    ///
    /// # Panics
    /// If it does not come to life.
    pub fn start_with(supernodes: usize, flags: &[&str]) -> Realm {
        let dir = TempDir::new().expect("a place for temporary files");
        let mut realm = Realm { dir, supernodes: Vec::new() };
        realm.supernode("s0", &[&["init"], flags].concat()).json();
        realm.supernodes.push(realm.run_supernode(0, LISTEN));
        for _ in 1..supernodes {
            realm.add_supernode();
        }
        realm.acquaint();
        realm
    }

    /// Adds and runs one more supernode, as the operator of the first one would.
    ///
    /// # Panics
    /// If it is not taken in.
    pub fn add_supernode(&mut self) {
        let ticket = self.invitation(&["--supernode"]);
        let folder = format!("s{}", self.supernodes.len());
        self.supernode(&folder, &["join", &ticket]).json();
        self.run_joined();
    }

    /// Runs the supernode that has joined in the next of the folders `s1`, `s2` and so on.
    ///
    /// # Panics
    /// If it does not come to life.
    pub fn run_joined(&mut self) {
        self.supernodes.push(self.run_supernode(self.supernodes.len(), LISTEN));
    }

    /// Waits until all supernodes know each other.
    ///
    /// # Panics
    /// If they never do.
    pub fn acquaint(&self) {
        let count = self.supernodes.len();
        for number in 0..count {
            eventually("supernodes that know each other", || {
                (self.members(number) + 1 == count).then_some(())
            });
        }
    }

    fn members(&self, number: usize) -> usize {
        let status = self.supernode(&format!("s{number}"), &["status"]).json();
        let members = status["members"].as_array().expect("a list");
        members.iter().filter(|member| member["alive"] == true).count()
    }

    /// Kills a supernode at once, and starts it again at the same port.
    pub fn crash_supernode(&mut self, number: usize) {
        let port = self.port(number);
        self.supernodes[number].kill9();
        self.supernodes[number] = self.run_supernode(number, &format!("127.0.0.1:{port}"));
    }

    /// The port of a supernode.
    pub fn port(&self, number: usize) -> u16 {
        let status = self.supernode(&format!("s{number}"), &["status"]).json();
        let address = status["addresses"][0].as_str().unwrap_or_default().to_owned();
        address.split('/').nth(4).and_then(|port| port.parse().ok()).expect("/ip4/A/tcp/PORT")
    }

    fn run_supernode(&self, number: usize, listen: &str) -> Running {
        let folder = self.folder(&format!("s{number}"));
        let data = folder.to_str().expect("plain");
        let words = ["run", "--data", data, "--json", "--listen", listen, "--exit-with-parent"];
        let mut running = Running::start("supernode", &words);
        running.event("listening", |_| true);
        running
    }

    /// The data folder of `name`.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The directory of all data folders.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn ask(&self, program: &str, name: &str, words: &[&str], json: bool) -> Answer {
        let folder = self.folder(name);
        let mut all = words.to_vec();
        all.extend(["--data", folder.to_str().expect("plain")]);
        if json {
            all.push("--json");
        }
        run(program, &all)
    }

    /// `supernode WORDS --json` in the folder `name`.
    pub fn supernode(&self, name: &str, words: &[&str]) -> Answer {
        self.ask("supernode", name, words, true)
    }

    /// `peer WORDS --json` in the folder `name`.
    pub fn peer(&self, name: &str, words: &[&str]) -> Answer {
        self.ask("peer", name, words, true)
    }

    /// `peer WORDS` in the folder `name`, as a person types it.
    pub fn peer_typed(&self, name: &str, words: &[&str]) -> Answer {
        self.ask("peer", name, words, false)
    }

    /// An invitation from the first supernode, with more flags.
    pub fn invitation(&self, flags: &[&str]) -> String {
        let mut words = vec!["invite"];
        words.extend(flags);
        let invited = self.supernode("s0", &words).json();
        invited["invitation"].as_str().expect("a text").to_owned()
    }

    /// Joins as `name`, in a folder of that name.
    pub fn join(&self, name: &str) -> Value {
        self.peer(name, &["join", &self.invitation(&[]), "--name", name]).json()
    }

    /// Runs the peer of `name` until it is logged in.
    pub fn run_peer(&self, name: &str) -> Running {
        let folder = self.folder(name);
        let data = folder.to_str().expect("plain");
        let mut running =
            Running::start("peer", &["run", "--data", data, "--json", "--listen", LISTEN]);
        running.event("logged_in", |_| true);
        running
    }

    /// Joins as each of `names` and runs all.
    pub fn settle(&self, names: &[&str]) -> Vec<Running> {
        names
            .iter()
            .map(|name| {
                self.join(name);
                self.run_peer(name)
            })
            .collect()
    }

    /// Waits until the peer of `name` has so many neighbours and a place in every tree.
    pub fn in_place(&self, name: &str, neighbours: u64) {
        eventually("a place in the topology", || {
            let status = self.peer(name, &["status"]).json();
            let placed = status["state"] == "online"
                && status["neighbours"].as_u64() >= Some(neighbours)
                && status["labels"] == status["trees"];
            placed.then_some(())
        });
    }

    /// The texts in the inbox of `name`, with their senders.
    pub fn inbox(&self, name: &str) -> Vec<(String, String)> {
        let page = self.peer(name, &["inbox"]).json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let messages = page["messages"].as_array().expect("a list");
        messages.iter().map(|entry| (text(&entry["from"]), text(&entry["text"]))).collect()
    }
}
