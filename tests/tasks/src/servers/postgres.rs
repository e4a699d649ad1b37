//! A Postgres server.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::server::{Server, send};
use crate::machine;
use crate::process::{find, read, run};
use crate::progress::Progress;

/// The role that owns the databases. It may do nothing else.
const ROLE: &str = "octo";

/// How long the rest of a killed server may hold on to its memory.
const AFTER_A_CRASH: Duration = Duration::from_secs(5);

/// A Postgres server on a private loopback port, with password authentication (SCRAM) and commits that are synced.
/// Tests may share it: each has a database of its own.
///
/// It ends with this value, and also when this process ends without dropping it.
#[derive(Debug)]
pub struct Postgres {
    server: Server,
    password: String,
    databases: AtomicU32,
    /// Those that were used and are empty again.
    empty: Mutex<Vec<String>>,
}

impl Postgres {
    /// Starts a server on a free port and waits until it answers; installs `postgresql` when it is missing. Blocks for
    /// a second or two.
    ///
    /// # Errors
    /// When Postgres is missing and cannot be installed, or does not start.
    pub fn start() -> anyhow::Result<Self> {
        machine::ensure(&[machine::POSTGRES], Progress::Quiet)?;
        let mut server = Server::new("postgres")?;
        let password = password()?;
        make_cluster(server.folder(), &password)?;
        server.start(launch)?;
        let postgres = Self { server, password, databases: AtomicU32::new(0), empty: Mutex::default() };
        let literal = postgres.password.replace('\'', "''");
        postgres.as_administrator(&format!("CREATE ROLE {ROLE} LOGIN PASSWORD '{literal}'"))?;
        Ok(postgres)
    }

    /// An empty database, which belongs to [`Postgres::role`]; its name. Blocks for some 100 ms when it is new.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn database(&self) -> anyhow::Result<String> {
        if let Some(name) = self.empty.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(name);
        }
        let name = format!("octo_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.as_administrator(&format!("CREATE DATABASE {name} OWNER {ROLE}"))?;
        Ok(name)
    }

    /// Takes back a database that is not needed any more: [`Postgres::database`] gives it to somebody else, empty, which
    /// takes much less time than making one. Blocks for some 20 ms.
    pub fn take_back(&self, database: String) {
        // Where somebody holds on to a table it is simply not used again.
        if self.ask(&database, "DROP SCHEMA public CASCADE; CREATE SCHEMA public").is_ok() {
            self.empty.lock().unwrap_or_else(PoisonError::into_inner).push(database);
        }
    }

    /// The address without user, password and database: `postgres://127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("postgres://127.0.0.1:{}", self.port())
    }

    /// The role to log in as.
    pub fn role(&self) -> &'static str {
        ROLE
    }

    /// Its password. Some of its characters mean something in an address.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The port, which stays the same over stops and restarts.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// The process id of the server's first process while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.server.pid()
    }

    /// Runs one statement in a database; the rows, a line each, their columns separated by `|`.
    ///
    /// # Errors
    /// When the server does not answer within five seconds, or refuses the statement.
    pub fn ask(&self, database: &str, statement: &str) -> anyhow::Result<String> {
        self.psql(ROLE, database, statement)
    }

    /// Asks the server to end and waits until it has: statements in progress are rolled back, clients see their
    /// connections closed.
    pub fn stop(&mut self) {
        self.server.stop("INT");
    }

    /// Ends the server at once, as a crash does.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Ends the server, if it runs, and starts it on the same port over the same data: what was committed is there.
    ///
    /// # Errors
    /// When it does not start again.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.kill();
        let deadline = Instant::now() + AFTER_A_CRASH;
        loop {
            match launch(&mut self.server) {
                // The processes of the clients of a killed server end a moment after it.
                Err(error)
                    if error.to_string().contains("shared memory block") && Instant::now() < deadline =>
                {
                    sleep(Duration::from_millis(20));
                }
                result => return result,
            }
        }
    }

    /// Freezes the server: connections open, but nothing is answered until [`Postgres::resume`].
    ///
    /// # Errors
    /// When the server does not run.
    pub fn hang(&self) -> anyhow::Result<()> {
        // The first process first: it starts the others.
        self.server.signal("STOP")?;
        for child in self.children()? {
            // One that has ended meanwhile answers nothing either.
            let _ = send("STOP", child);
        }
        Ok(())
    }

    /// Lets a frozen server go on; it then answers what it was asked meanwhile.
    ///
    /// # Errors
    /// When the server does not run.
    pub fn resume(&self) -> anyhow::Result<()> {
        for child in self.children()? {
            let _ = send("CONT", child);
        }
        self.server.signal("CONT")
    }

    /// The processes the first one has started: one for each client, and its helpers.
    fn children(&self) -> anyhow::Result<Vec<u32>> {
        let parent = self.pid().context("postgres does not run")?;
        let processes = fs::read_dir("/proc").context("cannot list the processes")?;
        let ids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        Ok(ids.filter(|id| parent_of(*id) == Some(parent)).collect())
    }

    fn as_administrator(&self, statement: &str) -> anyhow::Result<()> {
        self.psql("postgres", "postgres", statement).map(drop)
    }

    fn psql(&self, role: &str, database: &str, statement: &str) -> anyhow::Result<String> {
        let mut psql = Command::new(program("psql")?);
        psql.args([
            "--no-psqlrc",
            "--no-password",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--host=127.0.0.1",
        ])
        .args([format!("--port={}", self.port()), format!("--username={role}")])
        .args([format!("--dbname={database}"), format!("--command={statement}")])
        .env("PGPASSWORD", &self.password)
        .env("PGCONNECT_TIMEOUT", "5")
        .env("PGOPTIONS", "-c statement_timeout=5s");
        read(&mut psql)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Not by SIGKILL, which would leave a piece of shared memory behind. (SIGQUIT: at once, without tidying up.)
        self.server.stop("QUIT");
    }
}

