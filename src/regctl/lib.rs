//! The admin tool.
