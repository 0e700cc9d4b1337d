//! What a service says, once more on standard output, for a terminal or a container's log.
//!
//! Whoever reads there may stop to: then lines are left out there. The log has them all.

use std::{
    io::{self, Write as _},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Duration,
};

/// Pieces that wait for the reader, each at most as large as what is read at once.
const PIECES: usize = 64;

/// How long the last pieces may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way to standard output.
#[derive(Debug)]
pub(super) struct Echoing {
    pieces: SyncSender<Vec<u8>>,
    ended: Receiver<()>,
}

impl Echoing {
    /// Starts the thread that writes, and that alone waits for the reader.
    pub(super) fn start() -> io::Result<Self> {
        let (pieces, waiting) = sync_channel(PIECES);
        let (end, ended) = sync_channel(1);
        thread::Builder::new().name("echo".to_owned()).spawn(move || {
            write_all(&waiting);
            // Nobody waits for it unless the log ends.
            let _ = end.send(());
        })?;
        Ok(Self { pieces, ended })
    }

    /// Shows a piece, unless too many wait already, or nobody looks any more.
    pub(super) fn show(&self, piece: &[u8]) {
        let _ = self.pieces.try_send(piece.to_vec());
    }

    /// Waits a moment for what was not shown yet.
    pub(super) fn finish(self) {
        let Self { pieces, ended } = self;
        drop(pieces);
        let _ = ended.recv_timeout(PATIENCE);
    }
}

fn write_all(pieces: &Receiver<Vec<u8>>) {
    let mut stdout = io::stdout();
    for piece in pieces {
        if stdout.write_all(&piece).and_then(|()| stdout.flush()).is_err() {
            return;
        }
    }
}
