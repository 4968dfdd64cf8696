//! The settings of a run, and the files that the user writes by hand.
//!
//! Out of scope: where a value comes from; [`cli`](crate::cli) reads options, the environment and
//! config.toml.

mod age;
mod directories;
pub mod file;
pub mod peers;
mod size;

pub use age::{Age, Keep, expiry};
pub use directories::{configuration_directory, data_directory};
pub use file::ConfigError;
pub use peers::{local_peers_file, peers_file, static_peers};
pub use size::HistorySize;
