//! Users and passwords in a file.

use std::{fs, io::Write as _};

use serde_json::json;

use super::fixture::{ANN, BOB, Registry, basic, config, htpasswd};
use crate::support::{World, http::Request};

fn status(registry: &Registry, name: &str, password: &str) -> u16 {
    let request = Request::get("/v2/").header("Authorization", basic(name, password));
    registry.ask(&request).status
}

#[test]
fn a_password_opens_everything_and_nothing_else_does() {
    let registry = Registry::with_passwords(&format!("# users\n\n{ANN}{BOB}"));
    // Twice: the second time from memory.
    for _ in 0..2 {
        assert_eq!(status(&registry, "ann", "secret"), 200);
        assert_eq!(status(&registry, "bob", "hunter2"), 200);
        assert_eq!(status(&registry, "ann", "hunter2"), 401);
        assert_eq!(status(&registry, "ann", ""), 401);
        assert_eq!(status(&registry, "nobody", "secret"), 401);
        assert_eq!(status(&registry, "", ""), 401);
    }
    assert_eq!(registry.ask(&Request::get("/v2/")).status, 401);
    // What says nothing is open to load balancers and to who forgot a slash.
    assert_eq!(registry.ask(&Request::get("/")).status, 200);
    assert_eq!(registry.ask(&Request::get("/v2")).status, 301);
}

#[test]
fn a_change_of_the_file_counts_at_once_and_needs_no_restart() {
    let registry = Registry::with_passwords(ANN);
    assert_eq!(status(&registry, "ann", "secret"), 200);
    assert_eq!(status(&registry, "bob", "hunter2"), 401);
    registry.write("htpasswd", &format!("{ANN}{BOB}"));
    assert_eq!(status(&registry, "bob", "hunter2"), 200);
    registry.write("htpasswd", BOB);
    assert_eq!(status(&registry, "ann", "secret"), 401);
    assert_eq!(status(&registry, "bob", "hunter2"), 200);
    // By another file under its name, as editors and careful programs save.
    registry.write("htpasswd.new", ANN);
    fs::rename(registry.world.path("htpasswd.new"), registry.world.path("htpasswd")).unwrap();
    assert_eq!(status(&registry, "ann", "secret"), 200);
    assert_eq!(status(&registry, "bob", "hunter2"), 401);
}

#[test]
fn half_a_file_or_none_keeps_who_was_known() {
    let registry = Registry::with_passwords(ANN);
    for text in ["", "ann", &ANN[..20], "no colon here\n"] {
        registry.write("htpasswd", text);
        assert_eq!(status(&registry, "ann", "secret"), 200, "{text:?}");
        assert_eq!(status(&registry, "ann", "wrong"), 401, "{text:?}");
    }
    fs::remove_file(registry.world.path("htpasswd")).unwrap();
    assert_eq!(status(&registry, "ann", "secret"), 200);
    let log = registry.stop().stderr;
    assert!(log.contains("what was known before stays in force"), "{log}");
    assert!(log.contains("failed to read `[ROOT]/htpasswd`"), "{log}");
}

#[test]
fn a_file_that_is_missing_is_named_and_never_made_up() {
    let world = World::new();
    let auth = htpasswd(&world, "");
    fs::remove_file(world.path("htpasswd")).unwrap();
    let ran = world.run(&["registry", "serve", config(&world, &auth).to_str().unwrap()]);
    assert_eq!(ran.exit, 78);
    let words = "the password file `[ROOT]/htpasswd` does not exist; make it: htpasswd -Bn NAME";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
    assert!(!world.path("htpasswd").exists());
}

