//! `regctl reconfigure` while a collection works: it takes nothing away from it.

use super::{
    beside::{ONLINE, grown},
    hold::Lasting,
    site::{COLLECT, Site},
};
use crate::support::Ran;

const CONFIG: &str = "var/opt/regctl/registry/config.yml";
const SERVICES: &str = "var/opt/regctl/state/services.json";

#[track_caller]
fn assert_refused(ran: &Ran, lasting: &Lasting, what: &str) {
    let holder = format!("`regctl {COLLECT}` (pid {}) since ", lasting.pid());
    assert!(ran.exit == 75 && ran.stdout.is_empty(), "{ran:?}");
    for words in [what, &holder, "nothing was changed"] {
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
    }
}

/// Has the storage become another folder while a collection works, and after it.
fn move_storage(mut site: Site, arguments: &[&str]) {
    let lasting = Lasting::start(&site, arguments);
    let elsewhere = site.instance.world.path("elsewhere");
    let wanted = format!("rootdirectory = \"{}\"", elsewhere.display());
    let before = site.instance.world.read("etc/regctl/instance.toml");
    site.instance.edit(|text| format!("{text}\n[registry.storage.filesystem]\n{wanted}\n"));
    let files = [CONFIG, SERVICES].map(|path| site.instance.world.read(path));
    let ran = site.run(&["reconfigure"]);
    assert_refused(&ran, &lasting, "the storage would become `[ROOT]/elsewhere` instead of `");
    assert_eq!([CONFIG, SERVICES].map(|path| site.instance.world.read(path)), files);
    assert!(!elsewhere.exists());
    // What does not disturb it is done.
    site.instance.edit(|_| before.replace("[registry]", "[registry]\nlog_level = \"warn\""));
    let ran = site.run(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let (exit, said) = lasting.finish();
    assert_eq!(exit, 0, "{said}");
    // Beside a registry it stays as long as somebody may count on it.
    assert!(arguments.contains(&"--online") || !site.has_garbage());
    site.serves();
    site.instance.edit(|text| format!("{text}\n[registry.storage.filesystem]\n{wanted}\n"));
    let ran = site.run(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert!(elsewhere.exists());
    assert_eq!(site.push_status(), 201);
}

#[test]
fn the_storage_does_not_move_while_a_stopped_registry_is_collected() {
    move_storage(Site::with(""), &[]);
}

#[test]
fn the_storage_does_not_move_while_a_read_only_registry_is_collected() {
    move_storage(Site::with(""), &["--read-only", "--grace", "0s"]);
}

#[test]
fn the_storage_does_not_move_during_a_collection_beside_the_registry() {
    move_storage(grown(), &ONLINE[1..]);
}

#[test]
fn a_registry_that_is_kept_stopped_is_not_started() {
    let mut site = Site::with("");
    let lasting = Lasting::start(&site, &[]);
    let with = site.instance.world.read("etc/regctl/instance.toml");
    let without = with.replace("[registry]", "[registry]\nenable = false");
    site.instance.edit(|_| without.clone());
    assert_eq!(site.run(&["reconfigure"]).exit, 0);
    site.instance.edit(|_| with.clone());
    let ran = site.run(&["reconfigure"]);
    assert_refused(&ran, &lasting, "the registry would be started while it is kept stopped by");
    assert!(site.is_down());
    // It cannot be brought back as long as it is disabled; what it was is not forgotten.
    let (exit, said) = lasting.finish();
    assert_eq!(exit, 1, "{said}");
    assert!(!site.has_garbage());
    let ran = site.run(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    site.collect(&[]);
    site.serves();
}
