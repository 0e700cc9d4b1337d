//! The numbers of this process: for people (`/debug/vars`, as Go's expvar) and for Prometheus.

use std::{fs, time::UNIX_EPOCH};

use serde_json::{Value, json};

use super::endpoints;
use crate::{
    control::{Control, Shared},
    metrics::Page,
};

/// What `/debug/vars` says.
pub(super) fn variables(shared: &Shared, control: &Control) -> Value {
    let now = control.statistics();
    let memory = Memory::read();
    let proxy = shared.api.proxy().map(|proxy| proxy.pulls().variables());
    json!({
        "cmdline": command_line(),
        // The names of Go for what is nearest to them.
        "memstats": { "Alloc": memory.own, "HeapAlloc": memory.own, "HeapInuse": memory.own, "Sys": memory.resident },
        "registry": {
            "version": env!("CARGO_PKG_VERSION"),
            "uptime_seconds": now.uptime.as_secs(),
            "notifications": endpoints::variables(&control.events()),
            "proxy": proxy,
            "read_only": control.is_read_only(),
            "draining": control.is_draining(),
            "connections": { "open": now.connections_open, "accepted": now.connections_accepted },
            "requests": { "in_flight": now.requests_in_flight, "served": now.requests_served },
            "writes": { "in_flight": now.writes_in_flight },
            "redis": control.redis().map(|redis| json!({ "waiting": redis.waiting, "told": redis.told, "failures": redis.failures })),
            "bytes": { "received": now.bytes_received, "sent": now.bytes_sent, "sent_of_files": now.bytes_sent_of_files },
        },
    })
}

/// What `/metrics` says.
pub(super) fn metrics(shared: &Shared, control: &Control) -> String {
    let mut page = Page::default();
    if let Some(requests) = shared.counters.metrics() {
        requests.write(&mut page);
    }
    if let Some(actions) = shared.content.actions() {
        actions.write(&mut page, shared.content.driver());
    }
    endpoints::write(&mut page, &control.events());
    if let Some(proxy) = shared.api.proxy() {
        proxy.pulls().write(&mut page);
    }
    of_registry(&mut page, shared, control);
    of_process(&mut page, control);
    page.into_text()
}

fn of_registry(page: &mut Page, shared: &Shared, control: &Control) {
    let now = control.statistics();
    page.family("registry_build_info", "gauge", "What serves: always 1.");
    page.sample("", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    for (name, help, value) in [
        ("registry_connections_open", "Connections that are open.", now.connections_open),
        (
            "registry_writes_in_flight",
            "Writes that have begun and not ended.",
            now.writes_in_flight,
        ),
        (
            "registry_uploads_open",
            "Uploads that this process has received a part of, and that have not ended.",
            shared.content.uploads_open() as u64,
        ),
        ("registry_digests_leased", "Digests that no collector may take.", now.digests_leased),
        (
            "registry_leases_full",
            "Whether so much was promised that collections keep more than that.",
            now.leases_full.into(),
        ),
        ("registry_read_only", "Whether no writes are taken.", control.is_read_only().into()),
        (
            "registry_draining",
            "Whether the registry was told to stop.",
            control.is_draining().into(),
        ),
    ] {
        page.single(name, "gauge", help, value);
    }
    for (name, help, value) in [
        ("registry_connections_total", "Connections that were accepted.", now.connections_accepted),
        ("registry_received_bytes_total", "Bytes read from connections.", now.bytes_received),
        ("registry_sent_bytes_total", "Bytes written to connections.", now.bytes_sent),
        (
            "registry_sent_of_files_bytes_total",
            "Those among them that the kernel has sent of files.",
            now.bytes_sent_of_files,
        ),
    ] {
        page.single(name, "counter", help, value);
    }
    let (collections, is_running) = shared.content.collections();
    collections.write(page, is_running);
    of_redis(page, control);
    of_quotas(page, control);
    page.family("registry_health_check_failing", "gauge", "The health checks that fail now.");
    for check in control.failing_checks().keys() {
        page.sample("", &[("check", check)], 1);
    }
}

fn of_quotas(page: &mut Page, control: &Control) {
    let fills = control.quotas();
    let help = "Bytes of what the repositories of a quota hold, as far as they were counted.";
    page.family("registry_quota_used_bytes", "gauge", help);
    for fill in &fills {
        page.sample("", &[("repositories", &fill.repositories)], fill.used);
    }
    page.family("registry_quota_limit_bytes", "gauge", "Bytes that they may hold.");
    for fill in &fills {
        page.sample("", &[("repositories", &fill.repositories)], fill.max_size);
    }
}

fn of_redis(page: &mut Page, control: &Control) {
    let Some(now) = control.redis() else { return };
    let help = "Deletes that Redis is still to be told of.";
    page.single("registry_redis_deletes_waiting", "gauge", help, now.waiting);
    let help = "Deletes that Redis was told of.";
    page.single("registry_redis_deletes_total", "counter", help, now.told);
    let help = "Attempts to tell Redis that failed.";
    page.single("registry_redis_failures_total", "counter", help, now.failures);
}

/// Under the names that every exporter has for them.
fn of_process(page: &mut Page, control: &Control) {
    let memory = Memory::read();
    let started = control.statistics().started_at;
    let started = started.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let help = "Start time of the process since unix epoch in seconds.";
    page.single("process_start_time_seconds", "gauge", help, started);
    let help = "Resident memory size in bytes.";
    page.single("process_resident_memory_bytes", "gauge", help, memory.resident);
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // The folder itself is open, too.
        let open = open.count().saturating_sub(1);
        page.single("process_open_fds", "gauge", "Number of open file descriptors.", open);
    }
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    if let Some(limit) = limit {
        page.single("process_max_fds", "gauge", "Maximum number of open file descriptors.", limit);
    }
}

/// Memory of this process, in bytes; zero where the system does not say.
#[derive(Clone, Copy, Debug, Default)]
struct Memory {
    resident: u64,
    /// What is no file's.
    own: u64,
}

impl Memory {
    fn read() -> Self {
        let text = read("/proc/self/status");
        let kibibytes = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches(" kB").parse::<u64>().ok()
        };
        let bytes = |name| kibibytes(name).unwrap_or(0) * 1024;
        Self { resident: bytes("VmRSS:"), own: bytes("RssAnon:") }
    }
}

/// The program and its arguments; what follows an equals sign is left out, for it might be a secret.
fn command_line() -> Vec<String> {
    let text = read("/proc/self/cmdline");
    let arguments = text.split_terminator('\0');
    let cut = |argument: &str| match argument.split_once('=') {
        Some((name, _)) => format!("{name}=…"),
        None => argument.to_owned(),
    };
    arguments.map(cut).collect()
}

fn read(path: &str) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
