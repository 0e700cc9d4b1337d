//! The packages: one line each, with the programs that prove a package is there and the reason it is wanted.

use crate::sys::program;

/// A Debian package.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: &'static str,
    /// All of these must be found; who provides them does not matter.
    pub(crate) programs: &'static [&'static str],
    pub(crate) why: &'static str,
    /// A service that the package starts when it is installed, and that no test wants.
    pub(crate) service: Option<&'static str>,
}

const fn package(
    name: &'static str,
    programs: &'static [&'static str],
    why: &'static str,
) -> Package {
    Package { name, programs, why, service: None }
}

const DOCKER_REGISTRY: Package = Package {
    name: "docker-registry",
    programs: &["docker-registry"],
    why: "the peer: reads our storage folder and config.yml, and is measured beside us",
    // Debian's listens on port 5000, where an admin expects their own registry.
    service: Some("docker-registry"),
};

const REDIS: Package = Package {
    name: "redis-server",
    programs: &["redis-server"],
    why: "caches descriptors for our neighbour, and hears from us what is deleted",
    // Debian's listens on port 6379.
    service: Some("redis-server"),
};

const NGINX: Package = Package {
    name: "nginx",
    programs: &["nginx"],
    why: "ends TLS in front of the registry, supervised as on an administrator's host",
    // Debian's listens on port 80.
    service: Some("nginx"),
};

pub(crate) const TEST: &[Package] = &[
    package("skopeo", &["skopeo"], "pushes, copies and pulls images"),
    DOCKER_REGISTRY,
    package("docker.io", &["dockerd", "docker"], "a real Docker daemon that pushes and pulls"),
    package("containerd", &["containerd", "ctr"], "pulls and pushes as a Kubernetes node does"),
    package("podman", &["podman"], "pushes and pulls as containers/image does"),
    package("buildah", &["buildah"], "builds an image from nothing and pushes it"),
    package("umoci", &["umoci"], "changes an image in a layout, which is pushed again"),
    NGINX,
    REDIS,
    package("strace", &["strace"], "kills a command at the call that a test wants"),
    package("iproute2", &["ip"], "gives a network of a test's own an address"),
    package("curl", &["curl"], "asks over HTTP/1.1, HTTP/2 and TLS as a stranger would"),
    package("apache2-utils", &["htpasswd"], "writes passwords as administrators do"),
    package("openssl", &["openssl"], "makes and reads keys and certificates"),
    package("python3-pip", &["python3", "pip3"], "fetches the server of S3 that tests use"),
    package("bsdutils", &["script"], "is a terminal that asks for a password"),
    package("e2fsprogs", &["mkfs.ext4"], "makes a small filesystem that a test fills up"),
    package("mount", &["mount", "umount", "losetup"], "mounts that filesystem from a loop device"),
    package(
        "util-linux",
        &["unshare", "nsenter", "setpriv"],
        "gives a test a host, a network, a container and a user of its own",
    ),
    package("passwd", &["useradd", "groupadd"], "creates the registry's account there"),
    package(
        "systemd",
        &["systemd-analyze", "systemd-tmpfiles"],
        "reads the unit that reconfigure writes",
    ),
    package("logrotate", &["logrotate"], "rotates the logs that reconfigure says"),
];

pub(crate) const BENCH: &[Package] = &[
    DOCKER_REGISTRY,
    NGINX,
    package("wrk", &["wrk"], "asks for small objects as fast as a registry answers"),
    package("strace", &["strace"], "counts fsync calls"),
    package("openssl", &["openssl"], "measures how fast this machine hashes, and signs a token"),
];

/// Returns the packages with a program that is not on this machine.
pub(crate) fn missing(packages: &'static [Package]) -> Vec<&'static Package> {
    let found = |program: &&str| program::find(program).is_some();
    packages.iter().filter(|package| !package.programs.iter().all(found)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_package_has_a_program_and_a_reason_on_one_line() {
        for package in TEST.iter().chain(BENCH) {
            assert!(!package.programs.is_empty(), "{}", package.name);
            assert!(!package.why.is_empty() && !package.why.contains('\n'), "{}", package.name);
        }
    }

    #[test]
    fn no_package_is_listed_twice() {
        for list in [TEST, BENCH] {
            let names: BTreeSet<_> = list.iter().map(|package| package.name).collect();
            assert_eq!(names.len(), list.len());
        }
    }

    #[test]
    fn a_package_is_missing_if_one_of_its_programs_is() {
        const LIST: &[Package] = &[
            package("present", &["sh"], "is there"),
            package("half", &["sh", "no-program-has-this-name"], "is half there"),
        ];
        let names: Vec<_> = missing(LIST).iter().map(|package| package.name).collect();
        assert_eq!(names, ["half"]);
    }
}
