//! The files of systemd, logrotate and tmpfiles, and what systemd is told.

use std::{fs, os::unix::fs::symlink};

use super::{applied, edit};
use crate::support::{Host, World, free_port, program::run};

const UNIT: &str = "etc/systemd/system/regctl.service";
const LOGROTATE: &str = "etc/logrotate.d/regctl";
const TMPFILES: &str = "etc/tmpfiles.d/regctl.conf";
const CRON: &str = "etc/cron.d/regctl";

const WITH_NGINX: &str = "registry_external_url = \"http://registry.example.com:8081\"\n[registry]\nhttp_draintimeout = \"90s\"\n[registry.auth]\nnone = true\n";

#[test]
fn an_instance_in_a_folder_gets_them_only_when_it_asks() {
    let world = applied();
    assert!([UNIT, LOGROTATE, TMPFILES].iter().all(|path| !world.path(path).exists()));
    edit(&world, &format!("{WITH_NGINX}[manage_system_files]\nenable = true\n"));
    let ran = world.run(&["reconfigure"]);
    let skipped = "`[ROOT]/etc/systemd/system/regctl.service` is not enabled: that takes root, the root /, and systemd\n";
    assert!(ran.exit == 0 && ran.stderr.starts_with(skipped), "{}", ran.stderr);
    let root = world.root().to_str().unwrap();
    let unit = world.read(UNIT);
    let program = env!("CARGO_BIN_EXE_regctl");
    for line in [
        format!(
            "# Written by regctl from {root}/etc/regctl/instance.toml: edit that file instead."
        ),
        format!("ExecStart=\"{program}\" --root \"{root}\" supervise"),
        format!("RequiresMountsFor=\"{root}/var/opt/regctl/storage\""),
        "TimeoutStopSec=120".to_owned(),
        "RestartPreventExitStatus=78".to_owned(),
    ] {
        assert!(unit.lines().any(|found| found == line), "{line}\n{unit}");
    }
    let logs = ["error", "registry_access", "registry_error"];
    let logs: String =
        logs.iter().map(|name| format!("\"{root}/var/log/regctl/nginx/{name}.log\" ")).collect();
    assert!(world.read(LOGROTATE).contains(&format!("\n{logs}{{\n")), "{}", world.read(LOGROTATE));
    assert!(
        world.read(TMPFILES).ends_with(&format!("\nd \"{root}/run/regctl\" 0750 root root -\n"))
    );
    assert_eq!(world.run(&["reconfigure", "--dry-run", "--exit-code"]).exit, 0);
    // Without nginx there is nothing to rotate; without the setting, nothing at all.
    edit(&world, "[manage_system_files]\nenable = true\n");
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    assert!(!world.path(LOGROTATE).exists() && world.path(UNIT).exists());
    edit(&world, "[manage_system_files]\nenable = false\n");
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.stdout, format!("removed [ROOT]/{TMPFILES}\nremoved [ROOT]/{UNIT}\n"));
}

#[test]
fn a_path_cannot_break_out_of_its_place() {
    let world = World::with("");
    let root = world.path("a b%n$HOME\"q'");
    fs::create_dir_all(root.join("etc/regctl")).unwrap();
    let toml = format!("{WITH_NGINX}[manage_system_files]\nenable = true\n");
    fs::write(root.join("etc/regctl/instance.toml"), toml).unwrap();
    let mut command = crate::support::binary();
    command.arg("--root").arg(&root).arg("reconfigure");
    let ran = world.finish(command);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    let unit = fs::read_to_string(root.join(UNIT)).unwrap();
    let base = world.root().to_str().unwrap();
    let quoted = format!("--root \"{base}/a b%%n$$HOME\\\"q'\" supervise\n");
    assert!(unit.contains(&quoted), "{unit}");
    let logrotate = fs::read_to_string(root.join(LOGROTATE)).unwrap();
    assert!(
        logrotate.contains(&format!("test ! -s '{base}/a b%n$HOME\"q'\\''/run/regctl/nginx.pid'")),
        "{logrotate}"
    );
}

