//! Installing Debian packages: first a plan, made from what is missing and what this process may do, then its
//! commands. A plan that cannot be carried out names the command that an administrator has to run.

use anyhow::Context;

use super::{
    list::{self, Package},
    service,
};
use crate::{
    failure::Failure,
    sys::{process, program, terminal},
};

/// Whether a chore may install packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Install {
    Allowed,
    Forbidden,
}

/// What this process can do on this machine.
#[derive(Debug, Clone, Copy)]
struct Powers {
    apt: bool,
    root: bool,
    sudo: bool,
}

type Words = Vec<String>;

#[derive(Debug, PartialEq, Eq)]
enum Plan {
    Nothing,
    Run(Vec<Words>),
    Refuse { reason: &'static str, command: String },
}

/// Makes sure that every program of `packages` is there.
pub(crate) fn ensure(packages: &'static [Package], install: Install) -> Result<(), Failure> {
    let missing = list::missing(packages);
    for package in &missing {
        let text =
            format!("missing: {} ({}): {}", package.name, package.programs.join(", "), package.why);
        terminal::talk(&text);
    }
    let commands = match plan(&missing, install, powers()) {
        Plan::Nothing => return Ok(()),
        Plan::Refuse { reason, command } => return Err(refusal(&missing, reason, &command)),
        Plan::Run(commands) => commands,
    };
    if !process::is_root() {
        terminal::talk("not root: installing with sudo");
    }
    for words in &commands {
        run(words)?;
    }
    service::silence(&missing)?;
    verify(packages)
}

fn powers() -> Powers {
    Powers {
        apt: program::find("apt-get").is_some(),
        root: process::is_root(),
        sudo: program::find("sudo").is_some(),
    }
}

fn plan(missing: &[&Package], install: Install, powers: Powers) -> Plan {
    if missing.is_empty() {
        return Plan::Nothing;
    }
    let names = missing.iter().map(|package| package.name).collect::<Vec<_>>().join(" ");
    let refuse = |reason| {
        let command = format!("apt-get update && apt-get install --no-install-recommends {names}");
        Plan::Refuse { reason, command }
    };
    if install == Install::Forbidden {
        return refuse("--no-install was given");
    }
    if !powers.apt {
        return refuse("this machine has no apt-get; on Debian, or with your system's packages");
    }
    if !powers.root && !powers.sudo {
        return refuse("this process is not root, and there is no sudo");
    }
    let prefix = if powers.root { "" } else { "sudo " };
    // A lock held by unattended-upgrades is waited for.
    let apt = "env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300";
    let words = |line: String| line.split(' ').map(str::to_owned).collect();
    Plan::Run(vec![
        words(format!("{prefix}{apt} update")),
        words(format!("{prefix}{apt} install -y --no-install-recommends {names}")),
    ])
}

fn refusal(missing: &[&Package], reason: &str, command: &str) -> Failure {
    let count = missing.len();
    Failure::Missing(format!(
        "{count} packages are missing and are not installed: {reason}\nas root, run: {command}"
    ))
}

fn run(words: &[String]) -> Result<(), Failure> {
    let line = words.join(" ");
    terminal::talk(&format!("==> {line}"));
    let (name, arguments) = words.split_first().expect("a planned command has a program");
    let status = program::command(name)
        .args(arguments)
        .status()
        .with_context(|| format!("failed to run `{line}`"))?;
    if status.success() {
        return Ok(());
    }
    let text = format!("`{line}` failed ({status}): run it as an administrator, then try again");
    Err(Failure::Missing(text))
}

fn verify(packages: &'static [Package]) -> Result<(), Failure> {
    let names: Vec<_> = list::missing(packages).iter().map(|package| package.name).collect();
    if names.is_empty() {
        return Ok(());
    }
    let text = format!("installed, but the programs of {} are still not found", names.join(", "));
    Err(Failure::Missing(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Powers = Powers { apt: true, root: true, sudo: true };

    fn two() -> Vec<&'static Package> {
        list::TEST.iter().take(2).collect()
    }

    #[test]
    fn nothing_missing_means_no_update_either() {
        assert_eq!(plan(&[], Install::Allowed, ALL), Plan::Nothing);
        assert_eq!(plan(&[], Install::Forbidden, ALL), Plan::Nothing);
    }

    #[test]
    fn root_updates_and_installs_without_questions_or_recommends() {
        let Plan::Run(commands) = plan(&two(), Install::Allowed, ALL) else {
            panic!("a plan to run");
        };
        let lines: Vec<_> = commands.iter().map(|words| words.join(" ")).collect();
        let apt = "env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300";
        assert_eq!(lines[0], format!("{apt} update"));
        assert_eq!(
            lines[1],
            format!("{apt} install -y --no-install-recommends skopeo docker-registry")
        );
    }

    #[test]
    fn an_ordinary_user_installs_with_sudo() {
        let powers = Powers { root: false, ..ALL };
        let Plan::Run(commands) = plan(&two(), Install::Allowed, powers) else {
            panic!("a plan to run");
        };
        assert!(commands.iter().all(|words| words[0] == "sudo"));
    }

    #[test]
    fn a_refusal_names_the_command_to_run() {
        let cases = [
            (Install::Forbidden, ALL),
            (Install::Allowed, Powers { apt: false, ..ALL }),
            (Install::Allowed, Powers { root: false, sudo: false, ..ALL }),
        ];
        for (install, powers) in cases {
            let Plan::Refuse { reason, command } = plan(&two(), install, powers) else {
                panic!("a refusal for {install:?} {powers:?}");
            };
            let failure = refusal(&two(), reason, &command);
            assert_eq!(failure.exit_code(), 1);
            assert!(failure.to_string().ends_with(
                "run: apt-get update && apt-get install --no-install-recommends skopeo docker-registry"
            ));
        }
    }
}
