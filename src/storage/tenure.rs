//! Under which lease a piece of work was begun: what it has looked at may have gone once another lease has followed, since
//! somebody else had the store in between.

use tokio::task::futures::TaskLocalFuture;

tokio::task_local! {
    static BEGUN: Tenure;
}

/// The time from getting a lease to losing it. A store that only this process uses has one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tenure(pub(crate) u64);

impl Tenure {
    /// The same work, whose writes are refused once this is over. Tasks that it spawns are not its own.
    pub fn bounds<F: Future>(self, work: F) -> TaskLocalFuture<Self, F> {
        BEGUN.scope(self, work)
    }

    /// Under which the current task works; none where it relies on nothing.
    #[must_use]
    pub fn of_this_task() -> Option<Self> {
        BEGUN.try_with(|tenure| *tenure).ok()
    }
}
