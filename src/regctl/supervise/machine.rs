//! One service as a state machine: `(state, event) → action`, without a process, a clock or a socket.
//!
//! The supervisor tells it what has happened and when, and does what it answers. What is wanted and what is
//! are kept apart: a service that is wanted and not there is crashing, one that is there and not wanted is
//! stopping.

use std::time::{Duration, Instant};

/// The pause before the first start after a crash; it doubles with each further one.
const BACKOFF_MIN: Duration = Duration::from_secs(1);

/// The longest pause between two starts.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// A process that ran for so long has started well: the next crash is a first one.
const STABLE: Duration = Duration::from_secs(60);

/// What should be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Want {
    Up,
    /// Until it ends by itself.
    Once,
    Down,
}

/// What is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    Down {
        since: Instant,
    },
    Up {
        pid: u32,
        since: Instant,
        /// Whether it was sent a signal that may end it: an end is then no crash.
        asked: bool,
    },
    /// It was asked to end.
    Stopping {
        pid: u32,
        since: Instant,
        /// When patience ends.
        until: Instant,
        killed: bool,
    },
    /// It ended too early, and starts again when the pause is over.
    Pausing {
        since: Instant,
        until: Instant,
    },
}

/// What happened, or is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Event {
    /// Should run, from now on.
    Start,
    /// Should run, and stay down when it ends.
    Once,
    /// Should stop.
    Stop,
    /// Should run, as a new process.
    Restart,
    /// Was sent a signal by an administrator.
    Signalled,
    /// Its process runs.
    Spawned(u32),
    /// No process could be made.
    SpawnFailed,
    /// Its process ended.
    Ended,
    /// A deadline may have passed.
    Tick,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Action {
    /// Make a process, and say [`Event::Spawned`] or [`Event::SpawnFailed`].
    Spawn,
    /// Ask the process to end.
    Ask(u32),
    /// End its whole group.
    Kill(u32),
}

/// The machine of one service.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) want: Want,
    pub(super) state: State,
    /// How long it may take to end when asked.
    pub(super) grace: Duration,
    /// Starts in a row that went wrong.
    pub(super) failures: u32,
    /// Starts after the first that nobody asked for.
    pub(super) restarts: u32,
    /// Processes made so far.
    pub(super) starts: u32,
}

impl Machine {
    pub(super) fn new(grace: Duration, now: Instant) -> Self {
        let state = State::Down { since: now };
        Self { want: Want::Down, state, grace, failures: 0, restarts: 0, starts: 0 }
    }

    /// Takes in what happened, and says what is to be done.
    pub(super) fn on(&mut self, event: Event, now: Instant) -> Option<Action> {
        match event {
            Event::Start => self.start(Want::Up),
            Event::Once => self.start(Want::Once),
            Event::Stop => self.stop(now),
            Event::Restart => self.restart(now),
            Event::Signalled => {
                if let State::Up { asked, .. } = &mut self.state {
                    *asked = true;
                }
                None
            }
            Event::Spawned(pid) => {
                self.state = State::Up { pid, since: now, asked: false };
                self.starts += 1;
                None
            }
            Event::SpawnFailed => {
                self.crashed(now);
                None
            }
            Event::Ended => self.ended(now),
            Event::Tick => self.tick(now),
        }
    }

