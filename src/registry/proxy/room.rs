//! Room for fetches: so many at once, and those that nobody waits for make way for those that somebody does.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::timeout,
};

/// Places for fetches.
#[derive(Debug)]
pub(super) struct Room {
    places: Arc<Semaphore>,
    demand: watch::Sender<Demand>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Demand {
    /// Fetches that wait for a place.
    waiting: usize,
    /// Fetches that are about to leave theirs.
    leaving: usize,
}

/// A place, until dropped.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
    _permit: OwnedSemaphorePermit,
    is_leaving: bool,
}

impl Room {
    pub(super) fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), demand: watch::Sender::default() }
    }

    /// A place; none if there is none for so long, or `gone` is.
    pub(super) async fn take(
        self: &Arc<Self>,
        patience: Duration,
        gone: impl Future<Output = ()>,
    ) -> Option<Place> {
        let place = |permit| Place { room: Arc::clone(self), _permit: permit, is_leaving: false };
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(place(permit));
        }
        let _waiting = Waiting::new(self);
        tokio::select! {
            taken = timeout(patience, Arc::clone(&self.places).acquire_owned()) => {
                Some(place(taken.ok()?.ok()?))
            }
            () = gone => None,
        }
    }
}

impl Place {
    /// Waits until somebody waits for a place, and none is about to be free.
    pub(super) async fn wanted(&self) {
        let mut demand = self.room.demand.subscribe();
        // The sender lives in the room.
        let _ = demand.wait_for(|demand| demand.waiting > demand.leaving).await;
    }

    /// Says that this place is about to be free; false: another one was first.
    pub(super) fn leave(&mut self) -> bool {
        let is_wanted = |demand: &mut Demand| {
            let is_wanted = demand.waiting > demand.leaving;
            demand.leaving += usize::from(is_wanted);
            is_wanted
        };
        self.is_leaving = self.is_leaving || self.room.demand.send_if_modified(is_wanted);
        self.is_leaving
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_leaving {
            self.room.demand.send_modify(|demand| demand.leaving -= 1);
        }
    }
}

/// Somebody waits, until dropped.
struct Waiting<'a>(&'a Room);

impl<'a> Waiting<'a> {
    fn new(room: &'a Room) -> Self {
        room.demand.send_modify(|demand| demand.waiting += 1);
        Self(room)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.demand.send_modify(|demand| demand.waiting -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::{join, time::timeout};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn one_place_is_left_for_each_who_waits() {
        let room = Arc::new(Room::new(2));
        let mut one = room.take(LONG, pending()).await.unwrap();
        let mut other = room.take(LONG, pending()).await.unwrap();
        assert!(timeout(LONG, one.wanted()).await.is_err(), "nobody waits");
        let leaves = async {
            join!(one.wanted(), other.wanted());
            assert!(one.leave());
            assert!(!other.leave(), "one of them is enough");
            drop(one);
        };
        let (taken, ()) = join!(room.take(LONG, pending()), leaves);
        assert!(taken.is_some());
        assert_eq!(*room.demand.borrow(), Demand::default());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever_or_after_having_gone() {
        let room = Arc::new(Room::new(1));
        let _held = room.take(LONG, pending()).await.unwrap();
        assert!(room.take(LONG, pending()).await.is_none());
        assert!(room.take(LONG, ready(())).await.is_none());
        assert_eq!(*room.demand.borrow(), Demand::default());
    }
}
