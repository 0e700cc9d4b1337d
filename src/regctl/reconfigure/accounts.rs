//! The registry's account and group: found, or created with the system's own tools. One that exists is never
//! changed.

use std::{
    ffi::OsStr,
    fmt, io,
    path::{Path, PathBuf},
};

use crate::{
    config::{Instance, instance::Account},
    state::{
        Layout, Owners,
        owner::{Principal, Service},
    },
    sys::{account, host, program},
};

/// An account or a group that is to be created.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Creation {
    Group { name: String, gid: Option<u32> },
    User { name: String, uid: Option<u32>, group: String, home: PathBuf, shell: PathBuf },
}

/// Whether a name or an id is an account's or a group's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sort {
    User,
    Group,
}

/// Why the registry has no account.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("failed to look for the {sort} `{name}`")]
    Lookup { sort: Sort, name: String, source: io::Error },
    #[error(
        "the {sort} `{name}` has the id {found}, and `registry.{}` is {wanted}: one that exists is never changed",
        sort.id_key()
    )]
    OtherId { sort: Sort, name: String, found: u32, wanted: u32 },
    #[error("`registry.{}` is {id}, which is the id of the {sort} `{owner}` already", sort.id_key())]
    TakenId { sort: Sort, id: u32, owner: String },
    #[error(
        "there is no {sort} `{name}`, and `manage_accounts.enable = false` keeps regctl from creating it"
    )]
    Unmanaged { sort: Sort, name: String, command: String },
    #[error("`registry.log_group` is `{0}`, and there is no such group")]
    NoLogGroup(String),
    #[error("the {sort} `{name}` cannot be created: there is neither `{}` here nor `{}`", tools[0], tools[1])]
    NoTool { sort: Sort, name: String, tools: [String; 2] },
    #[error("failed to run `{command}`")]
    Run { command: String, source: io::Error },
    #[error("`{command}` failed: {said}")]
    Refused { command: String, said: String },
    #[error("`{command}` ended well, and there is still no {sort} `{name}`")]
    Vanished { command: String, sort: Sort, name: String },
}

/// Returns the account that the registry is to run as; `None`: whoever runs regctl.
///
/// An instance in a folder of its own is its owner's, unless its file names an account.
fn account<'a>(layout: &Layout, instance: &'a Instance) -> Option<&'a Account> {
    let account = &instance.registry.account;
    let is_wanted = layout.is_system_wide() || account.is_named;
    (is_wanted && host::is_root()).then_some(account)
}

/// Returns what an account in the file is not good for here; nothing is ignored in silence.
pub(super) fn without_effect(layout: &Layout, instance: &Instance) -> Option<&'static str> {
    let written = &instance.registry.account;
    if account(layout, instance).is_some() || !(written.is_named || written.log_group.is_some()) {
        return None;
    }
    Some(match host::is_root() {
        true => {
            "`registry.log_group` has no effect without `registry.username`: this instance is in a folder of its own"
        }
        false => {
            "the account and the groups in [registry] have no effect without root: everything is whoever's runs regctl"
        }
    })
}

/// Finds who owns what, and what has to be created first.
pub(super) fn look(layout: &Layout, instance: &Instance) -> Result<(Owners, Vec<Creation>), Error> {
    let Some(wanted) = account(layout, instance) else {
        return Ok((Owners::default(), Vec::new()));
    };
    let gid = found(Sort::Group, &wanted.group, wanted.gid)?;
    let uid = found(Sort::User, &wanted.username, wanted.uid)?;
    let creations = creations(wanted, uid, gid, layout.registry());
    if let Some(creation) = creations.first().filter(|_| !instance.manage_accounts) {
        let (sort, name) = creation.subject();
        let command = creation.shadow().join(" ");
        return Err(Error::Unmanaged { sort, name: name.to_owned(), command });
    }
    let log_group = match &wanted.log_group {
        Some(name) => log_group(name, &wanted.group, gid)?,
        None => Principal::root(),
    };
    let principal = |name: &str, id| Principal { name: name.to_owned(), id };
    let service = Service {
        user: principal(&wanted.username, uid),
        group: principal(&wanted.group, gid),
        log_group,
    };
    Ok((Owners { service: Some(service) }, creations))
}

