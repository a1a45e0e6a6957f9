//! Transfers over a pipe: whole, broken off, changed, refused.

use super::message::Offer;
use super::*;
use crate::prefixed::{read, write};
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

mod full_disk;

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n * 7 % 253) as u8).collect()
}

struct Ground {
    _dir: tempfile::TempDir,
    file: PathBuf,
    folder: PathBuf,
}

fn ground(content: &[u8]) -> Ground {
    let dir = tempfile::tempdir().expect("a folder");
    let (file, folder) = (dir.path().join("photo.jpg"), dir.path().join("in"));
    std::fs::write(&file, content).expect("written");
    std::fs::create_dir(&folder).expect("made");
    Ground { _dir: dir, file, folder }
}

async fn transfer(
    ground: &Ground,
) -> (Result<Sent, TransferError>, Result<Received, TransferError>) {
    let (mut here, mut there) = duplex(8_192);
    tokio::join!(send(&mut here, &ground.file, |_, _| {}), async {
        let received = receive(&mut there, &ground.folder, |_, _, _| {}).await;
        drop(there);
        received
    })
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("there");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_file_arrives_whole_and_never_in_place_of_another() {
    for size in [0, 1, 1_000_003] {
        let ground = ground(&bytes(size));
        for name in ["photo.jpg", "photo (1).jpg"] {
            let (sent, received) = transfer(&ground).await;
            assert_eq!(sent.expect("sent"), Sent { size: size as u64, resumed: 0 });
            let received = received.expect("received");
            assert_eq!(received.path, ground.folder.join(name));
            assert!(std::fs::read(&received.path).expect("there") == bytes(size));
        }
        assert_eq!(names(&ground.folder), ["photo (1).jpg", "photo.jpg"]);
    }
}

/// Passes `count` bytes on from the sender, then breaks.
async fn broken_after(count: usize, mut from: DuplexStream, mut to: DuplexStream) {
    let mut left = count;
    let (mut one, mut other) = ([0; 1_024], [0; 1_024]);
    while left > 0 {
        tokio::select! {
            taken = from.read(&mut one) => {
                let taken = taken.expect("read").min(left);
                to.write_all(&one[..taken]).await.expect("written");
                left -= taken;
            }
            taken = to.read(&mut other) => {
                from.write_all(&other[..taken.expect("read")]).await.expect("written");
            }
        }
    }
}

#[tokio::test]
async fn what_broke_goes_on_where_it_stopped() {
    let ground = ground(&bytes(300_000));
    let (mut here, near) = duplex(1_024);
    let (far, mut there) = duplex(1_024);
    let (sent, received, ()) = tokio::join!(
        async {
            let sent = send(&mut here, &ground.file, |_, _| {}).await;
            drop(here);
            sent
        },
        async {
            let received = receive(&mut there, &ground.folder, |_, _, _| {}).await;
            drop(there);
            received
        },
        broken_after(100_000, near, far),
    );
    assert!(matches!(sent, Err(TransferError::Broken(_))), "{sent:?}");
    assert!(matches!(received, Err(TransferError::Broken(_))), "{received:?}");
    assert_eq!(names(&ground.folder).len(), 1, "what has come is kept");
    assert!(names(&ground.folder)[0].ends_with(".partial"));

    let (sent, received) = transfer(&ground).await;
    let resumed = sent.expect("sent").resumed;
    assert!((90_000..100_000).contains(&resumed), "{resumed}");
    let path = received.expect("received").path;
    assert!(std::fs::read(path).expect("there") == bytes(300_000));
    assert_eq!(names(&ground.folder), ["photo.jpg"]);
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_sent_is_not_kept() {
    let ground = ground(&bytes(100_000));
    let (mut here, mut there) = duplex(1_024);
    let (sent, received) = tokio::join!(
        send(&mut here, &ground.file, |done, _| {
            if done == 0 {
                std::fs::write(&ground.file, vec![1; 100_000]).expect("written");
            }
        }),
        receive(&mut there, &ground.folder, |_, _, _| {}),
    );
    assert!(matches!(sent, Err(TransferError::Changed { .. })), "{sent:?}");
    assert!(matches!(received, Err(TransferError::Damaged)), "{received:?}");
    assert!(names(&ground.folder).is_empty());
}

#[tokio::test]
async fn a_name_that_leads_out_of_the_folder_is_refused() {
    let ground = ground(b"x");
    for name in ["../up", "/etc/passwd", ".hidden", "", "a\\b", "a\nb", &"x".repeat(201)] {
        let (mut here, mut there) = duplex(8_192);
        let offer = Offer { name: name.to_owned(), size: 1, hash: [0; 32] };
        write(&mut here, &offer).await.expect("written");
        let received = receive(&mut there, &ground.folder, |_, _, _| {}).await;
        assert!(matches!(received, Err(TransferError::Malformed)), "{name}");
        let said: super::message::GoOn = read(&mut here).await.expect("an answer");
        assert_eq!(said.status, overlay_proto::status::Status::MALFORMED);
    }
    assert!(names(&ground.folder).is_empty());
}
