//! What was said, read from the command line: `p2p-chat history`.

mod age;
mod when;

pub use age::{Age, Keep, expiry};
pub use when::When;
