//! What a request wants, in the terms of `auth`: actions on resources.

use std::fmt;

use oci::RepositoryName;

/// What can be allowed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Access {
    /// On what.
    pub(crate) resource: Resource,
    /// To do what.
    pub(crate) action: Action,
}

/// What access is asked to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Resource {
    /// One repository.
    Repository(RepositoryName),
    /// The list of all repositories.
    Catalog,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    Pull,
    Push,
    Delete,
    /// `*`: whatever there is. The catalog knows no other.
    All,
}

/// What one request wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Without these it is refused. None at all: to be known is enough.
    pub(crate) required: Vec<Access>,
    /// Without this it goes another way: a blob that may not be mounted is uploaded.
    pub(crate) welcome: Option<Access>,
}

impl Access {
    pub(crate) fn to_repository(name: &RepositoryName, action: Action) -> Self {
        Self { resource: Resource::Repository(name.clone()), action }
    }
}

impl Resource {
    /// The type, as scopes and claims spell it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Repository(_) => "repository",
            Self::Catalog => "registry",
        }
    }

    /// The name, as scopes and claims spell it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Repository(name) => name.as_str(),
            Self::Catalog => "catalog",
        }
    }
}

impl Action {
    /// The name, as scopes and claims spell it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
            Self::All => "*",
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.resource.kind(), self.resource.name(), self.action.as_str())
    }
}

impl Wanted {
    /// Everything that a client should ask for.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Access> {
        self.required.iter().chain(&self.welcome)
    }
}
