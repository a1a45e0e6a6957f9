//! Builds again when a migration is added: the compiler sees only those it has embedded before.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
