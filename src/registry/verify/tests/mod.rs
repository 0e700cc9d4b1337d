//! Verifications of real folders; buckets are verified by the tests of the whole program.

#![expect(clippy::disallowed_methods, reason = "the files of a test are nobody else's")]

mod chance;
mod damage;
mod resumed;
mod world;
