//! Who is let in: passwords and tokens at the real binary, beside the peer where both agree.

mod challenges;
mod clients;
mod fixture;
mod gitlab;
mod htpasswd;
mod jwks;
mod mounts;
mod token;
