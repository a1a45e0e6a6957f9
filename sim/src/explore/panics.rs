//! A panic while a scenario is played is a finding: its message and place are kept, not printed.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether this thread plays, and what it has said when it panicked.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What `play` returns, or the message and place of its panic.
pub(super) fn caught<T>(play: impl FnOnce() -> T) -> Result<T, String> {
    listen();
    SAID.set(Some(String::new()));
    // Nothing of what a panic leaves half done is looked at again.
    let played = catch_unwind(AssertUnwindSafe(play));
    let said = SAID.take().unwrap_or_default();
    played.map_err(|_| said)
}

/// Has panics of playing threads kept; all others go where they went before.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            let text = || {
                let place = info.location().map_or(String::new(), |at| format!(", at {at}"));
                format!("{}{place}", text(info.payload()))
            };
            let kept = SAID.with_borrow_mut(|said| said.as_mut().map(|said| *said = text()));
            if kept.is_none() {
                before(info);
            }
        }));
    });
}

/// What a panic says, in either of the forms that the macro makes.
fn text(payload: &(dyn Any + Send)) -> &str {
    let fixed = payload.downcast_ref::<&str>().copied();
    let built = || payload.downcast_ref::<String>().map(String::as_str);
    fixed.or_else(built).unwrap_or("a panic without a text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_kept_with_its_place() {
        assert_eq!(caught(|| 3), Ok(3));
        let said = caught(|| panic!("{} wrong", 2)).expect_err("a panic");
        assert!(said.starts_with("2 wrong, at sim/src/explore/panics.rs:"), "{said}");
    }
}
