//! A service's status in one line, as runit's `sv` writes it: scripts that read those go on working.

use std::fmt;

use super::control::{LogStatus, ServiceStatus, Wanted};

/// The line of a service without its log, as `sv` ends its changes: `run: registry: (pid 25482) 0s`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a>(pub(crate) &'a ServiceStatus);

/// The line of a service and of its log, as `sv status` says it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LineWithLog<'a>(pub(crate) &'a ServiceStatus);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ServiceStatus { name, enabled, wanted, seconds, pid, got, .. } = self.0;
        match pid {
            Some(pid) => write!(f, "run: {name}: (pid {pid}) {seconds}s")?,
            None => write!(f, "down: {name}: {seconds}s")?,
        }
        f.write_str(match (pid, enabled) {
            (Some(_), false) => ", normally down",
            (None, true) => ", normally up",
            (Some(_), true) | (None, false) => "",
        })?;
        f.write_str(match (pid, wanted) {
            (None, Wanted::Up) => ", want up",
            // One that is to run once is not wanted again.
            (Some(_), Wanted::Down | Wanted::Once) => ", want down",
            (None, Wanted::Down | Wanted::Once) | (Some(_), Wanted::Up) => "",
        })?;
        got.iter().try_for_each(|got| write!(f, ", got {got}"))
    }
}

impl fmt::Display for LineWithLog<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LogStatus { pid, seconds } = self.0.log;
        write!(f, "{}; ", Line(self.0))?;
        match pid {
            Some(pid) => write!(f, "run: log: (pid {pid}) {seconds}s"),
            None => write!(f, "down: log: {seconds}s, normally up"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::control::{Condition, Outdated},
        *,
    };
    use crate::state::ServiceName;

    fn status(pid: Option<u32>, wanted: Wanted) -> ServiceStatus {
        ServiceStatus {
            name: ServiceName::Registry,
            enabled: true,
            wanted,
            state: Condition::Run,
            seconds: 2,
            pid,
            got: None,
            starts: 1,
            restarts: 0,
            failures: 0,
            next_start: None,
            last_end: None,
            problem: None,
            outdated: Outdated::No,
            log: LogStatus { pid: Some(25424), seconds: 3 },
        }
    }

    #[test]
    fn lines_are_those_of_runit() {
        let up = Some(25425);
        for (status, line) in [
            (status(up, Wanted::Up), "run: registry: (pid 25425) 2s"),
            (status(up, Wanted::Once), "run: registry: (pid 25425) 2s, want down"),
            (status(None, Wanted::Down), "down: registry: 2s, normally up"),
            (status(None, Wanted::Up), "down: registry: 2s, normally up, want up"),
        ] {
            assert_eq!(Line(&status).to_string(), line);
        }
    }

    #[test]
    fn a_service_that_does_not_stop_shows_what_it_got() {
        let got = |got: &str| ServiceStatus {
            got: Some(got.to_owned()),
            ..status(Some(7), Wanted::Down)
        };
        assert_eq!(
            Line(&got("TERM")).to_string(),
            "run: registry: (pid 7) 2s, want down, got TERM"
        );
        let disabled = ServiceStatus { enabled: false, ..got("QUIT") };
        assert_eq!(
            Line(&disabled).to_string(),
            "run: registry: (pid 7) 2s, normally down, want down, got QUIT"
        );
    }

    #[test]
    fn the_log_stands_behind_its_service() {
        let running = status(Some(7), Wanted::Up);
        assert_eq!(
            LineWithLog(&running).to_string(),
            "run: registry: (pid 7) 2s; run: log: (pid 25424) 3s"
        );
        let without = ServiceStatus { log: LogStatus { pid: None, seconds: 1 }, ..running };
        assert_eq!(
            LineWithLog(&without).to_string(),
            "run: registry: (pid 7) 2s; down: log: 1s, normally up"
        );
    }
}
