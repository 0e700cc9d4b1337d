//! Where files leave for a socket without coming through this process: `sendfile(2)`.
//!
//! What speaks HTTP takes bytes of a body, and has a stream write them. So a body gives it a *stand-in* for a piece of a
//! file: as many bytes as the piece has, out of one region that holds nothing. The stream knows them by where they lie
//! and has the kernel send the piece instead. Which pieces are meant is kept here, in the order of their stand-ins.
//!
//! Nothing else may ever leave: a stand-in ends where the region ends, so where it begins says how much of it is still
//! to be sent, and that must be as much as is left of the first piece. What does not agree breaks the outlet for good,
//! and so does a stand-in that goes before its piece has left, whether it was dropped or copied.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    ops::Range,
    os::fd::BorrowedFd,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use rustix::{io::Errno, net::SendFlags};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::{Error, Kind, Socket, reader::Reader};

/// The longest piece: no memory is taken for it.
const PIECE_BYTES: usize = 1 << 20;

/// Pieces that wait at most; whoever has more reads it.
const PIECES: usize = 32;

/// The way out of one connection.
#[derive(Debug, Default)]
pub struct Outlet {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    pieces: VecDeque<Piece>,
    /// How many pieces have ever come in, and how many have left.
    begun: u64,
    ended: u64,
    is_broken: bool,
    /// The first piece, on its way from the disk.
    fetching: Option<JoinHandle<io::Result<()>>>,
}

/// What a stand-in stands for.
#[derive(Debug)]
struct Piece {
    reader: Arc<Reader>,
    at: u64,
    left: usize,
    /// Where the range ends that this is a piece of.
    end: u64,
}

/// Bytes that are never to be sent.
struct StandIn {
    outlet: Arc<Outlet>,
    number: u64,
    length: usize,
}

