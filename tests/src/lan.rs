//! Machines in a local network of their own, made of network namespaces.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// The machines; gone when this is dropped.
#[derive(Debug)]
pub struct Lan {
    /// The namespace of each machine; the switch comes last.
    namespaces: Vec<(String, String)>,
}

impl Lan {
    /// Makes machines of these names, all at one switch. `None`, with a line that says so, where
    /// that needs rights or tools which are not here.
    pub fn new(names: &[&str]) -> Option<Lan> {
        // Tests of one process may each have one.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let tag = format!("trellis-{}-{number}", std::process::id());
        let all = names.iter().chain(["switch"].iter());
        let namespaces =
            all.map(|name| ((*name).to_owned(), format!("{tag}-{name}"))).collect::<Vec<_>>();
        let lan = Lan { namespaces };
        match lan.build(names.len()) {
            Ok(()) => Some(lan),
            Err(why) => {
                eprintln!("LEFT OUT: machines of their own cannot be made here: {why}");
                None
            }
        }
    }

    fn build(&self, machines: usize) -> Result<(), String> {
        for (_, namespace) in &self.namespaces {
            ip(&["netns", "add", namespace])?;
            ip(&["-n", namespace, "link", "set", "lo", "up"])?;
        }
        let switch = self.namespace("switch");
        ip(&["-n", switch, "link", "add", "br0", "type", "bridge"])?;
        ip(&["-n", switch, "link", "set", "br0", "up"])?;
        for (number, (name, namespace)) in self.namespaces[..machines].iter().enumerate() {
            let port = format!("port{number}");
            let ends = ["link", "add", "eth0", "netns", namespace, "type", "veth", "peer"];
            ip(&[&ends[..], &["name", &port, "netns", switch]].concat())?;
            ip(&["-n", switch, "link", "set", &port, "master", "br0", "up"])?;
            ip(&["-n", namespace, "addr", "add", &format!("{}/24", self.ip(name)), "dev", "eth0"])?;
            ip(&["-n", namespace, "link", "set", "eth0", "up"])?;
        }
        Ok(())
    }

    /// The namespace of a machine.
    ///
    /// # Panics
    /// If there is no such machine.
    pub fn namespace(&self, name: &str) -> &str {
        &self.namespaces[self.number(name)].1
    }

    /// The address of a machine.
    ///
    /// # Panics
    /// If there is no such machine.
    pub fn ip(&self, name: &str) -> String {
        format!("10.77.0.{}", self.number(name) + 1)
    }

    /// Gives a machine so many addresses more, and says which.
    ///
    /// # Panics
    /// If that does not work, or there are none left.
    pub fn more_addresses(&self, name: &str, count: usize) -> Vec<String> {
        let addresses = (0..count).map(|n| format!("10.77.0.{}", 100 + n)).collect::<Vec<_>>();
        for address in &addresses {
            let words = ["addr", "add", &format!("{address}/24"), "dev", "eth0"];
            ip(&[&["-n", self.namespace(name)], &words[..]].concat()).expect("an address");
        }
        addresses
    }

    fn number(&self, name: &str) -> usize {
        let at = self.namespaces.iter().position(|(machine, _)| machine == name);
        at.unwrap_or_else(|| panic!("there is no machine {name}"))
    }

    /// From now on all packets between two machines vanish.
    ///
    /// # Panics
    /// If that does not work.
    pub fn cut(&self, one: &str, other: &str) {
        self.route("add", one, other);
    }

    /// The packets between them come through again.
    ///
    /// # Panics
    /// If that does not work.
    pub fn mend(&self, one: &str, other: &str) {
        self.route("del", one, other);
    }

    fn route(&self, what: &str, one: &str, other: &str) {
        for (at, to) in [(one, other), (other, one)] {
            let to = format!("{}/32", self.ip(to));
            ip(&["-n", self.namespace(at), "route", what, "blackhole", &to]).expect("a route");
        }
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for (_, namespace) in &self.namespaces {
            // Not all may have been made.
            let _ = ip(&["netns", "del", namespace]);
        }
    }
}

fn ip(words: &[&str]) -> Result<(), String> {
    let done = Command::new("ip").args(words).output().map_err(|error| format!("ip: {error}"))?;
    match done.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&done.stderr).trim().to_owned()),
    }
}
