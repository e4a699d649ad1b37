//! Everything a host has running, so that it can be waited for or dropped at once.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;

/// The tasks of one host.
#[derive(Clone, Debug)]
pub(crate) struct Tasks {
    runtime: Handle,
    running: TaskTracker,
    stopping: CancellationToken,
    dead: CancellationToken,
}

impl Tasks {
    /// Tasks on the current runtime.
    pub(crate) fn new() -> Self {
        Self {
            runtime: Handle::current(),
            running: TaskTracker::new(),
            stopping: CancellationToken::new(),
            dead: CancellationToken::new(),
        }
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let dead = self.dead.clone();
        let task = async move {
            // Dropping the task is all there is to do when the host dies.
            let _ = dead.run_until_cancelled_owned(task).await;
        };
        self.running.spawn_on(task, &self.runtime);
    }

    /// Ends when the host is asked to stop.
    pub(crate) async fn stopping(&self) {
        self.stopping.cancelled().await;
    }

    /// Ends when everything is dropped.
    pub(crate) fn death(&self) -> WaitForCancellationFutureOwned {
        self.dead.clone().cancelled_owned()
    }

    /// Whether everything is dropped.
    pub(crate) fn are_dropped(&self) -> bool {
        self.dead.is_cancelled()
    }

    /// Asks everything to end and waits, at most `patience`; then drops the rest.
    pub(crate) async fn stop(&self, patience: Duration) {
        self.stopping.cancel();
        self.running.close();
        let _ = tokio::time::timeout(patience, self.running.wait()).await;
        self.dead.cancel();
        self.running.wait().await;
    }

    /// Drops everything.
    pub(crate) fn abort(&self) {
        self.stopping.cancel();
        self.dead.cancel();
    }
}
