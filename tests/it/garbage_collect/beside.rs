//! `--online`: a collection beside a registry that serves everybody.

use nix::sys::signal::Signal;
use serde_json::Value;

use super::{
    hold::Lasting,
    site::{COLLECT, Site},
};
use crate::{
    faults::eventually,
    support::{free_port, http::Client, pusher::digest},
};

pub(super) const ONLINE: [&str; 4] = [COLLECT, "--online", "--grace", "0s"];

/// A registry that is as old as its lease.
pub(super) fn grown() -> Site {
    grown_with("")
}

fn grown_with(more: &str) -> Site {
    let site = Site::with(&format!("lease = \"4s\"\n{more}"));
    collected(&site, &["--online"]);
    assert!(site.has_garbage(), "what is younger than a day stays");
    site
}

/// Runs it until the registry is as old as its lease.
fn collected(site: &Site, arguments: &[&str]) {
    eventually("the registry lets it begin", || {
        let ran = site.run(&[&[COLLECT], arguments].concat());
        match ran.exit {
            0 => Ok(()),
            _ if ran.stderr.contains("begin in ") => Err(ran),
            _ => panic!("{ran:?}"),
        }
    });
}

#[test]
fn it_is_refused_while_the_registry_is_younger_than_a_lease() {
    let site = Site::with("");
    let before = site.pid();
    let ran = site.run(&ONLINE);
    assert!(ran.exit == 1 && ran.stderr.contains("this registry has been up for"), "{ran:?}");
    assert!(site.has_garbage());
    assert_eq!(site.pid(), before);
    site.serves();
}

#[test]
fn pushes_and_pulls_go_on_meanwhile_and_what_is_promised_stays() {
    let site = grown();
    let before = site.pid();
    let lasting = Lasting::start(&site, &ONLINE[1..]);
    site.serves();
    // Who has heard of it counts on it.
    let target = format!("/v2/app/blobs/{}", digest(site.garbage()));
    let mut pusher = site.instance.pusher();
    assert_eq!(pusher.send("HEAD", &target, &[], &[]).unwrap().status, 200);
    let (exit, said) = lasting.finish();
    assert_eq!(exit, 0, "{said}");
    let blobs = site.instance.store().blobs();
    assert!(blobs.contains(&digest(site.garbage())), "{said}");
    assert!(said.contains(" of what was eligible stay: somebody was told of them"), "{said}");
    assert_eq!(pusher.get(&target).unwrap().status, 200);
    // Promises end.
    eventually("it goes", || {
        let ran = site.run(&ONLINE);
        assert_eq!(ran.exit, 0, "{ran:?}");
        let blobs = site.instance.store().blobs();
        if blobs.contains(&digest(site.garbage())) { Err(ran) } else { Ok(()) }
    });
    assert_eq!(site.pid(), before);
    site.serves();
}

#[test]
fn metrics_count_collections_and_what_became_of_their_objects() {
    let port = free_port();
    let site = grown_with(&format!("debug_addr = \"127.0.0.1:{port}\"\n"));
    let number = |line: &str| -> u64 {
        let page = Client::new(port).get("/metrics").expect(200).text();
        let found = page.lines().find_map(|found| found.strip_prefix(line));
        found.unwrap_or_else(|| panic!("no {line} in {page}")).trim().parse().unwrap()
    };
    let runs = number("registry_gc_runs_total");
    assert!(runs >= 1, "those that kept what is young");
    assert_eq!(number("registry_gc_objects_total{result=\"removed\"}"), 0);
    let mut more = 0;
    eventually("promises end, and it goes", || {
        let ran = site.run(&ONLINE);
        assert_eq!(ran.exit, 0, "{ran:?}");
        more += 1;
        if site.has_garbage() { Err(ran) } else { Ok(()) }
    });
    assert_eq!(number("registry_gc_runs_total"), runs + more);
    assert!(number("registry_gc_objects_total{result=\"removed\"}") > 0);
    assert_eq!(number("registry_gc_objects_total{result=\"failed\"}"), 0);
    eventually("it is over", || match number("registry_gc_running") {
        0 => Ok(()),
        running => Err(running),
    });
}

