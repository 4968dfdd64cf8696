//! Machines of their own, made of network namespaces: what a network between real machines can do,
//! and loopback cannot.
//!
//! Needs Linux, root, `ip` and `nft`. Where one of them is missing, each scenario says so on
//! standard error and ends.

#[cfg(target_os = "linux")]
mod discovery;
#[cfg(target_os = "linux")]
mod docker;
#[cfg(target_os = "linux")]
mod lab;
#[cfg(target_os = "linux")]
mod link_local;
#[cfg(target_os = "linux")]
mod moving;
#[cfg(target_os = "linux")]
mod nat;
#[cfg(target_os = "linux")]
mod one_way;
#[cfg(target_os = "linux")]
mod partition;
#[cfg(target_os = "linux")]
mod second_address;
#[cfg(target_os = "linux")]
mod silent_peers;
#[cfg(target_os = "linux")]
mod slow;
#[cfg(target_os = "linux")]
mod strangers;
#[cfg(target_os = "linux")]
mod two_networks;
#[cfg(target_os = "linux")]
mod unreachable;

#[cfg(not(target_os = "linux"))]
#[test]
fn network_namespaces_need_linux() {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "scenarios are skipped: only Linux has network namespaces");
}
