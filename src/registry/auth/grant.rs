//! What a request has been allowed, and to whom.

use std::{collections::BTreeMap, fmt, sync::Arc};

use oci::RepositoryName;

use super::access::{Access, Action, Resource};

/// What one request may do.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    user: Option<User>,
    reach: Reach,
}

/// The name that a client proved to have. Clones share the text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct User(Arc<str>);

#[derive(Clone, Debug)]
enum Reach {
    Everything,
    Claimed(Arc<Claimed>),
}

/// What a token claims for its bearer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Claimed {
    repositories: BTreeMap<RepositoryName, Actions>,
    catalog: Actions,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Actions {
    pull: bool,
    push: bool,
    delete: bool,
    all: bool,
}

impl Grant {
    /// Everything there is, as every type of authorization but `token` has it.
    pub(crate) fn everything(user: Option<User>) -> Self {
        Self { user, reach: Reach::Everything }
    }

    /// For what is nobody's business.
    pub(crate) fn nothing() -> Self {
        Self { user: None, reach: Reach::Claimed(Arc::default()) }
    }

    pub(super) fn claimed(user: Option<User>, claimed: Arc<Claimed>) -> Self {
        Self { user, reach: Reach::Claimed(claimed) }
    }

    /// Who it is, if anybody said.
    pub(crate) fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    pub(crate) fn covers(&self, access: &Access) -> bool {
        match &self.reach {
            Reach::Everything => true,
            Reach::Claimed(claimed) => claimed.covers(access),
        }
    }

    /// The only repositories that may be pulled from; none if all may.
    pub(crate) fn pullable(&self) -> Option<Vec<RepositoryName>> {
        match &self.reach {
            Reach::Everything => None,
            Reach::Claimed(claimed) => Some(claimed.pullable()),
        }
    }
}

impl User {
    /// None of nothing: a token may be issued to nobody in particular.
    pub(super) fn new(name: &str) -> Option<Self> {
        (!name.is_empty()).then(|| Self(name.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Claimed {
    /// Adds a claim as it is written. What names nothing that there could be allows nothing.
    pub(super) fn add<'a>(
        &mut self,
        kind: &str,
        name: &str,
        actions: impl IntoIterator<Item = &'a str>,
    ) {
        let known = match (kind, name) {
            ("registry", "catalog") => &mut self.catalog,
            ("repository", name) => match name.parse() {
                Ok(name) => self.repositories.entry(name).or_default(),
                Err(_) => return,
            },
            _ => return,
        };
        for action in actions {
            known.add(action);
        }
    }

    fn covers(&self, access: &Access) -> bool {
        let actions = match &access.resource {
            Resource::Repository(name) => self.repositories.get(name),
            Resource::Catalog => Some(&self.catalog),
        };
        actions.is_some_and(|actions| actions.cover(access.action))
    }

    fn pullable(&self) -> Vec<RepositoryName> {
        let pullable = self.repositories.iter().filter(|(_, actions)| actions.cover(Action::Pull));
        pullable.map(|(name, _)| name.clone()).collect()
    }
}

impl Actions {
    fn add(&mut self, action: &str) {
        match action {
            "pull" => self.pull = true,
            "push" => self.push = true,
            "delete" => self.delete = true,
            "*" => self.all = true,
            _ => {}
        }
    }

    fn cover(self, action: Action) -> bool {
        self.all
            || match action {
                Action::Pull => self.pull,
                Action::Push => self.push,
                Action::Delete => self.delete,
                Action::All => false,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(name: &str, action: Action) -> Access {
        Access::to_repository(&name.parse().unwrap(), action)
    }

    fn catalog(action: Action) -> Access {
        Access { resource: Resource::Catalog, action }
    }

    #[test]
    fn a_claim_covers_its_actions_on_its_resource_only() {
        let mut claimed = Claimed::default();
        claimed.add("repository", "a/b", ["pull", "unknown"]);
        claimed.add("repository", "a/b", ["push"]);
        claimed.add("repository", "c", ["delete"]);
        for (access, covered) in [
            (repository("a/b", Action::Pull), true),
            (repository("a/b", Action::Push), true),
            (repository("a/b", Action::Delete), false),
            (repository("a/b", Action::All), false),
            (repository("a", Action::Pull), false),
            (repository("a/b/c", Action::Pull), false),
            (repository("c", Action::Delete), true),
            (repository("c", Action::Pull), false),
            (catalog(Action::All), false),
        ] {
            assert_eq!(claimed.covers(&access), covered, "{access}");
        }
        assert_eq!(claimed.pullable(), ["a/b".parse().unwrap()]);
    }

    #[test]
    fn a_star_covers_every_action_and_no_other_name() {
        let mut claimed = Claimed::default();
        claimed.add("repository", "a", ["*"]);
        claimed.add("registry", "catalog", ["*"]);
        for action in [Action::Pull, Action::Push, Action::Delete, Action::All] {
            assert!(claimed.covers(&repository("a", action)));
            assert!(!claimed.covers(&repository("b", action)));
        }
        assert!(claimed.covers(&catalog(Action::All)));
    }

    #[test]
    fn names_and_types_that_are_none_allow_nothing() {
        let mut claimed = Claimed::default();
        for (kind, name) in [
            ("repository", "*"),
            ("repository", "a/*"),
            ("repository", ""),
            ("registry", "a"),
            ("repository(plugin)", "a"),
        ] {
            claimed.add(kind, name, ["*"]);
        }
        assert_eq!(claimed, Claimed::default());
    }
}