#[test]
fn a_schedule_becomes_a_line_of_cron_and_goes_with_it() {
    let world = applied();
    let scheduled = "[manage_system_files]\nenable = true\n[garbage_collect]\nschedule = \"5  4 * * sun\"\ndelete_untagged = true\n";
    edit(&world, scheduled);
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    let (root, program) = (world.root().to_str().unwrap(), env!("CARGO_BIN_EXE_regctl"));
    let expected = format!(
        "# Written by regctl from {root}/etc/regctl/instance.toml: edit that file instead.\n\
         SHELL=/bin/sh\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n\
         # minute hour day month weekday user command; nothing is mailed unless something needs a look\n\
         5 4 * * sun root {program} --root {root} --quiet registry-garbage-collect --delete-untagged\n"
    );
    assert_eq!(world.read(CRON), expected);
    edit(&world, "[manage_system_files]\nenable = true\n");
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    assert!(!world.path(CRON).exists());
    edit(&world, &scheduled.replace("5  4", "61 4"));
    let refused = world.run(&["reconfigure"]);
    assert_eq!(refused.exit, 78);
    assert!(
        refused.stderr.contains(":4:12:") && refused.stderr.contains("five fields"),
        "{}",
        refused.stderr
    );
}

#[test]
fn policies_become_one_line_of_cron_beside_that_of_collections() {
    let world = applied();
    let policy = "[[cleanup_policy]]\nname = \"a\"\nrepositories = \"**\"\nkeep_n = 5\n";
    let files = "[manage_system_files]\nenable = true\n";
    let lines = || -> Vec<String> {
        let text = world.read(CRON);
        let commands = text.lines().filter(|line| line.contains(" root "));
        let command = |line: &str| {
            let (schedule, rest) = line.split_once(" root ").unwrap();
            let (_, words) = rest.split_once(" --quiet ").unwrap();
            format!("{schedule}: {words}")
        };
        commands.map(command).collect()
    };
    edit(&world, &format!("{policy}{files}"));
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    assert_eq!(lines(), ["25 2 * * *: cleanup-policy run"]);
    let more = "[cleanup]\nschedule = \"@hourly\"\ncollect = true\n[garbage_collect]\nschedule = \"@weekly\"\n";
    edit(&world, &format!("{policy}{files}{more}"));
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    assert_eq!(lines(), ["@hourly: cleanup-policy run --gc", "@weekly: registry-garbage-collect"]);
    edit(&world, &format!("{}{files}", policy.replace("keep_n", "enabled = false\nkeep_n")));
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    assert!(!world.path(CRON).exists());
}

#[test]
fn files_of_somebody_else_are_neither_replaced_nor_removed() {
    let world = World::with("[manage_system_files]\nenable = true\n");
    fs::create_dir_all(world.path("etc/systemd/system")).unwrap();
    fs::write(world.path(UNIT), "[Unit]\nDescription=mine\n").unwrap();
    let ran = world.run(&["reconfigure"]);
    let expected = format!(
        "error: `[ROOT]/{UNIT}` was not written by regctl, and is not replaced\nhint: move it away, or set `enable = false` in [manage_system_files]\n"
    );
    assert_eq!((ran.exit, ran.stderr), (78, expected));
    assert!(!world.path("var").exists());
    edit(&world, "[manage_system_files]\nenable = false\n");
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    assert_eq!(world.read(UNIT), "[Unit]\nDescription=mine\n");
    // As `systemctl mask` leaves it.
    fs::remove_file(world.path(UNIT)).unwrap();
    symlink("/dev/null", world.path(UNIT)).unwrap();
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    assert!(world.path(UNIT).is_symlink());
}

#[test]
fn an_administrators_copy_of_the_unit_is_used() {
    let world = World::with("[manage_system_files]\nenable = true\n");
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    let copy = world.run(&["reconfigure", "--print-template", "regctl.service.j2"]).stdout;
    let copy = copy.replace("TasksMax=4915", "TasksMax=99");
    fs::write(world.path("etc/regctl/templates/regctl.service.j2"), copy).unwrap();
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.stdout, format!("replaced [ROOT]/{UNIT}\n"), "{}", ran.stderr);
    assert!(world.read(UNIT).contains("\nTasksMax=99\n"));
}

