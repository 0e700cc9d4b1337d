//! `regctl set-readonly` at a registry that is under load.

use std::time::{Duration, Instant};

use super::Instance;
use crate::live::switches;

#[test]
fn fifty_switches_by_command_fail_no_pull_and_leave_no_half_push() {
    let instance = Instance::serving("log_level = \"error\"\n");
    let before = instance.registry();
    let mut longest = Duration::ZERO;
    switches::fifty_under_load(
        || instance.pusher(),
        &instance.store(),
        |read_only| {
            let begun = Instant::now();
            let state = if read_only { "on" } else { "off" };
            let ran = instance.run(&["set-readonly", state]);
            longest = longest.max(begun.elapsed());
            let said = format!("read-only is {state}\n");
            assert_eq!((ran.exit, ran.stdout, ran.stderr.as_str()), (0, said, ""));
        },
    );
    println!("the longest switch took {longest:?}");
    let after = instance.registry();
    for field in ["pid", "starts", "restarts", "outdated"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    assert_eq!(after["outdated"], "no");
}
