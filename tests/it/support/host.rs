//! A host of a test's own: its `/etc`, `/run`, `/var/opt` and `/var/log` are folders of the test's, in which a command
//! as root can be what it is on a fresh machine. Root only, and nothing of the real host changes.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Ran, program::run};

/// The host's folders, removed when dropped.
pub(crate) struct Host {
    folder: tempfile::TempDir,
}

/// Mounts the folders where the system's are, for this command alone, and runs it.
const ENTER: &str = r#"
set -e
mount --make-rprivate /
for folder in etc run var/opt var/log; do mount --bind "$1/$folder" "/$folder"; done
host=$1
shift
PATH="$host/bin:$PATH"
export PATH
exec "$@"
"#;

/// Is refused where there is a file `broken`; the supervisor's pid is in `pid`.
const SYSTEMCTL: &str = r#"#!/bin/sh
host=${0%/bin/*}
echo "$*" >>"$host/systemctl"
test ! -e "$host/broken" || { echo 'no bus' >&2; exit 1; }
case "$*" in
enable*) setsid regctl supervise </dev/null >/dev/null 2>&1 & echo $! >"$host/pid" ;;
disable*)
  kill "$(cat "$host/pid")"
  timeout 60 tail --pid="$(cat "$host/pid")" -f /dev/null
  rm "$host/pid"
  ;;
esac
"#;

impl Host {
    /// The same host, on which systemd runs: what it is told is written down, and a service is started and
    /// stopped as it is told.
    pub(crate) fn with_systemd(instance_toml: &str) -> Self {
        let host = Self::with(instance_toml);
        fs::create_dir_all(host.path("run/systemd/system")).unwrap();
        fs::write(host.path("bin/systemctl"), SYSTEMCTL).unwrap();
        fs::set_permissions(host.path("bin/systemctl"), fs::Permissions::from_mode(0o755)).unwrap();
        host
    }

    /// A host with the real one's accounts, and `instance.toml` with this text.
    pub(crate) fn with(instance_toml: &str) -> Self {
        let host = Self { folder: tempfile::tempdir().unwrap() };
        fs::set_permissions(host.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for folder in ["run", "var/opt", "var/log", "bin"] {
            fs::create_dir_all(host.path(folder)).unwrap();
        }
        run("cp", &["-a", "/etc", host.path("etc").to_str().unwrap()]);
        fs::create_dir(host.path("etc/regctl")).unwrap();
        host.edit(instance_toml);
        // Users without rights need not reach the folder that the tests are built in.
        let program = host.path("bin/regctl");
        fs::copy(env!("CARGO_BIN_EXE_regctl"), &program).unwrap();
        host
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces the text of instance.toml.
    pub(crate) fn edit(&self, text: &str) {
        fs::write(self.path("etc/regctl/instance.toml"), text).unwrap();
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(self.path("etc/regctl/instance.toml"), mode).unwrap();
    }

    /// Prepares a command line on this host.
    pub(crate) fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", ENTER, "sh"]).arg(self.folder.path()).args(line);
        for name in ["REGCTL_ROOT", "REGISTRY_CONFIGURATION_PATH"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs regctl on this host to its end.
    pub(crate) fn regctl(&self, arguments: &[&str]) -> Ran {
        self.run(&[&["regctl"], arguments].concat())
    }

    /// Runs a command line on this host to its end.
    pub(crate) fn run(&self, line: &[&str]) -> Ran {
        Ran::new(self.command(line).output().unwrap(), self.folder.path())
    }

    /// Takes what systemd has been told.
    pub(crate) fn told(&self) -> String {
        let told = fs::read_to_string(self.path("systemctl")).unwrap_or_default();
        let _ = fs::remove_file(self.path("systemctl"));
        told
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Ok(pid) = fs::read_to_string(self.path("pid")) {
            // It may have ended by itself.
            let _ = Command::new("kill").arg(pid.trim()).status();
            let _ = Command::new("timeout")
                .args(["60", "tail", "-f", "/dev/null", "--pid", pid.trim()])
                .status();
        }
    }
}
