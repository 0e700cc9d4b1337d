//! `regctl verify` on instances with damage: what it says, what it repairs, and who is served meanwhile.

mod bucket;
mod cut_off;
mod served;
mod site;
