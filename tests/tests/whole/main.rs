//! What only shows across the crates: programs, realms of them, and what is done to those. All in one
//! test program, for each would link everything anew; `cargo test -p overlay-tests --test whole floods::`
//! runs one file.

mod chat;
#[path = "../../../supernode/src/store/tests/cluster.rs"]
mod cluster;
mod embedded;
mod failover;
mod floods;
mod hostile;
mod launch;
mod lid;
mod mail;
mod mail_faults;
mod mail_kills;
mod operating;
mod operator_trial;
mod path_change;
mod purity;
mod refusals;
mod registration;
mod sessions;
mod shut_out;
mod store_faults;
mod two_registrars;
mod two_registrars_realm;
mod web;
mod wire;
