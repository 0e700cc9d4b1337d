//! How commands end: documented codes, and the one place that chooses among them.

use std::{
    error::Error as StdError,
    fmt,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    process::ExitCode,
};

use registry::OpenError;

use crate::{
    config::{Invalid, load, nearest},
    output::Verdict,
    reconfigure::{
        self, AccountsError, ApplyError, CertificatesError, DesiredError, GenerateError,
        HandoverError, InitError, NginxError, ReadOnlyError, StorageFolderError, SystemError,
        TrustError,
    },
    state::{ServiceName, holds, journal, lock, secrets, services, users},
    supervise::{self, ActError, AskError, LogError, ReloadError, ServiceError, SupervisorError},
    sys::fs,
};

/// The exit codes of regctl, as its man page lists them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// Not done.
    Failed = 1,
    /// The command line was wrong. Clap says it; regctl says it of values.
    Usage = 2,
    /// A service does not run.
    NotRunning = 3,
    /// There is no such service, or no supervisor.
    NoService = 4,
    /// Done, with findings that need a look.
    Findings = 5,
    /// Somebody else holds a lock.
    Locked = 75,
    /// Permission denied.
    Permission = 77,
    /// The configuration is invalid.
    ConfigInvalid = 78,
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Good => Self::Done,
            Verdict::Findings => Self::Findings,
            Verdict::NotRunning => Self::NotRunning,
            Verdict::NotDone => Self::Failed,
            Verdict::ConfigInvalid => Self::ConfigInvalid,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A value on the command line that clap cannot check.
    Usage(String),
    /// There is no `instance.toml`.
    NoInstance(PathBuf),
    /// `instance.toml` has problems.
    Config(Invalid),
    /// `instance.toml` is there and must not be overwritten.
    InstanceExists(PathBuf),
    /// A starter from the command line's values would not be a good `instance.toml`.
    Starter(Invalid),
    /// The registry is switched off.
    Disabled(PathBuf),
    /// No port was free.
    NoFreePort(u16),
    File(fs::Error),
    Secrets(secrets::Error),
    Lock(lock::Error),
    /// `secrets.json` is there and must not be overwritten.
    SecretsExist(PathBuf),
    /// It is not known what the files should be.
    Desired(DesiredError),
    /// The files are not as they should be.
    Apply(ApplyError),
    /// Read-only is not switched, or not everywhere.
    ReadOnly(ReadOnlyError),
    Serve(supervise::Error),
    /// The services do not serve as configured.
    Act(reconfigure::Error),
    /// A service did not come up.
    Start(ActError),
    /// There is no supervisor.
    Supervisor(SupervisorError),
    /// The supervisor does not answer, or refuses.
    Ask(AskError),
    /// No service has this name.
    UnknownService(String),
    /// The settings say that the service does not run.
    ServiceDisabled {
        service: ServiceName,
        instance_toml: PathBuf,
    },
    /// The running registry did not take its configuration.
    Reload(ReloadError),
    /// It is not known which services there are.
    Services(services::Error),
    /// The process of a service.
    Service(ServiceError),
    /// The process of a log.
    Log(LogError),
    /// The instance has no users of its own, because nobody must be one.
    NoUsers(PathBuf),
    /// The instance has no users of its own: another server issues tokens.
    UsersElsewhere(PathBuf),
    Users(users::Error),
    /// What was asked for cannot be read.
    Input(io::Error),
    /// Stdout cannot be written.
    Output(io::Error),
}

