//! Sessions over three forwarders against a chain of bare TCP connections of the same length, in one
//! run: `cargo bench -p overlay-tests --bench sessions`. With `--json` one object at the end.
//!
//! Each node, and each link of the chain, runs on a thread of its own, all on loopback. Both carry the
//! same: messages of 200 bytes, one bulk stream, and a question with its answer at a time. At the end: what
//! one packet costs a forwarder, alone and in a crowd.

use overlay_node::driver::Outbound;
use overlay_node::session::{Access, Service};
use overlay_proto::io::{Command, Reply};
use overlay_proto::wire::Class;
use overlay_tests::ring::{Member, Ring, Thread};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

const FORWARDERS: usize = 3;
const MESSAGE_BYTES: usize = 200;
const MESSAGES: usize = 500_000;
const BULK_BYTES: usize = 512 * 1024 * 1024;
const CHUNK_BYTES: usize = 64 * 1024;
const QUESTIONS: usize = 2_000;
/// Bare datagrams for the cost of a packet under load, and how many of them are under way at a time: fewer
/// than fit into the queue of one link.
const DATAGRAMS: usize = 1_000_000;
const DATAGRAMS_AT_ONCE: usize = 400;
/// Between two questions of a call.
const CALL_PACE: Duration = Duration::from_millis(5);

/// What was measured of one of the two.
#[derive(Debug, Default, serde::Serialize)]
struct Figures {
    messages_per_second: f64,
    bulk_mb_per_second: f64,
    forwarder_cpu_seconds_per_gb: f64,
    /// For one question, or one answer, with nothing else under way.
    forwarder_cpu_us_alone: f64,
    round_trip_p50_us: f64,
    round_trip_p99_us: f64,
    round_trip_p99_us_under_bulk: f64,
}

/// Microseconds of a forwarder's processor for one packet.
#[derive(Debug, serde::Serialize)]
struct Packets {
    /// How large one is, with the length before it.
    bytes: f64,
    alone_us: f64,
    loaded_us: f64,
}

fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    eprintln!("a chain of TCP connections");
    let bare = bare();
    eprintln!("a ring of peers");
    let ring = Ring::start(2 * (FORWARDERS as u8 + 1));
    let (from, to, others) = ring.apart(&[], FORWARDERS);
    let ours = ours(from, to, &others);
    eprintln!("  single packets");
    // Those two have no sessions, which would take the datagrams.
    let (from, to, others) = ring.apart(&[from, to], FORWARDERS);
    let packets = packets(from, to, &others);
    if json {
        let all = serde_json::json!({ "bare": bare, "sessions": ours, "packets": packets });
        println!("{all}");
        return;
    }
    let line = |what: &str, bare: f64, ours: f64| {
        println!("{what:48} {bare:12.1} {ours:12.1} {:8.3}", ours / bare);
    };
    println!("{:48} {:>12} {:>12} {:>8}", "over 3 forwarders", "bare TCP", "sessions", "ratio");
    line("messages of 200 bytes a second", bare.messages_per_second, ours.messages_per_second);
    line("bulk, MB/s", bare.bulk_mb_per_second, ours.bulk_mb_per_second);
    line(
        "CPU of one forwarder, ms/GB",
        1e3 * bare.forwarder_cpu_seconds_per_gb,
        1e3 * ours.forwarder_cpu_seconds_per_gb,
    );
    line(
        "CPU of one forwarder, one question at a time, us",
        bare.forwarder_cpu_us_alone,
        ours.forwarder_cpu_us_alone,
    );
    line("round trip p50, us", bare.round_trip_p50_us, ours.round_trip_p50_us);
    line("round trip p99, us", bare.round_trip_p99_us, ours.round_trip_p99_us);
    line(
        "round trip p99 under bulk, us",
        bare.round_trip_p99_us_under_bulk,
        ours.round_trip_p99_us_under_bulk,
    );
    println!("\nCPU of a forwarder for one packet of {:.0} bytes", packets.bytes);
    println!("{:48} {:12.2} us", "alone", packets.alone_us);
    println!("{:48} {:12.2} us", format!("{DATAGRAMS_AT_ONCE} under way"), packets.loaded_us);
}

/// Reads everything and says at the end how much that was; answers what begins with a `q`.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut buffer = vec![0; CHUNK_BYTES];
    if stream.read_exact(&mut buffer[..1]).await.is_err() {
        return;
    }
    if buffer[0] == b'q' {
        while stream.read_exact(&mut buffer[..MESSAGE_BYTES]).await.is_ok() {
            if stream.write_all(&buffer[..MESSAGE_BYTES]).await.is_err() {
                return;
            }
            let _ = stream.flush().await;
        }
        return;
    }
    let mut count = 0_u64;
    while let Ok(taken) = stream.read(&mut buffer).await
        && taken > 0
    {
        count += taken as u64;
    }
    let _ = stream.write_u64(count).await;
    let _ = stream.shutdown().await;
}

