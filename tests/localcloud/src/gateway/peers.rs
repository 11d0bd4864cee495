//! Which function a connection comes from. The emulator gives all functions the same key (the account's number), so their
//! signatures cannot tell them apart; the process behind the connection can: its environment names the function.
//!
//! Invariant: best effort on Linux, nothing elsewhere; it reads `/proc` and changes nothing, and a call whose function stays
//! unknown is attributed to a role that says so, never to a guess.

use std::fs;
use std::net::SocketAddr;

use hyper::Method;

use super::identity::{ACCOUNT, as_principal};
use super::upstream::{Upstream, own_body};

/// The caller when it is a function, but nobody knows which.
const SOME_FUNCTION: &str = "arn:aws:sts::111122223333:assumed-role/unidentified-function/lambda";

/// The principal behind a connection that signs with the account's number.
pub(super) async fn function_principal(upstream: Option<&Upstream>, peer: SocketAddr, local: SocketAddr) -> String {
    // Walking /proc blocks; it happens once per connection.
    let found = tokio::task::spawn_blocking(move || function_behind(peer, local))
        .await
        .ok()
        .flatten();
    let (Some((name, region)), Some(upstream)) = (found, upstream) else {
        return SOME_FUNCTION.to_owned();
    };
    let role = role_of(upstream, &name, &region).await;
    let role = role.unwrap_or_else(|| format!("arn:aws:iam::{ACCOUNT}:role/{name}"));
    as_principal(&role, &name)
}

async fn role_of(upstream: &Upstream, function: &str, region: &str) -> Option<String> {
    let path = format!("/2015-03-31/functions/{function}/configuration");
    let request = upstream
        .signed(Method::GET, &path, region, "lambda")
        .body(own_body(""))
        .ok()?;
    let answer = upstream.call(request).await.ok()?;
    Some(answer.json()["Role"].as_str()?.to_owned())
}

/// Name and Region of the function whose process holds the other end of this connection.
fn function_behind(peer: SocketAddr, local: SocketAddr) -> Option<(String, String)> {
    let inode = socket_inode(&fs::read_to_string("/proc/net/tcp").ok()?, peer.port(), local.port())?;
    let socket = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").ok()?.flatten() {
        // The environment first: it rules out nearly every process with one read.
        let Ok(environment) = fs::read(process.path().join("environ")) else {
            continue;
        };
        let Some(name) = variable(&environment, "AWS_LAMBDA_FUNCTION_NAME") else {
            continue;
        };
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let holds = descriptors
            .flatten()
            .any(|descriptor| fs::read_link(descriptor.path()).is_ok_and(|link| link.as_os_str() == socket.as_str()));
        if holds {
            return Some((name, variable(&environment, "AWS_REGION")?));
        }
    }
    None
}

/// The inode of the client's socket in the kernel's table (`sl local remote state tx:rx tr:when retr uid timeout inode`).
fn socket_inode(table: &str, client_port: u16, server_port: u16) -> Option<u64> {
    let port = |field: &str| u16::from_str_radix(field.rsplit(':').next()?, 16).ok();
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (from, to) = (port(fields.get(1)?)?, port(fields.get(2)?)?);
        if (from, to) != (client_port, server_port) {
            return None;
        }
        fields.get(9)?.parse().ok()
    })
}

fn variable(environment: &[u8], name: &str) -> Option<String> {
    environment.split(|byte| *byte == 0).find_map(|entry| {
        let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        String::from_utf8(value.to_vec()).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_end_is_found_in_the_kernels_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:11F7 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1 0 100 0 0 10 0\n\
            \x20  1: 0100007F:11F7 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 200 1 0 20 4 30 10 -1\n\
            \x20  2: 0100007F:C001 0100007F:11F7 01 00000000:00000000 00:00000000 00000000     0        0 300 1 0 20 4 30 10 -1\n";
        assert_eq!(socket_inode(table, 0xC001, 0x11F7), Some(300));
        assert_eq!(socket_inode(table, 0xC002, 0x11F7), None);
    }

    #[test]
    fn variables_are_read_whole() {
        let environment = b"AWS_REGION_X=no\0AWS_REGION=eu-west-1\0A=b";
        assert_eq!(variable(environment, "AWS_REGION").as_deref(), Some("eu-west-1"));
        assert_eq!(variable(environment, "B"), None);
    }
}
