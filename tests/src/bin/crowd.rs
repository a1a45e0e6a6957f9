//! Many who come to one supernode, honest or not, from the machine on which this runs. Says in one
//! line of JSON what became of them.
//!
//! `crowd honest SUPERNODE FOLDER FIRST COUNT`: peers that log in, four at a time.
//! `crowd silent SUPERNODE COUNT SOURCES`: connections with a byte a second, from these addresses.
//! `crowd strangers SUPERNODE FOLDER FIRST COUNT`: log-ins with forged certificates, without pause.
//! `crowd deaf SUPERNODE FOLDER FIRST COUNT`: members that ask and read nothing, or next to nothing.
//!
//! SUPERNODE is `NODE@MULTIADDR`, FOLDER the data folder of the registrar, SOURCES are parted by
//! commas. All but `honest` go on until their standard input ends, and say `ready` before.

use overlay_node::driver::{self, Listen, Options};
use overlay_proto::Config;
use overlay_proto::identity::Contact;
use overlay_proto::io::{Command, Reply};
use overlay_proto::wire::message::Lookup;
use overlay_proto::wire::{TransportAddress, codec};
use overlay_tests::usage::quantile;
use overlay_tests::users::Users;
use overlay_tests::visitor::Visitor;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Honest peers at a time.
const AT_A_TIME: usize = 4;
/// Strangers of one process at a time.
const STRANGERS_AT_A_TIME: u32 = 16;
/// After an attempt that came to nothing: places that come free are taken at once.
const AGAIN: Duration = Duration::from_millis(20);
/// Between two bytes of who says next to nothing.
const DRIP: Duration = Duration::from_secs(1);
/// What a dialler says first, a byte at a time.
const FIRST: &[u8] = b"\x13/multistream/1.0.0\n\x07/noise\n";
/// Look-ups of one who does not read the answers: a megabyte of them.
const QUESTIONS: u64 = 1_000;

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["honest", to, folder, first, count] => honest(crowd(to, folder, first, count)).await,
        ["silent", to, count, sources] => silent(to, count, sources).await,
        ["strangers", to, folder, first, count] => strangers(crowd(to, folder, first, count)).await,
        ["deaf", to, folder, first, count] => deaf(crowd(to, folder, first, count)).await,
        _ => return ExitCode::from(2),
    };
    println!("{outcome}");
    ExitCode::SUCCESS
}

/// Who goes where.
#[derive(Debug, Clone)]
struct Crowd {
    users: Users,
    supernode: Contact,
    first: u32,
    count: u32,
}

fn crowd(to: &str, folder: &str, first: &str, count: &str) -> Crowd {
    Crowd {
        users: Users::of_registrar(Path::new(folder)),
        supernode: supernode(to),
        first: first.parse().expect("a number"),
        count: count.parse().expect("a number"),
    }
}

fn supernode(to: &str) -> Contact {
    let (node, address) = to.split_once('@').expect("NODE@MULTIADDR");
    let address = TransportAddress::new(address).expect("short");
    Contact { node: node.parse().expect("a node id"), addresses: vec![address] }
}

/// Until the standard input ends.
async fn until_told() {
    println!("ready");
    let read = || io::stdin().read_to_end(&mut Vec::new());
    let _ = tokio::task::spawn_blocking(read).await;
}

/// Logs in as so many peers, each with all that a peer has, and tries until it is in.
async fn honest(crowd: Crowd) -> Value {
    let mut waiting = (crowd.first..crowd.first + crowd.count).collect::<Vec<_>>();
    let (mut running, mut all) = (JoinSet::new(), Vec::new());
    loop {
        while running.len() < AT_A_TIME
            && let Some(n) = waiting.pop()
        {
            running.spawn(honest_one(crowd.clone(), n));
        }
        match running.join_next().await {
            Some(one) => all.push(one.expect("it does not panic")),
            None => break,
        }
    }
    let times: Vec<f64> = all.iter().map(|(secs, _)| *secs).collect();
    let dials_failed: u64 = all.iter().map(|(_, failed)| failed).sum();
    json!({
        "got_in": all.len(),
        "p50_secs": quantile(times.clone(), 0.5),
        "p99_secs": quantile(times, 0.99),
        "dials_failed": dials_failed,
    })
}

async fn honest_one(crowd: Crowd, n: u32) -> (f64, u64) {
    let began = Instant::now();
    let options = Options {
        identity: Arc::new(crowd.users.identity(n)),
        config: Arc::new(Config { direct: false, ..Config::default() }),
        hosts: vec![crowd.supernode],
        listen: Listen { ip: IpAddr::from([0, 0, 0, 0]), port: 0, announce: Vec::new() },
        store: None,
        keeper: None,
        measure_logins: false,
        capture: None,
    };
    let handle = driver::start(options).await.expect("a free port");
    while !matches!(handle.command(Command::Login).await, Reply::LoggedIn { .. }) {
        sleep(Duration::from_millis(50)).await;
    }
    let secs = began.elapsed().as_secs_f64();
    let failed = handle.counters().await.dials_failed;
    handle.shutdown().await;
    (secs, failed)
}

