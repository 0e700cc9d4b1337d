//! The registry's account, and who owns what, as root on a host of the test's own.

use std::{
    collections::BTreeMap, fs, io::Write as _, os::unix::fs::MetadataExt as _, process::Stdio,
};

use nix::sys::signal::Signal;
use walkdir::WalkDir;

use crate::support::{Host, Ran, Server, free_port};

/// The account `registry` as `getent` shows it: its uid, gid, home and shell.
fn account(host: &Host, name: &str) -> Option<[String; 4]> {
    let ran = host.run(&["getent", "passwd", name]);
    let fields: Vec<_> = ran.stdout.trim().split(':').map(str::to_owned).collect();
    (ran.exit == 0).then(|| [2, 3, 5, 6].map(|index| fields[index].clone()))
}

/// Every path of the instance below `var/opt` and `run`, with its mode, owner and group: `s` is the service.
fn access(host: &Host) -> BTreeMap<String, String> {
    let [uid, gid, ..] = account(host, "registry").unwrap();
    let shown = |id: u32, service: &str| match id {
        0 => "root".to_owned(),
        id if id.to_string() == service => "s".to_owned(),
        id => id.to_string(),
    };
    let below = |folder: &str| WalkDir::new(host.path(folder)).into_iter().map(Result::unwrap);
    let all = below("var/opt/regctl").chain(below("run/regctl")).chain(below("var/log/regctl"));
    all.map(|entry| {
        let metadata = entry.metadata().unwrap();
        let (user, group) = (shown(metadata.uid(), &uid), shown(metadata.gid(), &gid));
        let path = entry.path().strip_prefix(host.root()).unwrap().to_str().unwrap().to_owned();
        (path, format!("{:04o} {user}:{group}", metadata.mode() & 0o7777))
    })
    .collect()
}