#[test]
fn a_restart_in_the_middle_ends_it_and_the_registry_serves() {
    let site = grown();
    let lasting = Lasting::start(&site, &ONLINE[1..]);
    let ran = site.run(&["restart", "registry"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let (exit, said) = lasting.finish();
    assert!(exit == 1 && said.contains("the running registry"), "{exit}: {said}");
    assert!(site.has_garbage());
    site.serves();
}

#[test]
fn a_signal_ends_it_and_the_registry_does_not_notice() {
    let site = grown();
    let before = site.pid();
    let lasting = Lasting::start(&site, &ONLINE[1..]);
    lasting.signal(Signal::SIGKILL);
    site.instance.until("the work has ended", || lasting.is_over(&site));
    lasting.finish();
    assert_eq!(site.pid(), before);
    site.serves();
    site.collect(&ONLINE[1..]);
}

#[test]
fn a_second_process_on_the_storage_is_a_reason_to_refuse() {
    let site = grown();
    let config = "var/opt/regctl/registry/config.yml";
    let path = site.instance.world.path("second.yml");
    let text = site.instance.world.read(config);
    let line = text.lines().find(|line| line.trim_start().starts_with("addr:")).unwrap().to_owned();
    let text = text.replacen(&line, "  addr: \"127.0.0.1:0\"", 1);
    std::fs::write(&path, text).unwrap();
    let second = site.instance.world.serve(&["registry", "serve", path.to_str().unwrap()]);
    let ran = site.run(&ONLINE);
    assert!(ran.exit == 1 && ran.stderr.contains("another process uses the storage"), "{ran:?}");
    assert!(site.has_garbage());
    assert_eq!(second.stop(Signal::SIGTERM).exit, 0);
    site.serves();
}

#[test]
fn quotas_are_corrected_while_pushes_go_on() {
    let quota =
        "storage_delete_enabled = true\n[[quota]]\nrepositories = \"**\"\nmax_size = \"1GiB\"\n";
    let site = grown_with(quota);
    let used = || -> u64 {
        let status: Value = serde_json::from_str(&site.run(&["status", "--json"]).stdout).unwrap();
        status["quotas"][0]["used"].as_u64().unwrap()
    };
    let found = || -> u64 {
        let document: Value = serde_json::from_str(&site.run(&["du", "--json"]).stdout).unwrap();
        document["quotas"][0]["used"].as_u64().unwrap()
    };
    let before = used();
    let lasting = Lasting::start(&site, &ONLINE[1..]);
    let mut pusher = site.instance.pusher();
    let content = b"while it is collected";
    pusher.post_blob("other", content).unwrap().expect(201);
    // What goes in it may come back in it.
    pusher.post_blob("app", site.garbage()).unwrap().expect(201);
    let (exit, said) = lasting.finish();
    assert_eq!(exit, 0, "{said}");
    assert!(site.instance.store().blobs().contains(&digest(site.garbage())), "{said}");
    // What was written just now is promised, and stays.
    let counted = used();
    assert_eq!([counted, found()], [before + content.len() as u64; 2], "{said}");
    let words = [&ONLINE[..], &["--quarantine", "1h"]].concat();
    eventually("it goes", || {
        let ran = site.run(&words);
        assert_eq!(ran.exit, 0, "{ran:?}");
        let blobs = site.instance.store().blobs();
        if blobs.contains(&digest(site.garbage())) { Err(ran) } else { Ok(()) }
    });
    let gone = site.gone().blobs.iter().map(Vec::len).sum::<usize>() + content.len();
    assert_eq!([used(), found()], [counted - gone as u64; 2]);
}
