//! `regctl man`: the manual, from the same definition as the help.

use std::fmt::Write as _;

use clap::{Command, ValueEnum};
use clap_mangen::Man;

use super::instance_toml_page;
use crate::{exit::Failure, output::Report};

/// Print a page of the manual
///
/// Without a name it is the page regctl(1), else the page of that command or file.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl man | man -l -
  regctl man init > /usr/local/share/man/man1/regctl-init.1")]
pub(crate) struct Args {
    /// The command, or the file
    #[arg(value_enum)]
    command: Option<Page>,
}

/// The pages besides regctl(1): those of commands, and of the file.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Page {
    Init,
    Run,
    Supervise,
    Status,
    ServiceList,
    Start,
    Stop,
    Restart,
    Once,
    Hup,
    Term,
    Int,
    Kill,
    GracefulKill,
    Tail,
    Reconfigure,
    SetReadonly,
    User,
    UserAdd,
    UserRemove,
    UserList,
    UserCheck,
    Events,
    EventsList,
    EventsReplay,
    EventsDrop,
    GenerateSecrets,
    CheckConfig,
    ShowConfig,
    DiffConfig,
    RegistryGarbageCollect,
    MigrateStorage,
    Verify,
    CleanupPolicy,
    CleanupPolicyRun,
    CleanupPolicyPreview,
    CleanupPolicyList,
    CleanupPolicyUndo,
    Du,
    Registry,
    #[value(name = "registry.serve", alias = "registry-serve")]
    RegistryServe,
    #[value(name = "registry.garbage-collect")]
    UpstreamGarbageCollect,
    Completions,
    Man,
    #[value(name = "instance.toml")]
    InstanceToml,
}

impl Page {
    fn text(self) -> &'static str {
        match self {
            Self::Init => include_str!("../../../man/regctl-init.1"),
            Self::Run => include_str!("../../../man/regctl-run.1"),
            Self::Supervise => include_str!("../../../man/regctl-supervise.1"),
            Self::Status => include_str!("../../../man/regctl-status.1"),
            Self::ServiceList => include_str!("../../../man/regctl-service-list.1"),
            Self::Start => include_str!("../../../man/regctl-start.1"),
            Self::Stop => include_str!("../../../man/regctl-stop.1"),
            Self::Restart => include_str!("../../../man/regctl-restart.1"),
            Self::Once => include_str!("../../../man/regctl-once.1"),
            Self::Hup => include_str!("../../../man/regctl-hup.1"),
            Self::Term => include_str!("../../../man/regctl-term.1"),
            Self::Int => include_str!("../../../man/regctl-int.1"),
            Self::Kill => include_str!("../../../man/regctl-kill.1"),
            Self::GracefulKill => include_str!("../../../man/regctl-graceful-kill.1"),
            Self::Tail => include_str!("../../../man/regctl-tail.1"),
            Self::Reconfigure => include_str!("../../../man/regctl-reconfigure.1"),
            Self::SetReadonly => include_str!("../../../man/regctl-set-readonly.1"),
            Self::User => include_str!("../../../man/regctl-user.1"),
            Self::UserAdd => include_str!("../../../man/regctl-user-add.1"),
            Self::UserRemove => include_str!("../../../man/regctl-user-remove.1"),
            Self::UserList => include_str!("../../../man/regctl-user-list.1"),
            Self::UserCheck => include_str!("../../../man/regctl-user-check.1"),
            Self::Events => include_str!("../../../man/regctl-events.1"),
            Self::EventsList => include_str!("../../../man/regctl-events-list.1"),
            Self::EventsReplay => include_str!("../../../man/regctl-events-replay.1"),
            Self::EventsDrop => include_str!("../../../man/regctl-events-drop.1"),
            Self::CleanupPolicy => include_str!("../../../man/regctl-cleanup-policy.1"),
            Self::CleanupPolicyRun => include_str!("../../../man/regctl-cleanup-policy-run.1"),
            Self::CleanupPolicyPreview => {
                include_str!("../../../man/regctl-cleanup-policy-preview.1")
            }
            Self::CleanupPolicyList => include_str!("../../../man/regctl-cleanup-policy-list.1"),
            Self::CleanupPolicyUndo => include_str!("../../../man/regctl-cleanup-policy-undo.1"),
            Self::Du => include_str!("../../../man/regctl-du.1"),
            Self::GenerateSecrets => include_str!("../../../man/regctl-generate-secrets.1"),
            Self::CheckConfig => include_str!("../../../man/regctl-check-config.1"),
            Self::ShowConfig => include_str!("../../../man/regctl-show-config.1"),
            Self::DiffConfig => include_str!("../../../man/regctl-diff-config.1"),
            Self::InstanceToml => include_str!("../../../man/instance.toml.5"),
            Self::Registry => include_str!("../../../man/regctl-registry.1"),
            Self::RegistryGarbageCollect => {
                include_str!("../../../man/regctl-registry-garbage-collect.1")
            }
            Self::MigrateStorage => include_str!("../../../man/regctl-migrate-storage.1"),
            Self::Verify => include_str!("../../../man/regctl-verify.1"),
            Self::RegistryServe => include_str!("../../../man/regctl-registry.serve.1"),
            Self::UpstreamGarbageCollect => {
                include_str!("../../../man/regctl-registry.garbage-collect.1")
            }
            Self::Completions => include_str!("../../../man/regctl-completions.1"),
            Self::Man => include_str!("../../../man/regctl-man.1"),
        }
    }
}

