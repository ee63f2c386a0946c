//! Work that comes to its end whether or not somebody still waits for it.
//!
//! It runs where it is waited for, so that nobody else has to be woken; when the waiting is given up, it goes on in a
//! task of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// That work panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Panicked;

/// A future that is spawned when it is dropped before its end.
pub(super) struct Lasting<T: Send + 'static>(Option<Pin<Box<dyn Future<Output = T> + Send>>>);

impl<T: Send + 'static> Lasting<T> {
    pub(super) fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl<T: Send + 'static> Future for Lasting<T> {
    type Output = Result<T, Panicked>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(mut work) = self.0.take() else { return Poll::Pending };
        // Nothing of it is looked at again after a panic.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(Poll::Ready(ended)) => Poll::Ready(Ok(ended)),
            Ok(Poll::Pending) => {
                self.0 = Some(work);
                Poll::Pending
            }
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    }
}

impl<T: Send + 'static> Drop for Lasting<T> {
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_nobody_waits_for_comes_to_its_end() {
        let (first, go) = oneshot::channel::<()>();
        let (done, last) = oneshot::channel();
        let mut lasting = Lasting::new(async move {
            go.await.ok();
            done.send("done").ok();
        });
        let begun = tokio::time::timeout(Duration::from_millis(1), &mut lasting).await;
        assert!(begun.is_err(), "it waits");
        drop(lasting);
        first.send(()).unwrap();
        assert_eq!(last.await, Ok("done"));
    }

    #[tokio::test]
    async fn a_panic_is_told_and_not_gone_on_with() {
        assert_eq!(Lasting::new(async { 1 }).await, Ok(1));
        let broken: Result<(), Panicked> = Lasting::new(async { panic!("on purpose") }).await;
        assert_eq!(broken, Err(Panicked));
    }
}
