//! News that pages and waiting doors follow; they look at the world themselves.

use tokio::sync::broadcast;
use tyer_core::intent::{HoldId, SessionId};

use super::Gateway;

/// News that somebody slow may have missed before they look at everything again.
pub(super) const NEWS_MAX: usize = 256;

/// Something changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// A hold was opened, answered, used or ended.
    Hold(HoldId),
    /// The fate of a hold is decided, for its controllers to see.
    Answered(HoldId),
    /// A session was made or ended.
    Session(SessionId),
    /// People, a freeze or the configuration changed.
    Rules,
}

impl Gateway {
    /// Follows the news.
    pub(crate) fn news(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    pub(super) fn tell(&self, news: News) {
        // Nobody listening is fine.
        self.news.send(news).ok();
    }
}

/// Waits for whatever may change the fate of a request that waits for this hold.
pub(super) async fn wait_for_news(news: &mut broadcast::Receiver<News>, hold: &HoldId) {
    loop {
        match news.recv().await {
            Ok(News::Hold(changed)) if changed != *hold => {}
            Ok(News::Session(_) | News::Answered(_)) => {}
            // Anything else may matter, and missed news certainly does.
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
