//! One client: it draws what to do next, and keeps a ledger of what it was told.

use std::{collections::VecDeque, sync::Arc};

use super::{
    content::{REPOSITORIES, Shared},
    ledger::{Ledger, Place},
    wire::Wire,
};
use crate::{faults::Rng, support::pusher::Vanished};

/// Tags that a client moves and deletes; the registry has 64 times as many.
const TAGS: usize = 16;

/// Connections that say nothing more and are kept open.
const SILENT: usize = 2;

/// The client.
pub(crate) struct Client {
    pub(crate) number: usize,
    pub(crate) wire: Wire,
    pub(crate) shared: Arc<Shared>,
    pub(crate) rng: Rng,
    pub(crate) ledger: Ledger,
    pub(crate) silent: VecDeque<Vanished>,
    /// How much it has done.
    pub(crate) acts: usize,
    /// Whether what it was promised may be gone before it has pushed a manifest: then it pushes again, as clients do.
    pub(crate) is_slow: bool,
}

impl Client {
    pub(crate) fn new(number: usize, wire: Wire, shared: Arc<Shared>, rng: Rng) -> Self {
        let (ledger, silent) = (Ledger::default(), VecDeque::new());
        Self { number, wire, shared, rng, ledger, silent, acts: 0, is_slow: false }
    }

    /// Does something, from its beginning to its end.
    pub(crate) fn act(&mut self) -> Result<(), String> {
        self.acts += 1;
        let done = match self.rng.between(0, 99) {
            0..=24 => self.push(),
            25..=49 => self.pull(),
            50..=57 => self.retag(),
            58..=65 => self.delete_tag(),
            66..=68 => self.delete_manifest(),
            69..=72 => self.push_and_delete_blob(),
            73..=76 => self.list(),
            77..=78 => self.cancel_upload(),
            79..=85 => self.vanish_in_an_upload(),
            86..=92 => self.vanish_in_a_download(),
            93..=95 => self.push_without_waiting(),
            96..=97 => self.delete_without_waiting(),
            _ => self.pull_stable(),
        };
        done.map_err(|reason| format!("client {}, act {}: {reason}", self.number, self.acts))
    }

    /// Holds everything against the ledger.
    pub(crate) fn ledger_is_right(mut self) -> Result<usize, String> {
        self.silent.clear();
        let right = self.ledger.check(self.wire);
        right.map_err(|reason| format!("client {}, in the end: {reason}", self.number))
    }

    pub(crate) fn repository(&mut self) -> &'static str {
        REPOSITORIES[self.rng.between(0, REPOSITORIES.len() - 1)]
    }

    /// A tag of its own, there or not.
    pub(crate) fn place(&mut self) -> Place {
        let tag = format!("c{}-{}", self.number, self.rng.between(1, TAGS));
        (self.repository(), tag)
    }

    /// A tag that no other act has or will have.
    pub(crate) fn fresh_place(&mut self) -> Place {
        (self.repository(), format!("c{}-once-{}", self.number, self.acts))
    }

    /// A tag of its own that is there.
    pub(crate) fn tagged(&mut self) -> Option<Place> {
        let last = self.ledger.tags.len().checked_sub(1)?;
        let drawn = self.rng.between(0, last);
        self.ledger.tags.keys().nth(drawn).cloned()
    }

    /// Keeps a connection open on which nothing more comes.
    pub(crate) fn keep(&mut self, vanished: Vanished) {
        self.silent.push_back(vanished);
        if self.silent.len() > SILENT {
            self.silent.pop_front();
        }
    }
}
