//! An SQLite file that belongs to this process alone.
//!
//! One connection serves everybody, one at a time: all instances of all hosts here. It holds the file's lock
//! for as long as it is open, which spares every operation some twenty system calls. The file is in WAL mode
//! with `synchronous=NORMAL`: a commit survives a crash of this process, but the last ones may be lost when
//! the machine loses power. Spin keeps SQLite's defaults and pays a synced commit (about 1.4 ms) for every
//! write.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use anyhow::{Context, Result};
use rusqlite::Connection;

use crate::private;

/// A file and the one connection to it.
pub(crate) struct OwnedFile(Mutex<Connection>);

/// The files this process has open.
static OPEN: Mutex<BTreeMap<PathBuf, Weak<OwnedFile>>> = Mutex::new(BTreeMap::new());
/// How often the write-ahead log is brought into the file. SQLite would do it inside a write every thousand
/// pages, and sync the file each time.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);

impl OwnedFile {
    /// Opens or makes the file, or joins those who have it open in this process; without a path the database
    /// is in memory and nobody else's. `prepare` makes the tables.
    pub(crate) fn open(
        path: Option<&Path>,
        prepare: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<Arc<Self>> {
        let Some(path) = path else {
            let connection = Connection::open_in_memory().and_then(|c| prepare(&c).map(|()| c));
            let connection = connection.context("cannot make a database in memory")?;
            return Ok(Arc::new(Self(Mutex::new(connection))));
        };
        let name = std::path::absolute(path)?;
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(&name).and_then(Weak::upgrade) {
            return Ok(file);
        }
        let connection = own(&name).and_then(|c| Ok(prepare(&c).map(|()| c)?)).with_context(|| {
            format!("cannot open {} (does another program have it open?)", path.display())
        })?;
        let file = Arc::new(Self(Mutex::new(connection)));
        checkpoint(&file)?;
        open.retain(|_, file| file.strong_count() > 0);
        open.insert(name, Arc::downgrade(&file));
        Ok(file)
    }

    /// The connection, when nobody else uses it.
    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn own(path: &Path) -> Result<Connection> {
    private::database(path)?;
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    super::sqlite::keep_a_log(&connection)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(connection)
}

/// Checkpoints until the last user of `file` is gone.
fn checkpoint(file: &Arc<OwnedFile>) -> Result<()> {
    let file = Arc::downgrade(file);
    let work = move || {
        loop {
            std::thread::sleep(CHECKPOINT_EVERY);
            let Some(file) = file.upgrade() else { return };
            // One that fails is made up for by the next.
            let _ = file.connection().query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        }
    };
    std::thread::Builder::new()
        .name("checkpoints".to_owned())
        .spawn(work)
        .context("cannot start the thread that checkpoints")?;
    Ok(())
}
