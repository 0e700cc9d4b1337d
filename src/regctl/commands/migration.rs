//! `regctl registry migrate`: what `migrate-storage` has done on both storages, in a process of the registry's user.
//!
//! Nobody types it: what is to be done comes on stdin, and who started it is told what came of it.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    num::NonZeroUsize,
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use oci::{RepositoryName, Tag};
use registry::{
    Config,
    migrate::{
        self, Access, Changes, Copied, Difference, Error, Extra, Journal, Options, Pace, Reading,
        Sides,
    },
};

use super::{
    Context,
    migrated::{Pass, Told},
};
use crate::{
    exit::Failure,
    migrate::{Next, Order, Reading as Wanted, Step, TagName, Then},
    output::{Printer, Progress, Report, Verdict},
    sys::{runtime, stdin, worker},
};

/// As many tags are named of which one is tried on the target.
const TRIED: usize = 8;

/// Work on a migration as the command says that has started this
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(help = "The registry's config.yml")]
    pub(super) config: Option<PathBuf>,
}

pub(super) fn run(config: &Config, context: &Context) -> Result<Report, Failure> {
    let text = stdin::text().map_err(Failure::Input)?;
    let unreadable = |error: String| Failure::Input(io::Error::other(error));
    let order: Order = serde_json::from_str(&text).map_err(|it| unreadable(it.to_string()))?;
    // The same variables that the registry would have.
    let variables = &context.environment.registry;
    let target = Config::parse(&order.target, variables);
    let target = target.map_err(|it| unreadable(it.to_string()))?;
    let target = target.config;
    let stop = AtomicBool::new(false);
    let mut news = News::new(context.printer);
    let work = async {
        let signals = runtime::StopSignals::watch().map_err(Failure::Input)?;
        // What is under way is ended.
        let asked = || stop.store(true, Ordering::Relaxed);
        signals.telling(asked, work(&order, (config, &target), &stop, &mut news)).await
    };
    let is_same = runtime::block_on(work).map_err(Failure::Input)??;
    Ok(Report::silent_with(if is_same { Verdict::Good } else { Verdict::Findings }))
}

/// Makes the passes; says whether both sides are the same after the last one.
async fn work(
    order: &Order,
    (source, target): (&Config, &Config),
    stop: &AtomicBool,
    news: &mut News,
) -> Result<bool, Failure> {
    let mut line = Line::open()?;
    let (source, target) = (&source.storage.driver, &target.storage.driver);
    if order.step == Step::Plan {
        let probed = migrate::probe(target, order.at_once).await?;
        let plan = migrate::plan(source, target, stop, &mut |it| news.tell(it)).await?;
        news.end();
        let told = told(order, &plan, None);
        return line.tell(Told { probed: Some(probed), ..told });
    }
    let access = match order.then {
        Then::Nothing | Then::Last => Access::Look,
        Then::LastByJournal => Access::Guest,
    };
    let sides = Sides::open((source, access), target).await?;
    let journal = Journal::open(&order.journal, &sides.identity()).map_err(Error::Journal);
    let done = match journal {
        Ok(journal) => Job { sides: &sides, order, journal, stop, news }.all(&mut line).await,
        Err(error) => Err(error.into()),
    };
    news.end();
    sides.close().await;
    done
}

/// Passes between two sides.
struct Job<'a> {
    sides: &'a Sides,
    order: &'a Order,
    journal: Journal,
    stop: &'a AtomicBool,
    news: &'a mut News,
}

