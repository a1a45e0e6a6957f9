//! The core has no I/O: nothing that does any is among its dependencies (DESIGN, section 2).

use std::process::Command;

/// Crates that would bring clocks, sockets, threads of a runtime, files or the system's randomness.
const IMPURE: [&str; 14] = [
    "async-std",
    "axum",
    "crossbeam-channel",
    "getrandom",
    "hyper",
    "libp2p",
    "mio",
    "polling",
    "quinn",
    "reqwest",
    "rustix",
    "socket2",
    "sqlx",
    "tokio",
];

#[test]
fn the_core_depends_on_nothing_that_does_io() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .args(["tree", "-p", "overlay-proto", "-e", "normal", "--prefix", "none", "--locked"])
        .args(["--target", "all"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo is there: it has built this test");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8_lossy(&tree.stdout);
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains(&"ed25519-dalek"), "this is not the core's tree: {tree}");
    let found: Vec<&&str> = names
        .iter()
        .filter(|name| {
            IMPURE.contains(name) || name.starts_with("libp2p-") || name.starts_with("tokio-")
        })
        .collect();
    assert!(found.is_empty(), "the core depends on {found:?}:\n{tree}");
}
