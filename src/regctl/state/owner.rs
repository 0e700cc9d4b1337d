//! Whose the files and folders of an instance are, when the registry has an account of its own.

use std::fmt;

/// Whose a file or folder is, by the part that it plays.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Owner {
    Root,
    /// Root's, with the registry's group: for what the registry reads and must not change.
    Shared,
    /// The registry's own.
    Service,
    /// Root's, with the group of those who may read logs.
    Logs,
}

/// An account or a group by name; without an id it is still to be created.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Principal {
    pub(crate) name: String,
    pub(crate) id: Option<u32>,
}

/// The account and the group of a file or folder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Ownership {
    pub(crate) user: Principal,
    pub(crate) group: Principal,
}

/// Who plays the parts. Without a service, everything is whoever's runs regctl, and no owner is looked at.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Owners {
    pub(crate) service: Option<Service>,
}

/// The registry's account, and the group of those who may read logs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Service {
    pub(crate) user: Principal,
    pub(crate) group: Principal,
    pub(crate) log_group: Principal,
}

impl Principal {
    /// Root, or root's group.
    pub(crate) fn root() -> Self {
        Self { name: "root".to_owned(), id: Some(0) }
    }
}

impl Ownership {
    /// Returns the ids, once both exist.
    pub(crate) fn ids(&self) -> Option<(u32, u32)> {
        Some((self.user.id?, self.group.id?))
    }
}

impl Owners {
    /// Returns whose something is to be; `None` when that is not decided here.
    pub(crate) fn of(&self, owner: Owner) -> Option<Ownership> {
        let Service { user, group, log_group } = self.service.clone()?;
        let (user, group) = match owner {
            Owner::Root => (Principal::root(), Principal::root()),
            Owner::Shared => (Principal::root(), group),
            Owner::Service => (user, group),
            Owner::Logs => (Principal::root(), log_group),
        };
        Some(Ownership { user, group })
    }
}

impl fmt::Display for Ownership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.user.name, self.group.name)
    }
}
