//! Bytes from nowhere at a supernode's ports.

use overlay_tests::Realm;
use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

/// The beginning of the negotiation with which every connection begins (multistream-select).
const NEGOTIATION: &[u8] = b"\x13/multistream/1.0.0\n";

/// Pseudo-random bytes, the same at each run (xorshift64).
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn hostile_bytes_do_not_keep_users_out() {
    let realm = Realm::start(1);
    let at = SocketAddr::from(([127, 0, 0, 1], realm.port(0)));
    let mut open = Vec::new();
    for seed in 0..200 {
        let mut stream = TcpStream::connect(at).expect("it listens");
        stream.set_write_timeout(Some(Duration::from_secs(5))).expect("a plain setting");
        let bytes = match seed % 4 {
            0 => Vec::new(),
            1 => noise(seed, 4_096),
            2 => [NEGOTIATION, &noise(seed, 512)].concat(),
            _ => [NEGOTIATION, b"\x07/noise\n", &noise(seed, 300)].concat(),
        };
        // It may hang up in the middle, as it should.
        let _ = stream.write_all(&bytes);
        open.push(stream);
    }
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    for seed in 0..500 {
        let mut datagram = noise(seed, 20 + (seed as usize * 7) % 1_400);
        if seed % 2 == 0 {
            // As a first packet of QUIC, version 1.
            datagram[..5].copy_from_slice(&[0xc3, 0, 0, 0, 1]);
        }
        socket.send_to(&datagram, at).expect("loopback takes it");
    }
    // The open connections stay open all the while.
    let _peers = realm.settle(&["alice", "bob"]);
    realm.in_place("alice", 1);
    realm.peer("alice", &["send", "bob", "hello"]).json();
    let lines = realm.supernodes[0].lines();
    assert!(!lines.iter().any(|line| line.contains("panicked")), "{lines:#?}");
    drop(open);
}