#[test]
#[ignore = "needs root, systemd and logrotate: run cargo xtask test"]
fn the_readers_of_the_files_take_them() {
    let world = World::with(&format!("{WITH_NGINX}[manage_system_files]\nenable = true\n"));
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    let path = |relative: &str| world.path(relative).to_str().unwrap().to_owned();
    run("systemd-analyze", &["verify", "--man=no", &path(UNIT)]);
    fs::remove_dir_all(world.path("run/regctl")).unwrap();
    run("systemd-tmpfiles", &["--create", &path(TMPFILES)]);
    assert_eq!(world.mode("run/regctl"), 0o750);
    let log = world.path("var/log/regctl/nginx/registry_access.log");
    fs::write(&log, "a line\n").unwrap();
    let status = path("logrotate.status");
    run("logrotate", &["--force", "--state", &status, &path(LOGROTATE)]);
    assert_eq!(fs::read_to_string(log.with_extension("log.1")).unwrap(), "a line\n");
    assert_eq!(fs::read_to_string(&log).unwrap(), "");
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn a_fresh_host_has_the_unit_enabled_and_started_once() {
    let port = free_port();
    let toml = format!("[registry]\nregistry_http_addr = \"127.0.0.1:{port}\"\n");
    let host = Host::with_systemd(&toml);
    let ran = host.regctl(&["reconfigure", "--dry-run"]);
    assert!(ran.stdout.contains("would enable and start regctl.service\n"), "{}", ran.stdout);
    assert_eq!(host.told(), "");
    let ran = host.regctl(&["reconfigure"]);
    let started = "enabled and started regctl.service\n";
    assert!(ran.exit == 0 && ran.stdout.contains(started), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(host.told(), "daemon-reload\nenable --now regctl.service\n");
    let answer =
        crate::support::client().get(format!("http://127.0.0.1:{port}/v2/")).send().unwrap();
    assert_eq!(answer.status(), 200);
    let ran = host.regctl(&["reconfigure"]);
    assert!(ran.stdout.contains("nothing to change\n"), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(host.told(), "");
    host.edit(&format!("{toml}http_draintimeout = \"60s\"\n"));
    assert_eq!(host.regctl(&["reconfigure"]).exit, 0);
    assert_eq!(host.told(), "daemon-reload\n");
    host.edit(&format!("{toml}[manage_system_files]\nenable = false\n"));
    let ran = host.regctl(&["reconfigure"]);
    assert!(ran.stdout.contains("stopped and disabled regctl.service\n"), "{}", ran.stdout);
    assert_eq!(host.told(), "disable --now regctl.service\ndaemon-reload\n");
    assert!(!host.path(UNIT).exists());
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn what_systemd_could_not_be_told_it_is_told_by_the_next_command() {
    let port = free_port();
    let host =
        Host::with_systemd(&format!("[registry]\nregistry_http_addr = \"127.0.0.1:{port}\"\n"));
    fs::write(host.path("broken"), "").unwrap();
    let ran = host.regctl(&["reconfigure"]);
    let expected = "\
error: the files are in place, and `systemctl daemon-reload` failed: no bus
hint: the next `regctl reconfigure` tries again
";
    assert_eq!((ran.exit, ran.stderr.as_str()), (1, expected));
    fs::remove_file(host.path("broken")).unwrap();
    host.told();
    let ran = host.regctl(&["reconfigure"]);
    let started = "enabled and started regctl.service\n";
    assert!(ran.exit == 0 && ran.stdout.contains(started), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(host.told(), "daemon-reload\nenable --now regctl.service\n");
    assert!(host.regctl(&["reconfigure"]).stdout.contains("nothing to change\n"));
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn a_host_without_systemd_is_told_what_is_left_out() {
    let host = Host::with("");
    let ran = host.regctl(&["reconfigure"]);
    let skipped = "systemd does not run here: its unit, and the logrotate and tmpfiles entries, are left out\n";
    assert!(ran.exit == 0 && ran.stderr.starts_with(skipped), "{}", ran.stderr);
    assert!([UNIT, LOGROTATE, TMPFILES].iter().all(|path| !host.path(path).exists()));
}

#[test]
#[ignore = "needs root and mount: run cargo xtask test"]
fn a_program_that_others_may_write_is_no_service() {
    let host = Host::with_systemd("");
    assert_eq!(host.run(&["chmod", "0777", host.path("bin/regctl").to_str().unwrap()]).exit, 0);
    let ran = host.regctl(&["reconfigure"]);
    let says = "bin/regctl` may be written by everybody: root would run what others put there\n";
    assert!(ran.exit == 78 && ran.stderr.contains(says), "{}", ran.stderr);
}
