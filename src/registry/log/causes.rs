//! Errors with what caused them.

use std::{error::Error, iter};

/// An error with its causes, the outermost first, in one sentence.
pub fn told(error: &(dyn Error + 'static)) -> String {
    let causes = iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// An error as the field of an event: its line has all its causes, where `%error` would say the outermost alone.
pub(crate) trait Causes {
    fn causes(&self) -> &(dyn Error + 'static);
}

impl<E: Error + 'static> Causes for E {
    fn causes(&self) -> &(dyn Error + 'static) {
        self
    }
}
