//! What an idle registry costs: the time until it answers, and the memory it holds when nobody has asked for anything.

use std::{thread, time::Duration};

use anyhow::Result;

use super::{
    rows::{IDLE_RSS, START},
    run::Bench,
    servers::Setup,
    stats::Series,
};

/// What a server does after its first answer, such as warming a cache, is over by then.
const SETTLING: Duration = Duration::from_secs(1);

pub(crate) fn start(bench: &mut Bench) -> Result<Vec<Series>> {
    let [samples] = bench.turns(|side| {
        let server = bench.start(side, Setup::default())?;
        let milliseconds = server.started_in.as_secs_f64() * 1000.0;
        let pid = server.pid();
        server.stop(pid)?;
        Ok([milliseconds])
    })?;
    let title = "start to the first 200 of `/v2/`, ms".to_owned();
    Ok(vec![Series { title, samples, bar: Some(START) }])
}

pub(crate) fn idle(bench: &mut Bench) -> Result<Vec<Series>> {
    let [samples] = bench.turns(|side| {
        let server = bench.start(side, Setup::default())?;
        thread::sleep(SETTLING);
        let resident = server.memory()?.resident;
        let pid = server.pid();
        server.stop(pid)?;
        Ok([resident])
    })?;
    let title = "memory held when idle (RSS), MB".to_owned();
    Ok(vec![Series { title, samples, bar: Some(IDLE_RSS) }])
}