fn creations(
    account: &Account,
    uid: Option<u32>,
    gid: Option<u32>,
    home: PathBuf,
) -> Vec<Creation> {
    let Account { username, group, shell, .. } = account;
    let new_group =
        gid.is_none().then(|| Creation::Group { name: group.clone(), gid: account.gid });
    let new_user = uid.is_none().then(|| Creation::User {
        name: username.clone(),
        uid: account.uid,
        group: group.clone(),
        home,
        shell: shell.clone(),
    });
    new_group.into_iter().chain(new_user).collect()
}

/// Returns the id of an account or a group, if it exists. `wanted` must be its id, or else nobody's.
fn found(sort: Sort, name: &str, wanted: Option<u32>) -> Result<Option<u32>, Error> {
    let found = sort.id(name)?;
    match (found, wanted) {
        (Some(found), Some(wanted)) if found != wanted => {
            Err(Error::OtherId { sort, name: name.to_owned(), found, wanted })
        }
        (None, Some(id)) => match sort.name(id) {
            owner if owner == id.to_string() => Ok(None),
            owner => Err(Error::TakenId { sort, id, owner }),
        },
        (found, _) => Ok(found),
    }
}

/// Finds the group of those who may read logs; it may be the registry's own, which may not exist yet.
fn log_group(name: &str, service_group: &str, gid: Option<u32>) -> Result<Principal, Error> {
    let id = match name == service_group {
        true => gid,
        false => Some(Sort::Group.id(name)?.ok_or_else(|| Error::NoLogGroup(name.to_owned()))?),
    };
    Ok(Principal { name: name.to_owned(), id })
}

/// Creates accounts and groups, each once.
pub(super) fn create(creations: &[Creation]) -> Result<(), Error> {
    creations.iter().try_for_each(Creation::perform)
}

impl Creation {
    fn subject(&self) -> (Sort, &str) {
        match self {
            Self::Group { name, .. } => (Sort::Group, name),
            Self::User { name, .. } => (Sort::User, name),
        }
    }

    fn perform(&self) -> Result<(), Error> {
        let (sort, name) = self.subject();
        let lines = [self.shadow(), self.busybox()];
        let installed = lines.iter().find_map(|line| Some((program::find(&line[0])?, line)));
        let Some((program, line)) = installed else {
            let tools = lines.map(|line| line[0].clone());
            return Err(Error::NoTool { sort, name: name.to_owned(), tools });
        };
        let command = line.join(" ");
        let arguments: Vec<_> = line[1..].iter().map(OsStr::new).collect();
        let answer = program::ask(&program, &arguments)
            .map_err(|source| Error::Run { command: command.clone(), source })?;
        if !answer.success {
            return Err(Error::Refused { command, said: answer.said.trim().to_owned() });
        }
        match sort.id(name)? {
            Some(_) => Ok(()),
            None => Err(Error::Vanished { command, sort, name: name.to_owned() }),
        }
    }

    /// Returns the command line of the shadow tools, which all but the smallest systems have.
    fn shadow(&self) -> Vec<String> {
        match self {
            Self::Group { name, gid } => {
                line(&["groupadd", "--system"], &[("--gid", id(*gid))], &[name])
            }
            Self::User { name, uid, group, home, shell } => line(
                &["useradd", "--system", "--no-create-home", "--no-user-group"],
                &[
                    ("--gid", Some(group.clone())),
                    ("--uid", id(*uid)),
                    ("--home-dir", Some(text(home))),
                    ("--shell", Some(text(shell))),
                ],
                &[name],
            ),
        }
    }

