//! One file per command: its arguments, one call, and its report. Commands compose the rest and never each
//! other.

pub(crate) mod check_config;
mod cleaned;
pub(crate) mod cleanup_policy;
mod cleanup_tags;
mod collected_after;
mod collection;
pub(crate) mod completions;
pub(crate) mod diff_config;
pub(crate) mod du;
pub(crate) mod events;
mod facts;
mod fills;
mod garbage_collect;
pub(crate) mod generate_secrets;
pub(crate) mod graceful_kill;
mod held;
pub(crate) mod hup;
pub(crate) mod init;
mod instance_toml_page;
pub(crate) mod int;
pub(crate) mod internal;
pub(crate) mod kill;
pub(crate) mod man;
pub(crate) mod migrate_storage;
mod migrated;
mod migrating;
mod migration;
mod moving;
pub(crate) mod once;
mod policies;
pub(crate) mod reconfigure;
pub(crate) mod registry;
pub(crate) mod registry_garbage_collect;
mod remembered;
pub(crate) mod restart;
pub(crate) mod run;
mod selection;
pub(crate) mod service_list;
mod services;
pub(crate) mod set_readonly;
pub(crate) mod show_config;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod supervise;
pub(crate) mod tail;
mod telling;
pub(crate) mod term;
mod trial;
mod usage;
pub(crate) mod user;
mod verification;
mod verified;
pub(crate) mod verify;
mod waiting;

use clap::Subcommand;

use crate::{
    config::load::Environment,
    exit::Failure,
    output::{Printer, Report},
    state::Layout,
};

/// What every command is given: the instance's layout, the way out, and the environment.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) layout: Layout,
    pub(crate) printer: Printer,
    pub(crate) environment: Environment,
}

/// The commands, in the order of help.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(init::Args),
    Run(run::Args),
    Supervise(supervise::Args),
    Status(status::Args),
    ServiceList(service_list::Args),
    Start(start::Args),
    Stop(stop::Args),
    Restart(restart::Args),
    Once(once::Args),
    Hup(hup::Args),
    Term(term::Args),
    Int(int::Args),
    Kill(kill::Args),
    GracefulKill(graceful_kill::Args),
    Tail(tail::Args),
    Reconfigure(reconfigure::Args),
    SetReadonly(set_readonly::Args),
    RegistryGarbageCollect(registry_garbage_collect::Args),
    MigrateStorage(migrate_storage::Args),
    Verify(verify::Args),
    CleanupPolicy(cleanup_policy::Args),
    Du(du::Args),
    User(user::Args),
    Events(events::Args),
    GenerateSecrets(generate_secrets::Args),
    CheckConfig(check_config::Args),
    ShowConfig(show_config::Args),
    DiffConfig(diff_config::Args),
    Registry(registry::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// Runs a command.
pub(crate) fn run(command: Command, context: &Context) -> Result<Report, Failure> {
    match command {
        Command::Init(args) => init::run(args, context),
        Command::Run(args) => run::run(args, context),
        Command::Supervise(args) => supervise::run(args, context),
        Command::Status(args) => status::run(args, context),
        Command::ServiceList(args) => service_list::run(args, context),
        Command::Start(args) => start::run(args, context),
        Command::Stop(args) => stop::run(args, context),
        Command::Restart(args) => restart::run(args, context),
        Command::Once(args) => once::run(args, context),
        Command::Hup(args) => hup::run(args, context),
        Command::Term(args) => term::run(args, context),
        Command::Int(args) => int::run(args, context),
        Command::Kill(args) => kill::run(args, context),
        Command::GracefulKill(args) => graceful_kill::run(args, context),
        Command::Tail(args) => tail::run(args, context),
        Command::Reconfigure(args) => reconfigure::run(args, context),
        Command::SetReadonly(args) => set_readonly::run(args, context),
        Command::RegistryGarbageCollect(args) => registry_garbage_collect::run(args, context),
        Command::MigrateStorage(args) => migrate_storage::run(args, context),
        Command::Verify(args) => verify::run(&args, context),
        Command::CleanupPolicy(args) => cleanup_policy::run(args, context),
        Command::Du(args) => du::run(&args, context),
        Command::User(args) => user::run(args, context),
        Command::Events(args) => events::run(args, context),
        Command::GenerateSecrets(args) => generate_secrets::run(args, context),
        Command::CheckConfig(args) => check_config::run(args, context),
        Command::ShowConfig(args) => show_config::run(args, context),
        Command::DiffConfig(args) => diff_config::run(args, context),
        Command::Registry(args) => registry::run(args, context),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}
