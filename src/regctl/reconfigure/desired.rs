//! What an instance's files should be: loaded, rendered, and accepted by their readers.

use std::path::{Path, PathBuf};

use registry::config::{Invalid, Origin, Parsed};

use super::{
    accounts::{self, Creation},
    certificates::{self, Looked},
    copies,
    disk::Disk,
    handover::{self, Handover},
    key_place,
    nginx::{self, Nginx},
    plan::{Access, Plan, UsersFile},
    readable, storage_folder,
    system::{self, Host},
    trust,
};
use crate::{
    config::{
        Instance, Named, Parsed as ParsedInstance,
        instance::{Auth, Driver, Gitlab},
        load,
        s3::S3,
    },
    render::{self, File, Inputs, System, Templates},
    state::{
        Folder, Holds, Layout, Owner, Owners, Secrets, holds, journal,
        secrets::{self, Needs},
        users,
    },
};

/// The rendered files of an instance, and what they were made from.
#[derive(Debug)]
pub(crate) struct Desired {
    pub(crate) instance: Instance,
    /// `config.yml` as its reader understands it, under the instance's environment.
    pub(crate) registry: Parsed,
    /// What works, and somebody may want to look at.
    pub(crate) warnings: Vec<String>,
    files: Vec<File>,
    folders: Vec<Folder>,
    templates: Templates,
    circumstances: Circumstances,
    /// The paths that the instance names.
    named: Vec<Named>,
}

/// What the files are made from besides the instance.
#[derive(Debug)]
struct Circumstances {
    secrets: Secrets,
    nginx: Nginx,
    /// Who owns what.
    owners: Owners,
    /// Accounts and groups that do not exist yet.
    creations: Vec<Creation>,
    holds: Holds,
    host: Host,
}

/// What a check has seen, each with the key that it is about, if it is one.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) refused: Vec<(Option<&'static str>, Error)>,
    pub(crate) warnings: Vec<(Option<&'static str>, String)>,
}

/// The key that names the storage.
const STORAGE: &str = "registry.storage.filesystem.rootdirectory";

