//! Where everything of an instance lives. No other file spells one of these paths.
//!
//! All of it stands under a root, `/` unless `--root` says otherwise, so that an instance can live in any
//! folder without root rights.

use std::path::{Path, PathBuf};

use super::owner::Owner;
use crate::sys::fs;

/// A folder of an instance, as regctl makes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) mode: u32,
    pub(crate) owner: Owner,
    /// Whether one that exists is given its mode and owner, where the registry has an account of its own.
    pub(crate) is_kept_right: bool,
}

/// The paths of one instance.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout under an absolute `root`.
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether this is the instance of the whole system, and not one in some folder.
    pub(crate) fn is_system_wide(&self) -> bool {
        self.root.parent().is_none()
    }

    /// The one file a person edits.
    pub(crate) fn instance_toml(&self) -> PathBuf {
        self.root.join("etc/regctl/instance.toml")
    }

    pub(crate) fn secrets_json(&self) -> PathBuf {
        self.root.join("etc/regctl/secrets.json")
    }

    /// The registry's folder, and its account's home.
    pub(crate) fn registry(&self) -> PathBuf {
        self.root.join("var/opt/regctl/registry")
    }

    /// The rendered configuration of the registry.
    pub(crate) fn config_yml(&self) -> PathBuf {
        self.root.join("var/opt/regctl/registry/config.yml")
    }

    /// Where events wait that nobody has taken yet.
    pub(crate) fn events(&self) -> PathBuf {
        self.root.join("var/opt/regctl/registry/events")
    }

    /// What the manifests of a storage refer to that is no folder, in a folder of the registry's account.
    pub(crate) fn references(&self) -> PathBuf {
        self.root.join("var/opt/regctl/registry/cache/references")
    }

    /// Where it stands how far quotas are used.
    pub(crate) fn quotas(&self) -> PathBuf {
        self.root.join("var/opt/regctl/registry/quotas")
    }

    /// The folder of that; it is made for the first quota.
    pub(crate) fn quotas_folder(&self) -> Folder {
        Folder { path: self.quotas(), mode: 0o700, owner: Owner::Service, is_kept_right: true }
    }

    /// What a migration writes down, in a folder of the registry's account.
    pub(crate) fn migration(&self) -> PathBuf {
        self.root.join("var/opt/regctl/registry/migration")
    }

    /// What a verification writes down, in a folder of the registry's account.
    pub(crate) fn verification(&self) -> PathBuf {
        self.root.join("var/opt/regctl/registry/verification")
    }

    /// The certificate that verifies GitLab's tokens.
    pub(crate) fn token_crt(&self) -> PathBuf {
        self.root.join("var/opt/regctl/registry/token.crt")
    }

    /// The lines that GitLab needs in its own configuration.
    pub(crate) fn gitlab_rb(&self) -> PathBuf {
        self.root.join("var/opt/regctl/registry/gitlab.rb")
    }

    /// The rendered configuration of the nginx process that regctl supervises.
    pub(crate) fn nginx_conf(&self) -> PathBuf {
        self.root.join("var/opt/regctl/nginx/conf/nginx.conf")
    }

    /// The rendered vhost, for that process or for an administrator's own nginx to include.
    pub(crate) fn registry_conf(&self) -> PathBuf {
        self.root.join("var/opt/regctl/nginx/conf/registry.conf")
    }

    /// Where nginx keeps requests and answers under way.
    pub(crate) fn nginx(&self) -> PathBuf {
        self.root.join("var/opt/regctl/nginx")
    }

    pub(crate) fn nginx_pid(&self) -> PathBuf {
        self.run().join("nginx.pid")
    }

    /// The files that regctl writes, in the order in which they are replaced; `instance.toml` is one, because
    /// some commands edit a key of it.
    pub(crate) fn managed(&self) -> Vec<PathBuf> {
        [
            self.secrets_json(),
            self.token_crt(),
            self.config_yml(),
            self.registry_conf(),
            self.nginx_conf(),
            self.gitlab_rb(),
            self.instance_toml(),
            self.services_json(),
        ]
        .into_iter()
        .chain(self.system_files())
        .collect()
    }

    /// The files that the system's own services read.
    pub(crate) fn system_files(&self) -> [PathBuf; 4] {
        [self.tmpfiles_conf(), self.logrotate_conf(), self.cron_file(), self.systemd_unit()]
    }

    /// The folders of those files, which are the system's.
    pub(crate) fn system_folders(&self) -> Vec<Folder> {
        let folder = |path: PathBuf| {
            let path = path.parent().map(Path::to_owned).unwrap_or(path);
            Folder { path, mode: 0o755, owner: Owner::Root, is_kept_right: false }
        };
        self.system_files().map(folder).into()
    }

    pub(crate) fn systemd_unit(&self) -> PathBuf {
        self.root.join("etc/systemd/system/regctl.service")
    }

    pub(crate) fn logrotate_conf(&self) -> PathBuf {
        self.root.join("etc/logrotate.d/regctl")
    }

    pub(crate) fn tmpfiles_conf(&self) -> PathBuf {
        self.root.join("etc/tmpfiles.d/regctl.conf")
    }

    pub(crate) fn cron_file(&self) -> PathBuf {
        self.root.join("etc/cron.d/regctl")
    }

    /// What systemd is still to be told.
    pub(crate) fn activation(&self) -> PathBuf {
        self.state().join("activation")
    }

    /// An administrator's own copies of templates.
    pub(crate) fn templates(&self) -> PathBuf {
        self.root.join("etc/regctl/templates")
    }

    /// What survives a reboot and is nobody's to edit.
    pub(crate) fn state(&self) -> PathBuf {
        self.root.join("var/opt/regctl/state")
    }

    /// The files as they were before a change that nobody has seen serve yet.
    pub(crate) fn former(&self) -> PathBuf {
        self.state().join("former.json")
    }

    /// What the supervisor runs.
    pub(crate) fn services_json(&self) -> PathBuf {
        self.state().join("services.json")
    }

    /// Held by the supervisor as long as it lives.
    pub(crate) fn supervisor_lock(&self) -> PathBuf {
        self.run().join("supervisor.lock")
    }

    /// Where the supervisor is asked.
    pub(crate) fn supervisor_socket(&self) -> PathBuf {
        self.run().join("supervisor.sock")
    }

    /// The folder of a service's log.
    pub(crate) fn log(&self, service: &str) -> PathBuf {
        self.root.join("var/log/regctl").join(service)
    }

    /// The change that has begun.
    pub(crate) fn journal(&self) -> PathBuf {
        self.state().join("reconfigure.json")
    }

    /// Sockets, pid files and locks.
    pub(crate) fn run(&self) -> PathBuf {
        self.root.join("run/regctl")
    }

    pub(crate) fn instance_lock(&self) -> PathBuf {
        self.run().join("instance.lock")
    }

    pub(crate) fn storage_lock(&self) -> PathBuf {
        self.run().join("storage.lock")
    }

    /// The holds on the registry, and the lock of whoever changes them.
    pub(crate) fn holds(&self) -> PathBuf {
        self.state().join("holds.json")
    }

    /// What came of the last garbage collection.
    pub(crate) fn last_collection(&self) -> PathBuf {
        self.state().join("garbage-collect.json")
    }

    /// The last switch to another storage.
    pub(crate) fn last_migration(&self) -> PathBuf {
        self.state().join("migration.json")
    }

    /// When each cleanup policy has run.
    pub(crate) fn cleanup_record(&self) -> PathBuf {
        self.state().join("cleanup.json")
    }

    /// What runs of cleanup policies have deleted.
    pub(crate) fn cleanup_runs(&self) -> PathBuf {
        self.state().join("cleanup")
    }

    pub(crate) fn holds_lock(&self) -> PathBuf {
        self.run().join("holds.lock")
    }

    /// The running registry's admin socket.
    pub(crate) fn registry_socket(&self) -> PathBuf {
        self.run().join("registry.sock")
    }

    /// The default root of the filesystem driver.
    pub(crate) fn storage(&self) -> PathBuf {
        self.root.join("var/opt/regctl/storage")
    }

    /// A path from a setting: an absolute one is literal, a relative one is under the root.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }

    /// The folders of an instance, the upper ones first and the default storage root left out.
    pub(crate) fn folders(&self) -> Vec<Folder> {
        // Those in etc are the administrator's to open and close.
        let [ours, theirs] = [true, false];
        [
            ("etc/regctl", 0o755, Owner::Root, theirs),
            ("etc/regctl/ssl", 0o755, Owner::Root, theirs),
            ("etc/regctl/templates", 0o755, Owner::Root, theirs),
            ("var/opt/regctl", 0o755, Owner::Root, ours),
            ("var/opt/regctl/registry", 0o750, Owner::Shared, ours),
            ("var/opt/regctl/registry/cache", 0o700, Owner::Service, ours),
            ("var/opt/regctl/registry/events", 0o700, Owner::Service, ours),
            ("var/opt/regctl/nginx", 0o755, Owner::Root, ours),
            ("var/opt/regctl/nginx/conf", 0o755, Owner::Root, ours),
            ("var/opt/regctl/state", STATE_MODE, Owner::Root, ours),
            ("var/log/regctl", 0o750, Owner::Logs, ours),
            ("var/log/regctl/registry", 0o750, Owner::Logs, ours),
            ("var/log/regctl/nginx", 0o750, Owner::Logs, ours),
            ("run/regctl", RUN_MODE, Owner::Root, ours),
        ]
        .into_iter()
        .map(|(path, mode, owner, is_kept_right)| {
            let path = self.root.join(path);
            Folder { path, mode, owner, is_kept_right }
        })
        .collect()
    }

    /// The folder of a storage that regctl creates; one that exists is nobody's to change.
    pub(crate) fn storage_folder(path: PathBuf) -> Folder {
        Folder { path, mode: STORAGE_MODE, owner: Owner::Service, is_kept_right: false }
    }

    /// The folder of a migration; it is made for the first one.
    pub(crate) fn migration_folder(&self) -> Folder {
        let is_kept_right = false;
        Folder { path: self.migration(), mode: 0o700, owner: Owner::Service, is_kept_right }
    }

    /// The folder of a verification; it is made for the first one.
    pub(crate) fn verification_folder(&self) -> Folder {
        Folder { path: self.verification(), ..self.migration_folder() }
    }

    /// Creates the folders that are missing. What exists keeps its mode.
    pub(crate) fn create_folders(&self) -> Result<(), fs::Error> {
        for Folder { path, mode, .. } in self.folders() {
            fs::create_folder(&path, mode)?;
        }
        Ok(())
    }

    /// What decides, by who may write to it, what regctl does as root.
    pub(crate) fn trusted(&self) -> Vec<PathBuf> {
        let below = [
            "etc",
            "etc/regctl",
            "etc/regctl/instance.toml",
            "etc/regctl/secrets.json",
            "var",
            "var/opt",
            "var/opt/regctl",
            "var/opt/regctl/registry",
            "var/opt/regctl/nginx",
            "var/opt/regctl/nginx/conf",
            "var/opt/regctl/state",
            "run",
            "run/regctl",
        ];
        [self.root.clone()].into_iter().chain(below.map(|path| self.root.join(path))).collect()
    }
}

/// The mode of the folder of sockets and locks.
pub(crate) const RUN_MODE: u32 = 0o750;

/// The mode of the folder of what survives a reboot.
pub(crate) const STATE_MODE: u32 = 0o750;

/// The mode of a storage root that regctl creates.
pub(crate) const STORAGE_MODE: u32 = 0o750;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_settings_are_under_the_root_and_absolute_ones_are_literal() {
        let layout = Layout::new("/srv/one".into());
        assert_eq!(layout.resolve(Path::new("data")), Path::new("/srv/one/data"));
        assert_eq!(layout.resolve(Path::new("/data")), Path::new("/data"));
    }

    #[test]
    fn the_default_root_gives_the_paths_of_a_system_wide_instance() {
        let layout = Layout::new("/".into());
        assert_eq!(layout.instance_toml(), Path::new("/etc/regctl/instance.toml"));
        assert_eq!(layout.storage(), Path::new("/var/opt/regctl/storage"));
    }
}
