//! Where the events for one endpoint wait: in files that survive the process, or in memory.
//!
//! Each process appends to a folder of its own below the endpoint's (`tail`) and holds that one locked; one process at
//! a time delivers (`head`), which holds the endpoint's lock. It begins with what processes that are gone have left, so the
//! order is kept over restarts, also where the next process is there before the last one has ended.

mod dead;
mod head;
mod line;
mod memory;
mod run;
mod tail;
#[cfg(test)]
mod tests;

use std::{
    io,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::config;
use head::Head;
pub(super) use line::{Line, write};
use memory::Memory;
use tail::Tail;

/// Many, or large.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Size {
    pub(super) events: u64,
    pub(super) bytes: u64,
}

/// The events for one endpoint.
#[derive(Debug)]
pub(super) struct Queue {
    place: Place,
    limit: config::Queue,
    events: AtomicU64,
    bytes: AtomicU64,
    dead: AtomicU64,
}

#[derive(Debug)]
enum Place {
    Memory(Memory),
    /// The endpoint's folder, and in it that of this process.
    Disk(PathBuf, Tail),
}

/// The end at which one process takes events out: of all processes' files, or of the queue's own memory.
#[derive(Debug)]
pub(super) struct Outlet(Option<Box<Head>>);

/// Why an event does not wait.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error("its queue is full")]
    Full,
    #[error("its queue cannot be written to: {0}")]
    Write(#[from] io::Error),
}

impl Outlet {
    /// Has the next batch begin with what is not delivered.
    fn rewind(&mut self) {
        if let Some(head) = &mut self.0 {
            head.rewind();
        }
    }
}

impl Queue {
    /// Opens the queue of an endpoint.
    pub(super) fn open(limit: &config::Queue, name: &config::EndpointName) -> io::Result<Self> {
        let place = match &limit.folder {
            None => Place::Memory(Memory::default()),
            Some(folder) => {
                let folder = name.folder_in(folder);
                let tail = Tail::open(&folder)?;
                Place::Disk(folder, tail)
            }
        };
        Ok(Self::of(place, limit))
    }

    /// A queue in memory, whatever is configured.
    pub(super) fn in_memory(limit: &config::Queue) -> Self {
        Self::of(Place::Memory(Memory::default()), limit)
    }

    fn of(place: Place, limit: &config::Queue) -> Self {
        let (events, bytes, dead) = Default::default();
        Self { place, limit: limit.clone(), events, bytes, dead }
    }

    /// Whether it survives the process.
    pub(super) fn is_durable(&self) -> bool {
        matches!(self.place, Place::Disk(..))
    }

    /// Puts a line at the end. It never waits for anybody but the kernel.
    pub(super) fn push(&self, line: &bytes::Bytes) -> Result<(), Lost> {
        let bytes = line.len() as u64;
        // Counted first, so that however many come at once the limits hold.
        let events = self.events.fetch_add(1, Ordering::Relaxed) + 1;
        let all_bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let pushed = match &self.place {
            _ if events > self.limit.max_events || all_bytes > self.limit.max_bytes => {
                Err(Lost::Full)
            }
            Place::Memory(memory) => {
                memory.push(line);
                Ok(())
            }
            Place::Disk(_, tail) => tail.append(line).map_err(Lost::from),
        };
        if pushed.is_err() {
            self.less(Size { events: 1, bytes });
        }
        pushed
    }

    /// The end to take from; none while another process has it. It reads files.
    pub(super) fn outlet(&self) -> io::Result<Option<Outlet>> {
        let Place::Disk(folder, tail) = &self.place else { return Ok(Some(Outlet(None))) };
        let Some(head) = Head::take(folder, tail.folder())? else { return Ok(None) };
        self.dead.store(head.dead.count(), Ordering::Relaxed);
        let mut outlet = Outlet(Some(Box::new(head)));
        self.adopt(&mut outlet)?;
        Ok(Some(outlet))
    }