/// Why it is not known what the files should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Load(#[from] load::Error),
    #[error(transparent)]
    Secrets(#[from] secrets::Error),
    #[error(transparent)]
    Trust(#[from] trust::Error),
    #[error(transparent)]
    Accounts(#[from] accounts::Error),
    #[error(transparent)]
    Storage(#[from] Box<storage_folder::Error>),
    #[error(transparent)]
    Render(#[from] render::Error),
    #[error("the registry would refuse the config.yml made from this instance")]
    Registry(#[source] Box<Invalid>),
    #[error(transparent)]
    Nginx(#[from] nginx::Error),
    #[error(transparent)]
    Certificates(#[from] certificates::Error),
    #[error(transparent)]
    Handover(#[from] handover::Error),
    #[error(
        "the config.yml made from this instance lets everybody in, and instance.toml does not: the template lacks `auth`"
    )]
    OpenTemplate,
    #[error(
        "the config.yml made from this instance listens on {rendered}, and instance.toml says `registry_http_addr = \"{wanted}\"`: the template changes it"
    )]
    OtherAddress { rendered: String, wanted: String },
    #[error(
        "the config.yml made from this instance keeps images in {rendered}, and instance.toml in {wanted}: the template changes it"
    )]
    OtherStorage { rendered: String, wanted: String },
    #[error(transparent)]
    Journal(#[from] journal::Error),
    #[error(transparent)]
    Holds(#[from] holds::Error),
    #[error(transparent)]
    System(#[from] system::Error),
}

impl Desired {
    /// Loads the instance with its secrets, and renders its files.
    ///
    /// Secrets that are missing are those of `earlier`, which were made for this instance and not stored, or
    /// new ones.
    pub(crate) fn load(layout: &Layout, earlier: Option<&Self>) -> Result<Self, Error> {
        trust::instance(layout)?;
        let parsed = load::load(&layout.instance_toml())?;
        Self::of(layout, parsed, earlier)
    }

    /// Renders the files of an instance that has been parsed, as the host is now.
    pub(crate) fn of(
        layout: &Layout,
        parsed: ParsedInstance,
        earlier: Option<&Self>,
    ) -> Result<Self, Error> {
        let ParsedInstance { instance, warnings, settings } = parsed;
        let path = layout.instance_toml();
        let place = path.display();
        let warnings = warnings.iter().map(|warning| format!("{place}:{warning}"));
        let without_effect = accounts::without_effect(layout, &instance).map(ToOwned::to_owned);
        let warnings = warnings.chain(without_effect).collect();
        let made = earlier.map(|earlier| &earlier.circumstances.secrets);
        let circumstances = Circumstances::find(layout, &instance, made)?;
        let mut desired = Self::render(layout, instance, circumstances, warnings)?;
        let warnings = certificates::check(&desired.inputs(layout))?;
        desired.warnings.extend(warnings);
        desired.named = settings.named();
        Ok(desired)
    }

    /// Looks for everything that a reconfigure would refuse or warn of, and changes nothing: secrets that are
    /// missing are nobody's, and the installed nginx is not asked, which takes longer than all the rest.
    pub(crate) fn check(layout: &Layout, parsed: &ParsedInstance) -> Seen {
        let mut seen = Seen::default();
        seen.add(None, trust::instance(layout));
        let mut circumstances = Circumstances::placeholder();
        if let Some(secrets) = seen.add(None, Secrets::stored(layout)).flatten() {
            circumstances.secrets = secrets;
        }
        if let Some((owners, _)) = seen.add(None, accounts::look(layout, &parsed.instance)) {
            circumstances.owners = owners;
        }
        let instance = parsed.instance.clone();
        let rendered = Self::render(layout, instance, circumstances, Vec::new());
        if let Some(desired) = seen.add(Some("registry.env"), rendered) {
            desired.see(layout, parsed, &mut seen);
        }
        seen
    }

    /// Looks at the files around the instance.
    fn see(&self, layout: &Layout, parsed: &ParsedInstance, seen: &mut Seen) {
        let inputs = self.inputs(layout);
        let Looked { refused, warnings } = certificates::look(&inputs);
        seen.refused.extend(refused.into_iter().map(|(key, error)| (Some(key), error.into())));
        seen.warnings.extend(warnings.into_iter().map(|(key, warning)| (Some(key), warning)));
        let named = parsed.settings.named();
        seen.add(Some(key_place::KEY), Handover::plan(&inputs, &named));
        let storage = storage_folder::check(layout, &self.instance, inputs.owners);
        seen.add(Some(STORAGE), storage.map_err(Box::new));
        let closed = readable::check(layout, &self.instance, inputs.owners).map_err(Box::new);
        for (key, error) in seen.add(None, closed).unwrap_or_default() {
            seen.refused.push((Some(key), Box::new(error).into()));
        }
        // The warnings of the registry come last.
        let others = self.warnings.len() - self.registry.warnings.len();
        let (others, of_registry) = self.warnings.split_at(others);
        seen.warnings.extend(others.iter().map(|warning| (None, warning.clone())));
        let texts = self.registry.warnings.iter().zip(of_registry);
        // What the text of config.yml deserves has been said of the key that it was made from.
        let texts = texts.filter(|(warning, _)| !matches!(warning.origin, Origin::File { .. }));
        seen.warnings.extend(texts.map(|(_, text)| (Some("registry.env"), text.clone())));
    }

    fn render(
        layout: &Layout,
        instance: Instance,
        circumstances: Circumstances,
        mut warnings: Vec<String>,
    ) -> Result<Self, Error> {
        let templates = copies::load(layout)?;
        let files = render::files(&circumstances.inputs(layout, &instance, &templates))?;
        let registry = read_back(&instance, &files, layout)?;
        warnings.extend(templates.stale());
        warnings.extend(templates.strangers.iter().cloned());
        warnings.extend(storage_folder::left_behind(layout, &instance, &registry)?);
        warnings.extend(registry.warnings.iter().map(|warning| format!("config.yml: {warning}")));
        let folders = folders(layout, &instance, &circumstances.host);
        Ok(Self {
            instance,
            registry,
            warnings,
            files,
            folders,
            templates,
            circumstances,
            named: Vec::new(),
        })
    }

    /// Returns whom a folder is to belong to, and its mode.
    pub(super) fn access_of(&self, folder: &Folder) -> Access {
        Access { mode: folder.mode, owner: self.circumstances.owners.of(folder.owner) }
    }

    /// Returns what a file is to hold.
    pub(super) fn text_of(&self, path: &Path) -> Option<&str> {
        let file = self.files.iter().find(|file| file.path == path)?;
        file.content.as_ref().map(|content| content.text.as_str())
    }

    /// Returns what is left out on this host, for the administrator to know.
    pub(crate) fn skipped(&self) -> Option<&str> {
        self.circumstances.host.skipped.as_deref()
    }

    /// Compares with the disk. What would replace nginx's files is read by nginx first.
    pub(crate) fn plan(&self, layout: &Layout) -> Result<Plan, Error> {
        let Self { instance, files, folders, circumstances, .. } = self;
        let Circumstances { nginx, owners, creations, host, .. } = circumstances;
        storage_folder::check(layout, instance, owners).map_err(Box::new)?;
        let closed = readable::check(layout, instance, owners).map_err(Box::new)?;
        if let Some((_, error)) = closed.into_iter().next() {
            return Err(Box::new(error).into());
        }
        let mut disk = Disk::read(layout, files, folders)?;
        system::spare(layout, host, &mut disk)?;
        let mut plan = Plan::new(files, folders, &disk, owners);
        if instance.quotas.is_empty() {
            // What is pushed without them is written down nowhere.
            plan.leftovers.extend(quota_records(layout));
        }
        plan.accounts.clone_from(creations);
        plan.handover = Handover::plan(&self.inputs(layout), &self.named)?;
        plan.users_file = self.missing_users_file(layout);
        plan.activation = system::activation(layout, host, &plan)?;
        let of_nginx = [layout.registry_conf(), layout.nginx_conf()];
        if plan.changes.iter().any(|change| of_nginx.contains(&change.path)) {
            let mut inputs = self.inputs(layout);
            // nginx would look for a group that is still to be created.
            inputs.workers = inputs.workers.filter(|_| creations.is_empty());
            nginx.check(&inputs)?;
        }
        Ok(plan)
    }

    /// Returns the file of users, if the registry would miss it.
    fn missing_users_file(&self, layout: &Layout) -> Option<UsersFile> {
        let Auth::Htpasswd { path, .. } = &self.instance.registry.auth else { return None };
        let path = Some(layout.resolve(path)).filter(|path| path.symlink_metadata().is_err())?;
        let owner = self.circumstances.owners.of(Owner::Shared);
        Some(UsersFile { path, access: Access { mode: users::MODE, owner } })
    }

    /// Returns what the files were made from.
    fn inputs<'a>(&'a self, layout: &'a Layout) -> Inputs<'a> {
        self.circumstances.inputs(layout, &self.instance, &self.templates)
    }
}

/// The records of quotas that are no more.
fn quota_records(layout: &Layout) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(layout.quotas()).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "quota")).collect()
}

impl Circumstances {
    fn find(layout: &Layout, instance: &Instance, made: Option<&Secrets>) -> Result<Self, Error> {
        let needs = Needs { token: instance.gitlab.as_ref().is_some_and(Gitlab::needs_pair) };
        let secrets = Secrets::complete(layout, needs, made)?;
        let nginx = match instance.nginx.vhost {
            Some(_) => Nginx::find(),
            None => Nginx::none(),
        };
        let (owners, creations) = accounts::look(layout, instance)?;
        let host = system::look(layout, instance)?;
        Ok(Self { secrets, nginx, owners, creations, holds: Holds::load(layout)?, host })
    }

    /// Those of nobody, for files that are not written.
    fn placeholder() -> Self {
        Self {
            secrets: Secrets::placeholder(),
            nginx: Nginx::none(),
            owners: Owners::default(),
            creations: Vec::new(),
            holds: Holds::default(),
            host: Host::default(),
        }
    }

    fn inputs<'a>(
        &'a self,
        layout: &'a Layout,
        instance: &'a Instance,
        templates: &'a Templates,
    ) -> Inputs<'a> {
        let Self { secrets, nginx, owners, creations: _, holds, host } = self;
        Inputs {
            instance,
            secrets,
            layout,
            templates,
            nginx: nginx.version,
            workers: nginx.workers(owners),
            owners,
            system: host.system.clone(),
            is_held_read_only: holds.are_read_only(),
            sendfile: nginx.sendfile(layout, instance, owners),
        }
    }
}