/// Why a piece could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum Unsent {
    /// The file could not be read, or has become shorter.
    #[error(transparent)]
    File(#[from] Error),
    /// The connection is gone.
    #[error(transparent)]
    Socket(#[from] io::Error),
    /// What is to be written is not what was given out.
    #[error("what is to be sent of a file is not what was taken on")]
    Disagreement,
}

impl Outlet {
    /// Whether bytes are the rest of a stand-in, of whatever outlet.
    #[must_use]
    pub fn is_stand_in(bytes: &[u8]) -> bool {
        region().as_ptr_range().contains(&bytes.as_ptr())
    }

    /// Takes on the first piece of what is left of a file's range. None: that is to be read.
    pub(crate) fn take(self: &Arc<Self>, reader: &Arc<Reader>, rest: Range<u64>) -> Option<Bytes> {
        let Range { start: at, end } = rest;
        let left = usize::try_from(end.saturating_sub(at))
            .map_or(PIECE_BYTES, |rest| rest.min(PIECE_BYTES));
        let mut state = self.lock();
        if left == 0 || state.pieces.len() >= PIECES || !reader.caches.can_send() {
            return None;
        }
        state.pieces.push_back(Piece { reader: Arc::clone(reader), at, left, end });
        state.begun += 1;
        let number = state.begun;
        drop(state);
        Some(Bytes::from_owner(StandIn { outlet: Arc::clone(self), number, length: left }))
    }

    /// Whether something came between the pieces and their stand-ins: nothing may be written any more.
    pub fn is_broken(&self) -> bool {
        self.lock().is_broken
    }

    /// Sends some of what the stand-in stands for, which is what is written next.
    ///
    /// # Errors
    /// In each case the connection has to end: nobody could tell where its answer goes on.
    pub fn poll_send(
        &self,
        context: &mut Context<'_>,
        socket: &impl Socket,
        stand_in: &[u8],
    ) -> Poll<Result<usize, Unsent>> {
        let mut state = self.lock();
        state.check(stand_in)?;
        loop {
            ready!(socket.poll_writable(context))?;
            // Looked at last: what was in the cache before a client took its time may have left it.
            ready!(state.poll_cached(context))?;
            let mut sent = Err(Unsent::Disagreement);
            let written = socket.try_write_by(|socket| {
                sent = state.send(socket);
                match &mut sent {
                    Ok(bytes) => Ok(*bytes),
                    // Only for the socket to know that it is full.
                    Err(Unsent::Socket(error)) => Err(error.kind().into()),
                    Err(Unsent::File(_) | Unsent::Disagreement) => Ok(0),
                }
            });
            match written {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                _ => return Poll::Ready(sent),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether what is to be written is what is left of the first piece.
    fn check(&mut self, stand_in: &[u8]) -> Result<(), Unsent> {
        let is_rest = stand_in.as_ptr_range().end == region().as_ptr_range().end;
        let is_first = self.pieces.front().is_some_and(|piece| piece.left == stand_in.len());
        if self.is_broken || !is_rest || !is_first {
            self.break_off();
            return Err(Unsent::Disagreement);
        }
        Ok(())
    }

    /// Waits until the page cache has the first piece.
    fn poll_cached(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Some(piece) = self.pieces.front() else { return Poll::Ready(Ok(())) };
        if self.fetching.is_none() {
            let part = piece.at..piece.at + piece.left as u64;
            if piece.reader.caches.hold(&piece.reader.file, part.clone()) {
                if let Some(ahead) = piece.reader.next_ahead(piece.at, piece.end) {
                    let reader = Arc::clone(&piece.reader);
                    // Nobody waits for it: what is missing then is brought in.
                    drop(spawn_blocking(move || reader.ask_ahead(ahead)));
                }
                return Poll::Ready(Ok(()));
            }
            let (reader, end) = (Arc::clone(&piece.reader), piece.end);
            self.fetching = Some(spawn_blocking(move || reader.bring_in(part, end)));
        }
        let Some(fetching) = &mut self.fetching else { return Poll::Ready(Ok(())) };
        let fetched = ready!(Pin::new(fetching).poll(context));
        self.fetching = None;
        let fetched = fetched.unwrap_or_else(|error| Err(io::Error::other(error)));
        Poll::Ready(fetched.map_err(|error| Error::io("read", &piece.reader.key, error)))
    }

    /// Sends some of the first piece to a socket that has room, and takes that off it.
    fn send(&mut self, socket: BorrowedFd<'_>) -> Result<usize, Unsent> {
        let Some(piece) = self.pieces.front_mut() else { return Err(Unsent::Disagreement) };
        let sent = match piece.send(socket)? {
            0 => return Err(Error::new(Kind::Truncated, "send", &piece.reader.key).into()),
            sent => sent,
        };
        piece.at += sent as u64;
        piece.left = piece.left.checked_sub(sent).ok_or(Unsent::Disagreement)?;
        if piece.left == 0 {
            self.pieces.pop_front();
            self.ended += 1;
        }
        Ok(sent)
    }

    /// Ends it for good; the files are closed.
    fn break_off(&mut self) {
        self.is_broken = true;
        self.pieces.clear();
    }
}

impl Piece {
    fn send(&self, socket: BorrowedFd<'_>) -> Result<usize, Unsent> {
        let Reader { file, key, caches, .. } = &*self.reader;
        match caches.send(file, socket, (self.at, self.left)) {
            Some(Ok(sent)) => Ok(sent),
            Some(Err(Errno::IO)) => Err(Error::io("send", key, Errno::IO.into()).into()),
            Some(Err(error)) => Err(io::Error::from(error).into()),
            None => self.copy(socket),
        }
    }

    /// Sends what no kernel sends, once its stand-in is given out: the next pieces are read.
    fn copy(&self, socket: BorrowedFd<'_>) -> Result<usize, Unsent> {
        let Reader { key, .. } = &*self.reader;
        // It is in the cache: that was the condition of coming here.
        let bytes = self.reader.read(self.at, self.left);
        let bytes = bytes.map_err(|error| Error::io("read", key, error))?;
        if bytes.is_empty() {
            return Ok(0);
        }
        let sent = rustix::net::send(socket, &bytes, SendFlags::NOSIGNAL);
        Ok(sent.map_err(io::Error::from)?)
    }
}

impl AsRef<[u8]> for StandIn {
    fn as_ref(&self) -> &[u8] {
        &region()[PIECE_BYTES - self.length..]
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let mut state = self.outlet.lock();
        if state.ended < self.number {
            state.break_off();
        }
    }
}

/// Where all stand-ins lie. Nobody reads it, so it takes no memory.
fn region() -> &'static [u8] {
    static REGION: OnceLock<Box<[u8]>> = OnceLock::new();
    REGION.get_or_init(|| vec![0; PIECE_BYTES].into_boxed_slice())
}

#[cfg(test)]
mod tests {
    use std::{fs::File, future::poll_fn, os::unix::fs::FileExt as _, sync::atomic::AtomicU64};

    use tokio::{io::AsyncReadExt as _, net::UnixStream};

    use super::*;
    use crate::caches::Caches;

    /// Three pieces and a bit, no byte of which is zero.
    const SIZE: usize = 3 * PIECE_BYTES + 7;

    struct Scene {
        _folder: tempfile::TempDir,
        content: Vec<u8>,
        reader: Arc<Reader>,
        outlet: Arc<Outlet>,
        ours: UnixStream,
        theirs: UnixStream,
    }

    impl Scene {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let content: Vec<u8> =
                (0..SIZE).map(|at| u8::try_from(at % 251).unwrap() + 1).collect();
            let file = tempfile::tempfile_in(&folder).unwrap();
            file.write_all_at(&content, 0).unwrap();
            let root = File::open(&folder).unwrap().into();
            let reader = Reader {
                file,
                key: "a file".to_owned(),
                pool: Arc::default(),
                caches: Arc::new(Caches::of(&root)),
                asked: AtomicU64::default(),
            };
            let (ours, theirs) = UnixStream::pair().unwrap();
            let (reader, outlet) = (Arc::new(reader), Arc::default());
            Self { _folder: folder, content, reader, outlet, ours, theirs }
        }

        fn take(&self, from: usize) -> Bytes {
            self.outlet.take(&self.reader, from as u64..SIZE as u64).unwrap()
        }

        async fn send(&self, stand_in: &[u8]) -> Result<usize, Unsent> {
            poll_fn(|context| self.outlet.poll_send(context, &self.ours, stand_in)).await
        }

        /// Sends all of a stand-in, and returns what arrived.
        async fn pass(&mut self, mut stand_in: Bytes) -> Vec<u8> {
            let mut arrived = Vec::new();
            while !stand_in.is_empty() {
                let sent = self.send(&stand_in).await.unwrap();
                let mut bytes = vec![0; sent];
                self.theirs.read_exact(&mut bytes).await.unwrap();
                arrived.extend(bytes);
                let _ = stand_in.split_to(sent);
            }
            arrived
        }
    }

    #[tokio::test]
    async fn pieces_leave_in_parts_and_in_order() {
        let mut scene = Scene::new();
        let (first, last) = (scene.take(1), scene.take(3 * PIECE_BYTES));
        assert_eq!((first.len(), last.len()), (PIECE_BYTES, 7));
        assert!(Outlet::is_stand_in(&first) && Outlet::is_stand_in(&last[6..]));
        assert!(!Outlet::is_stand_in(&[0]) && !Outlet::is_stand_in(&[]));
        assert_eq!(scene.pass(first).await, scene.content[1..=PIECE_BYTES]);
        assert_eq!(scene.pass(last).await, scene.content[3 * PIECE_BYTES..]);
        assert!(!scene.outlet.is_broken());
    }

    #[tokio::test]
    async fn what_is_not_the_rest_of_the_first_piece_is_never_sent() {
        for wrong in [
            // Less, but its end; all but the end; the next piece before the first.
            |first: &Bytes, _: &Bytes| first.slice(1..),
            |first: &Bytes, _: &Bytes| first.slice(..PIECE_BYTES - 1),
            |_: &Bytes, last: &Bytes| last.clone(),
        ] {
            let scene = Scene::new();
            let (first, last) = (scene.take(0), scene.take(3 * PIECE_BYTES));
            let error = scene.send(&wrong(&first, &last)).await.unwrap_err();
            assert!(matches!(error, Unsent::Disagreement), "{error}");
            assert!(scene.outlet.is_broken());
            assert!(matches!(scene.send(&first).await.unwrap_err(), Unsent::Disagreement));
            assert_eq!(Arc::strong_count(&scene.reader), 1);
        }
    }

    #[tokio::test]
    async fn a_stand_in_that_goes_before_its_piece_has_left_breaks_the_outlet() {
        let scene = Scene::new();
        let (first, last) = (scene.take(0), scene.take(3 * PIECE_BYTES));
        let copied = first.to_vec();
        drop(first);
        assert!(scene.outlet.is_broken());
        assert!(matches!(scene.send(&last).await.unwrap_err(), Unsent::Disagreement));
        assert!(!Outlet::is_stand_in(&copied));
    }

    #[tokio::test]
    async fn a_file_that_has_become_shorter_is_an_error() {
        let mut scene = Scene::new();
        let (first, second) = (scene.take(0), scene.take(PIECE_BYTES));
        scene.reader.file.set_len(PIECE_BYTES as u64).unwrap();
        assert_eq!(scene.pass(first).await, scene.content[..PIECE_BYTES]);
        let error = scene.send(&second).await.unwrap_err();
        assert!(
            matches!(&error, Unsent::File(error) if error.kind() == Kind::Truncated),
            "{error}"
        );
    }

    #[tokio::test]
    async fn what_was_taken_on_is_copied_where_no_files_are_sent_and_nothing_more_is_taken_on() {
        let mut scene = Scene::new();
        let first = scene.take(0);
        scene.reader.caches.refuse_to_send();
        assert_eq!(scene.pass(first).await, scene.content[..PIECE_BYTES]);
        assert!(scene.outlet.take(&scene.reader, 0..SIZE as u64).is_none());
    }

    #[tokio::test]
    async fn no_more_is_taken_on_than_can_wait() {
        let scene = Scene::new();
        let taken: Vec<_> = (0..PIECES).map(|_| scene.take(0)).collect();
        assert!(scene.outlet.take(&scene.reader, 0..SIZE as u64).is_none());
        assert_eq!(taken.len(), PIECES);
    }

    #[tokio::test]
    async fn what_the_page_cache_has_lost_is_brought_in_before_it_is_sent() {
        let mut scene = Scene::new();
        let file = &scene.reader.file;
        file.sync_all().unwrap();
        rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        let first = scene.take(0);
        assert_eq!(scene.pass(first).await, scene.content[..PIECE_BYTES]);
        let part = 0..PIECE_BYTES as u64;
        assert!(scene.reader.caches.hold(&scene.reader.file, part));
    }
}