impl Failure {
    /// Chooses the exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::NoInstance(_) | Self::Config(_) => Exit::ConfigInvalid,
            Self::Starter(_) => Exit::Usage,
            Self::File(error) => denied(error.kind()),
            Self::Secrets(error) => secrets_exit(error),
            Self::Lock(lock::Error::Held { .. }) => Exit::Locked,
            Self::Lock(lock::Error::File(error)) => denied(error.kind()),
            Self::Desired(error) => desired_exit(error),
            Self::Apply(error) => apply_exit(error),
            Self::ReadOnly(error) => read_only_exit(error),
            Self::Serve(error) => serve_exit(error),
            Self::Act(error) => caused(error, Exit::Failed),
            Self::Start(error) => caused(error, Exit::Failed),
            Self::Supervisor(error) => supervisor_exit(error),
            Self::Ask(error) => ask_exit(error),
            Self::UnknownService(_) => Exit::NoService,
            Self::Reload(error) => reload_exit(error),
            Self::Services(error) => services_exit(error),
            Self::Service(error) => service_exit(error),
            Self::Log(error) => caused(error, Exit::Failed),
            Self::Users(error) => users_exit(error),
            Self::InstanceExists(_)
            | Self::ServiceDisabled { .. }
            | Self::Disabled(_)
            | Self::NoFreePort(_)
            | Self::SecretsExist(_)
            | Self::NoUsers(_)
            | Self::UsersElsewhere(_)
            | Self::Input(_)
            | Self::Output(_) => Exit::Failed,
        }
    }

    /// Returns what helps, when that is known.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::NoInstance(_) => {
                Some("`regctl init` writes one, `regctl run` writes one and starts it".to_owned())
            }
            Self::InstanceExists(_) => Some(
                "edit it, or move it away to start over; `regctl check-config` checks it"
                    .to_owned(),
            ),
            Self::Disabled(path) => {
                Some(format!("set `enable = true` in [registry] of `{}`", path.display()))
            }
            Self::Ask(AskError::NotRunning) => Some("start with 'regctl run'".to_owned()),
            Self::Ask(_) if self.exit() == Exit::Permission => {
                Some("only root and the supervisor's own user may ask it".to_owned())
            }
            Self::UnknownService(name) => Some(service_hint(name)),
            Self::ServiceDisabled { service, instance_toml } => {
                Some(enable_hint(*service, instance_toml))
            }
            Self::Services(services::Error::Missing(_)) => {
                Some("`regctl reconfigure` writes it".to_owned())
            }
            Self::NoFreePort(_) => Some("choose an address with --http-addr".to_owned()),
            Self::Serve(error) => serve_hint(error),
            Self::SecretsExist(_) => {
                Some("move it away first; uploads under way and all nodes depend on it".to_owned())
            }
            Self::Secrets(secrets::Error::Exposed { path, .. }) => {
                Some(format!("chmod 0600 {}", path.display()))
            }
            Self::ReadOnly(ReadOnlyError::Held(_)) => {
                Some("it ends with that command; `regctl set-readonly status` shows it".to_owned())
            }
            Self::ReadOnly(ReadOnlyError::Unpatchable(_)) => {
                Some("set the key in instance.toml, and `regctl reconfigure`".to_owned())
            }
            Self::ReadOnly(ReadOnlyError::Tell { .. }) => {
                Some("it takes effect at the next start".to_owned())
            }
            Self::Desired(DesiredError::Trust(TrustError::Writable { path, .. })) => {
                Some(format!("chown root {path} && chmod go-w {path}", path = path.display()))
            }
            Self::Desired(DesiredError::Storage(error)) => error.hint(),
            Self::Desired(DesiredError::Accounts(error)) => error.hint(),
            Self::Secrets(secrets::Error::Half { .. } | secrets::Error::Unfit { .. }) => Some(
                "remove both halves of the pair from the file, and `regctl reconfigure` makes a new one; GitLab needs its key then"
                    .to_owned(),
            ),
            Self::Desired(DesiredError::Certificates(error)) => certificate_hint(error),
            Self::Desired(DesiredError::OpenTemplate) => Some(
                "copy the built-in one anew: `regctl reconfigure --print-template config.yml.j2`"
                    .to_owned(),
            ),
            Self::NoUsers(path) => Some(format!(
                "add the line [registry.auth.htpasswd] to `{}`, then `regctl reconfigure`",
                path.display()
            )),
            Self::Users(users::Error::Exists(name)) => {
                Some(format!("a new password needs consent: `regctl user add {name} --replace`"))
            }
            Self::Desired(DesiredError::System(error)) if error.hint().is_some() => {
                error.hint().map(ToOwned::to_owned)
            }
            Self::Lock(lock::Error::Held { .. })
            | Self::Users(users::Error::Lock(lock::Error::Held { .. })) => {
                Some("wait for it with --wait DURATION".to_owned())
            }
            _ if self.exit() == Exit::Permission => Some(
                "run it as root, or give a folder of your own: --root DIR needs no root rights"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

fn denied(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Exit::Permission,
        _ => Exit::Failed,
    }
}