impl Seen {
    fn add<T, E: Into<Error>>(
        &mut self,
        key: Option<&'static str>,
        found: Result<T, E>,
    ) -> Option<T> {
        found.map_err(|error| self.refused.push((key, error.into()))).ok()
    }
}

/// Has the registry read its `config.yml`, under the environment that it will have.
fn read_back(instance: &Instance, files: &[File], layout: &Layout) -> Result<Parsed, Error> {
    let path = layout.config_yml();
    let config = files.iter().find(|file| file.path == path).and_then(|file| file.content.as_ref());
    let text = config.map(|content| content.text.as_str()).unwrap_or_default();
    let environment: Vec<_> =
        instance.registry.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let parsed = registry::Config::parse(text, &environment)
        .map_err(|error| Error::Registry(Box::new(without_values(error))))?;
    let is_open = parsed.config.auth == registry::config::Auth::None;
    if is_open && instance.registry.auth != Auth::None {
        return Err(Error::OpenTemplate);
    }
    same_place(instance, &parsed, layout)?;
    Ok(parsed)
}

/// Leaves out what variables say: any of them may be a password.
fn without_values(mut invalid: Invalid) -> Invalid {
    let problems = invalid.problems.iter_mut();
    problems
        .filter(|problem| matches!(problem.origin, Origin::Environment(_)))
        .for_each(|problem| problem.value = None);
    invalid
}

