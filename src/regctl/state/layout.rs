//! Where everything of an instance lives. No other file spells one of these paths.
//!
//! All of it stands under a root, `/` unless `--root` says otherwise, so that an instance can live in any
//! folder without root rights.

use std::path::{Path, PathBuf};

use crate::sys::fs;

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

    /// The one file a person edits.
    pub(crate) fn instance_toml(&self) -> PathBuf {
        self.root.join("etc/regctl/instance.toml")
    }

    pub(crate) fn secrets_json(&self) -> PathBuf {
        self.root.join("etc/regctl/secrets.json")
    }

    /// The rendered configuration of the registry.
    pub(crate) fn config_yml(&self) -> PathBuf {
        self.root.join("var/opt/regctl/registry/config.yml")
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

    /// The files that regctl writes, in the order in which they are replaced.
    pub(crate) fn managed(&self) -> Vec<PathBuf> {
        vec![
            self.secrets_json(),
            self.token_crt(),
            self.config_yml(),
            self.registry_conf(),
            self.nginx_conf(),
            self.gitlab_rb(),
        ]
    }

    /// An administrator's own copies of templates.
    pub(crate) fn templates(&self) -> PathBuf {
        self.root.join("etc/regctl/templates")
    }

    /// What survives a reboot and is nobody's to edit.
    pub(crate) fn state(&self) -> PathBuf {
        self.root.join("var/opt/regctl/state")
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

    /// The default root of the filesystem driver.
    pub(crate) fn storage(&self) -> PathBuf {
        self.root.join("var/opt/regctl/storage")
    }

    /// A path from a setting: an absolute one is literal, a relative one is under the root.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }

    /// The folders of an instance with their modes, the default storage root left out.
    pub(crate) fn folders(&self) -> Vec<(PathBuf, u32)> {
        [
            ("etc/regctl", 0o755),
            ("etc/regctl/ssl", 0o755),
            ("etc/regctl/templates", 0o755),
            ("var/opt/regctl", 0o755),
            ("var/opt/regctl/registry", 0o750),
            ("var/opt/regctl/registry/events", 0o700),
            ("var/opt/regctl/nginx", 0o755),
            ("var/opt/regctl/nginx/conf", 0o755),
            ("var/opt/regctl/state", 0o750),
            ("var/log/regctl", 0o750),
            ("var/log/regctl/registry", 0o750),
            ("var/log/regctl/nginx", 0o750),
            ("run/regctl", RUN_MODE),
        ]
        .into_iter()
        .map(|(path, mode)| (self.root.join(path), mode))
        .collect()
    }

    /// Creates the folders that are missing. What exists keeps its mode.
    pub(crate) fn create_folders(&self) -> Result<(), fs::Error> {
        for (path, mode) in self.folders() {
            fs::create_folder(&path, mode)?;
        }
        Ok(())
    }
}

/// The mode of the folder of sockets and locks.
pub(crate) const RUN_MODE: u32 = 0o750;

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
