//! The console: pages for people who decide, served beside the API.
//!
//! Pages are rendered here, whole, and can be read without any script. Deciding needs the browser's
//! passkeys and so the one script in `assets`. The console calls the gateway; it knows neither doors nor
//! upstreams.

mod allowances;
mod answers;
mod assets;
mod beside;
mod card;
mod configuration;
mod connections;
mod escape;
mod freezes;
mod glass;
mod kill;
mod layout;
mod ledger;
mod listen;
mod pages;
mod people;
mod queue;
mod sessions;
mod sign_in;
mod words;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, DefaultBodyLimit};
use axum::{Extension, Router, middleware};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio_rustls::rustls::ServerConfig;

use self::connections::Bounds;
use crate::api;
use crate::api::guard::{self, Peer};
use crate::api::site::Site;
use crate::gateway::Gateway;
use crate::local::SOCKET;
use crate::serve::ServeError;

/// No body that is taken is longer; proposed texts, as JSON, are the longest.
const BODY_BYTES_MAX: usize = 2 * tyer_core::limits::REQUEST_BYTES_MAX;

/// What people and programs reach over the network.
pub(crate) fn router(site: &Arc<Site>) -> Router {
    pages::router(site)
        .merge(api::router(site))
        .fallback(pages::nothing_here)
        .layer(middleware::from_fn_with_state(Arc::clone(site), guard::identify))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(Arc::clone(site), guard::same_site))
        .layer(middleware::from_fn(guard::headers))
        .layer(middleware::from_fn(guard::detach))
        .with_state(Arc::clone(site))
}

/// What the operator's command line reaches through the socket in the data directory: the API without
/// anything that needs a passkey.
pub(crate) fn local_router(site: &Arc<Site>) -> Router {
    api::router(site)
        .layer(middleware::from_fn(guard::is_operator))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(guard::headers))
        .layer(middleware::from_fn(guard::detach))
        .with_state(Arc::clone(site))
}

/// What the console listens on.
#[derive(Debug)]
pub(crate) struct Bound {
    public: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    local: UnixListener,
}

/// Binds the public address and the socket in the data directory, before anything is served.
pub(crate) async fn bind(gateway: &Gateway) -> Result<Bound, ServeError> {
    let console = &gateway.config.console;
    let tls = console.tls.as_ref().map(listen::server_tls).transpose()?;
    let public = TcpListener::bind(console.listen)
        .await
        .map_err(ServeError::io(format!("the console cannot listen on {}", console.listen)))?;
    let path = gateway.config.data.join(SOCKET);
    let local = listen::socket(&path)
        .await
        .map_err(ServeError::io(format!("cannot make the socket {}", path.display())))?;
    Ok(Bound { public, tls, local })
}

/// Serves people and the command line until `closing` turns true.
pub(crate) async fn serve(gateway: Arc<Gateway>, bound: Bound, closing: watch::Receiver<bool>) {
    let site = Site::new(gateway, closing.clone());
    let (local, public) = (local_router(&site), router(&site));
    let bounds = Bounds::default();
    let local = connections::serve(bound.local, |_| local.clone(), bounds, closing.clone());
    let from = |from: &SocketAddr| public.clone().layer(Extension(ConnectInfo(Peer(from.ip()))));
    let public = async {
        match bound.tls {
            Some(tls) => {
                let listener = listen::Tls::new(bound.public, tls, closing.clone());
                connections::serve(listener, from, bounds, closing.clone()).await;
            }
            None => connections::serve(bound.public, from, bounds, closing.clone()).await,
        }
    };
    tokio::join!(local, public);
}

async fn closed(mut closing: watch::Receiver<bool>) {
    // When nobody can close it any more, it closes too.
    closing.wait_for(|closing| *closing).await.ok();
}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use tests::sample::hold as sample_hold;
