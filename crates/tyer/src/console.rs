//! The console: pages for people who decide, served beside the API.
//!
//! Pages are rendered here, whole, and can be read without any script. Deciding needs the browser's
//! passkeys and so the one script in `assets`. The console calls the gateway; it knows neither doors nor
//! upstreams.

mod assets;
mod card;
mod configuration;
mod escape;
mod layout;
mod ledger;
mod listen;
mod pages;
mod people;
mod queue;
mod sessions;
mod sign_in;
mod words;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::api;
use crate::api::guard::{self, Peer};
use crate::api::site::Site;
use crate::gateway::Gateway;

/// The socket's file inside the data directory.
pub(crate) const SOCKET: &str = "tyer.sock";
/// No body that is taken is longer; attestation objects are the longest.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Why the console cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// The public listener.
    #[error("the console cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    /// The certificate or its key.
    #[error("the console's certificate in {path}: {message}", path = .path.display())]
    Certificate { path: PathBuf, message: String },
    /// The socket of the command line.
    #[error("the socket {path}: {source}", path = .path.display())]
    Socket { path: PathBuf, source: io::Error },
    /// Serving itself.
    #[error("the console stopped: {0}")]
    Io(#[from] io::Error),
}

/// What people and programs reach over the network.
pub(crate) fn router(site: &Arc<Site>) -> Router {
    pages::router(site)
        .merge(api::router(site))
        .fallback(pages::nothing_here)
        .layer(middleware::from_fn_with_state(Arc::clone(site), guard::identify))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(Arc::clone(site), guard::same_site))
        .layer(middleware::from_fn(guard::headers))
        .with_state(Arc::clone(site))
}

/// What the operator's command line reaches through the socket in the data directory: the API without
/// anything that needs a passkey.
pub(crate) fn local_router(site: &Arc<Site>) -> Router {
    api::router(site)
        .layer(middleware::from_fn(guard::is_operator))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(guard::headers))
        .with_state(Arc::clone(site))
}

/// Serves people and the command line until `closing` turns true. Everything is bound before anything is
/// served.
pub(crate) async fn serve(gateway: Arc<Gateway>, closing: watch::Receiver<bool>) -> Result<(), ServeError> {
    let console = gateway.config.console.clone();
    let socket = listen::socket(&gateway.config.data.join(SOCKET)).await?;
    let tls = console.tls.as_ref().map(listen::server_tls).transpose()?;
    let address = console.listen;
    let listener =
        TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })?;
    let site = Site::new(gateway, closing.clone());
    let local = axum::serve(socket, local_router(&site)).with_graceful_shutdown(closed(closing.clone()));
    let local = async { local.await };
    let public = router(&site).into_make_service_with_connect_info::<Peer>();
    let public = async {
        match tls {
            Some(tls) => {
                let listener = listen::Tls::new(listener, tls, closing.clone());
                axum::serve(listener, public).with_graceful_shutdown(closed(closing.clone())).await
            }
            None => axum::serve(listener, public).with_graceful_shutdown(closed(closing.clone())).await,
        }
    };
    tokio::try_join!(local, public)?;
    Ok(())
}

async fn closed(mut closing: watch::Receiver<bool>) {
    // When nobody can close it any more, it closes too.
    let _ = closing.wait_for(|closing| *closing).await;
}

#[cfg(test)]
mod tests;
