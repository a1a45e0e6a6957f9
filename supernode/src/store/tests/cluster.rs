//! A PostgreSQL server of our own for one run of the tests, from the distribution's programs. Also
//! read by the tests across crates, so it knows nothing of ours.

use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// The port only names the socket; the server listens on no network.
const PORT: u16 = 5_432;
/// Makes a cluster in `$2` with the programs in `$1`, and in it a database `probes` beside those that each
/// cluster has, serves it until standard input ends, however the tests end, and removes it. Nothing in it
/// has to survive a loss of power.
const SCRIPT: &str = r#"
    cd "$2" || exit 1
    "$1/initdb" -D data -U trellis -A trust -E UTF8 --no-locale --no-sync >log 2>&1 || exit 1
    "$1/postgres" -D data -k "$2" -p 5432 -c listen_addresses= -c max_connections=200 >>log 2>&1 &
    server=$!
    until "$1/createdb" -h "$2" -p 5432 -U trellis probes >>log 2>&1 </dev/null ||
        ! kill -0 "$server"
    do sleep 0.1
    done
    cat >/dev/null
    kill -INT "$server"
    wait "$server"
    rm -rf "$2/"*
"#;
/// A user that is no superuser, as PostgreSQL wants it.
const NOBODY: &str = "nobody";
const PAUSE: Duration = Duration::from_millis(50);

/// The folder of the server's socket.
#[derive(Debug)]
pub(crate) struct Cluster {
    folder: PathBuf,
    // Its standard input ends with this process, and the server with that.
    _script: Mutex<Child>,
}

impl Cluster {
    /// The one server of this process; none if the machine has no PostgreSQL, which is said.
    pub(crate) fn get() -> Option<&'static Cluster> {
        static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
        let start = || {
            let Some(programs) = programs() else {
                // Past the test harness, which keeps what tests that pass say.
                let _ = writeln!(
                    io::stderr(),
                    "\n*** LEFT OUT: no PostgreSQL (initdb, postgres) on this machine; the store is \
                     tested on SQLite only ***\n"
                );
                return None;
            };
            Some(Cluster::start(&programs))
        };
        CLUSTER.get_or_init(start).as_ref()
    }

    fn start(programs: &Path) -> Cluster {
        let folder = tempfile::Builder::new().prefix("trellis-pg-").tempdir().expect("a folder");
        let folder = folder.keep();
        let root = std::fs::metadata(&folder).expect("just made").uid() == 0;
        let mut command = match root {
            false => Command::new("sh"),
            true => {
                let owned = Command::new("chown").arg(NOBODY).arg(&folder).status();
                assert!(owned.expect("there is a chown").success());
                let mut command = Command::new("setpriv");
                command.args([&format!("--reuid={NOBODY}"), "--clear-groups", "sh"]);
                command
            }
        };
        let script = command
            .args(["-c", SCRIPT, "sh"])
            .args([programs, &folder])
            .stdin(Stdio::piped())
            .spawn()
            .expect("a shell");
        let script = Mutex::new(script);
        let cluster = Cluster { folder, _script: script };
        cluster.wait();
        cluster
    }

    fn wait(&self) {
        let mut script = self._script.lock().expect("only here");
        // The socket is there before the server answers; connecting goes on from here.
        while !self.folder.join(format!(".s.PGSQL.{PORT}")).exists() {
            if let Some(status) = script.try_wait().expect("our own child") {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                panic!("PostgreSQL did not start ({status}): {log}");
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// The URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://trellis:sesame@{folder}:{PORT}/{database}")
    }
}

fn programs() -> Option<PathBuf> {
    let of_distribution = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> =
        of_distribution.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders.push("/usr/local/bin".into());
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let has = |folder: &PathBuf, name: &str| folder.join(name).is_file();
    folders.into_iter().find(|folder| has(folder, "initdb") && has(folder, "postgres"))
}
