//! The program `peer`.

fn main() -> std::process::ExitCode {
    overlay_node::cli::run(std::env::args_os())
}
