//! As root on a host of the test's own: what is moved is the registry's account's, and so is what it is moved to.

use std::{fs, os::unix::fs::MetadataExt as _};

use walkdir::WalkDir;

use super::site::MIGRATE;
use crate::{
    faults::{Image, Rng, pull},
    support::{Host, free_port, pusher::Pusher},
};

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn it_is_moved_by_the_account_and_is_the_accounts() {
    let port = free_port();
    let host = Host::with_systemd(&format!(
        "[registry]\nregistry_http_addr = \"127.0.0.1:{port}\"\n\
         [migrate.to.filesystem]\nrootdirectory = \"/var/opt/regctl/moved\"\n"
    ));
    let ran = host.regctl(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let uid = host.run(&["id", "-u", "registry"]).stdout.trim().to_owned();
    assert_ne!(uid, "0");
    let address = ([127, 0, 0, 1], port).into();
    let image = Image::new(&mut Rng::new(8300), &[3_000_000, 40]);
    image.push(&mut Pusher::new(address), "app", "v1").unwrap();
    let plan = host.regctl(&[MIGRATE, "--to", "filesystem", "--dry-run"]);
    assert_eq!(plan.exit, 0, "{plan:?}");
    assert!(!host.path("var/opt/regctl/moved").exists());
    let ran = host.regctl(&[MIGRATE, "--to", "filesystem", "--switch"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert_eq!(pull(&mut Pusher::new(address), "app", "v1"), Ok(image.digest()));
    let pushed = Pusher::new(address).post_blob("app", b"it takes more").unwrap();
    assert_eq!(pushed.status, 201);
    for entry in WalkDir::new(host.path("var/opt/regctl/moved")) {
        let entry = entry.unwrap();
        let owner = entry.metadata().unwrap().uid().to_string();
        assert_eq!(owner, uid, "{}", entry.path().display());
    }
    let text = fs::read_to_string(host.path("etc/regctl/instance.toml")).unwrap();
    assert!(
        text.contains("[registry.storage.filesystem]\nrootdirectory = \"/var/opt/regctl/moved\"")
    );
    assert!(text.contains("[migrate.to.filesystem]\nrootdirectory = \"var/opt/regctl/storage\""));
    let back = host.regctl(&[MIGRATE, "--to", "filesystem", "--switch"]);
    assert_eq!(back.exit, 0, "{back:?}");
    assert_eq!(pull(&mut Pusher::new(address), "app", "v1"), Ok(image.digest()));
}
