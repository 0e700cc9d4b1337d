//! Services that a package's installation starts and enables. Tests start what they need on free ports themselves, so a
//! service that came with a package *we* installed is stopped and disabled; one that was there before is never touched.

use std::path::Path;

use anyhow::{Result, bail};

use super::list::Package;
use crate::sys::{process, program, terminal};

/// Stops and disables the services of packages that were just installed.
pub(crate) fn silence(installed: &[&Package]) -> Result<()> {
    for service in installed.iter().filter_map(|package| package.service) {
        stop(service)?;
    }
    Ok(())
}

/// What starts services on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Init {
    Systemd,
    Scripts,
}

impl Init {
    fn detect() -> Self {
        // The folder that systemd itself documents as the sign that it runs.
        if Path::new("/run/systemd/system").exists() { Self::Systemd } else { Self::Scripts }
    }

    fn is_active(self, service: &str) -> bool {
        match self {
            Self::Systemd => program::succeeds("systemctl", &["is-active", "--quiet", service]),
            Self::Scripts => program::succeeds("service", &[service, "status"]),
        }
    }

    fn stop_commands(self, service: &str) -> Vec<Vec<&str>> {
        match self {
            Self::Systemd => vec![vec!["systemctl", "disable", "--now", service]],
            Self::Scripts => {
                vec![vec!["service", service, "stop"], vec!["update-rc.d", service, "disable"]]
            }
        }
    }
}

fn stop(service: &str) -> Result<()> {
    let init = Init::detect();
    let was_active = init.is_active(service);
    for mut words in init.stop_commands(service) {
        if !process::is_root() {
            words.insert(0, "sudo");
        }
        let failed = !program::succeeds(words[0], &words[1..]);
        if failed && was_active {
            terminal::talk(&format!("`{}` failed", words.join(" ")));
        }
    }
    if init.is_active(service) {
        bail!("service `{service}`, which came with its package, still runs: stop it as root");
    }
    let state = if was_active { "was started by" } else { "came with" };
    terminal::talk(&format!("service `{service}` {state} its package: now stopped and disabled"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_stopped_now_and_for_the_next_boot() {
        assert_eq!(Init::Systemd.stop_commands("x"), [vec!["systemctl", "disable", "--now", "x"]]);
        assert_eq!(
            Init::Scripts.stop_commands("x"),
            [vec!["service", "x", "stop"], vec!["update-rc.d", "x", "disable"]]
        );
    }

    #[test]
    fn a_package_without_a_service_changes_nothing() {
        let quiet: Vec<_> = crate::packages::TEST.iter().filter(|p| p.service.is_none()).collect();
        assert!(!quiet.is_empty());
        assert!(silence(&quiet).is_ok());
    }
}
