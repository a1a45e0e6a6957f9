//! Whoever carries the packets of a session changes, cuts, repeats and makes up some (catalogue 41,
//! 63, 65).

use super::*;
use crate::driver::{Outbound, Port};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// Datagrams that are repeated later.
const REMEMBERED: usize = 64;

/// A row of numbers that are hard to foresee (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }
}

/// What is sent beside a datagram: it changed, cut, an older one, and noise.
fn forged(dice: &mut Dice, true_one: &[u8], older: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut changed = true_one.to_vec();
    let at = dice.below(changed.len());
    changed[at] ^= 1 << dice.below(8);
    let cut = true_one[..dice.below(true_one.len())].to_vec();
    let noise = (0..dice.below(1_500)).map(|_| dice.below(256) as u8).collect();
    let mut all = vec![changed, cut, noise];
    all.extend(older.get(dice.below(older.len())).cloned());
    all
}

/// A port whose outgoing datagrams somebody tampers with, and the count of those that are forged.
fn tampered(port: Port, seed: u64) -> (Port, Arc<AtomicU64>) {
    let (outbound, mut true_ones) = mpsc::channel::<Outbound>(64);
    let count = Arc::new(AtomicU64::new(0));
    let (counted, real) = (Arc::clone(&count), port.outbound);
    tokio::spawn(async move {
        let (mut dice, mut older) = (Dice(seed), Vec::new());
        while let Some(Outbound { to, class, bytes }) = true_ones.recv().await {
            let mut all = forged(&mut dice, &bytes, &older);
            counted.fetch_add(all.len() as u64, Ordering::Relaxed);
            if older.len() < REMEMBERED {
                older.push(bytes.clone());
            } else {
                older[dice.below(REMEMBERED)] = bytes.clone();
            }
            // Before and after the true one.
            all.insert(dice.below(all.len() + 1), bytes);
            for bytes in all {
                if real.send(Outbound { to, class, bytes }).await.is_err() {
                    return;
                }
            }
        }
    });
    (Port { outbound, inbound: port.inbound }, count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_that_were_tampered_with_are_nobodys() {
    let (_supernode, alice, bob) = handles().await;
    let sessions = |handle: &Handle, n: u8| {
        let (port, count) = tampered(handle.take_port().expect("the first"), n.into());
        (Sessions::over(handle, &device(n), port).expect("starts"), count)
    };
    let ((alice, by_alice), (bob, by_bob)) = (sessions(&alice, 1), sessions(&bob, 2));
    let mut listener = bob.listen(service("echo"), Access::Everyone).expect("free");
    tokio::spawn(async move {
        while let Some(incoming) = listener.next().await {
            tokio::spawn(echo(incoming));
        }
    });
    for _ in 0..2 {
        let sent: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
        let opened = within(alice.open(&name(2), &service("echo"), Class::Bulk)).await;
        let (mut from, mut to) = tokio::io::split(opened.expect("opened in spite of it"));
        let writing = sent.clone();
        tokio::spawn(async move {
            to.write_all(&writing).await.expect("written");
            to.shutdown().await.expect("shut down");
        });
        let mut came = Vec::new();
        within(from.read_to_end(&mut came)).await.expect("read");
        assert!(came == sent, "{} of {} bytes, or others", came.len(), sent.len());
    }
    let forged = by_alice.load(Ordering::Relaxed) + by_bob.load(Ordering::Relaxed);
    println!("{forged} forged datagrams, none taken");
    assert!(forged > 500, "{forged}");
}
