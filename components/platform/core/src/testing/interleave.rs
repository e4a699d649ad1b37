//! Several tasks over one store, taken from store call to store call in a chosen order, as instances that
//! know nothing of each other are; with calls that fail in every way there is, and tasks that crash.

use crate::{async_trait, testing::Locked};
use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{FakeClock, FakeKeyValue, ready};
use crate::{Clock, KeyValue, StoreError, UnixMillis};

/// What becomes of one store call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It takes effect and is answered.
    #[default]
    Done,
    /// It never reaches the store, and fails.
    Unsent,
    /// It takes effect, and its answer is lost: it fails.
    Unheard,
    /// It fails now, and takes effect at a later [`Turn::Land`].
    Late,
}

/// One turn of a schedule. Tasks are counted from 0; a turn of a task that has ended does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The task makes the store call it stands before, with this fate, and goes on to the next one.
    Step(usize, Fate),
    /// The task stops for ever where it stands.
    Crash(usize),
    /// The oldest late call takes effect.
    Land,
    /// Time passes, and every task stands still meanwhile.
    Wait(Duration),
    /// Time passes in which nothing can last: late calls take effect, and tasks that have begun crash.
    Pass(Duration),
}

/// A task: what one request does.
pub type Task<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A store whose every call waits for its turn, and a clock that moves only when the schedule says so.
#[derive(Debug)]
pub struct Interleaving {
    /// The store behind.
    pub store: FakeKeyValue,
    /// The time.
    pub clock: FakeClock,
    fate: Locked<Fate>,
    late: Locked<VecDeque<Write>>,
}

#[derive(Debug)]
enum Write {
    Set(String, Vec<u8>),
    Delete(String),
    Increment(String, i64),
}

impl Interleaving {
    /// An empty store at `now`.
    pub fn at(now: UnixMillis) -> Self {
        Self {
            store: FakeKeyValue::default(),
            clock: FakeClock::at(now),
            fate: Locked::default(),
            late: Locked::default(),
        }
    }

    /// The time.
    pub fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// Takes `tasks` through `turns`; then late calls take effect, and the tasks that are left run to their
    /// ends one after the other.
    pub fn run<'a>(&'a self, tasks: impl IntoIterator<Item = Task<'a>>, turns: &[Turn]) {
        let mut tasks: Vec<_> = tasks.into_iter().map(Actor::Waiting).collect();
        for turn in turns {
            match *turn {
                Turn::Step(number, fate) => {
                    if let Some(actor) = tasks.get_mut(number) {
                        self.step(actor, fate);
                    }
                }
                Turn::Crash(number) => {
                    if let Some(actor) = tasks.get_mut(number) {
                        *actor = Actor::Ended;
                    }
                }
                Turn::Land => self.land(),
                Turn::Wait(time) => self.clock.advance(time),
                Turn::Pass(time) => {
                    self.land_all();
                    let begun = |actor: &&mut Actor<'_>| matches!(actor, Actor::Begun(_));
                    tasks.iter_mut().filter(begun).for_each(|actor| *actor = Actor::Ended);
                    self.clock.advance(time);
                }
            }
        }
        self.land_all();
        for actor in &mut tasks {
            while !matches!(actor, Actor::Ended) {
                self.step(actor, Fate::Done);
            }
        }
    }

    fn step(&self, actor: &mut Actor<'_>, fate: Fate) {
        let (mut task, begins) = match std::mem::replace(actor, Actor::Ended) {
            Actor::Waiting(task) => (task, true),
            Actor::Begun(task) => (task, false),
            Actor::Ended => return,
        };
        self.fate.set(fate);
        let mut context = Context::from_waker(Waker::noop());
        let mut end = task.as_mut().poll(&mut context);
        if begins && end.is_pending() {
            // So far it has only come to its first call.
            end = task.as_mut().poll(&mut context);
        }
        if end.is_pending() {
            *actor = Actor::Begun(task);
        }
    }

    fn land(&self) {
        let write = self.late.borrow_mut().pop_front();
        // Whatever comes of it, nobody listens any more.
        _ = match write {
            Some(Write::Set(key, value)) => ready(self.store.set(&key, &value)),
            Some(Write::Delete(key)) => ready(self.store.delete(&key)),
            Some(Write::Increment(key, delta)) => ready(self.store.increment(&key, delta)).map(drop),
            None => Ok(()),
        };
    }

    fn land_all(&self) {
        while !self.late.borrow().is_empty() {
            self.land();
        }
    }

    async fn call<T>(
        &self,
        call: impl AsyncFnOnce(&FakeKeyValue) -> Result<T, StoreError>,
        late: Option<Write>,
    ) -> Result<T, StoreError> {
        let mut waited = false;
        poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
        let lost = || Err(StoreError("lost by the test".into()));
        match self.fate.take() {
            Fate::Done => call(&self.store).await,
            Fate::Unsent => lost(),
            Fate::Unheard => {
                call(&self.store).await?;
                lost()
            }
            Fate::Late => {
                self.late.borrow_mut().extend(late);
                lost()
            }
        }
    }
}

enum Actor<'a> {
    Waiting(Task<'a>),
    Begun(Task<'a>),
    Ended,
}

#[async_trait]
impl KeyValue for Interleaving {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.call(async |store| store.get(key).await, None).await
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let late = Write::Set(key.to_owned(), value.to_vec());
        self.call(async |store| store.set(key, value).await, Some(late)).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.call(async |store| store.delete(key).await, Some(Write::Delete(key.to_owned()))).await
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        let late = Write::Increment(key.to_owned(), delta);
        self.call(async |store| store.increment(key, delta).await, Some(late)).await
    }
}
