//! The program `supernode` as built. That this file is here makes cargo build it before any test runs.

use std::process::Command;

const COMMANDS: &[&str] = &[
    "init", "run", "join", "invite", "status", "peers", "users", "approve", "codes", "backup",
    "restore",
];

fn supernode(words: &[&str]) -> (Option<i32>, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_supernode")).args(words).output().expect("it starts");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn help_tells_of_every_command() {
    let (code, help) = supernode(&["--help"]);
    assert_eq!(code, Some(0), "{help}");
    for command in COMMANDS {
        let told = help.lines().any(|line| line.trim_start().starts_with(command));
        assert!(told, "{command} is not in {help}");
        let (code, help) = supernode(&[command, "--help"]);
        assert!(code == Some(0) && help.contains("Usage"), "{command}: {help}");
    }
}

#[test]
fn a_wrong_command_line_is_told_and_has_a_code_of_its_own() {
    for wrong in [&["fly"][..], &["status", "--fly"], &[]] {
        let (code, text) = supernode(wrong);
        assert_eq!(code, Some(2), "{wrong:?}: {text}");
        assert!(text.contains("Usage"), "{wrong:?}: {text}");
    }
}
