//! The exit code of each failure.

use std::{
    error::Error as StdError,
    io::{self, ErrorKind},
};

use registry::{
    OpenError,
    changes::Error as ChangesError,
    collect::{Error as CollectError, LineError},
    migrate::Error as MigrateError,
    verify::MenderError,
};

use super::{Exit, Failure};
use crate::{
    config::load,
    reconfigure::{
        AccountsError, ApplyError, CertificatesError, DesiredError, HandoverError, NginxError,
        ReadOnlyError, StorageFolderError, SystemError, TrustError,
    },
    state::{holds, journal, lock, secrets, services, users},
    supervise::{self, AskError, EventsError, ReloadError, ServiceError, SupervisorError},
    sys::worker::Ended,
};

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
            Self::Holds(error) => holds_exit(error),
            Self::Desired(error) => desired_exit(error),
            Self::Apply(error) => apply_exit(error),
            Self::ReadOnly(error) => read_only_exit(error),
            Self::Serve(error) => serve_exit(error),
            Self::Act(error) => caused(error, Exit::Failed),
            Self::Disturbs(_) => Exit::Locked,
            Self::Start(error) => caused(error, Exit::Failed),
            Self::Supervisor(error) => supervisor_exit(error),
            Self::Ask(error) => ask_exit(error),
            Self::UnknownService(_) => Exit::NoService,
            Self::Reload(error) => reload_exit(error),
            Self::Events(error) => events_exit(error),
            Self::Collect(error) => collect_exit(error),
            Self::Migrate(error) => migrate_exit(error),
            Self::Verify(error) => caused(error, Exit::Failed),
            Self::Mend(error) => mend_exit(error),
            Self::Swap { .. } | Self::SamePlace { .. } => Exit::ConfigInvalid,
            Self::Unapplied(_) => Exit::Failed,
            Self::Switch(error) => caused(error, Exit::Failed),
            Self::Pause(error) => caused(error, Exit::Failed),
            Self::Record(error) => caused(error, Exit::Failed),
            Self::Runs(error) => caused(error, Exit::Failed),
            Self::Changes(error) => changes_exit(error),
            Self::Work(error) => caused(error, Exit::Failed),
            Self::Worker(ended) => worker_exit(*ended),
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
        | secrets::Error::Short { .. }
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
        | users::Error::NoGroup(_)
        | users::Error::Group { .. }
        | users::Error::Hash(_) => Exit::Failed,
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
        | DesiredError::OtherAddress { .. }
        | DesiredError::OtherStorage { .. }
        | DesiredError::Certificates(
            CertificatesError::NoPair { .. }
            | CertificatesError::HalfPair { .. }
            | CertificatesError::Unfit(_)
            | CertificatesError::Missing { .. }
            | CertificatesError::NoBundle(_),
        )
        | DesiredError::Handover(
            HandoverError::NoGroup(_)
            | HandoverError::NoFolder(_)
            | HandoverError::Taken { .. }
            | HandoverError::Stranger { .. },
        )
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
            | StorageFolderError::Unreadable { .. }
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
        | ReadOnlyError::Former(_)
        | ReadOnlyError::NewStorage
        | ReadOnlyError::Writing { .. }
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

/// Files of passwords, keys and certificates are configuration; what holds the data is not.
fn open_exit(error: &(dyn StdError + 'static)) -> Exit {
    match error.downcast_ref() {
        Some(
            OpenError::Auth(_)
            | OpenError::Redirect(_)
            | OpenError::Redis(_)
            | OpenError::SigningKey(_)
            | OpenError::Tls(_)
            | OpenError::DebugTls(_),
        ) => Exit::ConfigInvalid,
        Some(OpenError::Events(error)) => denied(error.source.kind()),
        Some(OpenError::Proxy(_) | OpenError::Storage { .. } | OpenError::AccessLog(_)) | None => {
            Exit::Failed
        }
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

fn collect_exit(error: &CollectError) -> Exit {
    match error {
        CollectError::Busy(..) => Exit::Locked,
        CollectError::Line(LineError::Refused(_))
        | CollectError::Missing(_)
        | CollectError::NoRepositories(_)
        | CollectError::Memory
        | CollectError::Database(_)
        | CollectError::NoRun(_)
        | CollectError::Stopped
        | CollectError::StoppedWithin => Exit::Failed,
        CollectError::Line(_) | CollectError::Storage(_) => caused(error, Exit::Failed),
    }
}

fn migrate_exit(error: &MigrateError) -> Exit {
    match error {
        MigrateError::Busy(..) => Exit::Locked,
        _ => caused(error, Exit::Failed),
    }
}

fn mend_exit(error: &MenderError) -> Exit {
    match error {
        MenderError::Busy(_) => Exit::Locked,
        MenderError::ReadOnly
        | MenderError::Elsewhere
        | MenderError::Line(LineError::Refused(_)) => Exit::Failed,
        MenderError::Line(_) | MenderError::Storage(_) => caused(error, Exit::Failed),
    }
}

fn changes_exit(error: &ChangesError) -> Exit {
    match error {
        ChangesError::Busy(_) => Exit::Locked,
        ChangesError::ReadOnly
        | ChangesError::Stopped { .. }
        | ChangesError::Line(LineError::Refused(_)) => Exit::Failed,
        ChangesError::Line(_) | ChangesError::Storage(_) | ChangesError::Events(_) => {
            caused(error, Exit::Failed)
        }
    }
}

/// The code that the work itself has chosen.
fn worker_exit(ended: Ended) -> Exit {
    match ended {
        Ended::Code(2) => Exit::Usage,
        Ended::Code(75) => Exit::Locked,
        Ended::Code(77) => Exit::Permission,
        Ended::Code(78) => Exit::ConfigInvalid,
        Ended::Code(_) | Ended::Interrupted(_) | Ended::Killed(_) => Exit::Failed,
    }
}

fn events_exit(error: &EventsError) -> Exit {
    match error {
        EventsError::NotRunning => Exit::NotRunning,
        EventsError::Ask(error) => denied(error.kind()),
        EventsError::Refused(_) | EventsError::Answer { .. } => Exit::Failed,
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
