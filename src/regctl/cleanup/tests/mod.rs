//! The rules as a table, and what must be true of them whatever is decided.

mod cases;
mod properties;
mod written;