fn secrets_exit(error: &secrets::Error) -> Exit {
    match error {
        secrets::Error::File(error) => denied(error.kind()),
        secrets::Error::Malformed { .. }
        | secrets::Error::Empty { .. }
        | secrets::Error::NoText { .. }
        | secrets::Error::Half { .. }
        | secrets::Error::Unfit { .. }
        | secrets::Error::Exposed { .. }
        | secrets::Error::Random(_)
        | secrets::Error::Pair(_) => Exit::Failed,
    }
}

fn users_exit(error: &users::Error) -> Exit {
    match error {
        users::Error::File(error) | users::Error::Lock(lock::Error::File(error)) => {
            denied(error.kind())
        }
        users::Error::Lock(lock::Error::Held { .. }) => Exit::Locked,
        users::Error::Exists(_)
        | users::Error::Missing(_)
        | users::Error::Wrong(_)
        | users::Error::Useless { .. }
        | users::Error::Hash(_) => Exit::Failed,
    }
}

fn certificate_hint(error: &CertificatesError) -> Option<String> {
    match error {
        CertificatesError::NoPair { .. } | CertificatesError::HalfPair { .. } => Some(
            "put the certificate, with its chain, and the key there (an authority such as Let's Encrypt gives both), \
             or name others with `ssl_certificate` and `ssl_certificate_key` in [registry.nginx]; \
             write `listen_https = false` there if another proxy ends TLS"
                .to_owned(),
        ),
        _ => None,
    }
}

/// What the files are made from is the administrator's to mend.
fn desired_exit(error: &DesiredError) -> Exit {
    match error {
        DesiredError::Load(load::Error::File(error))
        | DesiredError::Trust(TrustError::File(error))
        | DesiredError::Nginx(NginxError::File(error))
        | DesiredError::Certificates(CertificatesError::File(error))
        | DesiredError::Handover(HandoverError::File(error)) => denied(error.kind()),
        DesiredError::Secrets(error) => secrets_exit(error),
        DesiredError::Journal(error) => journal_exit(error),
        DesiredError::Load(load::Error::Missing(_) | load::Error::Invalid(_))
        | DesiredError::Trust(TrustError::Writable { .. })
        | DesiredError::Render(_)
        | DesiredError::Registry(_)
        | DesiredError::OpenTemplate
        | DesiredError::Certificates(
            CertificatesError::NoPair { .. }
            | CertificatesError::HalfPair { .. }
            | CertificatesError::Unfit(_)
            | CertificatesError::Missing { .. }
            | CertificatesError::NoBundle(_),
        )
        | DesiredError::Handover(HandoverError::NoGroup(_) | HandoverError::NoFolder(_))
        | DesiredError::Nginx(NginxError::Render(_) | NginxError::Refused(_)) => {
            Exit::ConfigInvalid
        }
        DesiredError::Holds(error) => holds_exit(error),
        DesiredError::Accounts(error) => accounts_exit(error),
        DesiredError::System(error) => system_exit(error),
        DesiredError::Storage(error) => match error.as_ref() {
            StorageFolderError::File(error) => denied(error.kind()),
            StorageFolderError::Groups { .. }
            | StorageFolderError::Closed { .. }
            | StorageFolderError::OutOfReach { .. }
            | StorageFolderError::Unmanaged { .. } => Exit::Failed,
        },
        DesiredError::Nginx(NginxError::Run { .. })
        | DesiredError::Handover(HandoverError::Group { .. }) => Exit::Failed,
    }
}

