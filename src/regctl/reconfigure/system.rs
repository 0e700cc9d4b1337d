//! The host's own services: whether regctl writes their files here, and systemd, told of the unit.

use std::{ffi::OsStr, io, path::PathBuf, time::Duration};

use super::{
    disk::Disk,
    plan::{Kind, Plan},
    trust,
};
use crate::{
    config::Instance,
    render::{SYSTEM_MARK, System},
    state::{Layout, layout::STATE_MODE},
    sys::{
        fs::{self, Existing},
        host, program,
    },
};

const UNIT: &str = "regctl.service";

/// Longer than stopping takes, which ends the requests under way.
const PATIENCE: Duration = Duration::from_secs(600);

/// What systemd is to be told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Activation {
    /// A new unit is enabled and started.
    Enable,
    /// A unit that changed is read again; what runs goes on.
    Reload,
    /// A unit that goes is stopped and disabled first.
    Disable,
}

/// Why the host's services are not as they should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error(transparent)]
    Trust(#[from] trust::Error),
    #[error("failed to find out which program this is")]
    Program(#[source] io::Error),
    #[error("`{}` was not written by regctl, and is not replaced", .0.display())]
    Foreign(PathBuf),
    #[error("the files are in place, and systemd does not know: there is no `systemctl` here")]
    NoSystemctl,
    #[error("the files are in place, and `{command}` could not be run")]
    Run { command: String, source: io::Error },
    #[error("the files are in place, and `{command}` failed: {said}")]
    Refused { command: String, said: String },
}

/// The host's part of a reconfigure.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Host {
    /// None: its files are not looked at.
    pub(super) system: Option<System>,
    /// Whether systemd runs here, and this instance is the system's.
    is_active: bool,
    /// What is left out here, for the administrator to know.
    pub(super) skipped: Option<String>,
}

/// Finds out whether the files are wanted. Unless the instance says so, they are where systemd runs, for the
/// instance of the whole system.
pub(super) fn look(layout: &Layout, instance: &Instance) -> Result<Host, Error> {
    let (is_root, has_systemd) = (host::is_root(), host::runs_systemd());
    let is_ours = is_root && layout.is_system_wide();
    let is_active = is_ours && has_systemd;
    let wanted = instance.manage_system_files;
    if !wanted.unwrap_or(is_active) {
        // Without root, those of the system are none of this instance's.
        let is_looked_at = wanted.is_some() || is_root;
        let skipped = (is_ours && wanted.is_none()).then(|| {
            "systemd does not run here: its unit, and the logrotate and tmpfiles entries, are left out"
                .to_owned()
        });
        return Ok(Host { system: is_looked_at.then_some(System::Unwanted), is_active, skipped });
    }
    let program = program::own().map_err(Error::Program)?;
    if is_active {
        trust::program(&program)?;
    }
    let skipped = (!is_active).then(|| {
        let unit = layout.systemd_unit();
        format!("`{}` is not enabled: that takes root, the root /, and systemd", unit.display())
    });
    Ok(Host { system: Some(System::Wanted { program }), is_active, skipped })
}

/// Leaves alone what somebody else put where one of these files would be.
pub(super) fn spare(layout: &Layout, host: &Host, disk: &mut Disk) -> Result<(), Error> {
    for path in layout.system_files() {
        let is_foreign =
            disk.files.get(&path).is_some_and(|found| !found.text.starts_with(SYSTEM_MARK));
        match &host.system {
            Some(System::Wanted { .. }) if is_foreign => return Err(Error::Foreign(path)),
            _ if is_foreign => drop(disk.files.remove(&path)),
            _ => {}
        }
    }
    Ok(())
}

/// Returns what systemd is to be told once the plan is applied, or was not told after an earlier one.
pub(super) fn activation(
    layout: &Layout,
    host: &Host,
    plan: &Plan,
) -> Result<Option<Activation>, Error> {
    if !host.is_active {
        return Ok(None);
    }
    let unit = layout.systemd_unit();
    let change = plan.changes.iter().find(|change| change.path == unit);
    let untold = Activation::untold(layout)?;
    Ok(match change.map(|change| &change.kind) {
        Some(Kind::Create { .. }) => Some(Activation::Enable),
        Some(Kind::Remove { .. }) => Some(Activation::Disable),
        Some(Kind::Replace { .. } | Kind::Access { .. }) => untold.or(Some(Activation::Reload)),
        None => untold,
    })
}

impl Activation {
    /// Does what comes before the files change, and notes what comes after.
    pub(super) fn prepare(self, layout: &Layout) -> Result<(), Error> {
        if self == Self::Disable {
            systemctl(&["disable", "--now", UNIT])?;
        }
        let folder = layout.state();
        fs::create_folder(&folder, STATE_MODE)?;
        let word = format!("{}\n", self.word());
        Ok(fs::write_atomic(&layout.activation(), word.as_bytes(), 0o640, Existing::Replace)?)
    }

    /// Tells systemd. Whoever is interrupted, or refused, leaves the note to the next one.
    pub(super) fn perform(self, layout: &Layout) -> Result<(), Error> {
        systemctl(&["daemon-reload"])?;
        if self == Self::Enable {
            systemctl(&["enable", "--now", UNIT])?;
        }
        Ok(fs::remove(&layout.activation())?)
    }

    /// Returns what an earlier command could not tell systemd.
    fn untold(layout: &Layout) -> Result<Option<Self>, Error> {
        let text = fs::read_to_string(&layout.activation())?.unwrap_or_default();
        let all = [Self::Enable, Self::Reload, Self::Disable];
        let noted = all.into_iter().find(|activation| activation.word() == text.trim());
        // What was stopped needs no more than to be forgotten.
        Ok(noted.map(|noted| if noted == Self::Disable { Self::Reload } else { noted }))
    }

    fn word(self) -> &'static str {
        match self {
            Self::Enable => "enable",
            Self::Reload => "reload",
            Self::Disable => "disable",
        }
    }

    /// Returns what was done, or would be.
    pub(crate) fn shown(self, is_done: bool) -> &'static str {
        match (self, is_done) {
            (Self::Enable, true) => "enabled and started regctl.service",
            (Self::Enable, false) => "would enable and start regctl.service",
            (Self::Reload, true) => "told systemd of the changed regctl.service",
            (Self::Reload, false) => "would tell systemd of the changed regctl.service",
            (Self::Disable, true) => "stopped and disabled regctl.service",
            (Self::Disable, false) => "would stop and disable regctl.service",
        }
    }
}

fn systemctl(arguments: &[&str]) -> Result<(), Error> {
    let command = format!("systemctl {}", arguments.join(" "));
    let program = program::find("systemctl").ok_or(Error::NoSystemctl)?;
    let arguments: Vec<_> = arguments.iter().map(OsStr::new).collect();
    let answer = program::ask_within(&program, &arguments, PATIENCE)
        .map_err(|source| Error::Run { command: command.clone(), source })?;
    match answer.success {
        true => Ok(()),
        false => Err(Error::Refused { command, said: answer.said.trim().to_owned() }),
    }
}

impl Error {
    /// Returns what helps.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Foreign(_) => {
                Some("move it away, or set `enable = false` in [manage_system_files]")
            }
            Self::NoSystemctl | Self::Run { .. } | Self::Refused { .. } => {
                Some("the next `regctl reconfigure` tries again")
            }
            Self::File(_) | Self::Trust(_) | Self::Program(_) => None,
        }
    }
}
