//! `regctl run`: the quick start, and the entry point of containers.

use super::{
    Context,
    waiting::{self, Waiting},
};
use crate::{
    config::{Instance, instance::Driver},
    exit::Failure,
    output::Report,
    reconfigure::{self, Request},
    supervise,
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
    let (desired, plan) = reconfigure::converge(layout, claim, waiting::announce(*printer))?;
    desired.warnings.iter().for_each(|warning| printer.warn(warning));
    plan.notices(layout).iter().for_each(|notice| printer.say(notice));
    let instance = desired.instance;
    if !instance.registry.enable {
        return Err(Failure::Disabled(layout.instance_toml()));
    }
    let path = layout.instance_toml().display().to_string();
    let key = format!("`registry.registry_http_addr` in `{path}`");
    let config = desired.registry.config;
    let listener = supervise::bind(&config, &key)?;
    supervise::serve(
        &config,
        listener,
        || Err("x".to_owned()),
        || printer.say(welcome(&instance, context)),
    )?;
    printer.say("stopped");
    Ok(Report::silent())
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
