//! Ctrl-C, for the commands that play in the virtual world.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit code of a run that was interrupted, as a shell has it for Ctrl-C.
pub(super) const INTERRUPTED: u8 = 130;

/// The first Ctrl-C ends the run in order, with a report of what was done; the second at once.
pub(super) fn stop_on_interrupt(stop: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            while tokio::signal::ctrl_c().await.is_ok() {
                if stop.swap(true, Ordering::Relaxed) {
                    std::process::exit(INTERRUPTED.into());
                }
            }
        });
    });
}
