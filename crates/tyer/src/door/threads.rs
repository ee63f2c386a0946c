//! The threads on which doors relay.
//!
//! A relayed query is four short steps, and moving them between threads costs more than they do. So each
//! connection stays on one thread, which does nothing else than its connections, and waits for all of them at
//! once. What this gives up: a step that takes long, such as understanding a text of a megabyte, delays the
//! other connections of its thread.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

/// Threads, as many as processors. They end when this is dropped.
#[derive(Debug)]
pub(crate) struct Threads {
    threads: Vec<Thread>,
    _alive: watch::Sender<()>,
}

#[derive(Debug)]
struct Thread {
    handle: Handle,
    connections: Arc<AtomicUsize>,
}

/// A connection's place on a thread, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    /// Where its tasks are to be spawned.
    pub(crate) handle: Handle,
    connections: Arc<AtomicUsize>,
}

impl Threads {
    /// Starts them.
    pub(crate) fn start() -> std::io::Result<Self> {
        let (_alive, alive) = watch::channel(());
        let count = thread::available_parallelism().map_or(1, NonZero::get);
        let threads = (0..count).map(|_| Thread::start(alive.clone())).collect::<Result<_, _>>()?;
        Ok(Self { threads, _alive })
    }

    /// A place on the thread that has the fewest connections.
    pub(crate) fn place(&self) -> Option<Place> {
        let least = self.threads.iter().min_by_key(|it| it.connections.load(Ordering::Relaxed))?;
        least.connections.fetch_add(1, Ordering::Relaxed);
        Some(Place { handle: least.handle.clone(), connections: Arc::clone(&least.connections) })
    }
}

impl Thread {
    fn start(mut alive: watch::Receiver<()>) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        thread::Builder::new().name("relay".to_owned()).spawn(move || {
            // Nothing is ever sent: it ends when the sender is gone.
            runtime.block_on(async { alive.changed().await.ok() });
        })?;
        Ok(Self { handle, connections: Arc::new(AtomicUsize::new(0)) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_are_spread_and_stay_where_they_are() {
        let threads = Threads::start().unwrap();
        let count = threads.threads.len();
        let places: Vec<_> = (0..count * 3).map(|_| threads.place().unwrap()).collect();
        let held = |at: usize| threads.threads[at].connections.load(Ordering::Relaxed);
        assert!((0..count).all(|at| held(at) == 3));
        let here = || thread::current().id();
        for place in &places {
            let first = place.handle.spawn(async move { here() }).await.unwrap();
            assert_eq!(place.handle.spawn(async move { here() }).await.unwrap(), first);
            assert_ne!(first, here());
        }
        drop(places);
        assert!((0..count).all(|at| held(at) == 0));
    }
}
