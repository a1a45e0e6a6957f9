use super::*;
use overlay_proto::id::{LinkId, NodeId};
use overlay_proto::wire::TransportAddress;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

fn address() -> TransportAddress {
    TransportAddress::new("/ip4/192.0.2.1/tcp/4001").expect("short")
}

/// A capture of two links.
fn written(path: &Path, bytes: u64) -> Capture {
    let capture = Capture::bounded(path, bytes).expect("made");
    capture.link_up(LinkId(4), NodeId([7; 32]), &address());
    capture.link_up(LinkId(5), NodeId([8; 32]), &address());
    capture.frame(LinkId(5), Direction::Out, &[0x82, 5, 0x81, 0xf4]);
    capture.frame(LinkId(4), Direction::In, &[1, 2, 3, 4, 5]);
    capture.link_down(LinkId(4));
    capture.frame(LinkId(4), Direction::In, &[6]);
    capture.flush();
    capture
}

fn read(path: &Path) -> Result<Vec<Captured>, ReadError> {
    let mut reader = CaptureReader::new(File::open(path).expect("there"))?;
    std::iter::from_fn(|| reader.next().transpose()).collect()
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("links.pcapng");
    (dir, path)
}

#[test]
fn what_is_captured_reads_back_and_only_its_owner_may() {
    let (_dir, path) = place();
    let _capture = written(&path, CAPTURE_BYTES_MAX);
    let mode = path.metadata().expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let frames = read(&path).expect("a capture");
    let seen: Vec<_> = frames
        .iter()
        .map(|captured| (captured.link.as_deref(), captured.direction, captured.frame.as_slice()))
        .collect();
    let wanted: [(_, _, &[u8]); 2] = [
        (Some("link 5"), Some(Direction::Out), &[0x82, 5, 0x81, 0xf4]),
        (Some("link 4"), Some(Direction::In), &[1, 2, 3, 4, 5]),
    ];
    assert_eq!(seen, wanted);
    let now = crate::driver::wall().0;
    assert!(frames.iter().all(|captured| captured.at_ms.is_some_and(|at| now - at < 600_000)));
}

#[test]
fn a_file_that_is_there_is_left_alone() {
    let (_dir, path) = place();
    std::fs::write(&path, "mine").expect("written");
    let error = Capture::create(&path).expect_err("it is there");
    assert!(matches!(error, CaptureError::Exists { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&path).expect("there"), "mine");
}

#[test]
fn a_full_capture_ends_with_a_whole_block() {
    let (_dir, whole) = place();
    written(&whole, CAPTURE_BYTES_MAX);
    let all = whole.metadata().expect("there").len();
    let (_dir, path) = place();
    written(&path, all - 1);
    assert_eq!(read(&path).expect("whole blocks").len(), 1);
}

#[test]
fn a_torn_file_gives_what_is_whole_and_says_that_it_is_torn() {
    let (_dir, path) = place();
    written(&path, CAPTURE_BYTES_MAX);
    let bytes = std::fs::read(&path).expect("there");
    std::fs::write(&path, &bytes[..bytes.len() - 6]).expect("written");
    let mut reader = CaptureReader::new(File::open(&path).expect("there")).expect("a capture");
    assert!(reader.next().expect("whole").is_some());
    assert_eq!(reader.next(), Err(ReadError::CutShort));
}

#[test]
fn a_capture_of_the_network_is_refused_with_the_reason() {
    let (_dir, path) = place();
    // A classic pcap of Ethernet without packets.
    let header: [u32; 6] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1];
    let bytes: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    std::fs::write(&path, bytes).expect("written");
    assert_eq!(read(&path), Err(ReadError::OtherLinkType(1)));
    std::fs::write(&path, "no capture at all, but long enough for one").expect("written");
    assert_eq!(read(&path), Err(ReadError::NoCapture));
}

#[test]
fn every_cut_and_every_flipped_bit_is_survived() {
    let (_dir, path) = place();
    written(&path, CAPTURE_BYTES_MAX);
    let bytes = std::fs::read(&path).expect("there");
    let survive = |bytes: Vec<u8>| {
        let Ok(mut reader) = CaptureReader::new(std::io::Cursor::new(bytes)) else { return };
        // No block is shorter than twelve bytes.
        for _ in 0..200 {
            if !matches!(reader.next(), Ok(Some(_))) {
                return;
            }
        }
        panic!("it goes on for ever");
    };
    (0..bytes.len()).for_each(|length| survive(bytes[..length].to_vec()));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        survive(flipped);
    }
}
