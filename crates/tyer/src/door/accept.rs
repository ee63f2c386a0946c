//! The loop that every door has: connections are accepted up to a number, until the program stops, and then waited for.

use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Clients that are being told that there is no room; more are not told.
const TURNED_AWAY_MAX: usize = 64;
/// How long accepting rests when it fails, usually for want of file descriptors.
const REST: Duration = Duration::from_millis(50);

/// What a door does with connections.
pub(super) trait Accepts {
    /// Starts one.
    fn start(&self, connections: &mut JoinSet<()>, tcp: TcpStream);
    /// Tells one that there is no room.
    fn turn_away(&self, turned_away: &mut JoinSet<()>, tcp: TcpStream);
}

/// Accepts up to `most` connections at once until told to stop, then waits for those that are open.
pub(super) async fn accept(
    listener: &TcpListener,
    most: usize,
    mut stop: watch::Receiver<bool>,
    door: &impl Accepts,
) {
    let (mut connections, mut turned_away) = (JoinSet::new(), JoinSet::new());
    loop {
        tokio::select! {
            () = raised(&mut stop) => break,
            Some(_) = connections.join_next() => {}
            Some(_) = turned_away.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) if connections.len() >= most => {
                    if turned_away.len() < TURNED_AWAY_MAX {
                        door.turn_away(&mut turned_away, tcp);
                    }
                }
                Ok((tcp, _)) => door.start(&mut connections, tcp),
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Waits until the flag is raised, or for ever if nobody can raise it any more.
pub(crate) async fn raised(flag: &mut watch::Receiver<bool>) {
    if flag.wait_for(|raised| *raised).await.is_err() {
        std::future::pending().await
    }
}
