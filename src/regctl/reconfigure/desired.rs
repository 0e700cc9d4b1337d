//! What an instance's files should be: loaded, rendered, and accepted by their readers.

use std::{error::Error as StdError, path::PathBuf};

use registry::config::Parsed;

use super::{
    certificates, copies,
    disk::Disk,
    handover::{self, Handover},
    nginx::{self, Nginx},
    plan::Plan,
};
use crate::{
    config::{
        Instance,
        instance::{Auth, Driver, Gitlab},
        load,
    },
    render::{self, File, Inputs, Templates},
    state::{
        Layout, Secrets, journal,
        layout::STORAGE_MODE,
        secrets::{self, Needs},
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
    folders: Vec<(PathBuf, u32)>,
    secrets: Secrets,
    templates: Templates,
    nginx: Nginx,
}

/// Why it is not known what the files should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Load(#[from] load::Error),
    #[error(transparent)]
    Secrets(#[from] secrets::Error),
    #[error(transparent)]
    Copies(#[from] copies::Error),
    #[error(transparent)]
    Render(#[from] render::Error),
    #[error("the registry would refuse the config.yml made from this instance")]
    Registry(#[source] Box<dyn StdError + Send + Sync>),
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
    #[error(transparent)]
    Journal(#[from] journal::Error),
}

impl Desired {
    /// Loads the instance with its secrets, and renders its files.
    ///
    /// Secrets that are missing are those of `earlier`, which were made for this instance and not stored, or
    /// new ones.
    pub(crate) fn load(layout: &Layout, earlier: Option<&Self>) -> Result<Self, Error> {
        let made = earlier.map(|earlier| &earlier.secrets);
        let path = layout.instance_toml();
        let parsed = load::load(&path)?;
        copies::trusted(layout.root())?;
        let gitlab = parsed.instance.gitlab.as_ref();
        let needs = Needs { token: gitlab.is_some_and(Gitlab::needs_pair) };
        let secrets = Secrets::complete(layout, needs, made)?;
        let place = path.display();
        let warnings = parsed.warnings.iter().map(|warning| format!("{place}:{warning}"));
        let has_vhost = parsed.instance.nginx.vhost.is_some();
        let nginx = if has_vhost { Nginx::find() } else { Nginx::none() };
        let mut desired =
            Self::render(layout, parsed.instance, secrets, nginx, warnings.collect())?;
        let warnings = certificates::check(&desired.inputs(layout))?;
        desired.warnings.extend(warnings);
        Ok(desired)
    }

    /// Renders the files of an instance that is not to be applied: with secrets of nobody, and without asking
    /// the installed nginx, which takes longer than all the rest.
    pub(crate) fn check(layout: &Layout, instance: Instance) -> Result<Self, Error> {
        Self::render(layout, instance, Secrets::placeholder(), Nginx::none(), Vec::new())
    }

    fn render(
        layout: &Layout,
        instance: Instance,
        secrets: Secrets,
        nginx: Nginx,
        mut warnings: Vec<String>,
    ) -> Result<Self, Error> {
        let templates = copies::load(layout)?;
        let inputs = Inputs {
            instance: &instance,
            secrets: &secrets,
            layout,
            templates: &templates,
            nginx: nginx.version,
        };
        let files = render::files(&inputs)?;
        let registry = read_back(&instance, &files, layout)?;
        warnings.extend(templates.stale());
        warnings.extend(registry.warnings.iter().map(|warning| format!("config.yml: {warning}")));
        let folders = folders(layout, &instance);
        Ok(Self { instance, registry, warnings, files, folders, secrets, templates, nginx })
    }

    /// Compares with the disk. What would replace nginx's files is read by nginx first.
    pub(crate) fn plan(&self, layout: &Layout) -> Result<Plan, Error> {
        let disk = Disk::read(layout, &self.files, &self.folders)?;
        let mut plan = Plan::new(&self.files, &self.folders, &disk);
        plan.handover = Handover::plan(&self.inputs(layout))?;
        plan.users_file = self.missing_users_file(layout);
        let of_nginx = [layout.registry_conf(), layout.nginx_conf()];
        if plan.changes.iter().any(|change| of_nginx.contains(&change.path)) {
            self.nginx.check(&self.inputs(layout))?;
        }
        Ok(plan)
    }

    /// Returns the file of users, if the registry would miss it: an empty one lets nobody in.
    fn missing_users_file(&self, layout: &Layout) -> Option<PathBuf> {
        let Auth::Htpasswd { path, .. } = &self.instance.registry.auth else { return None };
        Some(layout.resolve(path)).filter(|path| path.symlink_metadata().is_err())
    }

    /// Returns what the files were made from.
    fn inputs<'a>(&'a self, layout: &'a Layout) -> Inputs<'a> {
        Inputs {
            instance: &self.instance,
            secrets: &self.secrets,
            layout,
            templates: &self.templates,
            nginx: self.nginx.version,
        }
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
        .map_err(|error| Error::Registry(Box::new(error)))?;
    let is_open = parsed.config.auth == registry::config::Auth::None;
    match is_open && instance.registry.auth != Auth::None {
        true => Err(Error::OpenTemplate),
        false => Ok(parsed),
    }
}

/// Returns the folders of an instance, its storage folder included where regctl makes that.
fn folders(layout: &Layout, instance: &Instance) -> Vec<(PathBuf, u32)> {
    let mut folders = layout.folders();
    if let Driver::Filesystem { root_directory, .. } = &instance.registry.storage.driver
        && instance.manage_storage_directories
    {
        folders.push((layout.resolve(root_directory), STORAGE_MODE));
    }
    folders
}