pub(crate) fn run(args: Args) -> Result<Report, Failure> {
    let Args { command } = args;
    let text = command.map_or(include_str!("../../../man/regctl.1"), Page::text);
    Ok(Report::file(text.to_owned()))
}

/// The files of an instance, for the section FILES.
const FILES: [(&str, &str); 7] = [
    ("/etc/regctl/instance.toml", "The one file to edit."),
    ("/etc/regctl/secrets.json", "Generated secrets; every node of a cluster has the same."),
    (
        "/var/opt/regctl/registry/config.yml",
        "The registry's configuration, rendered from instance.toml.",
    ),
    (
        "/etc/regctl/templates",
        "An administrator's own copies of templates; each takes the place of the built-in one.",
    ),
    (
        "/var/opt/regctl/nginx/conf/registry.conf",
        "The vhost in front of the registry, rendered from instance.toml.",
    ),
    (
        "/var/opt/regctl/storage",
        "The default folder for blobs, manifests and tags, in Docker Distribution's layout.",
    ),
    (
        "/etc/systemd/system/regctl.service",
        "The unit that starts the instance, rendered from instance.toml where systemd runs.",
    ),
];

/// The same for the commands of upstream.
const UPSTREAM_FILES: [(&str, &str); 1] =
    [("/etc/docker/registry/config.yml", "Where Docker Distribution 2.8 is used to have it.")];

/// The variables that are read, for the section ENVIRONMENT.
const ENVIRONMENT: [(&str, &str); 5] = [
    ("REGCTL_ROOT", "The root of the instance, unless --root names one."),
    ("SVWAIT", "How many seconds `start`, `stop` and `restart` wait, unless --wait says so."),
    ("NO_COLOR", "Set and not empty: no color."),
    ("REGISTRY_CONFIGURATION_PATH", "The config.yml of `registry serve`, when none is named."),
    ("REGISTRY_*", "`registry serve` only: each overrides a key of config.yml."),
];

/// The exit codes, for the section EXIT STATUS.
const EXITS: [(&str, &str); 9] = [
    ("0", "Done."),
    ("1", "Not done."),
    ("2", "The command line is wrong."),
    ("3", "A service does not run that should, or that was asked for by name."),
    ("4", "There is no such service, or no supervisor runs."),
    ("5", "Done, with findings that need a look."),
    ("75", "Another command holds a lock; the message says which one, and since when."),
    ("77", "Permission denied."),
    ("78", "The configuration is invalid, or there is none."),
];

