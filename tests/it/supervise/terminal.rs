//! `regctl run` in a terminal: Ctrl-C goes to the supervisor alone, and what the services say is seen.

use std::{
    io::{Read as _, Write as _},
    process::{Child, ChildStdin, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use super::{Instance, until};
use crate::support::program;

const CTRL_C: &[u8] = b"\x03";

/// `run` in a terminal of its own.
struct Terminal {
    instance: Instance,
    script: Child,
    keyboard: ChildStdin,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    fn run(instance: Instance) -> Self {
        let line = format!(
            "stty tostop && exec {} --root {} run",
            env!("CARGO_BIN_EXE_regctl"),
            instance.world.root().display()
        );
        let mut script = program::program("script", &["-qefc", &line, "/dev/null"]);
        script.env_remove("REGCTL_ROOT").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = script.spawn().unwrap();
        let keyboard = script.stdin.take().unwrap();
        let mut shown = script.stdout.take().unwrap();
        let screen = Arc::<Mutex<String>>::default();
        let theirs = Arc::clone(&screen);
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = shown.read(&mut piece) {
                theirs.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..read]));
            }
        });
        let terminal = Self { instance, script, keyboard, screen };
        terminal.until_shown("Ctrl-C stops it");
        terminal
    }

    fn until_shown(&self, words: &str) {
        let screen = || self.screen.lock().unwrap().clone();
        until(words, || screen().contains(words), screen);
    }

    fn ctrl_c(&mut self) {
        self.keyboard.write_all(CTRL_C).unwrap();
    }

    /// Waits for the end; it was a good one, and nothing is left.
    fn ended(mut self) {
        let status = self.script.wait().unwrap();
        self.until_shown("stopped\r\n");
        assert_eq!(status.code(), Some(0), "{}", self.screen.lock().unwrap());
        assert_eq!(self.instance.processes(), []);
    }
}

#[test]
#[ignore = "needs script: run cargo xtask test"]
fn ctrl_c_stops_all_and_the_lines_of_the_registry_are_shown() {
    // This terminal stops whoever writes from the background, which the process of a log does.
    let mut terminal = Terminal::run(Instance::configured(""));
    for number in 0..50 {
        terminal.instance.pusher().get(&format!("/v2/shown{number}x/tags/list")).unwrap();
    }
    (0..50).for_each(|number| terminal.until_shown(&format!("\"GET /v2/shown{number}x/tags/list")));
    assert!(terminal.instance.log().contains("/v2/shown49x/"), "and they are in the log");
    terminal.ctrl_c();
    terminal.ended();
}

#[test]
#[ignore = "needs script: run cargo xtask test"]
fn the_first_ctrl_c_lets_requests_finish_and_the_second_does_not() {
    let mut terminal = Terminal::run(Instance::configured("http_draintimeout = \"1h\"\n"));
    let mut pusher = terminal.instance.pusher();
    let session = pusher.session("app").unwrap();
    let expect = [("Expect", "100-continue")];
    let mut sending = pusher.begin("PATCH", &session.location, &expect, 10).unwrap();
    sending.wait_for_interim_answer().unwrap();
    terminal.ctrl_c();
    terminal.instance.until_nobody_listens();
    assert_eq!(terminal.instance.registry()["state"], "stopping");
    terminal.ctrl_c();
    terminal.ended();
    assert!(sending.answer(&mut pusher).is_err());
}
