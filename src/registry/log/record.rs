//! A record: one event with everything that will be written of it, whatever the format.

use std::{collections::BTreeMap, error::Error, fmt, time::SystemTime};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tracing::{
    Level,
    field::{Field, Visit},
};

/// One event. Its fields are sorted, as logrus sorts them.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) time: SystemTime,
    pub(super) level: Level,
    pub(super) message: &'a str,
    pub(super) fields: &'a BTreeMap<String, Value>,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    /// A number or a boolean, spelt as JSON has it.
    Literal(String),
}

impl Value {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::Literal(text) => text,
        }
    }
}

impl Record<'_> {
    /// The level as logrus calls it.
    pub(super) fn level_name(&self) -> &'static str {
        match self.level {
            Level::ERROR => "error",
            Level::WARN => "warning",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        }
    }

    /// The time as Go's `RFC3339Nano`: without zeros at the end.
    pub(super) fn timestamp(&self) -> String {
        let time = OffsetDateTime::from(self.time);
        // A year past 9999 is the only one that has no such text.
        time.format(&Rfc3339).unwrap_or_default()
    }
}

/// Collects the fields of an event or a span.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) message: String,
    pub(super) others: BTreeMap<String, Value>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        let name = field.name();
        if name == "message" {
            value.as_str().clone_into(&mut self.message);
            return;
        }
        let name = name.strip_prefix("r#").unwrap_or(name);
        self.others.insert(name.to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, Value::Text(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, Value::Text(value.to_owned()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Value::Literal(value.to_string()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, Value::Literal(value.to_string()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Value::Literal(value.to_string()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        let text = value.to_string();
        let value = if value.is_finite() { Value::Literal(text) } else { Value::Text(text) };
        self.add(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        self.add(field, Value::Text(text));
    }
}
