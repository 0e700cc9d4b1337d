//! The storage folder, as the registry's account finds it. One that exists is looked at and never changed: what is
//! in it may be years of images, and whose they are is their owner's to say.

use std::{
    io,
    path::{Path, PathBuf},
};

use registry::{config::Parsed, migrate::are_apart};

use crate::{
    config::{Instance, instance::Driver},
    state::{Layout, Owners, owner::Service},
    sys::{
        account::{self, Identity},
        folder::{self, Found},
        fs, managed,
    },
};

/// The folders that Distribution keeps in its storage; the registry must be able to write to those that exist.
const INSIDE: [&str; 5] = [
    "docker",
    "docker/registry",
    "docker/registry/v2",
    "docker/registry/v2/blobs",
    "docker/registry/v2/repositories",
];

/// Why the registry could not use its storage.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error("failed to look for the groups of `{user}`")]
    Groups { user: String, source: io::Error },
    #[error(
        "the registry's account `{user}` cannot write to its storage: `{}` is {owner}'s with mode {mode:04o}",
        closed.display()
    )]
    Closed {
        user: String,
        group: String,
        storage: PathBuf,
        closed: PathBuf,
        owner: String,
        mode: u32,
    },
    #[error(
        "the registry's account `{user}` cannot reach `{}`: `{}` is {owner}'s with mode {mode:04o}",
        path.display(), closed.display()
    )]
    OutOfReach { user: String, path: PathBuf, closed: PathBuf, owner: String, mode: u32 },
    #[error(
        "the registry's account `{user}` cannot read `{}`: it is {owner}'s with mode {mode:04o}",
        file.display()
    )]
    Unreadable { user: String, group: String, file: PathBuf, owner: String, mode: u32 },
    #[error(
        "there is no storage folder `{}`, and `manage_storage_directories.enable = false` keeps regctl from creating it",
        storage.display()
    )]
    Unmanaged { user: String, group: String, storage: PathBuf },
}

/// Makes sure that the registry's account can use the storage, and reach its configuration, as soon as it exists.
pub(super) fn check(layout: &Layout, instance: &Instance, owners: &Owners) -> Result<(), Error> {
    let Some(account) = Account::find(owners)? else { return Ok(()) };
    account.reaches(layout.root(), layout.root())?;
    match &instance.registry.storage.driver {
        Driver::Filesystem { root_directory, .. } => {
            let storage = layout.resolve(root_directory);
            account.uses(&storage, instance.manage_storage_directories)
        }
        Driver::InMemory | Driver::S3(_) => Ok(()),
    }
}

/// Warns when the storage becomes another folder than the rendered `config.yml` has, and images stay in that one.
pub(super) fn left_behind(
    layout: &Layout,
    instance: &Instance,
    registry: &Parsed,
) -> Result<Option<String>, Box<Error>> {
    let Some(old) = rendered(layout, instance)? else { return Ok(None) };
    let Some(left) = old.config.storage.folder() else { return Ok(None) };
    let new = registry.config.storage.folder();
    if new == Some(left) || repositories(left) == 0 {
        return Ok(None);
    }
    let there = match new {
        Some(folder) => {
            let count = repositories(folder);
            format!("`{}`, which has {count} repositories at its top", folder.display())
        }
        // What is in a bucket is not asked before the registry does.
        None => registry.config.storage.driver.to_string(),
    };
    let left = left.display();
    Ok(Some(format!(
        "the storage becomes {there}: the images in `{left}` stay there and are served no more; \
         copy that folder's content while the registry is stopped, or go back to `rootdirectory = \"{left}\"`"
    )))
}

/// Returns the storage that the rendered `config.yml` has, and another one that it is to become.
pub(super) fn moved(
    layout: &Layout,
    instance: &Instance,
    registry: &Parsed,
) -> Result<Option<(String, String)>, Box<Error>> {
    let Some(old) = rendered(layout, instance)? else { return Ok(None) };
    let [old, new] = [&old, registry].map(|parsed| &parsed.config.storage.driver);
    // Two buckets of one name are called the same.
    let is_moved = old.to_string() != new.to_string() || are_apart(old, new);
    Ok(is_moved.then(|| (old.place(), new.place())))
}

