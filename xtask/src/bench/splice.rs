//! The floor: a proxy that understands nothing. Whatever stands between a client and its database costs at
//! least as much as copying bytes there and back.

use std::io;
use std::net::Ipv4Addr;

use tokio::net::{TcpListener, TcpStream};

/// Copies between each connection to the one port and a connection of its own to the other, for ever.
///
/// # Errors
/// When the port cannot be listened on.
pub fn run(listen: u16, to: u16) -> io::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, listen)).await?;
        loop {
            let (near, _) = listener.accept().await?;
            tokio::spawn(copy(near, to));
        }
    })
}

async fn copy(mut near: TcpStream, to: u16) -> io::Result<()> {
    let mut far = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    tokio::io::copy_bidirectional(&mut near, &mut far).await.map(drop)
}
