//! Why a command did not do what it was asked, from whichever layer that comes.

use std::{io, path::PathBuf};

use registry::{
    changes::Error as ChangesError,
    collect::Error as CollectError,
    migrate::Error as MigrateError,
    verify::{Error as VerifyError, MenderError, StateError},
};

use crate::{
    cleanup::RunsError,
    collect::PauseError,
    config::{Invalid, SwapError, load},
    reconfigure::{
        self, ApplyError, DesiredError, DisturbsError, GenerateError, InitError, ReadOnlyError,
    },
    state::{RecordError, ServiceName, holds, lock, secrets, services, users},
    supervise::{
        self, ActError, AskError, EventsError, LogError, ReloadError, ServiceError, SupervisorError,
    },
    sys::{
        fs,
        worker::{Ended, Error as WorkerError},
    },
};

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
    Holds(holds::Error),
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
    /// The change waits until somebody's work on the storage is done.
    Disturbs(DisturbsError),
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
    /// The running registry's events.
    Events(EventsError),
    /// The registry is not in the state in which its storage is worked on, or not back from there.
    Pause(PauseError),
    /// What came of the last collection, cleanup or migration is not known, or not written.
    Record(RecordError),
    /// What a run of policies has deleted is not known, or not written.
    Runs(RunsError),
    /// Tags are not changed.
    Changes(ChangesError),
    /// What works on the storage could not be run.
    Work(WorkerError),
    /// What works on the storage has not done it, and has said why.
    Worker(Ended),
    /// It is not known which services there are.
    Services(services::Error),
    /// There is no collection.
    Collect(CollectError),
    /// There is no migration.
    Migrate(MigrateError),
    /// Nothing is known of the storage.
    Verify(VerifyError),
    /// Nothing is repaired.
    Mend(MenderError),
    /// The storage of `instance.toml` is not replaced by another one.
    Swap {
        path: PathBuf,
        error: SwapError,
    },
    /// The migration's target is where its source is.
    SamePlace {
        source: String,
        target: String,
    },
    /// A switch would apply what its author has not applied.
    Unapplied(Vec<PathBuf>),
    /// The registry does not serve from its new storage.
    Switch(reconfigure::SwitchError),
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

impl From<holds::Error> for Failure {
    fn from(error: holds::Error) -> Self {
        Self::Holds(error)
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
            reconfigure::Error::Disturbs(error) => match error {
                DisturbsError::Desired(error) => (*error).into(),
                DisturbsError::Lock(error) => error.into(),
                DisturbsError::Holds(error) => error.into(),
                error @ (DisturbsError::Moves { .. } | DisturbsError::Starts(_)) => {
                    Self::Disturbs(error)
                }
            },
            reconfigure::Error::Accounts(error) => Self::Desired(error.into()),
            reconfigure::Error::System(error) => Self::Desired(error.into()),
            reconfigure::Error::Apply(error) => Self::Apply(error),
            error @ (reconfigure::Error::Former(_)
            | reconfigure::Error::Services(_)
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

impl From<PauseError> for Failure {
    fn from(error: PauseError) -> Self {
        Self::Pause(error)
    }
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl From<RunsError> for Failure {
    fn from(error: RunsError) -> Self {
        Self::Runs(error)
    }
}

impl From<ChangesError> for Failure {
    fn from(error: ChangesError) -> Self {
        Self::Changes(error)
    }
}

impl From<WorkerError> for Failure {
    fn from(error: WorkerError) -> Self {
        Self::Work(error)
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        Self::Ask(error)
    }
}

impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
        Self::Migrate(error)
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        Self::Verify(error)
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Self::Verify(error.into())
    }
}

impl From<MenderError> for Failure {
    fn from(error: MenderError) -> Self {
        Self::Mend(error)
    }
}

impl From<CollectError> for Failure {
    fn from(error: CollectError) -> Self {
        Self::Collect(error)
    }
}

impl From<EventsError> for Failure {
    fn from(error: EventsError) -> Self {
        Self::Events(error)
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