/// Reads the `config.yml` that is in place; what somebody has spoiled names no storage.
fn rendered(layout: &Layout, instance: &Instance) -> Result<Option<Parsed>, Box<Error>> {
    let found = managed::read(&layout.config_yml()).map_err(Error::from)?;
    let environment: Vec<_> =
        instance.registry.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    Ok(found.and_then(|found| registry::Config::parse(&found.text, &environment).ok()))
}

/// Counts what stands at the top of a storage's repositories.
fn repositories(storage: &Path) -> usize {
    const COUNTED_MAX: usize = 10_000;
    fs::count_entries(&storage.join("docker/registry/v2/repositories"), COUNTED_MAX)
}

/// The registry's account, by name and to the kernel.
pub(super) struct Account<'a> {
    who: Identity,
    service: &'a Service,
}

impl<'a> Account<'a> {
    /// None where services have no account, or one that is yet to be created.
    pub(super) fn find(owners: &'a Owners) -> Result<Option<Self>, Error> {
        let Some(service) = &owners.service else { return Ok(None) };
        let (Some(uid), Some(gid)) = (service.user.id, service.group.id) else { return Ok(None) };
        let user = &service.user.name;
        let who = account::identity(user, uid, gid)
            .map_err(|source| Error::Groups { user: user.clone(), source })?;
        Ok(Some(Self { who, service }))
    }

    /// Makes sure that the account can read a file, if there is one.
    pub(super) fn reads(&self, file: &Path) -> Result<(), Error> {
        let Some(found) = folder::look_at_file(file)? else { return Ok(()) };
        // A link's own folder, and that of the file behind it.
        let real = fs::real_path(file)?;
        for path in [file, &real] {
            self.reaches(path, path.parent().unwrap_or(path))?;
        }
        if folder::is_readable(&self.who, file, found) {
            return Ok(());
        }
        let ((user, group), file) = (self.names(), file.to_owned());
        Err(Error::Unreadable { user, group, file, owner: owner(found), mode: found.mode })
    }

    /// Makes sure that the account can write to the storage, or will be able to once that is created.
    fn uses(&self, storage: &Path, is_created: bool) -> Result<(), Error> {
        let (user, group) = self.names();
        if folder::look(storage)?.is_none() {
            return match is_created {
                true => self.reaches(storage, storage.parent().unwrap_or(storage)),
                false => Err(Error::Unmanaged { user, group, storage: storage.to_owned() }),
            };
        }
        self.reaches(storage, storage.parent().unwrap_or(storage))?;
        for path in [storage.to_owned()].into_iter().chain(INSIDE.map(|path| storage.join(path))) {
            if let Some((closed, found)) = folder::first_closed(&self.who, &path, folder::ALL)? {
                let storage = storage.to_owned();
                let (owner, mode) = (owner(found), found.mode);
                return Err(Error::Closed { user, group, storage, closed, owner, mode });
            }
        }
        Ok(())
    }

    /// Makes sure that the account can pass through every folder down to this one, on its way to `path`.
    fn reaches(&self, path: &Path, through: &Path) -> Result<(), Error> {
        match folder::first_closed(&self.who, through, folder::ENTER)? {
            None => Ok(()),
            Some((closed, found)) => {
                let (user, _) = self.names();
                let (path, owner, mode) = (path.to_owned(), owner(found), found.mode);
                Err(Error::OutOfReach { user, path, closed, owner, mode })
            }
        }
    }

    fn names(&self) -> (String, String) {
        (self.service.user.name.clone(), self.service.group.name.clone())
    }
}

fn owner(found: Found) -> String {
    format!("{}:{}", account::user_name(found.uid), account::group_name(found.gid))
}

impl Error {
    /// Returns the command that helps.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::File(_) | Self::Groups { .. } => None,
            Self::Closed { user, group, storage, .. } => {
                Some(format!("chown -R {user}:{group} {}", storage.display()))
            }
            Self::OutOfReach { closed, .. } => Some(format!("chmod o+x {}", closed.display())),
            Self::Unreadable { user, group, file, owner, .. } => {
                let file = file.display();
                // Of who owns it the group's bits are not asked for.
                Some(match owner.split(':').next() == Some(user) {
                    true => format!("chmod u+r {file}"),
                    false => format!("chgrp {group} {file} && chmod g+r {file}"),
                })
            }
            Self::Unmanaged { user, group, storage } => {
                Some(format!("install -d -m 0750 -o {user} -g {group} {}", storage.display()))
            }
        }
    }
}
