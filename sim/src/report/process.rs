//! What this process takes of its machine.

/// Most memory that this process ever had resident, in bytes; `None` where the system does not
/// tell (it does on Linux).
pub fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn linux_tells() {
        if cfg!(target_os = "linux") {
            let peak = super::peak_rss_bytes().expect("told");
            assert!((1 << 20..1 << 40).contains(&peak), "{peak}");
        }
    }
}
