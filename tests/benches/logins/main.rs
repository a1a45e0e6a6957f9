//! What log-ins, refusals and attached peers cost a supernode on real connections, against the bare
//! handshake of libp2p in the same run: `cargo bench -p overlay-tests --bench logins`. With `--json`
//! one object at the end; `--peers N` for another number of attached peers than 2,000.
//!
//! What serves runs in a process of its own, whose processor time and memory the system tells; who
//! comes runs in others. All on loopback, over TCP with Noise and Yamux.

mod serving;

use overlay_proto::identity::{Contact, Identity};
use overlay_proto::status::Status;
use overlay_tests::usage::{memory, quantile};
use overlay_tests::users::{Users, key};
use overlay_tests::visitor::{Connection, Visitor};
use serving::{Served, serve};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Handshakes, and log-ins.
const VISITS: u32 = 3_000;
/// Of them at a time.
const AT_A_TIME: usize = 16;
/// Links that stand when all of them are refused.
const STANDING: u32 = 500;
/// Peers attached for the figure of memory, unless told otherwise.
const PEERS: u32 = 2_000;
/// Attached peers run in processes of so many: each has a dozen sockets.
const PEERS_OF_A_PROCESS: u32 = 250;
/// A supernode whose peers have their places uses less than this part of a processor.
const REST: f64 = 0.25;
/// If it does not get there, it is measured as it is.
const SETTLING: Duration = Duration::from_secs(240);

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Microseconds of the serving process's processor time for one, and bytes of its memory.
#[derive(Debug, Default, serde::Serialize)]
struct Figures {
    handshake_us: f64,
    login_first_us: f64,
    login_again_us: f64,
    refused_with_connection_us: f64,
    refused_on_link_us: f64,
    peers: u32,
    attaching_us_a_peer: f64,
    bytes_a_peer: f64,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "--serve") {
        return serve(&words[1..]).await;
    }
    let number = words.iter().position(|word| word == "--peers");
    let peers = number.and_then(|at| words.get(at + 1)?.parse().ok()).unwrap_or(PEERS);
    let mut figures = Figures { peers, ..Figures::default() };
    eprintln!("bare handshakes");
    figures.handshake_us = handshakes().await?;
    eprintln!("log-ins");
    (figures.login_first_us, figures.login_again_us) = log_ins().await?;
    eprintln!("refusals");
    (figures.refused_with_connection_us, figures.refused_on_link_us) = refusals().await?;
    if peers > 0 {
        eprintln!("{peers} attached peers");
        (figures.attaching_us_a_peer, figures.bytes_a_peer) = attached(peers)?;
    }
    match words.iter().any(|word| word == "--json") {
        true => println!("{}", serde_json::to_string(&figures)?),
        false => figures.show(),
    }
    Ok(())
}

impl Figures {
    fn show(&self) {
        let line = |what: &str, micros: f64, ratio: f64| {
            println!("{what:44} {micros:10.0} {:10.0} {ratio:8.2}", 1e6 / micros);
        };
        println!(
            "{:44} {:>10} {:>10} {:>8}",
            "processor time of the server", "us", "a second", "ratio"
        );
        line("handshake of libp2p", self.handshake_us, 1.0);
        line(
            "log-in, first of a device",
            self.login_first_us,
            self.handshake_us / self.login_first_us,
        );
        line("log-in, again", self.login_again_us, self.handshake_us / self.login_again_us);
        println!("{:44} {:>29}", "", "over log-ins");
        let over = |micros: f64| self.login_first_us / micros;
        let connection = self.refused_with_connection_us;
        line("refusal with its connection", connection, over(connection));
        line(
            "refusal on a link that stands",
            self.refused_on_link_us,
            over(self.refused_on_link_us),
        );
        if self.peers > 0 {
            println!("{} attached peers:", self.peers);
            println!(
                "{:44} {:10.1} KiB",
                "memory of the supernode, each",
                self.bytes_a_peer / 1_024.0
            );
            println!(
                "{:44} {:10.0} us",
                "until all have their places, each", self.attaching_us_a_peer
            );
        }
    }
}