/// A program of Postgres: the one beside the server, which fits it.
fn program(name: &str) -> anyhow::Result<PathBuf> {
    let server = find(machine::POSTGRES.name).context("postgres is not on the PATH")?.canonicalize()?;
    let beside = server.with_file_name(name);
    if beside.exists() {
        return Ok(beside);
    }
    find(name).with_context(|| format!("{name} is neither beside {} nor on the PATH", server.display()))
}

/// Makes a new set of databases in `folder`, for a server that runs as the folder's owner.
fn make_cluster(folder: &Path, password: &str) -> anyhow::Result<()> {
    let secret = folder.join("password");
    fs::write(&secret, password)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    if let Some((user, group)) = other_user(folder)? {
        for path in [folder, &secret] {
            chown(path, Some(user), Some(group))?;
        }
    }
    let mut initdb = Command::new(program("initdb")?);
    initdb
        .args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"])
        .arg("--pwfile")
        .arg(&secret)
        .arg("--pgdata")
        .arg(folder.join("data"));
    run(as_owner(&mut initdb, folder)?, Progress::Quiet, "Is the disk full?")
}

/// The user to run the server as, when we are root, whom Postgres refuses: Debian's `postgres`, or `nobody`.
fn other_user(ours: &Path) -> anyhow::Result<Option<(u32, u32)>> {
    if ours.metadata()?.uid() != 0 {
        return Ok(None);
    }
    let number = |user: &str, kind: &str| -> Option<u32> {
        read(Command::new("id").args([kind, user])).ok()?.parse().ok()
    };
    let user =
        ["postgres", "nobody"].into_iter().find_map(|user| Some((number(user, "-u")?, number(user, "-g")?)));
    user.map(Some)
        .context("there is neither a user `postgres` nor a user `nobody`, and Postgres refuses root")
}

/// Lets `command` run as the owner of `folder`, in there.
fn as_owner<'a>(command: &'a mut Command, folder: &Path) -> anyhow::Result<&'a mut Command> {
    let owner = folder.metadata()?;
    command.current_dir(folder);
    // Otherwise we are the owner; asking for that needs a right that only root has.
    if fs::metadata("/proc/self")?.uid() == 0 {
        command.uid(owner.uid()).gid(owner.gid());
    }
    Ok(command)
}

