//! `regctl registry migrate`: what `migrate-storage` has done on both storages, in a process of the registry's user.
//!
//! Nobody types it: what is to be done comes on stdin, and who started it is told what came of it.

use std::{
    io::{self, Write as _},
    num::NonZeroUsize,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use oci::{RepositoryName, Tag};
use registry::{
    Config,
    migrate::{self, Copied, Difference, Error, Extra, Journal, Options, Pace, Reading, Sides},
};

use super::{
    Context,
    migrated::{Pass, Told},
};
use crate::{
    exit::Failure,
    migrate::{Order, Reading as Wanted, Step, TagName},
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
    let told = runtime::block_on(work).map_err(Failure::Input)??;
    let text = serde_json::to_string(&told).map_err(|it| unreadable(it.to_string()))?;
    let mut told = worker::listener().map_err(Failure::Input)?;
    writeln!(told, "{text}").and_then(|()| told.flush()).map_err(Failure::Input)?;
    Ok(Report::silent_with(if told.pass.is_same { Verdict::Good } else { Verdict::Findings }))
}

async fn work(
    order: &Order,
    (source, target): (&Config, &Config),
    stop: &AtomicBool,
    news: &mut News,
) -> Result<Told, Failure> {
    let (source, target) = (&source.storage.driver, &target.storage.driver);
    if order.step == Step::Plan {
        let plan = migrate::plan(source, target, stop, &mut |it| news.tell(it)).await?;
        news.end();
        return Ok(told(order, &plan, None));
    }
    let sides = Sides::open(source, target).await?;
    let done = on(&sides, order, stop, news).await;
    news.end();
    sides.close().await;
    done
}

async fn on(
    sides: &Sides,
    order: &Order,
    stop: &AtomicBool,
    news: &mut News,
) -> Result<Told, Failure> {
    let Order { step, run, .. } = order;
    let mut watch = |it| news.tell(it);
    let mut journal = Journal::open(&order.journal, &sides.identity()).map_err(Error::Journal)?;
    let pace = Arc::new(Pace::new(order.bytes_a_second));
    let at_once = NonZeroUsize::new(order.at_once).unwrap_or(NonZeroUsize::MIN);
    let extra = if order.delete { Extra::All } else { Extra::Own };
    let options = Options { at_once, extra };
    let reading = match order.reading {
        Wanted::Nothing => Reading::Nothing,
        Wanted::Unknown => Reading::Unknown(run.clone()),
        Wanted::All => Reading::All(run.clone()),
    };
    let how = (&reading, options, &*pace);
    let mut difference = sides.difference(stop, &mut watch).await?;
    let mut copied = None;
    if matches!(step, Step::Live | Step::Final) {
        // What is not what its name says is put anew.
        if *step == Step::Live {
            sides.read(&mut difference, &mut journal, how, stop, &mut watch).await?;
        }
        let done = sides.copy(&difference, &mut journal, options, &pace, stop, &mut watch);
        let done = done.await?;
        if !done.is_nothing() {
            difference = sides.difference(stop, &mut watch).await?;
        }
        copied = Some(done);
    }
    sides.read(&mut difference, &mut journal, how, stop, &mut watch).await?;
    Ok(told(order, &difference, copied.as_ref()))
}

fn told(order: &Order, difference: &Difference, copied: Option<&Copied>) -> Told {
    let name = |(repository, tag): (RepositoryName, Tag)| TagName {
        repository: repository.to_string(),
        tag: tag.to_string(),
    };
    Told {
        pass: Pass::of(order.step, difference, copied, order.reading == Wanted::All),
        tags: difference.some_tags(TRIED).into_iter().map(name).collect(),
    }
}

/// How far it is, for whoever looks.
struct News(Progress);

impl News {
    fn new(printer: Printer) -> Self {
        Self(Progress::new(printer))
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