/// Opens connections and says a byte a second on each; who is turned away comes again.
async fn silent(to: &str, count: &str, sources: &str) -> Value {
    let address = supernode(to).addresses[0].as_str().to_owned();
    let mut parts = address.split('/').skip(2).step_by(2);
    let mut part = || parts.next().expect("/ip4/A/tcp/PORT");
    let to = SocketAddr::new(part().parse().expect("an ip"), part().parse().expect("a port"));
    let sources: Vec<IpAddr> = sources.split(',').map(|ip| ip.parse().expect("an ip")).collect();
    let (open, turned_away) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut running = JoinSet::new();
    for n in 0..count.parse::<usize>().expect("a number") {
        let (open, turned_away) = (Arc::clone(&open), Arc::clone(&turned_away));
        let source = sources[n % sources.len()];
        running.spawn(async move {
            loop {
                if let Ok(one) = dripping(source, to, &open).await {
                    match one {}
                }
                turned_away.fetch_add(1, Ordering::Relaxed);
                sleep(AGAIN).await;
            }
        });
    }
    until_told().await;
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    json!({ "open": read(&open), "turned_away": read(&turned_away) })
}

async fn dripping(
    source: IpAddr,
    to: SocketAddr,
    open: &AtomicU64,
) -> io::Result<std::convert::Infallible> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(source, 0))?;
    let mut stream = socket.connect(to).await?;
    open.fetch_add(1, Ordering::Relaxed);
    let outcome = async {
        for byte in FIRST.iter().cycle() {
            stream.write_all(&[*byte]).await?;
            let mut answer = [0; 64];
            match timeout(DRIP, stream.read(&mut answer)).await {
                Ok(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(Err(error)) => return Err(error),
                Ok(Ok(_)) => sleep(DRIP).await,
                Err(_) => {}
            }
        }
        Err(io::ErrorKind::Other.into())
    };
    let outcome = outcome.await;
    open.fetch_sub(1, Ordering::Relaxed);
    outcome
}

/// Asks for sessions with certificates that somebody else has signed, one attempt after the other.
async fn strangers(crowd: Crowd) -> Value {
    let users = crowd.users.forged();
    let answers = Arc::new(Mutex::new(BTreeMap::<u16, u64>::new()));
    let failed = Arc::new(AtomicU64::new(0));
    let mut running = JoinSet::new();
    for worker in 0..STRANGERS_AT_A_TIME {
        let (users, supernode) = (users.clone(), crowd.supernode.clone());
        let (answers, failed) = (Arc::clone(&answers), Arc::clone(&failed));
        running.spawn(async move {
            for turn in 0.. {
                let n = crowd.first + (worker + turn * STRANGERS_AT_A_TIME) % crowd.count;
                let answer = async {
                    let mut visitor = Visitor::greet(users.identity(n), &supernode).await?;
                    visitor.log_in().await
                };
                match timeout(Duration::from_secs(10), answer).await {
                    Ok(Ok(status)) => {
                        let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
                        *answers.entry(status.0).or_default() += 1;
                    }
                    _ => {
                        failed.fetch_add(1, Ordering::Relaxed);
                        sleep(Duration::from_millis(20)).await;
                    }
                }
            }
        });
    }
    until_told().await;
    let answers = answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
    json!({ "answers": answers, "failed": failed.load(Ordering::Relaxed) })
}

/// A member, who comes again until it is in.
async fn member(crowd: &Crowd, n: u32) -> Visitor {
    loop {
        if let Ok(mut visitor) = Visitor::greet(crowd.users.identity(n), &crowd.supernode).await
            && visitor.log_in().await.is_ok_and(|status| status.is_success())
        {
            return visitor;
        }
        sleep(AGAIN).await;
    }
}

/// Logs in and asks. Of three one never reads an answer, one stops its whole connection, and one reads a
/// little now and then.
async fn deaf(crowd: Crowd) -> Value {
    let mut visitors = Vec::new();
    for n in crowd.first..crowd.first + crowd.count {
        visitors.push((n, member(&crowd, n).await));
    }
    let mut running = JoinSet::new();
    for (n, mut visitor) in visitors {
        running.spawn(async move {
            for id in 0..QUESTIONS {
                let (name, nonce) = (Users::name(n), id + 1);
                let lookup = Lookup { id, name, nonce, careful: false };
                let frame = codec::encode(&lookup.into()).expect("fits");
                let sent = timeout(DRIP, visitor.link.send(&frame)).await;
                if !matches!(sent, Ok(Ok(()))) {
                    break;
                }
            }
            match n % 3 {
                0 => visitor.link.freeze(),
                1 => {
                    while !visitor.link.is_over() {
                        let _ = timeout(DRIP, visitor.link.receive()).await;
                        sleep(DRIP).await;
                    }
                }
                _ => {}
            }
            visitor
        });
    }
    until_told().await;
    let visitors = running.join_all().await;
    let over = visitors.iter().filter(|visitor| visitor.link.is_over()).count();
    json!({ "links": visitors.len(), "over": over })
}
