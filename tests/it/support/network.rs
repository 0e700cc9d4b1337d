//! A network and an `/etc` of a test's own, in which `registry.example.com` is this machine under an address that is
//! not loopback: Docker checks no certificates there. Root only, and nothing of the real host changes.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, TcpListener},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::TempDir;

use super::program::run;

/// The host's name in the network.
pub(crate) const HOST: &str = "registry.example.com";

/// Makes the network, says so, and keeps it for as long as its input is open.
const MAKE: &str = r#"
set -e
mount --make-rprivate /
mount --bind "$1" /etc
ip link set lo up
ip address add 192.0.2.1/32 dev lo
echo ready
exec cat
"#;

/// The network, gone when dropped.
#[derive(Debug)]
pub(crate) struct Network {
    holder: Child,
    etc: TempDir,
}

impl Network {
    pub(crate) fn start() -> Self {
        let etc = tempfile::tempdir().unwrap();
        let folder = etc.path().to_str().unwrap();
        run("cp", &["-a", "/etc/.", folder]);
        let hosts = format!("127.0.0.1 localhost\n192.0.2.1 {HOST}\n");
        fs::write(etc.path().join("hosts"), hosts).unwrap();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--net", "sh", "-c", MAKE, "sh", folder]);
        let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let network = Self { holder, etc };
        assert_eq!(line, "ready\n", "there is no network of a test's own");
        network
    }

    /// Returns a path of its `/etc`.
    pub(crate) fn etc(&self, relative: &str) -> PathBuf {
        self.etc.path().join(relative)
    }

    /// Writes a file of its `/etc`, and the folders on the way to it.
    pub(crate) fn write(&self, relative: &str, text: &str) {
        let path = self.etc(relative);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Listens on a free port of this network's loopback.
    pub(crate) fn listen(&self) -> TcpListener {
        let network = File::open(format!("/proc/{}/ns/net", self.holder.id())).unwrap();
        // Each thread may be in another network, and a socket stays in the one where it was made.
        let listening = thread::spawn(move || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(network.as_fd(), kind).unwrap();
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
        });
        listening.join().unwrap()
    }

    /// Returns the command as it runs in this network; it reads nothing.
    pub(crate) fn enter(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside.args(["--target", &self.holder.id().to_string(), "--mount", "--net", "--"]);
        inside.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        inside
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Its input ends here; what still runs in the network keeps it, without a name.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
