//! A migration under way: its passes, each made by a process of the registry's user, and what that one is told.

use std::{
    ffi::OsString,
    io::{self, BufReader, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process,
};

use super::{
    Context,
    internal::AS_REGISTRY,
    migrated::{Passes, Told},
};
use crate::{
    exit::Failure,
    migrate::{Next, Order, Reading, Step, TagName, Then},
    output::{Format, Volume},
    state::{Layout, Services, lock::Held},
    supervise::Journal,
    sys::{
        signals::Signals,
        worker::{Ended, Error as WorkerError, Passed, Worker},
    },
};

/// A migration under way.
pub(super) struct Migration<'a> {
    pub(super) context: &'a Context,
    pub(super) signals: Signals,
    /// What every pass is told, but for its step.
    pub(super) order: Order,
    /// Some tags of the source, by the last pass.
    pub(super) tags: Vec<TagName>,
    pub(super) passes: Passes,
}

/// A process that makes passes.
pub(super) struct Work {
    worker: Worker,
    line: BufReader<UnixStream>,
}

impl Migration<'_> {
    /// Has a pass made; says whether both sides are the same after it.
    pub(super) fn pass(&mut self, step: Step, storage: &Held) -> Result<bool, Failure> {
        let mut work = self.begin(step, storage, Then::Nothing)?;
        let is_same = self.hear(&mut work)?;
        work.end()?;
        Ok(is_same)
    }

    /// Begins a pass; the process may go on with the last one.
    pub(super) fn begin(&self, step: Step, storage: &Held, then: Then) -> Result<Work, Failure> {
        let Self { context, signals, order, .. } = self;
        // What takes long is done while the registry serves.
        let reading = match step {
            Step::Plan | Step::Verify => Reading::Nothing,
            Step::Live | Step::Final | Step::Read => order.reading,
        };
        let order = Order { step, reading, then, ..order.clone() };
        let order = serde_json::to_string(&order).expect("an order is made of texts and numbers");
        let (told, heard) = UnixStream::pair().map_err(WorkerError::Start)?;
        let passed = Passed { lock: storage.share()?, told, registry: None };
        let environment = Services::load(&context.layout)?.registry.environment;
        let words = words(context);
        let worker = Worker::start(*signals, words, environment, Some(passed), Some(order))?;
        Ok(Work { worker, line: BufReader::new(heard) })
    }

    /// Waits for what came of a pass; says whether both sides are the same after it.
    pub(super) fn hear(&mut self, work: &mut Work) -> Result<bool, Failure> {
        let Some(said) = work.worker.line(&mut work.line)? else {
            return Err(work.failed());
        };
        let Told { pass, tags, probed } =
            serde_json::from_str(&said).map_err(|error| Failure::Input(io::Error::other(error)))?;
        self.tags = tags;
        self.passes.probed = probed;
        let is_same = pass.is_same;
        self.passes.passes.push(pass);
        Ok(is_same)
    }

    /// Has the last pass made, now that nothing is written any more, by what the registry has written down since `journal` began.
    pub(super) fn finish(
        &mut self,
        mut work: Work,
        journal: Option<Journal<'_>>,
    ) -> Result<bool, Failure> {
        let told = match &journal {
            Some(journal) => journal.read(|page| work.tell(&Next::Changes(page))),
            None => Ok(false),
        };
        let printer = self.context.printer;
        let told = told.and_then(|are_all_known| {
            if !are_all_known {
                printer
                    .say("the registry does not know all that has changed: all is compared again");
            }
            work.tell(&Next::Final { are_all_known })
        });
        // A process that does not listen has ended, and has said why.
        if told.is_err() {
            return Err(work.failed());
        }
        let is_same = self.hear(&mut work)?;
        work.end()?;
        Ok(is_same)
    }
}

impl Work {
    fn tell(&mut self, next: &Next) -> io::Result<()> {
        let text = serde_json::to_string(next).map_err(io::Error::other)?;
        writeln!(self.line.get_mut(), "{text}")
    }

    /// Waits for its end.
    fn end(self) -> Result<(), Failure> {
        drop(self.line);
        match self.worker.wait()? {
            Ended::Code(0 | 5) => Ok(()),
            ended => Err(Failure::Worker(ended)),
        }
    }

    /// Says how it has ended before it was to.
    fn failed(&mut self) -> Failure {
        match self.worker.wait_for() {
            Ok(ended) => Failure::Worker(ended),
            Err(error) => error.into(),
        }
    }
}

/// In a folder that the registry's account may write to.
pub(super) fn journal(layout: &Layout) -> PathBuf {
    layout.migration().join("journal")
}

fn words(context: &Context) -> Vec<OsString> {
    let Context { layout, printer, .. } = context;
    let config: &Path = &layout.config_yml();
    let mut words: Vec<OsString> = vec![AS_REGISTRY.into(), "--root".into(), layout.root().into()];
    words.extend(["--parent".into(), process::id().to_string().into()]);
    words.extend(["registry".into(), "migrate".into(), config.into()]);
    words.extend((printer.format() == Format::Json).then(|| "--json".into()));
    words.extend((printer.volume() == Volume::Quiet).then(|| "--quiet".into()));
    words
}