/// Writes `count` pieces and returns the seconds until the other end has all.
async fn pour(mut stream: impl AsyncRead + AsyncWrite + Unpin, piece: usize, count: usize) -> f64 {
    let piece = vec![b'x'; piece];
    stream.write_all(b"p").await.expect("written");
    let began = Instant::now();
    for _ in 0..count {
        stream.write_all(&piece).await.expect("written");
    }
    stream.shutdown().await.expect("shut down");
    let came = stream.read_u64().await.expect("an answer");
    assert_eq!(came, (piece.len() * count) as u64);
    began.elapsed().as_secs_f64()
}

/// Asks one after the other; microseconds from each question to its answer, least first.
async fn ask(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    count: usize,
    pace: Duration,
) -> Vec<f64> {
    stream.write_all(b"q").await.expect("written");
    let mut buffer = [b'x'; MESSAGE_BYTES];
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        if !pace.is_zero() {
            tokio::time::sleep(pace).await;
        }
        let began = Instant::now();
        stream.write_all(&buffer).await.expect("written");
        stream.flush().await.expect("flushed");
        stream.read_exact(&mut buffer).await.expect("answered");
        times.push(began.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    times
}

fn quantile(sorted: &[f64], q: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * q) as usize]
}

/// Both kinds are measured by the same questions, of whatever `open` gives. On each way there
/// are as many forwarders, and `between` are those of all ways.
fn measure<S, F>(from: &Thread, between: &[Thread], open: impl Fn(Class) -> F) -> Figures
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = S> + Send + 'static,
{
    let mut figures = Figures::default();
    let used = || between.iter().map(Thread::cpu).sum::<f64>() / FORWARDERS as f64;
    eprintln!("  one question after the other");
    let stream = open(Class::RealTime);
    let before = used();
    let times = from.run(async { ask(stream.await, QUESTIONS, Duration::ZERO).await });
    figures.forwarder_cpu_us_alone = (used() - before) * 1e6 / (2 * QUESTIONS) as f64;
    figures.round_trip_p50_us = quantile(&times, 0.5);
    figures.round_trip_p99_us = quantile(&times, 0.99);

    eprintln!("  messages");
    let stream = open(Class::Message);
    let seconds = from.run(async { pour(stream.await, MESSAGE_BYTES, MESSAGES).await });
    figures.messages_per_second = MESSAGES as f64 / seconds;

    eprintln!("  bulk");
    let (bulk, call) = (open(Class::Bulk), open(Class::RealTime));
    let before = used();
    let pieces = BULK_BYTES / CHUNK_BYTES;
    let seconds = from.run(async move { pour(bulk.await, CHUNK_BYTES, pieces).await });
    figures.bulk_mb_per_second = BULK_BYTES as f64 / 1e6 / seconds;
    figures.forwarder_cpu_seconds_per_gb = (used() - before) / (BULK_BYTES as f64 / 1e9);

    eprintln!("  questions beside bulk");
    let bulk = open(Class::Bulk);
    let times = from.run(async move {
        let pouring = tokio::spawn(async move { pour(bulk.await, CHUNK_BYTES, 1 << 30).await });
        let times = ask(call.await, QUESTIONS / 4, CALL_PACE).await;
        pouring.abort();
        times
    });
    figures.round_trip_p99_us_under_bulk = quantile(&times, 0.99);
    figures
}

/// What one packet costs a forwarder: all that its thread does between two readings, over all that it
/// sent on meanwhile.
fn packets(from: &Member, to: &Member, others: &[&Member]) -> Packets {
    let of_all = || others.iter().map(|member| work_of(member)).fold(Work::default(), Work::add);
    let during = |work: &dyn Fn()| {
        let before = of_all();
        work();
        of_all().since(&before)
    };
    // The first finds the way.
    ping(from, to, 1);
    let alone = during(&|| ping(from, to, QUESTIONS));
    let loaded = during(&|| stream_of_datagrams(from, to));
    Packets {
        bytes: loaded.bytes as f64 / loaded.packets as f64,
        alone_us: alone.cpu * 1e6 / alone.packets as f64,
        loaded_us: loaded.cpu * 1e6 / loaded.packets as f64,
    }
}