    /// When [`Event::Tick`] is wanted.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Stopping { until, killed: false, .. } | State::Pausing { until, .. } => {
                Some(until)
            }
            State::Down { .. } | State::Up { .. } | State::Stopping { .. } => None,
        }
    }

    /// The process, while there is one.
    pub(super) fn pid(&self) -> Option<u32> {
        match self.state {
            State::Up { pid, .. } | State::Stopping { pid, .. } => Some(pid),
            State::Down { .. } | State::Pausing { .. } => None,
        }
    }

    fn start(&mut self, want: Want) -> Option<Action> {
        self.want = want;
        match self.state {
            State::Down { .. } | State::Pausing { .. } => {
                self.failures = 0;
                Some(Action::Spawn)
            }
            // A process that is on its way out is followed by the next.
            State::Up { .. } | State::Stopping { .. } => None,
        }
    }

    fn stop(&mut self, now: Instant) -> Option<Action> {
        self.want = Want::Down;
        self.failures = 0;
        match self.state {
            State::Up { pid, .. } => Some(self.ask(pid, now)),
            State::Pausing { .. } => {
                self.state = State::Down { since: now };
                None
            }
            State::Down { .. } | State::Stopping { .. } => None,
        }
    }

    fn restart(&mut self, now: Instant) -> Option<Action> {
        match self.state {
            State::Up { pid, .. } => {
                self.want = Want::Up;
                self.failures = 0;
                Some(self.ask(pid, now))
            }
            _ => self.start(Want::Up),
        }
    }

    fn ask(&mut self, pid: u32, now: Instant) -> Action {
        self.state = State::Stopping { pid, since: now, until: now + self.grace, killed: false };
        Action::Ask(pid)
    }

    fn ended(&mut self, now: Instant) -> Option<Action> {
        match (self.state, self.want) {
            (State::Stopping { .. }, Want::Up | Want::Once) => Some(self.again(now)),
            (State::Up { asked: true, .. }, Want::Up) => {
                self.restarts += 1;
                Some(self.again(now))
            }
            (State::Up { since, .. }, Want::Up) => {
                if now.duration_since(since) >= STABLE {
                    self.failures = 0;
                }
                self.crashed(now);
                None
            }
            (State::Stopping { .. }, Want::Down) | (State::Up { .. }, Want::Once | Want::Down) => {
                self.want = Want::Down;
                self.state = State::Down { since: now };
                None
            }
            (State::Down { .. } | State::Pausing { .. }, _) => None,
        }
    }

    /// The next process is to be made at once; until it is there, nothing runs.
    fn again(&mut self, now: Instant) -> Action {
        self.state = State::Down { since: now };
        Action::Spawn
    }

    fn crashed(&mut self, now: Instant) {
        if self.want == Want::Once {
            self.want = Want::Down;
            self.state = State::Down { since: now };
            return;
        }
        let pause = BACKOFF_MIN.saturating_mul(1 << self.failures.min(6)).min(BACKOFF_MAX);
        self.failures = self.failures.saturating_add(1);
        self.state = State::Pausing { since: now, until: now + pause };
    }

    fn tick(&mut self, now: Instant) -> Option<Action> {
        match &mut self.state {
            State::Stopping { pid, until, killed, .. } if !*killed && *until <= now => {
                *killed = true;
                Some(Action::Kill(*pid))
            }
            State::Pausing { until, .. } if *until <= now => {
                self.restarts += 1;
                Some(Action::Spawn)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    /// What is told, after so many more seconds, and what is answered.
    type Row = (u64, Event, Option<Action>);

    fn follow(rows: &[Row]) -> Machine {
        let mut now = Instant::now();
        let mut machine = Machine::new(GRACE, now);
        for (index, (seconds, event, expected)) in rows.iter().enumerate() {
            now += Duration::from_secs(*seconds);
            assert_eq!(machine.on(*event, now), *expected, "row {index}: {event:?}");
        }
        machine
    }

    const START: Row = (0, Event::Start, Some(Action::Spawn));
    const UP: Row = (0, Event::Spawned(7), None);

    #[test]
    fn a_service_that_is_started_twice_runs_once() {
        let machine = follow(&[START, UP, (1, Event::Start, None)]);
        assert_eq!((machine.pid(), machine.starts), (Some(7), 1));
    }

    #[test]
    fn a_stop_asks_then_kills() {
        let machine = follow(&[
            START,
            UP,
            (5, Event::Stop, Some(Action::Ask(7))),
            (9, Event::Tick, None),
            (1, Event::Tick, Some(Action::Kill(7))),
            (1, Event::Tick, None),
            (1, Event::Ended, None),
            (9, Event::Tick, None),
        ]);
        assert!(matches!(machine.state, State::Down { .. }));
        assert_eq!((machine.restarts, machine.deadline()), (0, None));
    }

    #[test]
    fn a_crash_is_followed_by_pauses_that_double_up_to_a_minute() {
        let mut rows = vec![START, UP];
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            rows.push((3, Event::Ended, None));
            rows.push((pause - 1, Event::Tick, None));
            rows.push((1, Event::Tick, Some(Action::Spawn)));
            rows.push(UP);
        }
        let machine = follow(&rows);
        assert_eq!((machine.failures, machine.restarts, machine.starts), (8, 8, 9));
    }

    #[test]
    fn a_process_that_ran_for_long_starts_over_with_a_short_pause() {
        let machine = follow(&[
            START,
            UP,
            (1, Event::Ended, None),
            (1, Event::Tick, Some(Action::Spawn)),
            UP,
            (61, Event::Ended, None),
            (1, Event::Tick, Some(Action::Spawn)),
        ]);
        assert_eq!(machine.failures, 1);
    }

    #[test]
    fn a_start_ends_a_pause_and_a_stop_ends_it_too() {
        let crash = (1, Event::Ended, None);
        follow(&[START, UP, crash, (0, Event::Start, Some(Action::Spawn))]);
        let machine = follow(&[START, UP, crash, (0, Event::Stop, None), (90, Event::Tick, None)]);
        assert!(matches!(machine.state, State::Down { .. }));
    }

    #[test]
    fn a_restart_is_one_stop_and_one_start() {
        let machine = follow(&[
            START,
            UP,
            (1, Event::Restart, Some(Action::Ask(7))),
            (0, Event::Restart, None),
            (1, Event::Ended, Some(Action::Spawn)),
            (0, Event::Spawned(8), None),
        ]);
        assert_eq!((machine.pid(), machine.failures, machine.restarts), (Some(8), 0, 0));
        follow(&[(0, Event::Restart, Some(Action::Spawn))]);
    }

    #[test]
    fn a_stop_after_a_restart_stays_stopped() {
        let machine = follow(&[
            START,
            UP,
            (1, Event::Restart, Some(Action::Ask(7))),
            (0, Event::Stop, None),
            (1, Event::Ended, None),
        ]);
        assert_eq!(machine.pid(), None);
        assert_eq!(machine.want, Want::Down);
    }

    #[test]
    fn a_start_while_it_stops_is_followed_by_the_next_process() {
        follow(&[
            START,
            UP,
            (1, Event::Stop, Some(Action::Ask(7))),
            (0, Event::Start, None),
            (1, Event::Ended, Some(Action::Spawn)),
        ]);
    }

    #[test]
    fn once_is_not_followed_by_another_process() {
        let machine = follow(&[(0, Event::Once, Some(Action::Spawn)), UP, (1, Event::Ended, None)]);
        assert!(matches!(machine.state, State::Down { .. }));
        let machine =
            follow(&[(0, Event::Once, Some(Action::Spawn)), (0, Event::SpawnFailed, None)]);
        assert_eq!(machine.deadline(), None);
    }

    #[test]
    fn an_end_by_an_administrators_signal_is_no_crash() {
        let machine = follow(&[
            START,
            UP,
            (1, Event::Signalled, None),
            (0, Event::Ended, Some(Action::Spawn)),
            (0, Event::Spawned(8), None),
        ]);
        assert_eq!((machine.failures, machine.restarts), (0, 1));
    }

    #[test]
    fn a_process_that_cannot_be_made_is_tried_again_later() {
        follow(&[
            START,
            (0, Event::SpawnFailed, None),
            (1, Event::Tick, Some(Action::Spawn)),
            (0, Event::SpawnFailed, None),
            (1, Event::Tick, None),
            (1, Event::Tick, Some(Action::Spawn)),
        ]);
    }

    #[test]
    fn what_ends_without_having_run_changes_nothing() {
        let machine = follow(&[(0, Event::Ended, None), (0, Event::Tick, None)]);
        assert_eq!(machine.starts, 0);
    }
}
