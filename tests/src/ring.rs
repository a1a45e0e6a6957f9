//! A ring of peers in this process, each on a thread of its own, so that what each costs can be told
//! apart. The way between two that stand opposite leads over all between them.

use crate::users::{Users, supernode};
use overlay_node::driver::{self, Handle, Listen, Options};
use overlay_node::session::Sessions;
use overlay_proto::Config;
use overlay_proto::id::NodeId;
use overlay_proto::identity::{Contact, Identity, SecretKey};
use overlay_proto::io::{Command, Reply};
use overlay_proto::name::Name;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::runtime;

/// One ring is whole within a few seconds.
const PATIENCE: Duration = Duration::from_secs(15);
/// Each in the ring has one on either side.
const DEGREE: usize = 2;

/// A thread with a runtime of its own.
#[derive(Debug, Clone)]
pub struct Thread {
    /// What runs there.
    pub runtime: runtime::Handle,
    /// The system's number of it.
    id: u64,
}

impl Thread {
    /// Starts one. It ends with the process.
    ///
    /// # Panics
    /// If the system gives no thread.
    pub fn start(name: &str) -> Thread {
        let (started, thread) = mpsc::channel();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let runtime = runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.expect("the system gives a runtime");
                // The link of /proc/thread-self names process and thread.
                let own = std::fs::read_link("/proc/thread-self").expect("a proc file system");
                let id = own.file_name().and_then(|id| id.to_str()?.parse().ok());
                let id = id.expect("the number of a thread");
                let told = started.send(Thread { runtime: runtime.handle().clone(), id });
                told.expect("somebody waits for it");
                runtime.block_on(std::future::pending::<()>());
            })
            .expect("the system gives a thread");
        thread.recv().expect("it has just started")
    }

    /// The processor time that it has used, in seconds.
    ///
    /// # Panics
    /// Without a proc file system.
    pub fn cpu(&self) -> f64 {
        let path = format!("/proc/self/task/{}/schedstat", self.id);
        let stat = std::fs::read_to_string(path).expect("a proc file system");
        let nanos: u64 = stat.split(' ').next().and_then(|n| n.parse().ok()).expect("a number");
        nanos as f64 / 1e9
    }

    /// Runs `work` there and waits for it.
    ///
    /// # Panics
    /// If it does.
    pub fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let (done, outcome) = mpsc::channel();
        self.runtime.spawn(async move {
            let _ = done.send(work.await);
        });
        outcome.recv().expect("the work did not panic")
    }
}

/// One peer of the ring.
#[derive(Debug, Clone)]
pub struct Member {
    /// Where it runs.
    pub thread: Thread,
    /// The node.
    pub handle: Handle,
    /// Its user.
    pub name: Name,
    device: SecretKey,
}

impl Member {
    /// Begins to take sessions.
    ///
    /// # Panics
    /// The second time, or if the member's port was taken.
    pub fn start_sessions(&self) -> Sessions {
        let (handle, device) = (self.handle.clone(), self.device.clone());
        self.thread
            .run(async move { Sessions::start(&handle, &device).expect("TLS").expect("the first") })
    }

    /// Who forwards what this member sends to `to`, in order, if it arrives.
    fn way(&self, to: &Member) -> Option<Vec<NodeId>> {
        let (handle, name) = (self.handle.clone(), to.name.clone());
        let trace =
            self.thread.run(async move { handle.command(Command::Trace { to: name }).await });
        let Reply::Traced { hops, arrived: true } = trace else { return None };
        let (_, between) = hops.split_last()?;
        Some(between.iter().map(|hop| hop.node).collect())
    }
}

/// The ring.
#[derive(Debug)]
pub struct Ring {
    _supernode: Handle,
    /// All in it.
    pub members: Vec<Member>,
}

fn options(identity: Identity, hosts: Vec<Contact>) -> Options {
    Options {
        identity: Arc::new(identity),
        config: Arc::new(Config { degree: DEGREE, direct: false, ..Config::default() }),
        hosts,
        listen: Listen { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 0, announce: Vec::new() },
        store: None,
        keeper: None,
        measure_logins: false,
        capture: None,
    }
}

impl Ring {
    /// A ring of `count` peers, all in place.
    ///
    /// # Panics
    /// If nodes do not start.
    pub fn start(count: u8) -> Ring {
        // With two links each, chance may make two rings of them: then once more.
        loop {
            if let Some(ring) = Ring::attempt(count) {
                return ring;
            }
        }
    }

    fn attempt(count: u8) -> Option<Ring> {
        let home = Thread::start("supernode");
        let supernode = options(supernode(), Vec::new());
        let supernode = home.run(driver::start(supernode)).expect("a free port");
        let hosts = vec![Contact { node: supernode.id(), addresses: supernode.addresses() }];
        let members: Vec<Member> = (0..count).map(|n| member(n, hosts.clone())).collect();
        let whole = |member: &Member| {
            let handle = member.handle.clone();
            let view = member.thread.run(async move { handle.peer_view().await });
            view.is_some_and(|view| view.neighbours == DEGREE && view.labels == view.trees)
        };
        let began = Instant::now();
        while !members.iter().all(whole) {
            if began.elapsed() > PATIENCE {
                for member in members {
                    member.thread.run(async move { member.handle.shutdown().await });
                }
                return None;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(Ring { _supernode: supernode, members })
    }

    /// Two members with `forwarders` others on the shortest way between them, none of them in `busy`, and all
    /// the others. Two ways lead to who stands opposite, equally long. If there are two members whose
    /// packets take the same way there and back, it is these, as in a chain.
    ///
    /// # Panics
    /// If the ring is too small.
    pub fn apart(&self, busy: &[&Member], forwarders: usize) -> (&Member, &Member, Vec<&Member>) {
        let is_free = |member: &&Member| busy.iter().all(|busy| busy.name != member.name);
        let mut found = None;
        for from in self.members.iter().filter(is_free) {
            for to in self.members.iter().filter(is_free).filter(|to| to.name != from.name) {
                let Some(there) = from.way(to).filter(|way| way.len() == forwarders) else {
                    continue;
                };
                let mut back = to.way(from).unwrap_or_default();
                back.reverse();
                found = Some((from, to));
                if there == back {
                    return (from, to, self.others(from, to));
                }
            }
        }
        let (from, to) = found.expect("the ring is large enough");
        (from, to, self.others(from, to))
    }

    fn others(&self, from: &Member, to: &Member) -> Vec<&Member> {
        let is_other = |member: &&Member| member.name != from.name && member.name != to.name;
        self.members.iter().filter(is_other).collect()
    }
}

fn member(n: u8, hosts: Vec<Contact>) -> Member {
    let name = Users::name(n.into());
    let thread = Thread::start(name.as_str());
    let options = options(Users::in_process().identity(n.into()), hosts);
    let device = options.identity.device.clone();
    let handle = thread.run(async move {
        let handle = driver::start(options).await.expect("a free port");
        let reply = handle.command(Command::Login).await;
        assert!(matches!(reply, Reply::LoggedIn { .. }), "{reply:?}");
        handle
    });
    Member { thread, handle, name, device }
}
