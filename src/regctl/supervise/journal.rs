//! Having the running registry write down what is changed, through its admin socket.

use std::{io, time::Duration};

use serde::Deserialize;
use serde_json::json;

use crate::{
    state::Layout,
    sys::local::{self, Answer, Method, Peer},
};

const PATIENCE: Duration = Duration::from_secs(10);

const PATH: &str = "/v1/journal";

/// A registry that writes down what is changed for a run.
#[derive(Debug)]
pub(crate) struct Journal<'a> {
    layout: &'a Layout,
    run: String,
}

/// What of a journal tells whether it can be relied on.
#[derive(Debug, Deserialize)]
struct Page {
    complete: bool,
    next: Option<usize>,
}

impl<'a> Journal<'a> {
    /// Has it begin; none if nobody serves who could.
    pub(crate) fn begin(layout: &'a Layout, run: &str) -> Option<Self> {
        let answer = ask(layout, &json!({ "wish": "begin", "run": run })).ok()?;
        (answer.status == 200).then(|| Self { layout, run: run.to_owned() })
    }

    /// Reads it to the end, part by part; false if it does not have all that has changed.
    pub(crate) fn read(
        &self,
        mut each: impl FnMut(String) -> Result<(), io::Error>,
    ) -> Result<bool, io::Error> {
        let mut from = 0;
        loop {
            let wanted = json!({ "wish": "read", "run": self.run, "from": from });
            let Ok(Answer { status: 200, body }) = ask(self.layout, &wanted) else {
                return Ok(false);
            };
            let Ok(page) = serde_json::from_str::<Page>(&body) else { return Ok(false) };
            if !page.complete {
                return Ok(false);
            }
            each(body)?;
            match page.next {
                Some(next) => from = next,
                None => return Ok(true),
            }
        }
    }
}

impl Drop for Journal<'_> {
    fn drop(&mut self) {
        // A registry that is gone has forgotten it.
        let _ = ask(self.layout, &json!({ "wish": "end", "run": self.run }));
    }
}

fn ask(layout: &Layout, wanted: &serde_json::Value) -> io::Result<Answer> {
    let peer = Peer::Unix(layout.registry_socket());
    local::request(&peer, &Method::POST, PATH, Some(wanted.to_string()), PATIENCE)
}
