//! A way to a server on which what is asked for is noted, and some of it kept back.

use std::{
    mem,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use super::way::Way;

const PATIENCE: Duration = Duration::from_secs(120);

/// What was asked for, by method and target.
pub(crate) type Requests = Vec<(String, String)>;

/// A way to a server.
pub(crate) struct Gate {
    way: Way,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    asked: Requests,
    /// What is kept back, and how much of it there is.
    held: Option<fn(&str, &str) -> bool>,
    waiting: usize,
}

impl Shared {
    fn admit(&self, method: &str, target: &str) {
        let mut state = self.state.lock().unwrap();
        state.asked.push((method.to_owned(), target.to_owned()));
        let is_held = |state: &mut State| state.held.is_some_and(|held| held(method, target));
        if is_held(&mut state) {
            state.waiting += 1;
            self.changed.notify_all();
            let mut state = self.changed.wait_while(state, is_held).unwrap();
            state.waiting -= 1;
        }
    }
}

impl Gate {
    /// A way to the server at `http://HOST:PORT`.
    pub(crate) fn to(server: &str) -> Self {
        let shared = Arc::new(Shared::default());
        let admitting = Arc::clone(&shared);
        let admit = move |method: &str, target: &str| admitting.admit(method, target);
        Self { way: Way::to(server, admit).unwrap(), shared }
    }

    pub(crate) fn endpoint(&self) -> &str {
        self.way.endpoint()
    }

    /// What was asked for since this was asked last.
    pub(crate) fn take(&self) -> Requests {
        mem::take(&mut self.shared.state.lock().unwrap().asked)
    }

    /// From now on requests are kept back of whose method and target this is true.
    pub(crate) fn hold(&self, held: fn(&str, &str) -> bool) {
        self.shared.state.lock().unwrap().held = Some(held);
    }

    pub(crate) fn release(&self) {
        self.shared.state.lock().unwrap().held = None;
        self.shared.changed.notify_all();
    }

    pub(crate) fn until_one_waits(&self) {
        let state = self.shared.state.lock().unwrap();
        let waits = |state: &mut State| state.waiting == 0;
        let (_state, waited) =
            self.shared.changed.wait_timeout_while(state, PATIENCE, waits).unwrap();
        assert!(!waited.timed_out(), "nothing was asked for that is kept back");
    }
}