const SMALL: &str = "[registry]\nregistry_http_addr = \"127.0.0.1:5000\"\n";

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn a_fresh_host_gets_the_account_and_every_file_its_owner() {
    let host = Host::with(
        "registry_external_url = \"http://registry.example.com\"\n[registry.auth]\nnone = true\n",
    );
    let ran = host.regctl(&["reconfigure", "--dry-run", "--exit-code"]);
    let would = "would create the group registry\nwould create the account registry\n";
    assert!(ran.exit == 5 && ran.stdout.starts_with(would), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("\n+user www-data registry;\n"), "{}", ran.stdout);
    assert_eq!(account(&host, "registry"), None);
    let ran = host.regctl(&["reconfigure"]);
    let created = "created the group registry\ncreated the account registry\n";
    assert!(ran.exit == 0 && ran.stdout.starts_with(created), "{}{}", ran.stdout, ran.stderr);
    let [_, _, home, shell] = account(&host, "registry").unwrap();
    assert_eq!([home, shell], ["/var/opt/regctl/registry", "/usr/sbin/nologin"]);
    let expected = [
        ("run/regctl", "0750 root:root"),
        ("run/regctl/instance.lock", "0640 root:root"),
        ("var/log/regctl", "0750 root:root"),
        ("var/log/regctl/nginx", "0750 root:root"),
        ("var/log/regctl/registry", "0750 root:root"),
        ("var/opt/regctl", "0755 root:root"),
        ("var/opt/regctl/nginx", "0755 root:root"),
        ("var/opt/regctl/nginx/conf", "0755 root:root"),
        ("var/opt/regctl/nginx/conf/nginx.conf", "0644 root:root"),
        // It holds what nginx proves itself with.
        ("var/opt/regctl/nginx/conf/registry.conf", "0640 root:root"),
        ("var/opt/regctl/registry", "0750 root:s"),
        ("var/opt/regctl/registry/config.yml", "0640 root:s"),
        ("var/opt/regctl/registry/cache", "0700 s:s"),
        ("var/opt/regctl/registry/events", "0700 s:s"),
        ("var/opt/regctl/state", "0750 root:root"),
        ("var/opt/regctl/state/services.json", "0600 root:root"),
        ("var/opt/regctl/storage", "0750 s:s"),
    ];
    let expected = expected.map(|(path, access)| (path.to_owned(), access.to_owned())).into();
    assert_eq!(access(&host), expected);
    assert_eq!(fs::metadata(host.path("etc/regctl/secrets.json")).unwrap().mode() & 0o7777, 0o600);
    let ran = host.regctl(&["reconfigure", "--dry-run", "--exit-code"]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (0, "nothing to change\n"), "{}", ran.stderr);
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn an_owner_that_was_changed_is_put_right_and_the_storage_is_not() {
    let host = Host::with(SMALL);
    assert_eq!(host.regctl(&["reconfigure"]).exit, 0);
    let right = access(&host);
    let line = "chown 0:0 /var/opt/regctl/registry /var/opt/regctl/registry/config.yml && chmod 0711 /var/opt/regctl/registry/events";
    assert_eq!(host.run(&["sh", "-c", line]).exit, 0);
    let ran = host.regctl(&["reconfigure", "--dry-run"]);
    let expected = "\
--- /var/opt/regctl/registry/config.yml (owner root:root)
+++ /var/opt/regctl/registry/config.yml (owner root:registry)
would change /var/opt/regctl/registry/: owner root:root -> owner root:registry
would change /var/opt/regctl/registry/events/: mode 0711 -> mode 0700
";
    assert_eq!((ran.exit, ran.stdout.as_str()), (0, expected), "{}", ran.stderr);
    let ran = host.regctl(&["reconfigure"]);
    assert!(
        ran.stdout.starts_with("changed the owner of /var/opt/regctl/registry/config.yml\n"),
        "{}",
        ran.stdout
    );
    assert_eq!(access(&host), right);

    for (line, error, hint) in [
        (
            "chown root /var/opt/regctl/storage",
            "the registry's account `registry` cannot write to its storage: `/var/opt/regctl/storage` is root:registry's with mode 0750",
            "chown -R registry:registry /var/opt/regctl/storage",
        ),
        (
            "mkdir -p /var/opt/regctl/storage/docker/registry && chown registry /var/opt/regctl/storage",
            "the registry's account `registry` cannot write to its storage: `/var/opt/regctl/storage/docker` is root:root's with mode 0755",
            "chown -R registry:registry /var/opt/regctl/storage",
        ),
    ] {
        assert_eq!(host.run(&["sh", "-c", line]).exit, 0);
        let before = access(&host);
        let ran = host.regctl(&["reconfigure"]);
        assert_eq!((ran.exit, ran.stderr), (1, format!("error: {error}\nhint: {hint}\n")));
        assert_eq!(access(&host), before);
    }
    assert_eq!(host.run(&["chown", "-R", "registry:registry", "/var/opt/regctl/storage"]).exit, 0);
    assert_eq!(host.regctl(&["reconfigure"]).exit, 0);
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn a_file_of_users_that_the_account_cannot_read_is_named_with_what_mends_it() {
    let host = Host::with(&format!("{SMALL}\n[registry.auth.htpasswd]\nrealm = \"here\"\n"));
    let line = "printf 'ann:\\n' > /etc/regctl/htpasswd && chmod 0600 /etc/regctl/htpasswd";
    assert_eq!(host.run(&["sh", "-c", line]).exit, 0);
    let error = "the registry's account `registry` cannot read `/etc/regctl/htpasswd`: it is root:root's with mode 0600";
    let mends = "chgrp registry /etc/regctl/htpasswd && chmod g+r /etc/regctl/htpasswd";
    // The account is created first.
    let ran = host.regctl(&["reconfigure"]);
    assert_eq!((ran.exit, ran.stderr), (1, format!("error: {error}\nhint: {mends}\n")));
    let ran = host.regctl(&["check-config"]);
    let said = ran.stdout + &ran.stderr;
    assert_eq!(ran.exit, 78, "{said}");
    assert!(said.contains(error) && said.contains(mends), "{said}");
    assert_eq!(host.run(&["sh", "-c", mends]).exit, 0);
    let ran = host.regctl(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn the_account_serves_what_reconfigure_wrote() {
    let port = free_port();
    let host = Host::with(&format!("[registry]\nregistry_http_addr = \"127.0.0.1:{port}\"\n"));
    assert_eq!(host.regctl(&["reconfigure"]).exit, 0);
    let service = ["setpriv", "--reuid", "registry", "--regid", "registry", "--init-groups"];
    let serve = ["regctl", "registry", "serve", "/var/opt/regctl/registry/config.yml"];
    let server = Server::start(host.command(&[&service[..], &serve].concat()), host.root());
    let client = crate::support::client();
    let url = format!("http://127.0.0.1:{port}/v2/app/blobs/uploads/");
    let digest = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let begun = client.post(&url).send().unwrap();
    let location = begun.headers()["Location"].to_str().unwrap().to_owned();
    let put = client.put(format!("{location}&digest={digest}")).body("hello").send().unwrap();
    assert_eq!(put.status(), 201);
    assert_eq!(server.stop(Signal::SIGTERM).exit, 0);
    let [uid, ..] = account(&host, "registry").unwrap();
    for entry in WalkDir::new(host.path("var/opt/regctl/storage")) {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().uid().to_string(), uid, "{}", entry.path().display());
    }
    // A worker of nginx has the group of the registry, and may read a blob by it.
    let hex = digest.trim_start_matches("sha256:");
    let blob = format!("/var/opt/regctl/storage/docker/registry/v2/blobs/sha256/2c/{hex}/data");
    for (group, exit) in [("registry", 0), ("www-data", 1)] {
        let worker = ["setpriv", "--reuid", "www-data", "--regid", group, "--clear-groups"];
        assert_eq!(host.run(&[&worker[..], &["cat", &blob]].concat()).exit, exit, "{group}");
    }
    // What it must not read or change, it does not.
    for line in [
        "cat /etc/regctl/secrets.json",
        "cat /etc/regctl/instance.toml",
        "touch /var/opt/regctl/registry/x",
        "echo >> /var/opt/regctl/registry/config.yml",
        "ls /var/opt/regctl/state",
        "ls /run/regctl",
    ] {
        let ran = host.run(&[&service[..], &["sh", "-c", line]].concat());
        let denied = ran.exit != 0 && ran.stderr.contains("Permission denied");
        assert!(denied, "{line}: {}{}", ran.stdout, ran.stderr);
    }
    let line = "touch /var/opt/regctl/registry/events/x && cat /var/opt/regctl/registry/config.yml";
    assert_eq!(host.run(&[&service[..], &["sh", "-c", line]].concat()).exit, 0);
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn an_account_that_does_not_fit_is_an_error_and_changes_nothing() {
    let cases = [
        (
            "[registry]\nusername = \"www-data\"\nuid = 4242\n",
            "the account `www-data` has the id 33, and `registry.uid` is 4242: one that exists is never changed",
            "set `uid = 33` in [registry], or name another account",
        ),
        (
            "[registry]\ngroup = \"www-data\"\ngid = 4242\n",
            "the group `www-data` has the id 33, and `registry.gid` is 4242: one that exists is never changed",
            "set `gid = 33` in [registry], or name another group",
        ),
        (
            "[registry]\nuid = 33\n",
            "`registry.uid` is 33, which is the id of the account `www-data` already",
            "leave `uid` out, and the system chooses",
        ),
        (
            "[manage_accounts]\nenable = false\n",
            "there is no group `registry`, and `manage_accounts.enable = false` keeps regctl from creating it",
            "create it: `groupadd --system registry`; or leave that setting out",
        ),
        (
            "[registry]\ngroup = \"www-data\"\ngid = 33\n[manage_accounts]\nenable = false\n",
            "there is no account `registry`, and `manage_accounts.enable = false` keeps regctl from creating it",
            "create it: `useradd --system --no-create-home --no-user-group --gid www-data --home-dir /var/opt/regctl/registry --shell /usr/sbin/nologin registry`; or leave that setting out",
        ),
        (
            "[registry]\nlog_group = \"readers\"\n",
            "`registry.log_group` is `readers`, and there is no such group",
            "create it: `groupadd --system readers`",
        ),
    ];
    for (text, error, hint) in cases {
        let host = Host::with(text);
        let ran = host.regctl(&["reconfigure"]);
        assert_eq!((ran.exit, ran.stderr), (78, format!("error: {error}\nhint: {hint}\n")));
        assert!(!host.path("var/opt/regctl").exists() && account(&host, "registry").is_none());
    }
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn ids_names_and_the_readers_of_logs_are_as_the_file_says() {
    let host = Host::with(
        "[registry]\nusername = \"images\"\ngroup = \"images\"\nuid = 4321\ngid = 4322\nshell = \"/bin/false\"\nlog_group = \"adm\"\n",
    );
    assert_eq!(host.regctl(&["reconfigure"]).exit, 0);
    let expected = ["4321", "4322", "/var/opt/regctl/registry", "/bin/false"].map(str::to_owned);
    assert_eq!(account(&host, "images"), Some(expected));
    let logs = fs::metadata(host.path("var/log/regctl/registry")).unwrap();
    assert_eq!((logs.uid(), logs.gid(), logs.mode() & 0o7777), (0, 4, 0o750));
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn a_tool_that_fails_is_named_with_what_it_said_and_the_next_run_goes_on() {
    let host = Host::with(SMALL);
    let tool = host.path("bin/useradd");
    fs::write(&tool, "#!/bin/sh\necho 'useradd: no room' >&2\nexit 1\n").unwrap();
    fs::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let ran = host.regctl(&["reconfigure"]);
    assert_eq!(ran.exit, 1);
    assert!(
        ran.stderr.starts_with("error: `useradd --system ")
            && ran.stderr.ends_with("` failed: useradd: no room\n"),
        "{}",
        ran.stderr
    );
    assert!(!host.path("var/opt/regctl/registry").exists());
    fs::remove_file(tool).unwrap();
    let ran = host.regctl(&["reconfigure"]);
    assert!(ran.stdout.starts_with("created the account registry\n"), "{}", ran.stdout);
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn an_instance_in_a_folder_of_its_own_has_no_account_unless_it_names_one() {
    let host = Host::with("");
    fs::create_dir_all(host.path("var/opt/own/etc/regctl")).unwrap();
    let toml = host.path("var/opt/own/etc/regctl/instance.toml");
    fs::write(&toml, "").unwrap();
    let ran = host.regctl(&["--root", "/var/opt/own", "reconfigure"]);
    assert!(ran.exit == 0 && !ran.stdout.contains("account"), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(account(&host, "registry"), None);
    fs::write(&toml, "[registry]\nusername = \"registry\"\n").unwrap();
    let storage = "/var/opt/own/var/opt/regctl/storage";
    let ran = host.regctl(&["--root", "/var/opt/own", "reconfigure"]);
    let hint = format!("hint: chown -R registry:registry {storage}\n");
    assert!(ran.exit == 1 && ran.stderr.ends_with(&hint), "{}", ran.stderr);
    assert_eq!(host.run(&["chown", "-R", "registry:registry", storage]).exit, 0);
    assert_eq!(host.regctl(&["--root", "/var/opt/own", "reconfigure"]).exit, 0);
    let config = fs::metadata(host.path("var/opt/own/var/opt/regctl/registry/config.yml")).unwrap();
    let [_, gid, ..] = account(&host, "registry").unwrap();
    assert_eq!((config.uid(), config.gid().to_string()), (0, gid));
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn a_user_added_before_the_first_reconfigure_is_one_that_the_named_account_can_read() {
    let host = Host::with("");
    fs::create_dir_all(host.path("var/opt/own/etc/regctl")).unwrap();
    let toml = host.path("var/opt/own/etc/regctl/instance.toml");
    let text = |group: &str| {
        format!(
            "[registry]\nusername = \"www-data\"\ngroup = \"{group}\"\n[registry.auth.htpasswd]\nrealm = \"R\"\n"
        )
    };
    let add = || {
        let add = ["regctl", "--root", "/var/opt/own", "user", "add", "ann", "--password-stdin"];
        let mut command = host.command(&add);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that refuses need not read.
        let _ = child.stdin.take().unwrap().write_all(b"correct horse");
        Ran::new(child.wait_with_output().unwrap(), host.root())
    };
    let users = host.path("var/opt/own/etc/regctl/htpasswd");
    fs::write(&toml, text("nobody-yet")).unwrap();
    let ran = add();
    let error = "error: the registry's group `nobody-yet` does not exist yet\n";
    assert!(ran.exit != 0 && ran.stderr.starts_with(error), "{}", ran.stderr);
    assert!(!users.exists());
    fs::write(&toml, text("www-data")).unwrap();
    let ran = add();
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    let [_, gid, ..] = account(&host, "www-data").unwrap();
    let found = fs::metadata(users).unwrap();
    assert_eq!((found.uid(), found.gid().to_string()), (0, gid));
    assert_eq!(found.mode() & 0o7777, 0o640);
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn without_root_there_are_no_accounts_and_no_owners_and_that_is_said() {
    let host = Host::with("");
    let folder = "/var/opt/own/etc/regctl";
    assert_eq!(host.run(&["install", "-d", "-o", "nobody", "/var/opt/own"]).exit, 0);
    let nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
    assert_eq!(host.run(&[&nobody[..], &["mkdir", "-p", folder]].concat()).exit, 0);
    let toml = host.path("var/opt/own/etc/regctl/instance.toml");
    fs::write(&toml, "[registry]\nusername = \"registry\"\nlog_group = \"none\"\n").unwrap();
    let regctl = ["regctl", "--root", "/var/opt/own", "reconfigure"];
    let ran = host.run(&[&nobody[..], &regctl].concat());
    let warning = "warning: the account and the groups in [registry] have no effect without root: everything is whoever's runs regctl\n";
    assert!(ran.exit == 0 && ran.stderr.starts_with(warning), "{}", ran.stderr);
    assert!(!ran.stdout.contains("account") && account(&host, "registry").is_none());
    let config = host.path("var/opt/own/var/opt/regctl/registry/config.yml");
    let config = fs::metadata(config).unwrap();
    assert_eq!((config.uid(), config.gid(), config.mode() & 0o7777), (65534, 65534, 0o640));
    let ran = host.run(&[&nobody[..], &regctl, &["--dry-run", "--exit-code"]].concat());
    assert_eq!((ran.exit, ran.stdout.as_str()), (0, "nothing to change\n"));
    // Root, in a folder of its own, has no account either as long as none is named.
    assert_eq!(host.run(&["chown", "-R", "root:root", "/var/opt/own"]).exit, 0);
    fs::write(&toml, "[registry]\nlog_group = \"adm\"\n").unwrap();
    let ran = host.run(&regctl);
    let warning = "warning: `registry.log_group` has no effect without `registry.username`: ";
    assert!(ran.exit == 0 && ran.stderr.starts_with(warning), "{}", ran.stderr);
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn a_storage_that_the_account_cannot_reach_is_named() {
    let host =
        Host::with("[registry.storage.filesystem]\nrootdirectory = \"/var/opt/closed/data\"\n");
    assert_eq!(host.run(&["install", "-d", "-m", "0700", "/var/opt/closed"]).exit, 0);
    let ran = host.regctl(&["reconfigure"]);
    let expected = "\
error: the registry's account `registry` cannot reach `/var/opt/closed/data`: `/var/opt/closed` is root:root's with mode 0700
hint: chmod o+x /var/opt/closed
";
    assert_eq!((ran.exit, ran.stderr.as_str()), (1, expected));
    host.edit("[registry.storage.filesystem]\nrootdirectory = \"/var/opt/none/data\"\n[manage_storage_directories]\nenable = false\n");
    let ran = host.regctl(&["reconfigure"]);
    let expected = "\
error: there is no storage folder `/var/opt/none/data`, and `manage_storage_directories.enable = false` keeps regctl from creating it
hint: install -d -m 0750 -o registry -g registry /var/opt/none/data
";
    assert_eq!((ran.exit, ran.stderr.as_str()), (1, expected));
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn what_others_may_write_to_is_not_used_by_root() {
    let host = Host::with(SMALL);
    assert_eq!(host.regctl(&["reconfigure"]).exit, 0);
    for (path, line, who) in [
        ("/etc/regctl/instance.toml", "chmod 0666", "everybody"),
        ("/var/opt/regctl", "chgrp www-data /var/opt/regctl; chmod 0775", "its group"),
        ("/var/opt/regctl/nginx/conf", "chown www-data", "its owner, another user"),
        ("/run/regctl", "chmod 0777", "everybody"),
    ] {
        assert_eq!(host.run(&["sh", "-c", &format!("{line} {path}")]).exit, 0);
        let ran = host.regctl(&["reconfigure"]);
        let expected = format!(
            "error: `{path}` may be written by {who}: who writes there decides what runs\nhint: chown root {path} && chmod go-w {path}\n"
        );
        assert_eq!((ran.exit, ran.stderr), (78, expected));
        assert_eq!(
            host.run(&["sh", "-c", &format!("chown root:root {path} && chmod go-w {path}")]).exit,
            0
        );
    }
    assert_eq!(host.regctl(&["reconfigure"]).exit, 0);
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn init_leaves_the_storage_to_the_account_that_reconfigure_creates() {
    let host = Host::with("");
    fs::remove_file(host.path("etc/regctl/instance.toml")).unwrap();
    let ran = host.regctl(&["init", "--http-addr", "127.0.0.1:5999"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    let ran = host.regctl(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    let access = access(&host);
    assert_eq!(access["var/opt/regctl/storage"], "0750 s:s");
    assert_eq!(access["var/opt/regctl/registry"], "0750 root:s");
    assert_eq!(access["var/opt/regctl/registry/events"], "0700 s:s");
}
