//! Which request is for what.

use std::time::Duration;

use http::StatusCode;
use octo_core::{
    Clock, Entropy, HttpOut, KeyValue, Problem, Settings, Sql,
    sql::{Migrated, Schema},
};
use octo_http::{Request, Response, idempotency::KeyValueIdempotency, path, query::Query, respond};
use octo_jobs::{Jobs, SCHEMA};

use crate::answers::{self, DeadLettersBody, QueuesBody};

/// Largest body read, in bytes: none is looked at.
pub(crate) const MAX_BODY: usize = 4 * 1024;

/// How long one call for a drain removes old idempotency keys.
const SWEPT_FOR: Duration = Duration::from_secs(1);
/// Of these so many before the time is looked at.
const KEYS_AT_ONCE: usize = 16;

/// Dead letters of a page.
const LONGEST_PAGE: i64 = 100;

/// Rounds of removing what is done, in one call of the scheduler: some tenths of a second together.
const SWEEPS: usize = 20;

const TABLES: &[&Schema] = &[&SCHEMA];

/// Background work on its ports.
pub(crate) struct Desk<S, D, K, H, C, E> {
    pub(crate) settings: S,
    pub(crate) sql: D,
    pub(crate) store: K,
    pub(crate) http: H,
    pub(crate) clock: C,
    pub(crate) entropy: E,
}

impl<S: Settings, D: Sql, K: KeyValue, H: HttpOut, C: Clock, E: Entropy> Desk<S, D, K, H, C, E> {
    /// Answers one request.
    pub(crate) async fn handle(&self, request: Request) -> Result<Response, Problem> {
        let path = request.uri().path().to_owned();
        let parts: Vec<&str> = path.trim_end_matches('/').split('/').skip(1).collect();
        match (parts.as_slice(), request.method().as_str()) {
            (["internal", "jobs", "drain"], "POST") => self.drain(request).await,
            (["internal", "jobs"], "GET") => self.queues(request).await,
            (["internal", "jobs", "dead"], "GET") => self.dead_letters(request).await,
            (["internal", "jobs", "dead", id], "DELETE") => self.remove(request, id).await,
            (["internal", "jobs", "dead", id, "replay"], "POST") => self.replay(request, id).await,
            (["internal", "jobs"] | ["internal", "jobs", "dead"], _) => {
                Err(respond::method_not_allowed("GET"))
            }
            (["internal", "jobs", "drain"] | ["internal", "jobs", "dead", _, "replay"], _) => {
                Err(respond::method_not_allowed("POST"))
            }
            (["internal", "jobs", "dead", _], _) => Err(respond::method_not_allowed("DELETE")),
            _ => Err(respond::not_found()),
        }
    }

    /// `POST /internal/jobs/drain`
    async fn drain(&self, request: Request) -> Result<Response, Problem> {
        self.scheduler(&request).await?;
        let sql = self.migrated();
        // What no statement would miss, such as a new index, is made here.
        sql.apply().await?;
        // What thousands of callers left behind in a day goes within minutes, however rarely the scheduler calls.
        for _ in 0..SWEEPS {
            if !Jobs::new(&sql).sweep(self.clock.now()).await? {
                break;
            }
        }
        self.forget_old_keys().await;
        self.perform().await
    }

    /// Removes old idempotency keys, whether new ones come or not. A store that is away has them removed another time,
    /// and must not keep the jobs waiting.
    async fn forget_old_keys(&self) {
        let until = self.clock.now() + SWEPT_FOR;
        let keys = KeyValueIdempotency::new(&self.store);
        while self.clock.now() < until {
            if !keys.forget_old(self.clock.now(), KEYS_AT_ONCE).await.unwrap_or(false) {
                return;
            }
        }
    }

    /// `GET /internal/jobs`
    async fn queues(&self, request: Request) -> Result<Response, Problem> {
        self.administrator(&request).await?;
        let backlog = Jobs::new(&self.migrated()).backlog().await?;
        Ok(respond::json(StatusCode::OK, &QueuesBody::of(&backlog)))
    }

    /// `GET /internal/jobs/dead`: oldest first, of one `queue` or of all; those `after` a number, `limit` of them.
    async fn dead_letters(&self, request: Request) -> Result<Response, Problem> {
        self.administrator(&request).await?;
        let query = Query::of(&request);
        let limit = query.limit(LONGEST_PAGE)?;
        let sql = self.migrated();
        let dead = Jobs::new(&sql).dead_letters(query.get("queue"), query.after()?, limit).await?;
        Ok(respond::json(StatusCode::OK, &DeadLettersBody::of(&dead, limit)))
    }

    /// `POST /internal/jobs/dead/{id}/replay`
    async fn replay(&self, request: Request, id: &str) -> Result<Response, Problem> {
        let (actor, id) = (self.administrator(&request).await?, number(id)?);
        self.note(actor, "replay-dead-letter", id).await?;
        let replayed = Jobs::new(&self.migrated()).replay(id, self.clock.now()).await?;
        if replayed { Ok(respond::empty(StatusCode::ACCEPTED)) } else { Err(answers::no_such_dead_letter()) }
    }

    /// `DELETE /internal/jobs/dead/{id}`
    async fn remove(&self, request: Request, id: &str) -> Result<Response, Problem> {
        let (actor, id) = (self.administrator(&request).await?, number(id)?);
        self.note(actor, "remove-dead-letter", id).await?;
        let removed = Jobs::new(&self.migrated()).remove_dead_letter(id).await?;
        if removed { Ok(respond::empty(StatusCode::NO_CONTENT)) } else { Err(answers::no_such_dead_letter()) }
    }

    fn migrated(&self) -> Migrated<'_, D> {
        Migrated::new(&self.sql, TABLES)
    }
}

/// The number of a dead letter, as its path has it.
fn number(text: &str) -> Result<i64, Problem> {
    path::id(text).ok_or_else(answers::no_such_dead_letter)
}
