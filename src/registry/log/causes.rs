//! Errors in a log, with what caused them.

use std::error::Error;

/// An error as the field of an event: its line has all its causes, where `%error` would say the outermost alone.
pub(crate) trait Causes {
    fn causes(&self) -> &(dyn Error + 'static);
}

impl<E: Error + 'static> Causes for E {
    fn causes(&self) -> &(dyn Error + 'static) {
        self
    }
}