/// A name or an id that does not fit this host is the configuration's; a tool that fails is not.
fn accounts_exit(error: &AccountsError) -> Exit {
    match error {
        AccountsError::OtherId { .. }
        | AccountsError::TakenId { .. }
        | AccountsError::Unmanaged { .. }
        | AccountsError::NoLogGroup(_) => Exit::ConfigInvalid,
        AccountsError::Lookup { .. }
        | AccountsError::NoTool { .. }
        | AccountsError::Run { .. }
        | AccountsError::Refused { .. }
        | AccountsError::Vanished { .. } => Exit::Failed,
    }
}

fn system_exit(error: &SystemError) -> Exit {
    match error {
        SystemError::File(error) | SystemError::Trust(TrustError::File(error)) => {
            denied(error.kind())
        }
        SystemError::Trust(TrustError::Writable { .. }) | SystemError::Foreign(_) => {
            Exit::ConfigInvalid
        }
        SystemError::Program(_)
        | SystemError::NoSystemctl
        | SystemError::Run { .. }
        | SystemError::Refused { .. } => Exit::Failed,
    }
}

fn holds_exit(error: &holds::Error) -> Exit {
    match error {
        holds::Error::File(error) => denied(error.kind()),
        holds::Error::Busy { .. } => Exit::Locked,
        holds::Error::Malformed { .. } | holds::Error::Foreign { .. } | holds::Error::Name(_) => {
            Exit::Failed
        }
    }
}

fn read_only_exit(error: &ReadOnlyError) -> Exit {
    match error {
        ReadOnlyError::File(error) => denied(error.kind()),
        ReadOnlyError::Holds(error) => holds_exit(error),
        ReadOnlyError::Tell { source, .. } => denied(source.kind()),
        ReadOnlyError::Edit { .. } => Exit::ConfigInvalid,
        ReadOnlyError::Trust(_)
        | ReadOnlyError::Load(_)
        | ReadOnlyError::Lock(_)
        | ReadOnlyError::Apply(_)
        | ReadOnlyError::Held(_)
        | ReadOnlyError::Unpatchable(_) => Exit::Failed,
    }
}

fn journal_exit(error: &journal::Error) -> Exit {
    match error {
        journal::Error::File(error) => denied(error.kind()),
        journal::Error::Malformed { .. } | journal::Error::Foreign { .. } => Exit::Failed,
    }
}

fn apply_exit(error: &ApplyError) -> Exit {
    match error {
        ApplyError::File(error) | ApplyError::Begun(error) => denied(error.kind()),
        ApplyError::Journal(error) => journal_exit(error),
        ApplyError::Random(_) => Exit::Failed,
    }
}

fn serve_exit(error: &supervise::Error) -> Exit {
    match error {
        supervise::Error::Config(source) => caused(source.as_ref(), Exit::ConfigInvalid),
        supervise::Error::Listen { source, .. } => denied(source.kind()),
        supervise::Error::Open(source) => caused(source.as_ref(), open_exit(source.as_ref())),
        supervise::Error::Runtime(_) | supervise::Error::Run(_) => Exit::Failed,
    }
}

