//! The program `supernode`.

fn main() -> std::process::ExitCode {
    overlay_supernode::cli::run(std::env::args_os())
}
