//! Work that goes on while its beginner does something else.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

/// Work that has begun, on other threads or in other places, and that nobody waits for yet.
pub(super) struct Begun<F: Future> {
    future: Pin<Box<F>>,
    output: Option<F::Output>,
}

impl<F: Future> Begun<F> {
    /// Begins, without waiting.
    pub(super) async fn new(future: F) -> Self {
        let mut future = Box::pin(future);
        let output = poll_fn(|context| {
            Poll::Ready(match future.as_mut().poll(context) {
                Poll::Ready(output) => Some(output),
                Poll::Pending => None,
            })
        });
        Self { output: output.await, future }
    }

    /// Waits for the end.
    pub(super) async fn end(self) -> F::Output {
        match self.output {
            Some(output) => output,
            None => self.future.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_has_begun_has_done_something_before_anybody_waits() {
        let (begun, mut has_begun) = oneshot::channel();
        let (go_on, may_go_on) = oneshot::channel();
        let work = Begun::new(async {
            begun.send(()).unwrap();
            may_go_on.await.unwrap()
        });
        let work = work.await;
        has_begun.try_recv().unwrap();
        go_on.send(7).unwrap();
        assert_eq!(work.end().await, 7);
        assert_eq!(Begun::new(async { 8 }).await.end().await, 8);
    }
}