/// The page of upstream's program, and how those of its commands begin.
const UPSTREAM: &str = "regctl-registry";
const UPSTREAM_COMMAND: &str = "regctl-registry.";

/// Why no writer here returns an error.
pub(super) const NEVER: &str = "writing to memory cannot fail";

/// Generates every page from the command line's definition.
pub(crate) fn generate(mut command: Command) -> Vec<(String, Vec<u8>)> {
    command.build();
    let mut pages = Vec::new();
    add_pages(&command, "regctl", &mut pages);
    pages.push(("instance.toml.5".to_owned(), instance_toml_page::page()));
    pages
}

fn add_pages(command: &Command, name: &str, pages: &mut Vec<(String, Vec<u8>)>) {
    pages.push((format!("{name}.1"), page(command, name)));
    let is_shown = |child: &&Command| child.get_name() != "help" && !child.is_hide_set();
    for child in command.get_subcommands().filter(is_shown) {
        add_pages(child, &page_name(name, child), pages);
    }
}

/// The name of a command's page. Commands of upstream's program may be called as some of regctl's own are.
fn page_name(parent: &str, child: &Command) -> String {
    let between = if parent == UPSTREAM { '.' } else { '-' };
    format!("{parent}{between}{}", child.get_name())
}

fn page(command: &Command, name: &str) -> Vec<u8> {
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    // The title of a page is the name that `man` finds it by.
    let command = command.clone().name(name.to_owned()).display_name(name.to_owned());
    let commands = commands_section(&command);
    let man = Man::new(command).title(name).manual("regctl").date("");
    let mut page = Vec::new();
    man.render_title(&mut page).expect(NEVER);
    man.render_name_section(&mut page).expect(NEVER);
    man.render_synopsis_section(&mut page).expect(NEVER);
    man.render_description_section(&mut page).expect(NEVER);
    man.render_options_section(&mut page).expect(NEVER);
    page.extend(commands.into_bytes());
    page.extend(examples_section(&examples).into_bytes());
    let (lead, files): (_, &[_]) = if name == UPSTREAM || name.starts_with(UPSTREAM_COMMAND) {
        ("No file of an instance is read.", &UPSTREAM_FILES)
    } else {
        ("All of them are under the root that --root names.", &FILES)
    };
    page.extend(table_section("ENVIRONMENT", "", &ENVIRONMENT).into_bytes());
    page.extend(table_section("FILES", lead, files).into_bytes());
    page.extend(table_section("EXIT STATUS", "", &EXITS).into_bytes());
    page
}

/// Lists the commands that have a page.
fn commands_section(command: &Command) -> String {
    let name = command.get_name();
    let row = |child: &Command| {
        let about = child.get_about().map(ToString::to_string).unwrap_or_default();
        (format!("{}(1)", page_name(name, child)), about)
    };
    let children = command.get_subcommands().filter(|child| child.get_name() != "help");
    let rows: Vec<_> = children.map(row).collect();
    let rows: Vec<_> = rows.iter().map(|(page, about)| (page.as_str(), about.as_str())).collect();
    if rows.is_empty() { String::new() } else { table_section("COMMANDS", "", &rows) }
}

fn examples_section(after_help: &str) -> String {
    let mut section = String::from(".SH EXAMPLES\n.nf\n");
    for line in after_help.lines().filter(|line| line.starts_with(' ')) {
        writeln!(section, "{}", escaped(line.trim())).expect(NEVER);
    }
    section.push_str(".fi\n");
    section
}

pub(super) fn table_section(title: &str, lead: &str, rows: &[(&str, &str)]) -> String {
    let mut section = format!(".SH {title:?}\n");
    if !lead.is_empty() {
        writeln!(section, "{}", escaped(lead)).expect(NEVER);
    }
    for (term, meaning) in rows {
        writeln!(section, ".TP\n\\fB{}\\fR\n{}", escaped(term), escaped(meaning)).expect(NEVER);
    }
    section
}

/// Escapes a line for roff.
pub(super) fn escaped(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    match line.starts_with(['.', '\'']) {
        true => format!("\\&{line}"),
        false => line,
    }
}
