//! Targets on which things go wrong: they are found and named, and nothing switches.

use tokio::runtime::{Builder, Runtime};

use super::site::Site;
use crate::support::seaweed::Seaweed;

#[path = "../../../src/storage/tests/faulty/mod.rs"]
#[expect(dead_code, reason = "the tests of the storage use the rest")]
mod way;

use way::{Fault, Faulty};

const KEYS: (&str, &str) = (Seaweed::ACCESS_KEY, Seaweed::SECRET_KEY);

/// A site whose target is reached by a way on which every other request goes wrong.
struct Spoiled {
    site: Site,
    way: Faulty,
    /// The way is open as long as this.
    _runtime: Runtime,
}

impl Spoiled {
    fn by(fault: Fault) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let store = Seaweed::shared().endpoint("http");
        let way = runtime.block_on(Faulty::to(&store, fault));
        let site = Site::to(way.endpoint(), Seaweed::BUCKET, KEYS);
        Self { site, way, _runtime: runtime }
    }
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn what_goes_wrong_now_and_then_is_tried_again() {
    for fault in [Fault::SlowDown, Fault::CutRequest, Fault::LostAnswer] {
        let Spoiled { site, way, .. } = &Spoiled::by(fault);
        let mut runs = 0;
        // What fails for good is named, and the next run goes on.
        while runs < 5 {
            let ran = site.run(&["--to", "s3"]);
            runs += 1;
            if ran.exit == 0 {
                break;
            }
            let is_told = ran.stderr.contains("the target failed") || ran.exit == 5;
            assert!(is_told, "{fault:?}: {ran:?}");
        }
        assert!(runs < 5 && way.spoiled() > 10, "{fault:?}: {runs} runs, {}", way.spoiled());
        way.mend();
        let verified = site.run(&["--to", "s3", "--only", "verify", "--verify", "full"]);
        assert_eq!(verified.exit, 0, "{fault:?}: {verified:?}");
        site.serves();
    }
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn a_target_that_does_nothing_any_more_is_named_and_nothing_switches() {
    for (fault, said) in [
        (Fault::SlowDown, "SlowDown"),
        (Fault::CutAnswer, "`s3://registry/"),
        (Fault::Full, "QuotaExceeded"),
    ] {
        let Spoiled { site, way, .. } = &Spoiled::by(fault);
        let text = site.instance_toml();
        way.worsen();
        // A lost connection is told as whatever has noticed it says it.
        for words in [&["--to", "s3", "--dry-run"][..], &["--to", "s3", "--switch"]] {
            let ran = site.run(words);
            assert_eq!(ran.exit, 1, "{fault:?}: {ran:?}");
            assert!(ran.stderr.contains(said), "{fault:?}: {ran:?}");
            assert_eq!(site.instance_toml(), text);
        }
        site.serves();
    }
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn a_permission_that_is_missing_is_named_before_anything_is_copied() {
    for (keys, what, permission) in [
        (("reader", "secret-of-the-reader"), "cannot be written to", "s3:PutObject"),
        (("blind", "secret-of-the-blind"), "cannot be listed", "s3:ListBucket"),
    ] {
        let site = Site::to(&Seaweed::shared().endpoint("http"), Seaweed::BUCKET, keys);
        let text = site.instance_toml();
        let plan = site.run(&["--to", "s3", "--dry-run"]);
        assert_ne!(plan.exit, 0, "{plan:?}");
        assert!(plan.stderr.contains(what) && plan.stderr.contains(permission), "{plan:?}");
        assert!(!plan.stderr.contains(keys.1), "{plan:?}");
        let ran = site.run(&["--to", "s3", "--switch"]);
        assert!(ran.exit != 0 && ran.stderr.contains(permission), "{ran:?}");
        assert_eq!((site.instance_toml(), site.objects()), (text, vec![]));
        site.serves();
    }
}
