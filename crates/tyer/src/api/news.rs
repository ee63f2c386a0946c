//! News as server-sent events: small words that say what to look at again.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use super::site::Site;
use crate::gateway::News;

/// Between two signs of life, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// After this the browser connects again, and its sign-in is looked at again.
const STREAM_MAX: Duration = Duration::from_secs(600);

/// `hold H-1`, `answered H-1`, `session s-7k2m9q` or `rules`, one message each.
pub(super) async fn events(State(site): State<Arc<Site>>) -> Response {
    let (send, receive) = mpsc::channel(64);
    tokio::spawn(async move {
        // Ends when the browser is gone, the server closes or the time is over, whichever is first.
        drop(tokio::time::timeout(STREAM_MAX, follow(&site, &send)).await);
    });
    let stream = ReceiverStream::new(receive)
        .map(|words: String| Ok::<_, Infallible>(Event::default().data(words)));
    let events = Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    ([(header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"))], events)
        .into_response()
}

async fn follow(site: &Site, send: &mpsc::Sender<String>) {
    let mut news = site.gateway.news();
    let mut closing = site.closing.clone();
    loop {
        let words = tokio::select! {
            news = news.recv() => match news {
                Ok(news) => in_words(&news),
                // Some were missed: look at everything again.
                Err(RecvError::Lagged(_)) => "rules".to_owned(),
                Err(RecvError::Closed) => return,
            },
            _ = closing.wait_for(|closing| *closing) => return,
            () = send.closed() => return,
        };
        if send.send(words).await.is_err() {
            return;
        }
    }
}

fn in_words(news: &News) -> String {
    match news {
        News::Hold(hold) => format!("hold {hold}"),
        News::Session(session) => format!("session {session}"),
        News::Answered(hold) => format!("answered {hold}"),
        News::Rules => "rules".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tyer_core::intent::{HoldId, SessionId};

    use super::*;

    #[test]
    fn news_are_small_words() {
        let check = |news: News, expect: &str| assert_eq!(in_words(&news), expect);
        check(News::Hold(HoldId::new("H-1")), "hold H-1");
        check(News::Session(SessionId::new("s-7k2m9q")), "session s-7k2m9q");
        check(News::Answered(HoldId::new("H-1")), "answered H-1");
        check(News::Rules, "rules");
    }
}
