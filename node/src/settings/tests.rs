use super::*;
use crate::settings::SettingsError;
use clap::Parser;
use std::path::Path;
use tempfile::TempDir;

/// A program with one setting of each kind. Its variables are set for no other test.
#[derive(Debug, Parser)]
#[command(name = "probe")]
struct Probe {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, clap::Subcommand)]
enum Sub {
    Go {
        #[arg(long, env = "TRELLIS_TEST_LISTEN", default_value = "0.0.0.0:1")]
        listen: SocketAddr,
        // A variable that every Unix shell and cargo itself sets: no test may change its own
        // environment, which is unsafe with threads.
        #[arg(long, env = "CARGO_PKG_NAME", default_value = "built-in")]
        package: String,
        #[arg(long, env = "TRELLIS_TEST_MANY", value_delimiter = ',')]
        many: Vec<String>,
        #[arg(long, env = "TRELLIS_TEST_COUNT", default_value_t = 8,
              value_parser = clap::value_parser!(u16).range(2..=16))]
        count: u16,
        #[arg(long)]
        not_a_setting: Option<String>,
    },
    Other,
}

struct Case {
    dir: TempDir,
}

impl Case {
    fn with(settings: &str) -> Case {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join(FILE), settings).expect("written");
        Case { dir }
    }

    fn parse(&self, args: &[&str]) -> Result<Probe, ParseError> {
        let data = self.dir.path().as_os_str().to_owned();
        let head = ["probe".into(), "--data".into(), data].into_iter();
        parse("probe", head.chain(args.iter().map(Into::into)).collect())
    }

    fn refusal(&self) -> String {
        match self.parse(&["other"]) {
            Err(ParseError::File(error)) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }
}

fn go(probe: Probe) -> (String, String, Vec<String>, u16) {
    match probe.command {
        Sub::Go { listen, package, many, count, .. } => (listen.to_string(), package, many, count),
        Sub::Other => panic!("another command"),
    }
}

#[test]
fn flag_beats_environment_beats_file_beats_built_in() {
    let case = Case::with("package = 'file'\nlisten = '127.0.0.1:7'\nmany = ['a', 'b']\ncount = 4");
    let (listen, package, many, count) = go(case.parse(&["go"]).expect("parses"));
    assert_eq!((listen.as_str(), count), ("127.0.0.1:7", 4), "file over built-in");
    assert_eq!(package, "overlay-node", "environment over file");
    assert_eq!(many, ["a", "b"]);
    let flags = ["go", "--package", "flag", "--listen", "[::1]:9", "--many", "c", "--count", "5"];
    let (listen, package, many, count) = go(case.parse(&flags).expect("parses"));
    assert_eq!((listen.as_str(), package.as_str(), count), ("[::1]:9", "flag", 5));
    assert_eq!(many, ["c"], "a flag replaces the list of the file");
    let (listen, _, many, count) = go(Case::with("").parse(&["go"]).expect("parses"));
    assert_eq!((listen.as_str(), many.len(), count), ("0.0.0.0:1", 0, 8), "built-in");
}

#[test]
fn global_settings_stand_in_the_file_too() {
    let probe = Case::with("log-format = 'json'").parse(&["other"]).expect("parses");
    assert_eq!(probe.common.log.log_format, crate::telemetry::LogFormat::Json);
}

#[test]
fn a_wrong_key_or_value_is_named_with_its_line_and_reason() {
    let unknown = Case::with("count = 4\nlisen = 'x'").refusal();
    assert!(unknown.contains("line 2") && unknown.contains("`lisen`"), "{unknown}");
    assert!(unknown.contains("listen") && unknown.contains(FILE), "{unknown}");
    for (line, reason) in [
        ("listen = 'nope'", "socket address"),
        ("listen = 5", "socket address"),
        ("listen = { ip = 1 }", "table"),
        ("listen = ['127.0.0.1:1', '127.0.0.1:2']", "one value"),
        ("count = 17", "17 is not in 2..=16"),
        ("count = 'many'", "invalid digit"),
        ("many = [['a']]", "a list within a list"),
        ("log-format = 'xml'", "text, json"),
    ] {
        let error = Case::with(&format!("# comment\n\n{line}")).refusal();
        assert!(error.contains("line 3") && error.contains(reason), "{line}: {error}");
    }
    for no_setting in ["not-a-setting = 'x'", "data = '/'", "config = '/'", "json = true"] {
        assert!(Case::with(no_setting).refusal().contains("no setting"), "{no_setting}");
    }
    assert!(Case::with("count = 4\nlisten =").refusal().contains("line 2"));
}

#[test]
fn a_named_file_must_be_there_and_the_usual_one_need_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let args = |more: &[&str]| -> Vec<OsString> {
        let data = dir.path().as_os_str().to_owned();
        let head = ["probe".into(), "--data".into(), data].into_iter();
        head.chain(more.iter().map(Into::into)).collect()
    };
    parse::<Probe>("probe", args(&["other"])).expect("no file, no matter");
    let missing = parse::<Probe>("probe", args(&["other", "--config", "/nonexistent/x.toml"]));
    let Err(ParseError::File(SettingsError::NoAccess { path, .. })) = missing else {
        panic!("{missing:?}")
    };
    assert_eq!(path, Path::new("/nonexistent/x.toml"));
}
