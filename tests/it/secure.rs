//! Two of ours.