impl Job<'_> {
    async fn all(&mut self, line: &mut Line) -> Result<bool, Failure> {
        let (mut difference, copied) = self.pass(self.order.step).await?;
        self.news.end();
        let did = copied.as_ref().map(|it| (it, None));
        let is_same = line.tell(told(self.order, &difference, did))?;
        if self.order.then == Then::Nothing {
            return Ok(is_same);
        }
        let order = Order { step: Step::Final, ..self.order.clone() };
        let changes = line.changes()?;
        if let Some(changes) = changes
            && let Some((copied, looked_at)) = self.follow(&mut difference, &changes).await?
        {
            return line.tell(told(&order, &difference, Some((&copied, Some(looked_at)))));
        }
        // Two inventories are more than one.
        drop(difference);
        let (difference, copied) = self.pass(Step::Final).await?;
        line.tell(told(&order, &difference, copied.as_ref().map(|it| (it, None))))
    }

    /// Compares everything, and copies what differs if that is wanted.
    async fn pass(&mut self, step: Step) -> Result<(Difference, Option<Copied>), Failure> {
        let (options, pace, reading) = (self.options(), self.pace(), self.reading());
        let Self { sides, journal, stop, news, .. } = self;
        let mut watch = |it| news.tell(it);
        let how = (&reading, options, &*pace);
        let mut difference = sides.difference(stop, &mut watch).await?;
        let mut copied = None;
        if matches!(step, Step::Live | Step::Final) {
            // What is not what its name says is put anew.
            if step == Step::Live {
                sides.read(&mut difference, journal, how, stop, &mut watch).await?;
            }
            let done = sides.copy(&difference, journal, options, &pace, stop, &mut watch).await?;
            if !done.is_nothing() {
                difference = sides.difference(stop, &mut watch).await?;
            }
            copied = Some(done);
        }
        sides.read(&mut difference, journal, how, stop, &mut watch).await?;
        Ok((difference, copied))
    }

    /// The same by what has changed since; none if that does not tell enough.
    async fn follow(
        &mut self,
        difference: &mut Difference,
        changes: &Changes,
    ) -> Result<Option<(Copied, usize)>, Failure> {
        let (options, pace, reading) = (self.options(), self.pace(), self.reading());
        let Self { sides, journal, stop, news, .. } = self;
        let mut watch = |it| news.tell(it);
        let way = (&mut *journal, options, &pace);
        let followed = sides.follow(difference, changes, way, stop, &mut watch).await?;
        if followed.is_some() {
            let how = (&reading, options, &*pace);
            sides.read(difference, journal, how, stop, &mut watch).await?;
        }
        Ok(followed)
    }

    fn options(&self) -> Options {
        let at_once = NonZeroUsize::new(self.order.at_once).unwrap_or(NonZeroUsize::MIN);
        Options { at_once, extra: if self.order.delete { Extra::All } else { Extra::Own } }
    }

    fn pace(&self) -> Arc<Pace> {
        Arc::new(Pace::new(self.order.bytes_a_second))
    }

    fn reading(&self) -> Reading {
        match self.order.reading {
            Wanted::Nothing => Reading::Nothing,
            Wanted::Unknown => Reading::Unknown(self.order.run.clone()),
            Wanted::All => Reading::All(self.order.run.clone()),
        }
    }
}

/// What came of a pass.
fn told(order: &Order, difference: &Difference, copied: Option<(&Copied, Option<usize>)>) -> Told {
    let name = |(repository, tag): (RepositoryName, Tag)| TagName {
        repository: repository.to_string(),
        tag: tag.to_string(),
    };
    Told {
        pass: Pass::of(order.step, difference, copied, order.reading == Wanted::All),
        tags: difference.some_tags(TRIED).into_iter().map(name).collect(),
        probed: None,
    }
}

/// The connection to the command that has started this.
struct Line(BufReader<UnixStream>);

impl Line {
    fn open() -> Result<Self, Failure> {
        let missing = || io::Error::other("nobody is there who wants to be told");
        let line = worker::line().and_then(|line| line.ok_or_else(missing));
        Ok(Self(BufReader::new(line.map_err(Failure::Input)?)))
    }

    /// Tells what came of a pass; says whether both sides are the same after it.
    fn tell(&mut self, told: Told) -> Result<bool, Failure> {
        let text = serde_json::to_string(&told).map_err(io::Error::other);
        let written = text.and_then(|text| writeln!(self.0.get_mut(), "{text}"));
        written.map_err(Failure::Input)?;
        Ok(told.pass.is_same)
    }

    /// Waits until nothing is written any more; returns what has changed, if all of that is known.
    fn changes(&mut self) -> Result<Option<Changes>, Failure> {
        let mut changes = Changes::default();
        loop {
            let mut text = String::new();
            if self.0.read_line(&mut text).map_err(Failure::Input)? == 0 {
                return Err(Error::Stopped.into());
            }
            let next = serde_json::from_str(&text).and_then(|next| match next {
                Next::Changes(page) => changes.add_page(&page).map(|()| None),
                Next::Final { are_all_known } => Ok(Some(are_all_known)),
            });
            match next.map_err(|error| Failure::Input(io::Error::other(error)))? {
                None => {}
                Some(are_all_known) => return Ok(are_all_known.then_some(changes)),
            }
        }
    }
}

/// How far it is, for whoever looks.
struct News(Progress);

impl News {
    fn new(printer: Printer) -> Self {
        Self(Progress::for_programs_too(printer))
    }

    fn tell(&mut self, news: migrate::Progress) {
        match news {
            migrate::Progress::Begun(phase, None) => self.0.begin(phase.as_str(), None),
            migrate::Progress::Begun(phase, Some((objects, 0))) => {
                self.0.begin(phase.as_str(), Some(objects));
            }
            migrate::Progress::Begun(phase, Some((objects, bytes))) => {
                self.0.begin_bytes(phase.as_str(), objects, bytes);
            }
            migrate::Progress::Advanced { objects, bytes } => self.0.advance_bytes(objects, bytes),
        }
    }

    fn end(&mut self) {
        self.0.end();
    }
}
