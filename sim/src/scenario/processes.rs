//! Processes of a scenario's hosts: who starts, ends and comes back, and with what.

use super::asked::Asked;
use super::stage::Stage;
use crate::world::{Crash, World};
use overlay_proto::id::NodeId;
use overlay_proto::identity::{Contact, DeviceChain, Identity};
use overlay_proto::io::Command;
use overlay_proto::node::Setup;
use overlay_proto::time::Time;
use overlay_proto::{Config, Node};
use overlay_supernode::remembered::Remembered;
use rand::{Rng, RngExt};
use std::sync::Arc;

/// Supernodes that an invitation names.
const INVITED_TO: usize = 3;

impl Stage<'_> {
    /// Starts the next supernode.
    pub(super) fn start_supernode(&mut self) {
        let first = self.supernodes.is_empty();
        let identity = self.realm.supernode(first);
        let hosts = self.supernodes.iter().take(INVITED_TO).cloned().collect();
        let (node, host) = self.start(identity.clone(), hosts);
        self.supernode_hosts.push((host, identity));
        self.supernode_started(host);
        let addresses = vec![World::<Node>::address(host)];
        self.supernodes.push(Contact { node, addresses });
    }

    fn supernode_started(&mut self, host: u32) {
        self.world.put_to_work(host);
        self.storm.supernode_started(host, self.world.now());
    }

    /// Starts a user's host and has it log in, after registering if it has to.
    pub(super) fn start_user(&mut self, user: usize) {
        debug_assert_eq!(user, self.users.len(), "users arrive in order");
        let name = self.population.name(user);
        let identity =
            if self.registers(user) { self.realm.newcomer() } else { self.realm.user(name) };
        if let (Some(chain), Some(user)) = (identity.chain(), &identity.user) {
            self.world.know(name.clone(), user.public(), chain.user.serial);
        }
        self.users.push(identity.clone());
        let contacts = self.invited_to();
        let (_, host) = self.start(identity, contacts);
        debug_assert_eq!(host, self.population.host(user));
        self.log_in(user);
    }

    fn registers(&self, user: usize) -> bool {
        let every = self.scenario.population.register_every;
        every > 0 && user.is_multiple_of(every)
    }

    /// Has a user's process, which has just been started, log in, after registering if it has to.
    fn log_in(&mut self, user: usize) {
        let host = self.population.host(user);
        self.degree.started(host);
        self.standing.started(host, self.world.now());
        self.liveness.told_to_log_in(host, self.world.now());
        if self.users[user].chain().is_none() {
            let name = self.population.name(user).clone();
            let command = Command::Register { name, code: None };
            self.world.command(host, Asked::Register.id(), command);
        } else {
            self.world.command(host, Asked::Login.id(), Command::Login);
        }
        self.look();
    }

    /// A user has its certificates now; they are on its disk when it comes back.
    pub(super) fn registered(&mut self, host: u32, chain: &Arc<DeviceChain>) {
        let user = self.population.user(host).and_then(|user| self.users.get_mut(user));
        if let Some(user) = user.and_then(|identity| Arc::make_mut(identity).user.as_mut()) {
            user.chain = Some(chain.clone());
        }
        self.world.command(host, Asked::Login.id(), Command::Login);
    }

    /// Ends processes of users. What was under way from and to them may be lost.
    pub(super) fn end_users(&mut self, users: &[usize], how: Crash) {
        let hosts: Vec<u32> = users.iter().map(|user| self.population.host(*user)).collect();
        let now = self.now();
        self.world.crash(&hosts, how);
        self.standing.crashed(&hosts, now);
        users.iter().for_each(|user| self.delivery.left(*user, now));
        hosts.iter().for_each(|host| self.presence.ended(*host, now));
    }

    /// Has a user log out; its process lives on until somebody ends it.
    pub(super) fn log_out(&mut self, user: usize) {
        let (host, now) = (self.population.host(user), self.now());
        self.delivery.left(user, now);
        self.liveness.told_to_log_out(host);
        self.world.command(host, Asked::Logout.id(), Command::Logout);
        self.look();
    }

    /// A device has written down which supernodes it knows.
    pub(super) fn remembers(&mut self, host: u32, contacts: &[Contact]) {
        let Some(user) = self.population.user(host) else { return };
        let number = |contact: &Contact| {
            let at = self.supernodes.iter().position(|known| known.node == contact.node)?;
            u16::try_from(at).ok()
        };
        self.caches[user] = contacts.iter().filter_map(number).collect();
    }

    /// The numbers of the supernodes that live.
    pub(super) fn live_supernodes(&self) -> Vec<usize> {
        let all = 0..self.supernode_hosts.len();
        all.filter(|index| self.world.is_alive(self.supernode_host(*index))).collect()
    }

    /// The host of a supernode's last process.
    pub(super) fn supernode_host(&self, index: usize) -> u32 {
        self.supernode_hosts[index].0
    }

    /// Starts all supernodes again that are down, where they were.
    pub(super) fn restart_supernodes(&mut self) {
        for index in 0..self.supernode_hosts.len() {
            let (ended, identity) = self.supernode_hosts[index].clone();
            if !self.world.is_alive(ended) {
                let others = self.supernodes.iter().filter(|other| other.node != identity.node());
                let hosts = others.take(INVITED_TO).cloned().collect();
                self.population.came_back(None);
                self.supernode_hosts[index].0 = self.world.next_host();
                self.start_again(ended, true, identity, hosts);
                self.supernode_started(self.supernode_hosts[index].0);
            }
        }
        self.look();
    }

    /// A user whose process has ended is back with a new one, at a new address every other time.
    pub(super) fn return_user(&mut self, user: usize) {
        let ended = self.population.host(user);
        let keeps_address = self.births.random();
        let identity = self.users[user].clone();
        let mut contacts = self.invited_to();
        contacts
            .extend(self.caches[user].iter().map(|at| self.supernodes[usize::from(*at)].clone()));
        self.population.came_back(Some(user));
        self.start_again(ended, keeps_address, identity, contacts);
        self.log_in(user);
    }

    fn start_again(&mut self, ended: u32, keep: bool, who: Arc<Identity>, hosts: Vec<Contact>) {
        let node = self.node(who.clone(), hosts);
        let host = self.world.start_again(ended, keep, node);
        self.population.runs(who.node(), host);
        self.standing.make_room(host);
        self.degree.started(host);
    }

    /// Starts a node that shows a certificate which nobody of the realm has signed.
    pub(super) fn start_attacker(&mut self) -> u32 {
        let name = self.population.name(0).clone();
        let identity = self.realm.impostor(&name);
        let hosts = self.invited_to();
        self.population.came_back(None);
        let (_, host) = self.start(identity, hosts);
        self.standing.make_room(host);
        self.degree.started(host);
        self.liveness.is_nobodys(host);
        host
    }

    /// A few supernodes, each equally likely.
    fn invited_to(&mut self) -> Vec<Contact> {
        let mut order: Vec<usize> = (0..self.supernodes.len()).collect();
        let few = INVITED_TO.min(order.len());
        for place in 0..few {
            let drawn = self.births.random_range(place..order.len());
            order.swap(place, drawn);
        }
        order[..few].iter().map(|index| self.supernodes[*index].clone()).collect()
    }

    fn start(&mut self, identity: Arc<Identity>, hosts: Vec<Contact>) -> (NodeId, u32) {
        let id = identity.node();
        let node = self.node(identity, hosts);
        self.population.runs(id, self.world.next_host());
        let host = self.world.start(id, node, &mut self.births);
        (id, host)
    }

    /// A fresh process of somebody.
    fn node(&mut self, identity: Arc<Identity>, hosts: Vec<Contact>) -> Node {
        let mut seed = [0; 32];
        self.births.fill_bytes(&mut seed);
        // The wall clock of set-up has moved on since; a node is told what it shows now.
        let now = self.world.now();
        let wall = self.realm.wall_at_start().plus(now.since(Time(0)));
        Node::new(Setup { config: self.config_of(&identity), identity, hosts, seed, wall }, now)
    }

    /// Where work takes time, a supernode remembers what it has checked, as the program does.
    fn config_of(&self, identity: &Identity) -> Arc<Config> {
        if identity.supernode.is_none() || self.scenario.work().is_free() {
            return self.config.clone();
        }
        let verifier = Arc::new(Remembered::new(self.verifier.clone()));
        Arc::new(Config { verifier, ..Config::clone(&self.config) })
    }
}
