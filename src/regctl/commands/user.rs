//! `regctl user`: the users of `[registry.auth.htpasswd]`.

use std::{fmt, path::Path};

use clap::Subcommand;
use serde::Serialize;

use super::{
    Context,
    waiting::{self, Waiting},
};
use crate::{
    config::{instance::Auth, load},
    exit::Failure,
    output::{self, Document, Report, Typed, Verdict},
    state::users::{self, Editing, Password, Place, UserName},
    sys::stdin,
};

/// Add, remove, list and check the users of [registry.auth.htpasswd]
///
/// They stand in a file as `htpasswd -B` writes it, which may be edited by that program too. The registry reads
/// it again when it changes: nothing is restarted.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl user add ann
  pwgen 20 1 | tee ann.txt | regctl user add ann --password-stdin
  regctl user list")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a user, or give one a new password
    ///
    /// The password is asked for twice, or read from stdin. It never stands on the command line, where every
    /// user of this machine could read it.
    #[command(after_help = "\
Examples:
  regctl user add ann
  regctl user add ann --replace
  regctl user add ci --password-stdin < password.txt")]
    Add {
        #[command(flatten)]
        user: User,
        /// Give a user that exists a new password
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Remove a user
    #[command(after_help = "\
Examples:
  regctl user remove ann")]
    Remove {
        /// The user's name
        #[arg(value_name = "NAME")]
        name: UserName,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// List the users, and the lines of the file by which nobody gets in
    ///
    /// Exits 5 when there are such lines.
    #[command(after_help = "\
Examples:
  regctl user list
  regctl user list --json | jq -r '.users[].name'")]
    List,
    /// Check a user's password
    ///
    /// Exits 0 when it is right, and 1 when it is not or there is no such user.
    #[command(after_help = "\
Examples:
  regctl user check ann
  regctl user check ci --password-stdin < password.txt")]
    Check {
        #[command(flatten)]
        user: User,
    },
}

/// A user and a password.
#[derive(Debug, clap::Args)]
struct User {
    /// The user's name, without a colon
    #[arg(value_name = "NAME")]
    name: UserName,
    /// Read the password from stdin
    #[arg(long)]
    password_stdin: bool,
}

/// What happened to a user.
#[derive(Debug, Serialize)]
struct Changed<'a> {
    user: String,
    change: &'static str,
    file: &'a Path,
}

/// The users of the file.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    file: &'a Path,
    users: Vec<Row>,
}

/// One line of the file.
#[derive(Debug, Serialize)]
struct Row {
    /// None: the line is none of a user.
    name: Option<String>,
    line: usize,
    /// Why nobody gets in by it.
    problem: Option<&'static str>,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let place = place(context)?;
    let report = |name: &UserName, change| {
        Report::good(&Changed { user: name.to_string(), change, file: &place.path })
    };
    match args.command {
        Command::Add { user, replace, waiting } => {
            let existed = add(&place, &user, replace, waiting, context)?;
            Ok(report(&user.name, if existed { "has a new password" } else { "added" }))
        }
        Command::Remove { name, waiting } => {
            edit(&place, "user remove", waiting, context)?.remove(&name)?;
            Ok(report(&name, "removed"))
        }
        Command::List => list(&place.path),
        Command::Check { user } => {
            let users = users::load(&place.path)?;
            let password = password(&user, Typed::Once)?;
            users.check(&user.name, &password)?;
            Ok(report(&user.name, "the password is right"))
        }
    }
}

/// Returns where the users stand.
fn place(context: &Context) -> Result<Place, Failure> {
    let instance_toml = context.layout.instance_toml();
    let registry = load::load(&instance_toml)?.instance.registry;
    match registry.auth {
        Auth::Htpasswd { path, .. } => Ok(Place {
            path: context.layout.resolve(&path),
            group: registry.account.group,
            is_account_named: registry.account.is_named,
        }),
        Auth::Token(_) => Err(Failure::UsersElsewhere(instance_toml)),
        Auth::None | Auth::Silly { .. } => Err(Failure::NoUsers(instance_toml)),
    }
}

fn edit<'a>(
    place: &'a Place,
    command: &str,
    waiting: Waiting,
    context: &Context,
) -> Result<Editing<'a>, Failure> {
    let claim = waiting.claim(command);
    let waits = waiting::announce(context.printer);
    Ok(Editing::begin(&context.layout, place, claim.command, claim.patience, waits)?)
}

/// Returns whether the user existed before.
fn add(
    place: &Place,
    user: &User,
    replace: bool,
    waiting: Waiting,
    context: &Context,
) -> Result<bool, Failure> {
    let exists = || users::Error::Exists(user.name.clone());
    // Nobody types a password twice for nothing, and nobody waits for somebody who types.
    if !replace && users::load(&place.path)?.has(&user.name) {
        return Err(exists().into());
    }
    let password = password(user, Typed::Twice)?;
    let editing = edit(place, "user add", waiting, context)?;
    if !replace && editing.has(&user.name) {
        return Err(exists().into());
    }
    Ok(editing.set(&user.name, &password)?)
}

fn password(user: &User, typed: Typed) -> Result<Password, Failure> {
    let secret = match user.password_stdin {
        true => Some(stdin::secret().map_err(Failure::Input)?),
        false => output::password(&format!("Password of {}", user.name), typed)
            .map_err(Failure::Input)?,
    };
    let secret = secret.ok_or_else(|| {
        let message =
            "there is no terminal to ask for the password on: give it with --password-stdin";
        Failure::Usage(message.to_owned())
    })?;
    Password::new(secret).map_err(|reason| Failure::Usage(format!("the password {reason}")))
}

fn list(file: &Path) -> Result<Report, Failure> {
    let entries = users::load(file)?.entries().into_iter();
    let users: Vec<_> = entries
        .map(|entry| Row { name: entry.name, line: entry.line, problem: entry.problem })
        .collect();
    let useless = users.iter().any(|row| row.problem.is_some());
    let verdict = if useless { Verdict::Findings } else { Verdict::Good };
    Ok(Report::of(&Listed { file, users }, verdict))
}

impl Document for Changed<'_> {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Changed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, change, file } = self;
        writeln!(f, "{user}: {change} ({})", file.display())
    }
}

impl Document for Listed<'_> {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.users.is_empty() {
            return writeln!(f, "no users in {}", self.file.display());
        }
        for Row { name, line, problem } in &self.users {
            // What somebody else wrote may hold anything.
            let name = name.as_deref().map(|name| name.escape_debug().to_string());
            match (name, problem) {
                (Some(name), None) => writeln!(f, "{name}")?,
                (Some(name), Some(problem)) => writeln!(f, "{name}  (line {line}: {problem})")?,
                (None, problem) => writeln!(f, "(line {line}: {})", problem.unwrap_or_default())?,
            }
        }
        Ok(())
    }
}