#[test]
fn a_file_that_is_broken_is_refused_at_the_start_without_being_shown() {
    let world = World::new();
    let auth = htpasswd(&world, &format!("{ANN}hunter2\n"));
    let ran = world.run(&["registry", "serve", config(&world, &auth).to_str().unwrap()]);
    assert_eq!(ran.exit, 78);
    assert!(ran.stderr.contains("line 2 of `[ROOT]/htpasswd` has no colon"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
}

#[test]
fn users_with_another_hash_are_left_out_with_a_warning() {
    let registry =
        Registry::with_passwords(&format!("{ANN}eve:{{SHA}}5en6G6MezRroT3XKqkdPOmY/BfQ=\n"));
    assert_eq!(status(&registry, "eve", "secret"), 401);
    assert_eq!(status(&registry, "ann", "secret"), 200);
    let log = registry.greeting().to_owned() + &registry.stop().stderr;
    let warned = log.lines().find(|line| line.contains("user left out")).unwrap();
    assert!(warned.contains("line=2 user=eve") && warned.contains("htpasswd -B"), "{warned}");
    assert!(!log.contains("5en6G6MezRroT3XKqkdPOmY"), "{log}");
}

#[test]
fn logs_name_users_and_never_passwords() {
    let registry = Registry::with_passwords(ANN);
    assert_eq!(status(&registry, "ann", "secret"), 200);
    let wrong = Request::get("/v2/").header("Authorization", basic("ann", "not-the-one"));
    registry.ask(&wrong.header("X-Forwarded-For", "192.0.2.7, 192.0.2.8")).expect(401);
    let missing = Request::get("/v2/a/manifests/v1");
    let missing = missing.header("Authorization", basic("ann", "secret"));
    assert_eq!(registry.ask(&missing).status, 404);
    let ran = registry.stop();
    let access: Vec<_> = ran.stdout.lines().collect();
    assert!(access[0].starts_with("127.0.0.1 - ann ["), "{access:?}");
    assert!(access[1].starts_with("127.0.0.1 - - ["), "{access:?}");
    let refused = ran.stderr.lines().find(|line| line.contains("access refused")).unwrap();
    assert!(refused.contains("auth.user.name=ann"), "{refused}");
    assert!(refused.contains("http.request.remoteaddr=127.0.0.1"), "{refused}");
    assert!(refused.contains("forwardedfor=\"192.0.2.7, 192.0.2.8\""), "{refused}");
    assert!(refused.contains("reason=\"wrong password\""), "{refused}");
    let failed = ran.stderr.lines().find(|line| line.contains("MANIFEST_UNKNOWN")).unwrap();
    assert!(failed.contains("auth.user.name=ann"), "{failed}");
    for secret in ["secret", "not-the-one", "YW5u"] {
        let leaks = |text: &str| text.replace("\"of this registry\"", "").contains(secret);
        assert!(!leaks(&ran.stderr) && !leaks(&ran.stdout), "{secret}\n{}", ran.stderr);
    }
}

#[test]
fn many_at_once_with_one_password_are_all_let_in() {
    let registry = Registry::with_passwords(ANN);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asking: Vec<_> =
            (0..32).map(|_| scope.spawn(|| status(&registry, "ann", "secret"))).collect();
        asking.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(statuses, [200; 32]);
}

#[test]
fn nobody_is_locked_out_while_the_file_is_written() {
    let registry = Registry::with_passwords(ANN);
    let path = registry.world.path("htpasswd");
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for round in 0..200 {
                // In place and in pieces, as careless programs do.
                let mut file = fs::File::create(&path).unwrap();
                let whole = if round % 2 == 0 { format!("{ANN}{BOB}") } else { ANN.to_owned() };
                for piece in whole.as_bytes().chunks(40) {
                    file.write_all(piece).unwrap();
                }
            }
        });
        while !writing.is_finished() {
            assert_eq!(status(&registry, "ann", "secret"), 200);
            assert_eq!(status(&registry, "ann", "wrong"), 401);
        }
    });
    assert_eq!(status(&registry, "bob", "hunter2"), 401);
}

#[test]
fn the_environment_may_choose_the_passwords() {
    let world = World::new();
    fs::write(world.path("users"), ANN).unwrap();
    let config = config(&world, &json!({}));
    let mut command = world.command(&["registry", "serve", config.to_str().unwrap()]);
    command.env("REGISTRY_AUTH", "htpasswd").env("REGISTRY_AUTH_HTPASSWD_REALM", "here");
    command.env("REGISTRY_AUTH_HTPASSWD_PATH", world.path("users"));
    let server = crate::support::Server::start(command, world.root());
    let port = server.greeting.trim_end().rsplit(':').next().unwrap().parse().unwrap();
    let answer = crate::support::http::Client::new(port).get("/v2/").expect(401);
    assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"here\""));
}