fn launch(server: &mut Server) -> anyhow::Result<()> {
    let data = server.folder().join("data");
    let mut command = Command::new(program(machine::POSTGRES.name)?);
    command.arg("-D").arg(&data).arg("-p").arg(server.port().to_string());
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "fsync=on",
        "shared_buffers=16MB",
        // For the pools of several hosts, each of up to 64 for each of three components, and for many tests at once.
        "max_connections=1200",
        // In the folder, which is removed, and not in the machine's shared memory.
        "dynamic_shared_memory_type=mmap",
        "wal_level=minimal",
        "max_wal_senders=0",
    ] {
        command.args(["-c", setting]);
    }
    let folder = server.folder().to_owned();
    server.launch(as_owner(&mut command, &folder)?, |_, pid| is_ready(&data, pid))
}

/// Whether the server says that it takes connections, in the file with its process id.
fn is_ready(data: &Path, pid: u32) -> bool {
    let Ok(status) = fs::read_to_string(data.join("postmaster.pid")) else {
        return false;
    };
    let mut lines = status.lines().map(str::trim);
    lines.next() == Some(&pid.to_string()) && lines.nth(6) == Some("ready")
}

fn parent_of(process: u32) -> Option<u32> {
    // `PID (NAME) STATE PARENT ...`, and the name may have spaces and brackets.
    let line = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    line.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// A random password, and in front of it what must be escaped in an address.
fn password() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes).context("there is no randomness")?;
    Ok(bytes.iter().fold("p@:/?#%+ &".to_owned(), |text, byte| format!("{text}{byte:02x}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_keeps_its_data_over_a_stop_a_crash_and_a_freeze() {
        let mut postgres = Postgres::start().unwrap();
        let (port, database) = (postgres.port(), postgres.database().unwrap());
        postgres.ask(&database, "CREATE TABLE t AS SELECT 7 AS n, 'x' AS s").unwrap();

        postgres.stop();
        assert_eq!(postgres.pid(), None);
        assert!(postgres.ask(&database, "SELECT 1").is_err());
        postgres.restart().unwrap();
        assert_eq!(postgres.port(), port);
        assert_eq!(postgres.ask(&database, "SELECT * FROM t").unwrap(), "7|x");

        postgres.ask(&database, "UPDATE t SET n = 8").unwrap();
        postgres.kill();
        postgres.restart().unwrap();
        assert_eq!(postgres.ask(&database, "SELECT n FROM t").unwrap(), "8");

        postgres.hang().unwrap();
        let asked = std::thread::scope(|scope| {
            let asking = scope.spawn(|| postgres.ask(&database, "SELECT n FROM t"));
            sleep(Duration::from_millis(300));
            assert!(!asking.is_finished());
            postgres.resume().unwrap();
            asking.join().unwrap()
        });
        assert_eq!(asked.unwrap(), "8");
    }

    #[test]
    fn databases_do_not_meet_and_nobody_enters_without_the_password() {
        let mut postgres = Postgres::start().unwrap();
        let (one, two) = (postgres.database().unwrap(), postgres.database().unwrap());
        postgres.ask(&one, "CREATE TABLE t (n BIGINT)").unwrap();
        assert!(postgres.ask(&two, "SELECT n FROM t").unwrap_err().to_string().contains("does not exist"));
        postgres.take_back(one.clone());
        assert_eq!(postgres.database().unwrap(), one);
        postgres.ask(&one, "CREATE TABLE t (n BIGINT)").unwrap();
        postgres.password = "wrong".to_owned();
        assert!(postgres.ask(&one, "SELECT 1").unwrap_err().to_string().contains("password"));
    }

    #[test]
    fn nothing_is_left_behind() {
        let postgres = Postgres::start().unwrap();
        let (folder, children) = (postgres.server.folder().to_owned(), postgres.children().unwrap());
        assert!(!children.is_empty());
        drop(postgres);
        assert!(!folder.exists());
        assert!(children.iter().all(|child| parent_of(*child).is_none()), "{children:?}");
    }
}
