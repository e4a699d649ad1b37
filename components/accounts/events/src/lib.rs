//! What the systems tell one another: an event is a durable job in the queue of each consumer.
//!
//! Only the forms of events are here, so that neither side has to know the other. The producer's statement writes the
//! event and its cause together (an outbox); each consumer gets it at least once, in any order with everything else, and
//! must end in the same state however often it comes.
//!
//! # Versions
//! A kind carries its version. A version is never changed; a new one is published next to the old one until no consumer
//! reads the old one any more.

pub mod account_deleted;
pub mod account_registered;

pub use account_deleted::AccountDeleted;
pub use account_registered::AccountRegistered;