/// Files of passwords and keys are configuration; what holds the data is not.
fn open_exit(error: &(dyn StdError + 'static)) -> Exit {
    match error.downcast_ref() {
        Some(OpenError::Auth(_)) => Exit::ConfigInvalid,
        Some(OpenError::Storage(_) | OpenError::AccessLog(_)) | None => Exit::Failed,
    }
}

fn supervisor_exit(error: &SupervisorError) -> Exit {
    match error {
        SupervisorError::Running(_) => Exit::Locked,
        SupervisorError::Services(services::Error::Missing(_)) => Exit::ConfigInvalid,
        SupervisorError::File(_)
        | SupervisorError::Services(_)
        | SupervisorError::Socket(_)
        | SupervisorError::Process(_) => caused(error, Exit::Failed),
    }
}

fn ask_exit(error: &AskError) -> Exit {
    match error {
        AskError::NotRunning => Exit::NoService,
        AskError::Socket(error) => denied(error.kind()),
        AskError::Silent | AskError::Answer(_) | AskError::Refused(_) => Exit::Failed,
    }
}

fn reload_exit(error: &ReloadError) -> Exit {
    match error {
        ReloadError::Tell(error) => denied(error.kind()),
        ReloadError::Invalid(_) => Exit::ConfigInvalid,
        ReloadError::Answer { .. } => Exit::Failed,
    }
}

fn services_exit(error: &services::Error) -> Exit {
    match error {
        services::Error::Missing(_) => Exit::ConfigInvalid,
        services::Error::File(_)
        | services::Error::Malformed { .. }
        | services::Error::Schema { .. } => caused(error, Exit::Failed),
    }
}

/// Says which services there are, the one that was perhaps meant first.
fn service_hint(name: &str) -> String {
    let names = ServiceName::ALL.map(ServiceName::as_str);
    let known = format!("the services are {}", names.join(" and "));
    match nearest(name, names) {
        Some(nearest) => format!("did you mean `{nearest}`? {known}"),
        None => known,
    }
}

fn enable_hint(service: ServiceName, instance_toml: &Path) -> String {
    let keys = match service {
        ServiceName::Registry => "set `enable = true` in [registry]",
        ServiceName::Nginx => {
            "set `registry_external_url`, and `enable = true` in [registry.nginx],"
        }
    };
    format!("{keys} of `{}`, then `regctl reconfigure`", instance_toml.display())
}

fn service_exit(error: &ServiceError) -> Exit {
    match error {
        ServiceError::Serve(error) => serve_exit(error),
        ServiceError::Services(_)
        | ServiceError::Process(_)
        | ServiceError::Account { .. }
        | ServiceError::NoNginx
        | ServiceError::Nginx(_) => caused(error, Exit::Failed),
    }
}

/// What was not permitted somewhere below is that, and everything else is `otherwise`.
fn caused(error: &(dyn StdError + 'static), otherwise: Exit) -> Exit {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && denied(error.kind()) == Exit::Permission
        {
            return Exit::Permission;
        }
        cause = error.source();
    }
    otherwise
}

fn serve_hint(error: &supervise::Error) -> Option<String> {
    match error {
        supervise::Error::Listen { key, source, .. } if source.kind() == ErrorKind::AddrInUse => {
            Some(format!("stop what listens there, or change {key}"))
        }
        _ => None,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message),
            Self::NoInstance(path) => {
                write!(f, "there is no instance: `{}` does not exist", path.display())
            }
            Self::Config(invalid) => invalid.fmt(f),
            Self::InstanceExists(path) => {
                write!(f, "`{}` exists and is never overwritten", path.display())
            }
            Self::Starter(invalid) => {
                f.write_str("these values make no good instance.toml; nothing was written")?;
                invalid.problems.iter().try_for_each(|problem| write!(f, "\n  {}", problem.message))
            }
            Self::Disabled(path) => {
                write!(
                    f,
                    "`registry.enable = false` in `{}`: there is nothing to run",
                    path.display()
                )
            }
            Self::NoFreePort(first) => write!(f, "no port is free from {first} upwards"),
            Self::File(error) => chain(f, error),
            Self::Secrets(error) => chain(f, error),
            Self::SecretsExist(path) => {
                write!(f, "`{}` exists and is never overwritten", path.display())
            }
            Self::Lock(error) => chain(f, error),
            Self::Desired(error) => chain(f, error),
            Self::Apply(error) => chain(f, error),
            Self::ReadOnly(error) => chain(f, error),
            Self::Serve(error) => chain(f, error),
            Self::Act(error) => chain(f, error),
            Self::Start(error) => chain(f, error),
            Self::Supervisor(error) => chain(f, error),
            Self::Ask(error) => chain(f, error),
            Self::UnknownService(name) => write!(f, "there is no service `{name}`"),
            Self::ServiceDisabled { service, .. } => {
                write!(f, "{service} is disabled by its settings")
            }
            Self::Reload(error) => chain(f, error),
            Self::Services(error) => chain(f, error),
            Self::Service(error) => chain(f, error),
            Self::Log(error) => chain(f, error),
            Self::NoUsers(path) => {
                write!(f, "the registry of `{}` asks nobody who they are", path.display())
            }
            Self::UsersElsewhere(path) => write!(
                f,
                "the registry of `{}` takes tokens: its users are those of the server that issues them",
                path.display()
            ),
            Self::Users(error) => chain(f, error),
            Self::Input(error) => write!(f, "failed to read the password: {error}"),
            Self::Output(error) => write!(f, "failed to write to stdout: {error}"),
        }
    }
}