/// What a node has done so far.
#[derive(Debug, Default, Clone, Copy)]
struct Work {
    cpu: f64,
    packets: u64,
    bytes: u64,
}

impl Work {
    fn add(self, other: Work) -> Work {
        let Work { cpu, packets, bytes } = other;
        Work { cpu: self.cpu + cpu, packets: self.packets + packets, bytes: self.bytes + bytes }
    }

    fn since(self, before: &Work) -> Work {
        Work {
            cpu: self.cpu - before.cpu,
            packets: self.packets - before.packets,
            bytes: self.bytes - before.bytes,
        }
    }
}

fn work_of(member: &Member) -> Work {
    let handle = member.handle.clone();
    let counters = member.thread.run(async move { handle.counters().await });
    Work { cpu: member.thread.cpu(), packets: counters.frames_out, bytes: counters.bytes_out }
}

/// So many pings, one after the other; each is a packet there and one back.
fn ping(from: &Member, to: &Member, count: usize) {
    let (handle, name) = (from.handle.clone(), to.name.clone());
    from.thread.run(async move {
        for _ in 0..count {
            let reply = handle.command(Command::Ping { to: name.clone() }).await;
            assert!(matches!(reply, Reply::Pong { .. }), "{reply:?}");
        }
    });
}

/// As many bare datagrams of the size of a message as the other end can take.
fn stream_of_datagrams(from: &Member, to: &Member) {
    let came = Arc::new(Semaphore::new(DATAGRAMS_AT_ONCE));
    let mut there = to.handle.take_port().expect("no sessions here");
    let room = Arc::clone(&came);
    let taking = to.thread.runtime.spawn(async move {
        let mut batch = Vec::new();
        while there.inbound[Class::Message as usize].recv_many(&mut batch, 256).await > 0 {
            room.add_permits(batch.drain(..).count());
        }
    });
    let here = from.handle.take_port().expect("no sessions here");
    let (handle, name) = (from.handle.clone(), to.name.clone());
    from.thread.run(async move {
        let met = handle.command(Command::Meet { to: name, node: None }).await;
        let Reply::Met { node: to, .. } = met else { panic!("{met:?}") };
        for _ in 0..DATAGRAMS {
            came.acquire().await.expect("open").forget();
            let bytes = vec![b'x'; MESSAGE_BYTES];
            here.outbound.send(Outbound { to, class: Class::Message, bytes }).await.expect("up");
        }
        let all = came.acquire_many(DATAGRAMS_AT_ONCE as u32).await;
        all.expect("open").forget();
    });
    taking.abort();
}

fn ours(from: &Member, to: &Member, others: &[&Member]) -> Figures {
    let service: Service = "bench".parse().expect("a name");
    let (calling, sessions, served) = (from.start_sessions(), to.start_sessions(), service.clone());
    to.thread.run(async move {
        let mut listener = sessions.listen(served, Access::Everyone).expect("free");
        tokio::spawn(async move {
            while let Some(incoming) = listener.next().await {
                tokio::spawn(async move {
                    if let Ok(stream) = incoming.accept().await {
                        serve(stream).await;
                    }
                });
            }
        });
    });
    let open = |class| {
        let (sessions, name, service) = (calling.clone(), to.name.clone(), service.clone());
        async move { sessions.open(&name, &service, class).await.expect("opened") }
    };
    let others: Vec<Thread> = others.iter().map(|other| other.thread.clone()).collect();
    measure(&from.thread, &others, open)
}

/// A chain of TCP connections: each link reads and writes what comes, and nothing else.
fn bare() -> Figures {
    let end = Thread::start("tcp-end");
    let mut next = end.run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                connection.set_nodelay(true).expect("set");
                tokio::spawn(serve(connection));
            }
        });
        address
    });
    let mut forwarders = Vec::new();
    for number in 0..FORWARDERS {
        let thread = Thread::start(&format!("tcp-{number}"));
        next = thread.run(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("bound");
            tokio::spawn(async move {
                while let Ok((mut connection, _)) = listener.accept().await {
                    connection.set_nodelay(true).expect("set");
                    tokio::spawn(async move {
                        let mut on = TcpStream::connect(next).await.expect("connected");
                        on.set_nodelay(true).expect("set");
                        let _ = copy_bidirectional(&mut connection, &mut on).await;
                    });
                }
            });
            address
        });
        forwarders.push(thread);
    }
    let from = Thread::start("tcp-from");
    let open = |_| async move {
        let connection = TcpStream::connect(next).await.expect("connected");
        connection.set_nodelay(true).expect("set");
        connection
    };
    measure(&from, &forwarders, open)
}