    /// Takes over what processes have left that are gone. It reads files.
    pub(super) fn adopt(&self, Outlet(head): &mut Outlet) -> io::Result<()> {
        let Some(head) = head else { return Ok(()) };
        let Size { events, bytes } = head.adopt()?;
        self.events.fetch_add(events, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// The next events in their order, none if there are none for now. It reads files.
    pub(super) fn batch(&self, outlet: &mut Outlet) -> io::Result<Vec<Line>> {
        match (&mut outlet.0, &self.place) {
            (Some(head), _) => head.batch(),
            (None, Place::Memory(memory)) => Ok(memory.batch()),
            (None, Place::Disk(..)) => Ok(Vec::new()),
        }
    }

    /// Takes away the first event of the last batch.
    pub(super) fn done(&self, outlet: &mut Outlet, line: &Line) -> io::Result<()> {
        self.less(Size { events: 1, bytes: line.bytes });
        match (&mut outlet.0, &self.place) {
            (Some(head), _) => return head.done(line),
            (None, Place::Memory(memory)) => memory.pop(),
            (None, Place::Disk(..)) => {}
        }
        Ok(())
    }

    /// Keeps an event that was given up; false: there is no place for it. It writes and syncs a file.
    pub(super) fn bury(
        &self,
        outlet: &mut Outlet,
        line: &Line,
        attempts: u32,
        reason: &str,
    ) -> io::Result<bool> {
        let Some(head) = &mut outlet.0 else { return Ok(false) };
        let buried = head.dead.add(line, attempts, reason, self.limit.max_bytes);
        self.dead.store(head.dead.count(), Ordering::Relaxed);
        buried
    }

    /// Puts the events that were given up at the end of the queue again, as many as there is room for.
    pub(super) fn replay(&self, outlet: &mut Outlet) -> io::Result<u64> {
        let Some(head) = &mut outlet.0 else { return Ok(0) };
        let replayed = head.dead.take(|line| match self.push(line) {
            Ok(()) => Ok(true),
            Err(Lost::Full) => Ok(false),
            Err(Lost::Write(error)) => Err(error),
        });
        // Nothing is forgotten there before it is safe here.
        let replayed = replayed.and_then(|replayed| self.sync().map(|()| replayed));
        let replayed = replayed.and_then(|replayed| head.dead.forget_taken().map(|()| replayed));
        let undone = if replayed.is_err() { head.dead.put_back() } else { Ok(()) };
        self.dead.store(head.dead.count(), Ordering::Relaxed);
        undone.and(replayed)
    }

    /// Forgets the events that were given up.
    pub(super) fn forget_dead(&self, outlet: &mut Outlet) -> io::Result<u64> {
        let Some(head) = &mut outlet.0 else { return Ok(0) };
        let forgotten = head.dead.clear();
        self.dead.store(head.dead.count(), Ordering::Relaxed);
        forgotten
    }

    /// Forgets the events that wait.
    pub(super) fn forget_waiting(&self, outlet: &mut Outlet) -> io::Result<u64> {
        let mut forgotten = 0;
        outlet.rewind();
        loop {
            let lines = self.batch(outlet)?;
            if lines.is_empty() {
                return Ok(forgotten);
            }
            for line in lines {
                self.done(outlet, &line)?;
                forgotten += 1;
            }
        }
    }

    /// Has the disk take what waits.
    pub(super) fn sync(&self) -> io::Result<()> {
        match &self.place {
            Place::Memory(_) => Ok(()),
            Place::Disk(_, tail) => tail.sync(),
        }
    }

    /// Ends this process's part of it.
    pub(super) fn close(&self) {
        if let Place::Disk(_, tail) = &self.place {
            tail.close();
        }
    }

    /// How much waits.
    pub(super) fn size(&self) -> Size {
        let [events, bytes] = [&self.events, &self.bytes].map(|it| it.load(Ordering::Relaxed));
        Size { events, bytes }
    }

    /// How many were given up and are kept.
    pub(super) fn dead(&self) -> u64 {
        self.dead.load(Ordering::Relaxed)
    }

    fn less(&self, size: Size) {
        self.events.fetch_sub(size.events, Ordering::Relaxed);
        self.bytes.fetch_sub(size.bytes, Ordering::Relaxed);
    }
}