/// Writes an error with its causes, each of which speaks for its own layer.
fn chain(f: &mut fmt::Formatter<'_>, error: &dyn StdError) -> fmt::Result {
    write!(f, "{error}")?;
    let mut source = error.source();
    while let Some(cause) = source {
        write!(f, ": {cause}")?;
        source = cause.source();
    }
    Ok(())
}

impl From<load::Error> for Failure {
    fn from(error: load::Error) -> Self {
        match error {
            load::Error::Missing(path) => Self::NoInstance(path),
            load::Error::File(error) => Self::File(error),
            load::Error::Invalid(invalid) => Self::Config(invalid),
        }
    }
}

impl From<fs::Error> for Failure {
    fn from(error: fs::Error) -> Self {
        Self::File(error)
    }
}

impl From<secrets::Error> for Failure {
    fn from(error: secrets::Error) -> Self {
        Self::Secrets(error)
    }
}

impl From<users::Error> for Failure {
    fn from(error: users::Error) -> Self {
        Self::Users(error)
    }
}

impl From<lock::Error> for Failure {
    fn from(error: lock::Error) -> Self {
        Self::Lock(error)
    }
}

impl From<DesiredError> for Failure {
    fn from(error: DesiredError) -> Self {
        match error {
            DesiredError::Load(error) => error.into(),
            DesiredError::Secrets(error) => error.into(),
            error => Self::Desired(error),
        }
    }
}

impl From<reconfigure::Error> for Failure {
    fn from(error: reconfigure::Error) -> Self {
        match error {
            reconfigure::Error::Desired(error) => error.into(),
            reconfigure::Error::Lock(error) => error.into(),
            reconfigure::Error::Accounts(error) => Self::Desired(error.into()),
            reconfigure::Error::System(error) => Self::Desired(error.into()),
            reconfigure::Error::Apply(error) => Self::Apply(error),
            error @ (reconfigure::Error::Services(_)
            | reconfigure::Error::RolledBack(_)
            | reconfigure::Error::NotRolledBack { .. }) => Self::Act(error),
        }
    }
}

impl From<ReadOnlyError> for Failure {
    fn from(error: ReadOnlyError) -> Self {
        match error {
            ReadOnlyError::Load(error) => error.into(),
            ReadOnlyError::Lock(error) => error.into(),
            ReadOnlyError::Apply(error) => Self::Apply(error),
            ReadOnlyError::Trust(error) => Self::Desired(error.into()),
            error => Self::ReadOnly(error),
        }
    }
}

impl From<supervise::Error> for Failure {
    fn from(error: supervise::Error) -> Self {
        Self::Serve(error)
    }
}

impl From<InitError> for Failure {
    fn from(error: InitError) -> Self {
        match error {
            InitError::Exists(path) => Self::InstanceExists(path),
            InitError::NoFreePort(first) => Self::NoFreePort(first),
            InitError::Starter(invalid) => Self::Starter(invalid),
            InitError::Render(error) => Self::Desired(error.into()),
            InitError::Lock(error) => Self::Lock(error),
            InitError::File(error) => Self::File(error),
        }
    }
}

impl From<GenerateError> for Failure {
    fn from(error: GenerateError) -> Self {
        match error {
            GenerateError::Exists(path) => Self::SecretsExist(path),
            GenerateError::Secrets(error) => Self::Secrets(error),
            GenerateError::Lock(error) => Self::Lock(error),
            GenerateError::File(error) => Self::File(error),
        }
    }
}

impl From<SupervisorError> for Failure {
    fn from(error: SupervisorError) -> Self {
        Self::Supervisor(error)
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        Self::Ask(error)
    }
}

impl From<ReloadError> for Failure {
    fn from(error: ReloadError) -> Self {
        Self::Reload(error)
    }
}

impl From<services::Error> for Failure {
    fn from(error: services::Error) -> Self {
        Self::Services(error)
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}
