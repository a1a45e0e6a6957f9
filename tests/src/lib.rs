//! What crosses crates: real processes on loopback, from outside, as a user has them.
//!
//! The programs under test are those beside the test's own executable. `cargo test --workspace`
//! builds them; after `cargo test -p overlay-tests` alone they may be missing or old, so run
//! `cargo build --workspace` before that.

pub mod desk;
pub mod echo;
pub mod faults;
pub mod lan;
pub mod probe;
pub mod program;
pub mod realm;
pub mod ring;
pub mod running;
pub mod strace;
pub mod terminal;
pub mod usage;
pub mod users;
pub mod visitor;

pub use program::{Answer, eventually, program, run};
pub use realm::Realm;
pub use running::Running;
pub use terminal::Terminal;
