//! What a verification and the registry say to each other of repairs, over the admin socket.

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::content::{Content, Mend, Mended};

const SCHEMA: u32 = 1;

/// Where a batch is sent.
pub(crate) const PATH: &str = "/v1/repairs";

/// Repairs that are made side by side: each waits for the disk.
const SIDE_BY_SIDE: usize = 16;

/// `POST /v1/repairs` is sent.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch {
    /// The identity of the store that was verified: that of another one proves nothing. None: whatever is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) store: Option<String>,
    pub(crate) repairs: Vec<Mend>,
}

/// `POST /v1/repairs` answers.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct BatchAnswer {
    schema: u32,
    pub(crate) answers: Vec<Mended>,
}

impl BatchAnswer {
    pub(crate) fn of(answers: Vec<Mended>) -> Self {
        Self { schema: SCHEMA, answers }
    }
}

/// Makes repairs through the door; the answers stand in their order. None: the registry is read-only.
pub(crate) async fn mend(content: &Content, repairs: Vec<Mend>) -> Option<Vec<Mended>> {
    let writing = content.begin_write()?;
    let not_made = Mended::Failed { reason: "the repair was not made".to_owned() };
    let mut mended = vec![not_made; repairs.len()];
    let mut left = repairs.into_iter().enumerate();
    let mut under_way = JoinSet::new();
    loop {
        while under_way.len() < SIDE_BY_SIDE
            && let Some((index, mend)) = left.next()
        {
            let writing = writing.clone();
            under_way.spawn(async move { (index, writing.mend(mend).await) });
        }
        match under_way.join_next().await {
            None => return Some(mended),
            Some(Ok((index, answer))) => mended[index] = answer,
            // A panic is one repair's, and the others go on.
            Some(Err(error)) => tracing::error!(%error, "a repair was not made"),
        }
    }
}
