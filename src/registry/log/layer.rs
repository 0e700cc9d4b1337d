//! The layer between `tracing` and a sink: events become records, records become lines.
//!
//! An event's line has the fields of the configuration, of every span around it and its own; of
//! equal names the innermost counts. A layer of our own, because `fmt` keeps the fields of a span
//! as text that could be neither sorted nor told apart.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU8, Ordering},
    time::SystemTime,
};

use tracing::{
    Event, Level, Metadata, Subscriber, callsite,
    level_filters::LevelFilter,
    span::{Attributes, Id, Record as Values},
    subscriber::Interest,
};
use tracing_subscriber::{
    layer::{Context, Layer},
    registry::LookupSpan,
};

use super::{
    Sink, json, logstash,
    record::{Fields, Record, Value},
    text,
};
use crate::config::{self, Formatter};

/// The level of the process' log, as its number in [`filter`].
static LEVEL: AtomicU8 = AtomicU8::new(2);

/// Changes the level of the log while the process runs.
pub fn set_level(level: config::Level) {
    let number = match level {
        config::Level::Error => 0,
        config::Level::Warn => 1,
        config::Level::Info => 2,
        config::Level::Debug => 3,
    };
    LEVEL.store(number, Ordering::Relaxed);
    callsite::rebuild_interest_cache();
}

fn filter() -> LevelFilter {
    match LEVEL.load(Ordering::Relaxed) {
        0 => LevelFilter::ERROR,
        1 => LevelFilter::WARN,
        2 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    }
}

/// Writes every event that is important enough.
#[derive(Debug)]
pub(super) struct Lines {
    formatter: Formatter,
    fields: BTreeMap<String, Value>,
    report_caller: bool,
    sink: Sink,
}

impl Lines {
    pub(super) fn new(config: &config::Log, sink: Sink) -> Self {
        let fields = config.fields.iter();
        let fields = fields.map(|(name, text)| (name.clone(), Value::Text(text.clone()))).collect();
        let config::Log { formatter, report_caller, .. } = *config;
        Self { formatter, fields, report_caller, sink }
    }

    fn write(&self, level: Level, message: &str, fields: &BTreeMap<String, Value>) {
        let record = Record { time: SystemTime::now(), level, message, fields };
        // Made outside of the sink, whose lock other threads wait for.
        let mut line = Vec::with_capacity(256);
        match self.formatter {
            Formatter::Text => text::write(&mut line, &record),
            Formatter::Json => json::write(&mut line, &record),
            Formatter::Logstash => logstash::write(&mut line, &record),
        }
        self.sink.append(|buffer| buffer.extend_from_slice(&line));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Asked again whenever the level changes.
        if *metadata.level() <= filter() { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() <= filter()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(filter())
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Values<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut own = Fields::default();
        event.record(&mut own);
        let mut fields = self.fields.clone();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.extend(outer.others.clone());
            }
        }
        fields.append(&mut own.others);
        if self.report_caller {
            fields.extend(caller(event.metadata()));
        }
        self.write(*event.metadata().level(), &own.message, &fields);
    }
}

/// Where a line comes from, in logrus' names.
fn caller(metadata: &Metadata<'_>) -> impl Iterator<Item = (String, Value)> + use<> {
    let file = metadata.file().map(|file| {
        let line = metadata.line().map(|line| format!(":{line}")).unwrap_or_default();
        ("file".to_owned(), Value::Text(format!("{file}{line}")))
    });
    let module =
        metadata.module_path().map(|path| ("func".to_owned(), Value::Text(path.to_owned())));
    file.into_iter().chain(module)
}
