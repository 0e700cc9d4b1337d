//! nginx's workers, by which it is seen whether nginx has taken its files: after a reload that worked there are new
//! ones, and the former ones say that they are shutting down. Otherwise it goes on as it was, and tells its log.

use std::path::Path;

use super::tail;
use crate::{
    state::{Layout, ServiceName},
    sys::process,
};

/// Whether nginx has workers, which it makes once it listens. So it is too where the kernel does not tell.
pub(super) fn are_there(nginx: u32) -> bool {
    match process::children(nginx) {
        Ok(workers) => !workers.is_empty(),
        // Where the kernel does not tell, an nginx that runs is taken to have some; one that has ended has none.
        Err(_) => Path::new("/proc").join(nginx.to_string()).exists(),
    }
}

/// What a worker calls itself once it takes no more connections.
const LEAVING: &str = "is shutting down";

/// Lines of the log among which nginx says why it has not taken its files.
const LINES: usize = 50;

/// How nginx was before it was told to reload.
#[derive(Debug)]
pub(super) struct Before {
    nginx: u32,
    workers: Vec<u32>,
    log: Vec<String>,
}

/// What nginx has made of it so far.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Reload {
    /// New workers take the connections. So it is too where the kernel does not tell.
    Done,
    UnderWay,
    /// It goes on with its former files.
    Refused(String),
}

impl Before {
    pub(super) fn of(nginx: u32, layout: &Layout) -> Self {
        let workers = process::children(nginx).unwrap_or_default();
        Self { nginx, workers, log: tail::last(layout, ServiceName::Nginx, LINES) }
    }

    /// Looks at what nginx has done since.
    pub(super) fn compare(&self, layout: &Layout) -> Reload {
        let Ok(workers) = process::children(self.nginx) else { return Reload::Done };
        if self.are_replaced_by(&workers, |worker| {
            process::command_line(worker).is_ok_and(|title| title.contains(LEAVING))
        }) {
            return Reload::Done;
        }
        let log = tail::last(layout, ServiceName::Nginx, LINES);
        self.refusal(&log).map_or(Reload::UnderWay, Reload::Refused)
    }

    fn are_replaced_by(&self, workers: &[u32], is_leaving: impl Fn(u32) -> bool) -> bool {
        let (former, new): (Vec<u32>, Vec<u32>) =
            workers.iter().partition(|worker| self.workers.contains(worker));
        !new.is_empty() && former.into_iter().all(is_leaving)
    }

    /// Returns why nginx refuses its files. An address that is taken it tries again for a while.
    fn refusal(&self, log: &[String]) -> Option<String> {
        let is_new = |line: &&String| !self.log.contains(line);
        let mut said = log.iter().filter(is_new).filter(|line| line.contains("[emerg]"));
        let first = said.clone().next()?;
        let is_final = said.any(|line| !line.contains("bind() to "));
        let (_, reason) = first.split_once("[emerg] ")?;
        is_final.then(|| format!("it goes on with its former files: {reason}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_nginx_that_has_ended_has_no_workers() {
        // The kernel's pids are below 2^22.
        assert!(!are_there(1 << 23));
    }

    fn before(workers: &[u32], log: &[&str]) -> Before {
        Before { nginx: 1, workers: workers.to_vec(), log: lines(log) }
    }

    fn lines(log: &[&str]) -> Vec<String> {
        log.iter().copied().map(str::to_owned).collect()
    }

    #[test]
    fn a_reload_is_done_when_new_workers_are_there_and_the_former_ones_leave() {
        let before = before(&[2, 3], &[]);
        let replaced = |workers: &[u32], leaving: &[u32]| {
            before.are_replaced_by(workers, |worker| leaving.contains(&worker))
        };
        assert!(!replaced(&[2, 3], &[]));
        assert!(!replaced(&[2, 3, 4, 5], &[2]));
        assert!(!replaced(&[2, 3], &[2, 3]));
        assert!(!replaced(&[], &[]));
        assert!(replaced(&[2, 3, 4, 5], &[2, 3]));
        assert!(replaced(&[4], &[]));
    }

    #[test]
    fn a_reload_is_refused_when_the_log_says_so_for_good() {
        const OLD: &str = "09:00 [emerg] 1#1: of last week";
        const TAKEN: &str = "10:00 [emerg] 1#1: bind() to 127.0.0.1:80 failed (98: Address in use)";
        const STILL: &str = "10:02 [emerg] 1#1: still could not bind()";
        let before = before(&[2], &[OLD]);
        let refusal = |log: &[&str]| before.refusal(&lines(log));
        assert_eq!(refusal(&[OLD]), None);
        assert_eq!(refusal(&[OLD, "10:00 [notice] 1#1: reconfiguring"]), None);
        assert_eq!(refusal(&[OLD, TAKEN]), None);
        let expected = "it goes on with its former files: 1#1: bind() to 127.0.0.1:80 failed (98: Address in use)";
        assert_eq!(refusal(&[OLD, TAKEN, TAKEN, STILL]).as_deref(), Some(expected));
    }
}