/// Does so many visits, some at a time. Returns what each of those that succeeded cost the server.
async fn cost<F>(
    served: &Served,
    numbers: std::ops::Range<u32>,
    visit: impl Fn(u32) -> F,
) -> Outcome<f64>
where
    F: Future<Output = Outcome<()>> + Send + 'static,
{
    let (before, all) = (served.cpu_at_rest(), numbers.len());
    let (mut running, mut failed) = (JoinSet::<Outcome<()>>::new(), 0);
    for n in numbers {
        if running.len() == AT_A_TIME
            && let Some(done) = running.join_next().await
        {
            failed += usize::from(done?.inspect_err(|error| eprintln!("  {error}")).is_err());
        }
        running.spawn(visit(n));
    }
    while let Some(done) = running.join_next().await {
        failed += usize::from(done?.is_err());
    }
    if failed * 50 > all {
        return Err(format!("{failed} of {all} visits failed").into());
    }
    Ok((served.cpu_at_rest() - before) * 1e6 / (all - failed) as f64)
}

fn expect(status: Status, expected: Status) -> Outcome<()> {
    if status == expected { Ok(()) } else { Err(format!("{status}, not {expected}").into()) }
}

async fn handshakes() -> Outcome<f64> {
    let served = Served::start(&["bare"])?;
    let address = served.contact.addresses[0].as_str().to_owned();
    let visit = move |n| {
        let address = address.clone();
        async move { Ok(Connection::dial(&key(4, n), &address).await?.close().await?) }
    };
    cost(&served, 0..VISITS, visit).await
}

/// A log-in from the dial to the answer, and the end of the link.
fn log_in(to: &Contact, expected: Status) -> impl Fn(u32) -> LogIn {
    let (users, to) = (Users::in_process(), to.clone());
    move |n| {
        let (identity, to) = (users.identity(n), to.clone());
        Box::pin(
            async move { expect(Visitor::greet(identity, &to).await?.log_in().await?, expected) },
        )
    }
}

type LogIn = std::pin::Pin<Box<dyn Future<Output = Outcome<()>> + Send>>;

async fn log_ins() -> Outcome<(f64, f64)> {
    let served = Served::start(&["supernode", "1000000"])?;
    let visit = log_in(&served.contact, Status::OK);
    let first = cost(&served, 0..VISITS, &visit).await?;
    Ok((first, cost(&served, 0..VISITS, &visit).await?))
}

async fn refusals() -> Outcome<(f64, f64)> {
    let served = Served::start(&["supernode", "1"])?;
    // Whoever comes first empties the bucket.
    for n in 0..64 {
        let _ = log_in(&served.contact, Status::OK)(n).await;
    }
    let visit = log_in(&served.contact, Status::OVERLOADED);
    let with_connection = cost(&served, 100..100 + VISITS, visit).await?;
    Ok((with_connection, refusals_on_links(&served).await?))
}

/// What it costs to refuse who has greeted already, and to end the link.
async fn refusals_on_links(served: &Served) -> Outcome<f64> {
    let (mut costs, users) = (Vec::new(), Users::in_process());
    for round in 1..5 {
        let mut visitors = Vec::new();
        for n in round * 10_000..round * 10_000 + STANDING {
            visitors.push(Visitor::greet(users.identity(n), &served.contact).await?);
        }
        let (before, mut refused) = (served.cpu_at_rest(), 0);
        for visitor in &mut visitors {
            let status = visitor.log_in().await?;
            refused += u32::from(!status.is_success());
        }
        costs.push((served.cpu_at_rest() - before) * 1e6 / f64::from(refused));
    }
    Ok(quantile(costs, 0.5))
}

/// Microseconds and bytes of a supernode for each of so many real peers, until all have their places.
fn attached(peers: u32) -> Outcome<(f64, f64)> {
    let served = Served::start(&["supernode", "1000000"])?;
    let (cpu_before, memory_before) = (served.cpu_at_rest(), memory(served.pid()));
    let mut crowds = Vec::new();
    for first in (0..peers).step_by(PEERS_OF_A_PROCESS as usize) {
        let count = PEERS_OF_A_PROCESS.min(peers - first);
        let to = served.said.to_string();
        crowds.push(Served::start(&["peers", &to, &first.to_string(), &count.to_string()])?);
        eprintln!("  {} logged in", first + count);
    }
    let began = Instant::now();
    while served.load() > REST && began.elapsed() < SETTLING {}
    eprintln!("  at rest after {} s", began.elapsed().as_secs());
    let bytes = memory(served.pid()) - memory_before;
    let micros = (served.cpu_at_rest() - cpu_before) * 1e6;
    Ok((micros / f64::from(peers), bytes as f64 / f64::from(peers)))
}

/// A user of the realm that is served here.
fn identity(n: u32) -> Identity {
    Users::in_process().identity(n)
}
