//! The process that writes a log, when it dies.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::Supervised;

fn log_pid(it: &Supervised) -> Option<i64> {
    it.registry()["log"]["pid"].as_i64()
}

#[test]
fn one_that_is_killed_is_replaced_and_no_later_line_is_lost() {
    let it = Supervised::start();
    let toml = it.world.read("etc/regctl/instance.toml");
    let address = toml.split('"').nth(1).unwrap();
    let client = crate::support::client();
    let ask = |number: usize| {
        let url = format!("http://{address}/v2/line{number}x/tags/list");
        assert_eq!(client.get(url).send().unwrap().status(), 404);
    };
    let before = log_pid(&it).unwrap();
    kill(Pid::from_raw(before.try_into().unwrap()), Signal::SIGKILL).unwrap();
    (0..50).for_each(ask);
    it.until("another one writes", || log_pid(&it).is_some_and(|pid| pid != before));
    (50..100).for_each(ask);
    let has_all = || {
        let log = it.world.read("var/log/regctl/registry/current");
        (0..100).all(|number| log.contains(&format!("/v2/line{number}x/")))
    };
    it.until("every line is there", has_all);
    assert_eq!(it.registry()["restarts"], 0);
}