/// Refuses a template that listens elsewhere or keeps images elsewhere: both are checked in `instance.toml`, and
/// nobody looks at the template again.
fn same_place(instance: &Instance, parsed: &Parsed, layout: &Layout) -> Result<(), Error> {
    let wanted = instance.registry.address.to_string();
    let listens = &parsed.config.http.address;
    if !listens.is_written(&wanted) {
        return Err(Error::OtherAddress { rendered: listens.to_string(), wanted });
    }
    let wanted = match &instance.registry.storage.driver {
        Driver::Filesystem { root_directory, .. } => {
            format!("`{}`", layout.resolve(root_directory).display())
        }
        Driver::InMemory => "memory".to_owned(),
        Driver::S3(S3 { bucket, root_directory, .. }) => {
            format!("`s3://{bucket}/{root_directory}`")
        }
    };
    let rendered = parsed.config.storage.driver.to_string();
    if rendered == wanted { Ok(()) } else { Err(Error::OtherStorage { rendered, wanted }) }
}

/// Returns the folders of an instance, with its storage folder and those of the system's services where regctl
/// makes them.
fn folders(layout: &Layout, instance: &Instance, host: &Host) -> Vec<Folder> {
    let mut folders = layout.folders();
    if let Some(System::Wanted { .. }) = host.system {
        folders.extend(layout.system_folders());
    }
    folders.extend((!instance.quotas.is_empty()).then(|| layout.quotas_folder()));
    if let Driver::Filesystem { root_directory, .. } = &instance.registry.storage.driver
        && instance.manage_storage_directories
    {
        folders.push(Layout::storage_folder(layout.resolve(root_directory)));
    }
    folders
}
