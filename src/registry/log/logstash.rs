//! The logstash format: JSON with the members that Logstash expects.

use super::{
    json::object,
    record::{Record, Value},
};

/// Adds the line of a record.
pub(super) fn write(out: &mut Vec<u8>, record: &Record<'_>) {
    let own = [
        ("@timestamp", Value::Text(record.timestamp())),
        ("@version", Value::Text("1".to_owned())),
        ("level", Value::Text(record.level_name().to_owned())),
        ("message", Value::Text(record.message.to_owned())),
    ];
    object(out, &own, record);
}
