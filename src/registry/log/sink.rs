//! A sink: a bounded buffer and the one thread that writes it out.
//!
//! The thread takes the whole buffer and leaves an empty one, so a burst of lines costs one system
//! call. A full buffer makes the caller wait: no line is lost while the output lives, and memory
//! does not grow. An output that is gone, such as a closed pipe, takes its lines with it in
//! silence.

use std::{
    fmt,
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// What may wait to be written; a line that is longer still goes in whole.
const BOUND_BYTES: usize = 1024 * 1024;
/// How long a flush waits for an output that does not move.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause before an output that is full for now is tried again.
const RETRY: Duration = Duration::from_millis(2);

/// A handle to the buffer; clones share it. The last one to go ends the thread.
#[derive(Clone)]
pub struct Sink {
    owner: Arc<Owner>,
}

/// Ends the thread when no handle is left.
struct Owner {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    filled: Condvar,
    written: Condvar,
}

#[derive(Default)]
struct State {
    buffer: Vec<u8>,
    /// Bytes ever put in, and ever done with.
    pushed: u64,
    done: u64,
    closed: bool,
}

impl Sink {
    /// A sink that ends on standard error.
    pub fn stderr() -> io::Result<Self> {
        Self::new(io::stderr())
    }

    /// A sink that ends on standard output.
    pub fn stdout() -> io::Result<Self> {
        // `io::Stdout` looks for the end of lines and writes up to there: with whole lines that is
        // one system call for the whole buffer.
        Self::new(io::stdout())
    }

    /// A sink that ends in `output`.
    pub fn new(output: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        thread::Builder::new().name("log".to_owned()).spawn(move || theirs.write_out(output))?;
        Ok(Self { owner: Arc::new(Owner { shared }) })
    }

    /// Lets `append` add lines to the buffer, once there is room.
    pub(super) fn append(&self, append: impl FnOnce(&mut Vec<u8>)) {
        let shared = &self.owner.shared;
        let mut state = shared.lock();
        while state.buffer.len() >= BOUND_BYTES {
            state = shared.written.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let before = state.buffer.len();
        append(&mut state.buffer);
        state.pushed += count(state.buffer.len() - before);
        if before == 0 {
            shared.filled.notify_one();
        }
    }

    /// Waits until everything handed in before has been written, or the output seems stuck.
    pub fn flush(&self) {
        let shared = &self.owner.shared;
        let state = shared.lock();
        let goal = state.pushed;
        // Whether it was reached makes no difference to anyone who could be told.
        drop(shared.written.wait_timeout_while(state, PATIENCE, |state| state.done < goal));
    }
}

impl Shared {
    /// A line that panicked half-way leaves bytes, not a broken buffer.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_out(&self, mut output: impl Write) {
        let mut taken = Vec::new();
        let mut state = self.lock();
        loop {
            while state.buffer.is_empty() && !state.closed {
                state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.buffer.is_empty() {
                return;
            }
            mem::swap(&mut state.buffer, &mut taken);
            drop(state);
            // There is room again: whoever waits need not wait for the disk.
            self.written.notify_all();
            write_whole(&mut output, &taken);
            state = self.lock();
            state.done += count(taken.len());
            taken.clear();
            taken.shrink_to(BOUND_BYTES);
            self.written.notify_all();
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.filled.notify_one();
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink")
            .field("waiting_bytes", &self.owner.shared.lock().buffer.len())
            .finish()
    }
}

/// Writes everything, or gives up on an output that is gone or full for good.
fn write_whole(output: &mut impl Write, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(0) => return,
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(RETRY),
            Err(_) => return,
        }
    }
    // An output with a buffer of its own must not keep the end; it has no one to tell of an error.
    let _ = output.flush();
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{
            Arc, Mutex,
            mpsc::{Receiver, Sender, channel},
        },
        thread,
    };

    use super::{BOUND_BYTES, Sink};

    /// An output that keeps what it gets.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// An output that writes only when told to, and says when it begins.
    struct Gate {
        begun: Sender<usize>,
        go: Receiver<()>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.begun.send(bytes.len()).unwrap();
            self.go.recv().map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// An output whose other end is closed; it counts how often it is asked.
    struct Closed(Sender<()>);

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            self.0.send(()).unwrap();
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn line(sink: &Sink, line: &[u8]) {
        sink.append(|buffer| buffer.extend_from_slice(line));
    }

    #[test]
    fn a_flush_has_everything_written() {
        let kept = Kept::default();
        let sink = Sink::new(kept.clone()).unwrap();
        line(&sink, b"one\n");
        line(&sink, b"two\n");
        sink.flush();
        assert_eq!(*kept.0.lock().unwrap(), b"one\ntwo\n");
    }

    #[test]
    fn lines_of_many_threads_come_whole_and_all() {
        let kept = Kept::default();
        let sink = Sink::new(kept.clone()).unwrap();
        thread::scope(|scope| {
            for name in b'a'..=b'd' {
                let sink = sink.clone();
                scope
                    .spawn(move || (0..1000).for_each(|_| line(&sink, &[name, name, name, b'\n'])));
            }
        });
        sink.flush();
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        for name in ["aaa", "bbb", "ccc", "ddd"] {
            assert_eq!(text.lines().filter(|line| *line == name).count(), 1000, "{name}");
        }
    }

    #[test]
    fn what_waits_goes_out_in_one_write() {
        let ((begun, sizes), (go_on, go)) = (channel(), channel());
        let sink = Sink::new(Gate { begun, go }).unwrap();
        line(&sink, b"first\n");
        assert_eq!(sizes.recv().unwrap(), 6);
        line(&sink, b"second\n");
        line(&sink, b"third\n");
        go_on.send(()).unwrap();
        assert_eq!(sizes.recv().unwrap(), 13);
        go_on.send(()).unwrap();
        sink.flush();
    }

    #[test]
    fn a_full_buffer_makes_the_caller_wait() {
        let ((begun, sizes), (go_on, go)) = (channel(), channel());
        let sink = Sink::new(Gate { begun, go }).unwrap();
        line(&sink, b"first\n");
        assert_eq!(sizes.recv().unwrap(), 6);
        line(&sink, &vec![b'x'; BOUND_BYTES]);
        let (said, heard) = channel();
        let waiting = {
            let sink = sink.clone();
            thread::spawn(move || {
                line(&sink, b"last\n");
                said.send(()).unwrap();
            })
        };
        assert!(heard.try_recv().is_err(), "the line went into a full buffer");
        go_on.send(()).unwrap();
        assert_eq!(sizes.recv().unwrap(), BOUND_BYTES);
        heard.recv().unwrap();
        waiting.join().unwrap();
        go_on.send(()).unwrap();
        assert_eq!(sizes.recv().unwrap(), 5);
        go_on.send(()).unwrap();
        sink.flush();
    }

    #[test]
    fn a_closed_pipe_is_asked_once_for_each_buffer() {
        let (asked, count) = channel();
        let sink = Sink::new(Closed(asked)).unwrap();
        line(&sink, b"one\n");
        sink.flush();
        line(&sink, b"two\n");
        sink.flush();
        assert_eq!(count.try_iter().count(), 2);
    }

    #[test]
    fn the_thread_ends_with_the_last_handle_and_writes_the_rest() {
        let kept = Kept::default();
        let (ended, end) = channel();
        /// Says when it is dropped.
        struct Watched(Kept, Sender<()>);
        impl Write for Watched {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        impl Drop for Watched {
            fn drop(&mut self) {
                self.1.send(()).unwrap();
            }
        }
        let sink = Sink::new(Watched(kept.clone(), ended)).unwrap();
        line(&sink, b"last words\n");
        drop(sink);
        end.recv().unwrap();
        assert_eq!(*kept.0.lock().unwrap(), b"last words\n");
    }
}