    /// Returns the command line of busybox, as Alpine has it.
    fn busybox(&self) -> Vec<String> {
        match self {
            Self::Group { name, gid } => line(&["addgroup", "-S"], &[("-g", id(*gid))], &[name]),
            Self::User { name, uid, group, home, shell } => line(
                &["adduser", "-S", "-D", "-H"],
                &[
                    ("-G", Some(group.clone())),
                    ("-u", id(*uid)),
                    ("-h", Some(text(home))),
                    ("-s", Some(text(shell))),
                ],
                &[name],
            ),
        }
    }
}

fn id(id: Option<u32>) -> Option<String> {
    id.map(|id| id.to_string())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn line(start: &[&str], options: &[(&str, Option<String>)], end: &[&String]) -> Vec<String> {
    let mut line: Vec<String> = start.iter().map(|&word| word.to_owned()).collect();
    for (option, value) in options {
        if let Some(value) = value {
            line.extend([(*option).to_owned(), value.clone()]);
        }
    }
    line.extend(end.iter().map(|&word| word.clone()));
    line
}

impl Sort {
    fn id_key(self) -> &'static str {
        match self {
            Self::User => "uid",
            Self::Group => "gid",
        }
    }

    fn id(self, name: &str) -> Result<Option<u32>, Error> {
        let found = match self {
            Self::User => account::user(name),
            Self::Group => account::group(name),
        };
        found.map_err(|source| Error::Lookup { sort: self, name: name.to_owned(), source })
    }

    /// Returns the name that goes with an id, or the id when there is none.
    fn name(self, id: u32) -> String {
        match self {
            Self::User => account::user_name(id),
            Self::Group => account::group_name(id),
        }
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "account",
            Self::Group => "group",
        })
    }
}

impl fmt::Display for Creation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sort, name) = self.subject();
        write!(f, "{sort} {name}")
    }
}

impl Error {
    /// Returns what helps.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::OtherId { sort, found, .. } => Some(format!(
                "set `{} = {found}` in [registry], or name another {sort}",
                sort.id_key()
            )),
            Self::TakenId { sort, .. } => {
                Some(format!("leave `{}` out, and the system chooses", sort.id_key()))
            }
            Self::Unmanaged { command, .. } => {
                Some(format!("create it: `{command}`; or leave that setting out"))
            }
            Self::NoLogGroup(name) => Some(format!("create it: `groupadd --system {name}`")),
            Self::NoTool { sort, .. } => Some(format!(
                "create the {sort} by other means, or give a folder of your own: --root DIR"
            )),
            Self::Lookup { .. }
            | Self::Run { .. }
            | Self::Refused { .. }
            | Self::Vanished { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(uid: Option<u32>) -> Creation {
        let (group, home, shell) =
            ("images".to_owned(), "/srv/registry".into(), "/bin/false".into());
        Creation::User { name: "registry".to_owned(), uid, group, home, shell }
    }

    #[test]
    fn each_family_of_tools_gets_its_own_words() {
        let group = |gid| Creation::Group { name: "images".to_owned(), gid };
        for (creation, shadow, busybox) in [
            (group(None), "groupadd --system images", "addgroup -S images"),
            (group(Some(7)), "groupadd --system --gid 7 images", "addgroup -S -g 7 images"),
            (
                user(None),
                "useradd --system --no-create-home --no-user-group --gid images --home-dir /srv/registry --shell /bin/false registry",
                "adduser -S -D -H -G images -h /srv/registry -s /bin/false registry",
            ),
            (
                user(Some(8)),
                "useradd --system --no-create-home --no-user-group --gid images --uid 8 --home-dir /srv/registry --shell /bin/false registry",
                "adduser -S -D -H -G images -u 8 -h /srv/registry -s /bin/false registry",
            ),
        ] {
            assert_eq!(creation.shadow().join(" "), shadow);
            assert_eq!(creation.busybox().join(" "), busybox);
        }
    }
}
