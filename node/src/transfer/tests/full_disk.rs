//! A receiver whose disk is full: both ends hear so, nothing half-written is taken for a file, and
//! what has come is kept until there is room.

use super::*;
use overlay_proto::status::Status;
use std::process::Command;

/// Where the small disk is, for the test that runs on it.
const DISK: &str = "TRELLIS_TEST_SMALL_DISK";
const THIS: &str = "transfer::tests::full_disk::a_full_disk_is_said_so_and_the_rest_comes_later";
/// More than the ballast leaves of a disk of two mebibytes.
const FILE_BYTES: usize = 1_500_000;
/// Room that is made later.
const BALLAST_BYTES: usize = 800_000;

#[tokio::test]
async fn a_full_disk_is_said_so_and_the_rest_comes_later() {
    if let Some(disk) = std::env::var_os(DISK) {
        return on_a_full_disk(Path::new(&disk)).await;
    }
    // Only what is in the namespace sees the disk: the test runs a second time in there.
    let dir = tempfile::tempdir().expect("a folder");
    let script = "mount -t tmpfs -o size=2m tmpfs \"$1\" || exit 77
        shift
        exec \"$@\"";
    let run = Command::new("unshare")
        .args(["-r", "-m", "sh", "-c", script, "sh"])
        .arg(dir.path())
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", THIS, "--nocapture"])
        .env(DISK, dir.path())
        .output();
    match run {
        Ok(output) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(said.contains("1 passed"), "the test was not found: {said}");
            said.lines().filter(|line| line.contains("full disk:")).for_each(|l| println!("{l}"));
        }
        Ok(output) if output.status.code() == Some(101) => {
            panic!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )
        }
        Ok(output) => eprintln!(
            "\n*** LEFT OUT: a full disk: {} ***\n",
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => eprintln!("\n*** LEFT OUT: a full disk: {error} ***\n"),
    }
}

async fn on_a_full_disk(disk: &Path) {
    let mut ground = ground(&bytes(FILE_BYTES));
    ground.folder = disk.join("in");
    std::fs::create_dir(&ground.folder).expect("made");
    let ballast = disk.join("ballast");
    std::fs::write(&ballast, vec![0; BALLAST_BYTES]).expect("there is room for it");
    let (sent, received) = transfer(&ground).await;
    let (sent, received) = (sent.expect_err("full"), received.expect_err("full"));
    println!(
        "full disk: here {}: {received}; at the sender {}: {sent}",
        received.status(),
        sent.status()
    );
    assert_eq!((sent.status(), received.status()), (Status::STORE_FAILED, Status::STORE_FAILED));
    assert!(received.to_string().contains("No space left"), "{received}");
    assert!(matches!(sent, TransferError::Refused { .. }), "{sent:?}");
    let kept = names(&ground.folder);
    assert!(kept.len() == 1 && kept[0].ends_with(".partial"), "{kept:?}");
    std::fs::remove_file(ballast).expect("there");
    let (sent, received) = transfer(&ground).await;
    let sent = sent.expect("there is room");
    println!("full disk: {} of {} bytes did not have to come again", sent.resumed, sent.size);
    assert!(sent.resumed > 0, "the partial file was kept");
    assert!(
        std::fs::read(received.expect("there is room").path).expect("there") == bytes(FILE_BYTES)
    );
    assert_eq!(names(&ground.folder), ["photo.jpg"]);
}
