//! A realm on this machine for one test.

use crate::lan::Lan;
use crate::program::{Answer, eventually, run_in};
use crate::running::Running;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use tempfile::TempDir;

/// Everybody listens at a port that the system picks.
const LISTEN: &str = "127.0.0.1:0";
/// The port of supernodes at addresses of their own; each realm of a process takes the next.
const FIXED_PORT: u16 = 4_001;

/// A realm with its supernodes running. Everything ends when it is dropped.
#[derive(Debug)]
pub struct Realm {
    dir: TempDir,
    /// The machines on which the nodes run, if it is not just this one.
    pub lan: Option<Lan>,
    /// What every supernode is run with from now on.
    pub run_flags: Vec<String>,
    /// The port of supernodes at addresses of their own, where they come back after any time. What
    /// the system picks somebody else may have by then.
    fixed_port: Option<u16>,
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
        let mut realm = Realm {
            dir,
            lan: None,
            run_flags: Vec::new(),
            fixed_port: None,
            supernodes: Vec::new(),
        };
        realm.supernode("s0", &[&["init"], flags].concat()).json();
        realm.fill(supernodes);
        realm
    }

    /// A realm of so many supernodes, each at an address of its own, to which it comes back.
    ///
    /// # Panics
    /// If it does not come to life.
    pub fn start_at_fixed_addresses(supernodes: usize) -> Realm {
        static REALMS: AtomicU16 = AtomicU16::new(0);
        let dir = TempDir::new().expect("a place for temporary files");
        let fixed_port = Some(FIXED_PORT + REALMS.fetch_add(1, Ordering::Relaxed));
        let mut realm =
            Realm { dir, lan: None, run_flags: Vec::new(), fixed_port, supernodes: Vec::new() };
        realm.supernode("s0", &["init"]).json();
        realm.fill(supernodes);
        realm
    }

    fn fill(&mut self, supernodes: usize) {
        self.run_joined();
        for _ in 1..supernodes {
            self.add_supernode();
        }
        self.acquaint();
    }

    /// A realm of one supernode, run with these flags.
    ///
    /// # Panics
    /// If it does not come to life.
    pub fn start_running(flags: &[&str]) -> Realm {
        let dir = TempDir::new().expect("a place for temporary files");
        let run_flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let mut realm =
            Realm { dir, lan: None, run_flags, fixed_port: None, supernodes: Vec::new() };
        realm.supernode("s0", &["init"]).json();
        realm.run_joined();
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

    /// Runs the supernode that has joined in the next of the folders `s0`, `s1` and so on.
    ///
    /// # Panics
    /// If it does not come to life.
    pub fn run_joined(&mut self) {
        let number = self.supernodes.len();
        let running = self.run_supernode(number, &self.listen(&format!("s{number}")));
        self.supernodes.push(running);
    }

    /// A realm of one supernode, `s0`, run with these flags, on machines of their own for it and for
    /// those of `names`. `None` where no such machines can be made.
    ///
    /// # Panics
    /// If it does not come to life.
    pub fn start_on_machines(names: &[&str], flags: &[&str]) -> Option<Realm> {
        let lan = Some(Lan::new(&[&["s0"], names].concat())?);
        let dir = TempDir::new().expect("a place for temporary files");
        let run_flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let mut realm = Realm { dir, lan, run_flags, fixed_port: None, supernodes: Vec::new() };
        realm.supernode("s0", &["init"]).json();
        realm.run_joined();
        Some(realm)
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

    /// Starts a supernode again that was killed: at its own address if it has one, else at any port.
    pub fn revive_supernode(&mut self, number: usize) {
        self.supernodes[number] = self.run_supernode(number, &self.listen(&format!("s{number}")));
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
        let mut words = vec!["run", "--data", data, "--json", "--listen", listen];
        words.push("--exit-with-parent");
        words.extend(self.run_flags.iter().map(String::as_str));
        let namespace = self.namespace(&format!("s{number}"));
        let mut running = Running::start_in(namespace, "supernode", &words);
        running.event("listening", |_| true);
        running
    }

    /// A crowd on the machine `name` that comes to the first supernode: `crowd KIND` with the rest of
    /// its arguments.
    ///
    /// # Panics
    /// If there are no machines.
    pub fn crowd(&self, name: &str, kind: &str, rest: &[&str]) -> Running {
        let status = self.supernode("s0", &["status"]).json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let to = format!("{}@{}", text(&status["node"]), text(&status["addresses"][0]));
        let words = [&[kind, to.as_str()], rest].concat();
        Running::start_in(self.namespace(name), "crowd", &words)
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
        run_in(self.namespace(name), program, &all)
    }

    fn namespace(&self, name: &str) -> Option<&str> {
        self.lan.as_ref().map(|lan| lan.namespace(name))
    }

    /// Where the node `name` listens.
    fn listen(&self, name: &str) -> String {
        let number = name.strip_prefix('s').and_then(|number| number.parse::<u8>().ok());
        match (&self.lan, self.fixed_port, number) {
            (Some(lan), ..) => format!("{}:4001", lan.ip(name)),
            // Loopback is a network of sixteen million addresses: this process has some of its own.
            (None, Some(port), Some(number)) => {
                let own = std::process::id();
                format!("127.{}.{}.{}:{port}", own / 250 % 250 + 1, own % 250 + 1, number + 1)
            }
            _ => LISTEN.to_owned(),
        }
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
        self.run_peer_with(name, &[])
    }

    /// The same with more flags.
    pub fn run_peer_with(&self, name: &str, flags: &[&str]) -> Running {
        let folder = self.folder(name);
        let data = folder.to_str().expect("plain");
        let listen = self.listen(name);
        let words = [&["run", "--data", data, "--json", "--listen", &listen], flags].concat();
        let mut running = Running::start_in(self.namespace(name), "peer", &words);
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

    /// Begins to run the peer of `name`, and does not wait for its log-in.
    pub fn begin_peer(&self, name: &str) -> Running {
        let folder = self.folder(name);
        let data = folder.to_str().expect("plain");
        let words = ["run", "--data", data, "--json", "--listen", &self.listen(name)];
        Running::start_in(self.namespace(name), "peer", &words)
    }

    /// `peer WORDS --json` in the folder of `name`, for as long as it is held.
    pub fn staying(&self, name: &str, words: &[&str]) -> Running {
        let folder = self.folder(name);
        let words = [words, &["--json", "--data", folder.to_str().expect("plain")]].concat();
        Running::start("peer", &words)
    }

    /// The same once it is ready, and the first thing that it has said.
    pub fn ready(&self, name: &str, words: &[&str]) -> (Running, Value) {
        let mut running = self.staying(name, words);
        let said = running.line("its first line", |line| serde_json::from_str(line).ok());
        (running, said)
    }

    /// The messages that have come for `name`, oldest first.
    pub fn received(&self, name: &str) -> Vec<String> {
        let all = self.peer(name, &["messages"]).json();
        let texts = all["received"].as_array().expect("a list").iter();
        texts.map(|letter| letter["text"].as_str().expect("a text").to_owned()).collect()
    }

    /// The ids and states of the messages that `name` has written.
    pub fn written(&self, name: &str) -> Vec<(String, String)> {
        let all = self.peer(name, &["messages"]).json();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let sent = all["sent"].as_array().expect("a list").iter();
        sent.map(|sent| (text(&sent["id"]), text(&sent["state"]))).collect()
    }

    /// The texts in the inbox of `name`, with their senders.
    pub fn inbox(&self, name: &str) -> Vec<(String, String)> {
        let page = self.peer(name, &["inbox"]).json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let messages = page["messages"].as_array().expect("a list");
        messages.iter().map(|entry| (text(&entry["from"]), text(&entry["text"]))).collect()
    }
}
