//! `regctl user`: the file of users, as regctl, Apache's htpasswd and registries read it.

use std::{
    fs,
    io::{Read, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    process::Stdio,
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use super::support::{Peer, Ran, World, free_port, program};

const USERS: &str = "etc/regctl/htpasswd";

/// A file without users.
const NOBODY: &str = "# NAME:HASH, one on each line; `regctl user add NAME` adds one\n";

fn world() -> World {
    World::with("[registry.auth.htpasswd]\n")
}

/// Runs a command that reads a password from stdin.
fn with_password(world: &World, arguments: &[&str], password: &str) -> Ran {
    let mut command = world.command(arguments);
    command.arg("--password-stdin").stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that refuses its arguments does not read.
    let _ = child.stdin.take().unwrap().write_all(password.as_bytes());
    Ran::new(child.wait_with_output().unwrap(), world.root())
}

#[track_caller]
fn add(world: &World, name: &str, password: &str) {
    let ran = with_password(world, &["user", "add", name], password);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
}

fn check(world: &World, name: &str, password: &str) -> i32 {
    with_password(world, &["user", "check", name], password).exit
}

#[test]
fn a_user_is_added_checked_and_removed() {
    let world = world();
    let ran = with_password(&world, &["user", "add", "ann"], "correct horse\n");
    let expected = format!("ann: added ([ROOT]/{USERS})\n");
    assert_eq!((ran.exit, ran.stdout, ran.stderr.as_str()), (0, expected, ""));
    let text = world.read(USERS);
    assert!(text.starts_with(&format!("{NOBODY}ann:$2y$10$")), "{text}");
    assert_eq!(world.mode(USERS), 0o640);
    assert_eq!(check(&world, "ann", "correct horse"), 0);
    let ran = with_password(&world, &["user", "check", "ann"], "wrong");
    assert_eq!((ran.exit, ran.stderr.as_str()), (1, "error: this is not the password of `ann`\n"));
    assert_eq!(world.run(&["user", "list"]).stdout, "ann\n");
    let ran = world.run(&["user", "remove", "ann"]);
    assert_eq!((ran.exit, ran.stdout), (0, format!("ann: removed ([ROOT]/{USERS})\n")));
    assert_eq!(world.read(USERS), NOBODY);
    assert_eq!(world.run(&["user", "list"]).stdout, format!("no users in [ROOT]/{USERS}\n"));
    for arguments in [["user", "remove", "ann"], ["user", "check", "ann"]] {
        let ran = with_password(&world, &arguments[..], "x");
        assert_ne!(ran.exit, 0, "{arguments:?}");
    }
    assert_eq!(check(&world, "ann", "correct horse"), 1);
}

#[test]
fn a_new_password_needs_consent() {
    let world = world();
    add(&world, "ann", "first");
    let ran = with_password(&world, &["user", "add", "ann"], "second");
    let expected = "error: the user `ann` exists\nhint: a new password needs consent: `regctl user add ann --replace`\n";
    assert_eq!((ran.exit, ran.stderr.as_str()), (1, expected));
    assert_eq!(check(&world, "ann", "first"), 0);
    let ran = with_password(&world, &["user", "add", "ann", "--replace"], "second");
    assert_eq!((ran.exit, ran.stdout), (0, format!("ann: has a new password ([ROOT]/{USERS})\n")));
    assert_eq!((check(&world, "ann", "first"), check(&world, "ann", "second")), (1, 0));
}

#[test]
fn the_file_stays_whose_it_is_and_other_lines_stay_as_they_are() {
    let world = world();
    let users = world.path("team/htpasswd");
    fs::create_dir(world.path("team")).unwrap();
    fs::write(&users, "# the team\nbob:{SHA}old\n\n# end").unwrap();
    fs::set_permissions(&users, fs::Permissions::from_mode(0o604)).unwrap();
    std::os::unix::fs::symlink(&users, world.path(USERS)).unwrap();
    let owner = |path| fs::metadata(path).map(|it| (it.uid(), it.gid())).unwrap();
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(&users, Some(65534), Some(65534)).unwrap();
    }
    let before = owner(&users);
    add(&world, "ann", "secret");
    let text = fs::read_to_string(&users).unwrap();
    assert!(text.starts_with("# the team\nbob:{SHA}old\n\n# end\nann:$2y$"), "{text}");
    assert_eq!((owner(&users), world.mode("team/htpasswd")), (before, 0o604));
    assert!(world.path(USERS).symlink_metadata().unwrap().is_symlink());
    let names: Vec<_> = fs::read_dir(world.path("team")).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn lines_that_let_nobody_in_are_listed_with_why() {
    let world = world();
    add(&world, "ann", "secret");
    let text = world.read(USERS);
    fs::write(
        world.path(USERS),
        format!("bob:{{SHA}}x\nann:old\nbroken\n{text}eve:$2y$05$short\n"),
    )
    .unwrap();
    let ran = world.run(&["user", "list"]);
    let expected = "\
bob  (line 1: its hash is not bcrypt, and the registry takes no other)
ann  (line 2: a later line has this name too)
(line 3: no `NAME:HASH`: the registry cannot read the file)
ann
eve  (line 6: its hash is damaged: the registry cannot read the file)
";
    assert_eq!((ran.exit, ran.stdout.as_str()), (5, expected));
    let ran = world.run(&["user", "list", "--json"]);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["users"][3], json!({ "name": "ann", "line": 5, "problem": null }));
    assert!(!ran.stdout.contains("$2y$"), "{}", ran.stdout);
    let ran = with_password(&world, &["user", "check", "bob"], "x");
    let expected = "error: nobody can sign in as `bob`: its hash is not bcrypt, and the registry takes no other\n";
    assert_eq!((ran.exit, ran.stderr.as_str()), (1, expected));
}

#[test]
fn names_and_passwords_that_cannot_be_used_are_refused() {
    let world = world();
    for (name, password, says) in [
        ("a:b", "x", "must not contain a colon"),
        ("", "x", "must not be empty"),
        ("a\nb", "x", "must not contain control characters"),
        ("#a", "x", "must not start with `#`"),
        ("ann", "", "the password must not be empty"),
        ("ann", "a\nb", "the password must be one line of text"),
        ("ann", &"x".repeat(73), "the password must have at most 72 bytes"),
    ] {
        let ran = with_password(&world, &["user", "add", name], password);
        assert_eq!(ran.exit, 2, "{name:?} {password:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{name:?} {password:?}: {}", ran.stderr);
    }
    let long = with_password(&world, &["user", "add", "ann"], &"x".repeat(5000));
    assert!(long.exit == 1 && long.stderr.contains("more than 4096 bytes"), "{}", long.stderr);
    assert!(!world.path(USERS).exists());
}

#[test]
fn without_a_terminal_the_password_comes_from_stdin() {
    let world = world();
    let ran = world.run(&["user", "add", "ann"]);
    let expected =
        "error: there is no terminal to ask for the password on: give it with --password-stdin\n";
    assert_eq!((ran.exit, ran.stderr.as_str()), (2, expected));
}

#[test]
fn an_instance_without_users_says_what_to_write() {
    let ran = World::with("[registry]\n").run(&["user", "list"]);
    let expected = "error: the registry of `[ROOT]/etc/regctl/instance.toml` asks nobody who they are\nhint: add the line [registry.auth.htpasswd] to `[ROOT]/etc/regctl/instance.toml`, then `regctl reconfigure`\n";
    assert_eq!((ran.exit, ran.stderr.as_str()), (1, expected));
    let ran = World::with("external_url = \"https://gitlab.example.com\"\n").run(&["user", "list"]);
    let says = "takes tokens: its users are those of the server that issues them\n";
    assert!(ran.exit == 1 && ran.stderr.ends_with(says), "{}", ran.stderr);
}

#[test]
fn users_added_at_once_are_all_there() {
    let world = world();
    let names: Vec<_> = (0..6).map(|number| format!("user{number}")).collect();
    thread::scope(|scope| {
        for name in &names {
            let world = &world;
            scope.spawn(move || add(world, name, "secret"));
        }
    });
    let listed = world.run(&["user", "list"]).stdout;
    assert!(names.iter().all(|name| listed.contains(name.as_str())), "{listed}");
}

#[test]
#[ignore = "needs htpasswd: run cargo xtask test"]
fn apaches_hashes_are_taken_and_apache_takes_ours() {
    let world = world();
    let file = world.path(USERS);
    let file = file.to_str().unwrap();
    program::run("htpasswd", &["-cbB", "-C", "5", file, "bob", "tables"]);
    program::run("htpasswd", &["-bm", file, "old", "md5"]);
    add(&world, "ann", "correct horse");
    assert_eq!((check(&world, "bob", "tables"), check(&world, "bob", "wrong")), (0, 1));
    program::run("htpasswd", &["-vb", file, "ann", "correct horse"]);
    let ran = world.run(&["user", "list"]);
    let says = "bob\nold  (line 2: its hash is not bcrypt, and the registry takes no other)\nann\n";
    assert_eq!((ran.exit, ran.stdout.as_str()), (5, says));
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn debians_registry_lets_our_users_in() {
    let world = world();
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    add(&world, "ann", "correct horse");
    let peer = Peer::rendered(&world);
    let client = crate::support::client();
    let ask = |password| {
        client.get(peer.url("/v2/")).basic_auth("ann", Some(password)).send().unwrap().status()
    };
    assert_eq!(client.get(peer.url("/v2/")).send().unwrap().status(), 401);
    assert_eq!((ask("wrong").as_u16(), ask("correct horse").as_u16()), (401, 200));
}

#[test]
fn a_running_registry_lets_new_users_in_and_removed_ones_out() {
    let port = free_port();
    let world = World::with(&format!(
        "[registry]\nregistry_http_addr = \"127.0.0.1:{port}\"\n[registry.auth.htpasswd]\n"
    ));
    let _server = world.serve(&["run"]);
    let client = crate::support::client();
    let ask = || {
        let request = client.get(format!("http://127.0.0.1:{port}/v2/"));
        request.basic_auth("ann", Some("correct horse")).send().unwrap().status().as_u16()
    };
    assert_eq!(ask(), 401);
    add(&world, "ann", "correct horse");
    assert_eq!(ask(), 200);
    assert_eq!(world.run(&["user", "remove", "ann"]).exit, 0);
    assert_eq!(ask(), 401);
}

#[test]
#[ignore = "needs script: run cargo xtask test"]
fn a_terminal_is_asked_twice_for_a_new_password() {
    let world = world();
    let command =
        format!("{} --root {} user add ann", env!("CARGO_BIN_EXE_regctl"), world.root().display());
    let mut script = program::program("script", &["-qec", &command, "/dev/null"]);
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let said = listen(child.stdout.take().unwrap());
    let mut heard = String::new();
    // What is typed before the terminal is ready for it is dropped: it is typed again until it was taken.
    loop {
        match said.recv_timeout(Duration::from_millis(300)) {
            Ok(piece) => heard.push_str(&piece),
            Err(RecvTimeoutError::Timeout) if heard.contains("Password of ann") => {
                // A program that has ended reads no more.
                let _ = stdin.write_all(b"correct horse\n");
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    assert!(child.wait().unwrap().success(), "{heard}");
    assert!(heard.contains("Once more"), "{heard}");
    assert_eq!(check(&world, "ann", "correct horse"), 0);
}

/// Hands on what a program says, to its end.
fn listen(mut stdout: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, said) = mpsc::channel();
    thread::spawn(move || {
        let mut piece = [0; 1024];
        while let Ok(read @ 1..) = stdout.read(&mut piece) {
            // Nobody listens once the test has failed.
            let _ = sender.send(String::from_utf8_lossy(&piece[..read]).into_owned());
        }
    });
    said
}
