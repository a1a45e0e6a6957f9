//! Where `--json` puts the figures, for both worlds and for comparisons.

use anyhow::Context;
use serde::Serialize;
use std::path::Path;

/// Writes the figures to `target`: a file, standard output for `-`, nowhere for none.
pub(super) fn write(target: Option<&Path>, figures: &impl Serialize) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(figures)?;
    match target {
        Some(path) if path == Path::new("-") => anstream::println!("{json}"),
        Some(path) => std::fs::write(path, json + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?,
        None => {}
    }
    Ok(())
}
