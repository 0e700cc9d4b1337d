//! `regctl run`: the quick start, and the entry point of containers.

use std::thread::{self, JoinHandle};

use super::{
    Context,
    services::{Supervised, nginx_addresses},
    waiting::{self, Waiting},
};
use crate::{
    config::{Instance, instance::Driver},
    exit::Failure,
    output::Report,
    reconfigure::{self, Converged, Request},
    supervise::{self, ActError, AskError, Echo, Supervisor, SupervisorError},
};

/// Run the registry in the foreground until Ctrl-C
///
/// Writes a starter instance.toml if there is none, renders the registry's config.yml, and serves. TERM and
/// Ctrl-C finish the requests under way, for at most `http_draintimeout`; at the second one it stops at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl --root ~/registry run
  regctl run --quiet")]
pub(crate) struct Args {
    #[command(flatten)]
    waiting: Waiting,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Args { waiting } = args;
    let Context { layout, printer, .. } = context;
    let claim = waiting.claim("run");
    if !layout.instance_toml().exists() {
        let made =
            reconfigure::init(layout, &Request::default(), claim, waiting::announce(*printer))?;
        announce(context, made);
    }
    match supervise::ask(layout, &supervise::Request::Status) {
        Err(AskError::NotRunning) => {}
        answer => {
            let pid = answer.ok().map(|overview| overview.pid.to_string());
            return Err(SupervisorError::Running(pid).into());
        }
    }
    let services = Supervised(layout);
    let converged = reconfigure::converge(layout, claim, waiting::announce(*printer), &services)?;
    let Converged { desired, plan, .. } = converged;
    desired.warnings.iter().for_each(|warning| printer.warn(warning));
    plan.notices(layout).iter().for_each(|notice| printer.say(notice));
    let instance = desired.instance;
    if !instance.registry.enable {
        return Err(Failure::Disabled(layout.instance_toml()));
    }
    let path = layout.instance_toml().display().to_string();
    let key = format!("`registry.registry_http_addr` in `{path}`");
    // Who has the address is told at once, and not by a log.
    drop(supervise::bind(&desired.registry.config, &key)?);
    let supervisor = Supervisor::new(layout, Echo::Stdout)?;
    let greeter = greet(instance, context.clone());
    supervisor.run();
    if let Ok(Err(error)) = greeter.join() {
        return Err(Failure::Start(error));
    }
    printer.say("stopped");
    Ok(Report::silent())
}

/// Waits until everything serves, and says so; what does not come up ends it all.
fn greet(instance: Instance, context: Context) -> JoinHandle<Result<(), ActError>> {
    thread::spawn(move || {
        let layout = &context.layout;
        match supervise::wait(layout, &nginx_addresses(&instance)) {
            Ok(()) => {
                context.printer.say(welcome(&instance, &context));
                Ok(())
            }
            // It was stopped before it was up.
            Err(ActError::Ask(_)) => Ok(()),
            Err(error) => {
                // It may be on its way out already.
                let _ = supervise::ask(layout, &supervise::Request::Shutdown);
                Err(error)
            }
        }
    })
}

fn announce(context: &Context, made: reconfigure::Initialized) {
    context.printer.say(format!("no instance yet: wrote {}", made.instance_toml.display()));
    if let Some(port) = made.taken {
        context.printer.say(format!("port {port} is taken: using {}", made.address));
    }
}

/// What somebody who has just started a registry wants to know.
fn welcome(instance: &Instance, context: &Context) -> String {
    let registry = &instance.registry;
    let here = registry.address.reachable();
    let data = match &registry.storage.driver {
        Driver::Filesystem { root_directory, .. } => {
            context.layout.resolve(root_directory).display().to_string()
        }
        Driver::InMemory => "memory: everything is gone when it stops".to_owned(),
        Driver::S3(bucket) => format!("s3://{}/{}", bucket.bucket, bucket.root_directory),
    };
    let image = format!("{here}/my/image:tag");
    let url = match &instance.external_url {
        Some(url) => format!("users     {url}\n"),
        None => String::new(),
    };
    format!(
        "registry  http://{here}\n\
         {url}data      {data}\n\
         settings  {settings}\n\
         \n\
         push an image:\n  \
         docker push {image}\n  \
         skopeo copy --dest-tls-verify=false docker-daemon:my/image:tag docker://{image}\n\
         \n\
         listening on {address}; Ctrl-C stops it",
        settings = context.layout.instance_toml().display(),
        address = registry.address,
    )
}
