//! The corpus and generated inputs, on every run of the tests.

use super::TARGETS;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::{Path, PathBuf};

/// Inputs generated for each target: decoders are quick, a sequence builds a network.
fn generated(name: &str) -> u64 {
    if name.starts_with("sequence") { 60 } else { 4_000 }
}

fn corpus(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let entries = std::fs::read_dir(&folder).expect("every target has a corpus");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    files
}

/// Every target has inputs that libFuzzer has found to lead somewhere new; none finds a mistake.
#[test]
fn the_corpus_finds_nothing() {
    for (name, target) in TARGETS {
        let files = corpus(name);
        assert!(files.len() > 1, "{name}: no corpus");
        for file in files {
            let bytes = std::fs::read(&file).expect("readable");
            println!("{}", file.display());
            target(&bytes);
        }
    }
}

#[test]
fn generated_inputs_find_nothing() {
    for (name, target) in TARGETS {
        for seed in 0..generated(name) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut bytes = vec![0; rng.random_range(0..600)];
            rng.fill_bytes(&mut bytes);
            println!("{name}, seed {seed}");
            target(&bytes);
        }
    }
}
