//! What a proposed text would do: it is asked about like the one message of a connection that is its own.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;
use tyer_core::intent::Upstream;
use tyer_core::verdict::{Reason, Refusal};
use tyer_wire::postgres::decode::{Decoder, Side};
use tyer_wire::postgres::encode;
use tyer_wire::postgres::identity::Scope;
use tyer_wire::postgres::session::{Chore, Question, Session, Step};

use super::READ_BYTES;
use crate::config::UpstreamConfig;
use crate::gateway::Gateway;
use crate::upstream::Connected;

/// How long the server may take over a word of Tyer's own before the text.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// The text as a question, and the relay that asks it; reads are asked where the server refuses to write.
pub(super) async fn question(
    gateway: &Gateway,
    upstream: &Upstream,
    connected: &mut Connected,
    sql: &str,
) -> Result<(Session, Question), Refusal> {
    let observes = gateway.observes(upstream);
    let mut relay = relay(gateway, upstream, connected);
    if sql.contains('\0') {
        return Err(refuse("the text contains a zero byte".to_owned()));
    }
    if !observes && let Some(error) = tyer_wire::postgres::understand::understand(sql).syntax_error {
        return Err(refuse(error));
    }
    let mut decoder = Decoder::new(Side::Agent);
    decoder.push(&encode::query(sql.as_bytes()));
    let Ok(Some(frame)) = decoder.frame() else {
        return Err(refuse("the text is too long for one message".to_owned()));
    };
    loop {
        match relay.agent(&frame) {
            Ok(Step::Ask(question)) => return Ok((relay, *question)),
            Ok(Step::First(chore)) => {
                let answered = timeout(ANSWER_WAIT, answered(connected, &mut relay, &chore)).await;
                if answered.ok().flatten().is_none() {
                    let message = "the connection to the database was lost; nothing was executed";
                    return Err(Refusal::new(Reason::Unsupported, message, "propose it again"));
                }
            }
            _ => return Err(refuse("the text is not one message of SQL".to_owned())),
        }
    }
}

fn refuse(message: String) -> Refusal {
    Refusal::new(Reason::Unsupported, message, "correct the text and propose it again")
}

fn relay(gateway: &Gateway, upstream: &Upstream, connected: &Connected) -> Session {
    let config = gateway.config.upstreams.get(upstream).and_then(UpstreamConfig::postgres);
    let mut relay = Session::new(Scope {
        database: config.map(|config| config.database.clone()).unwrap_or_default(),
        role: config.map(|config| config.user.clone()).unwrap_or_default(),
        ..Scope::default()
    });
    if gateway.observes(upstream) {
        relay = relay.observing();
    } else if connected.is_direct {
        relay = relay.enforcing();
    }
    relay = relay.vouching(config.map(|config| Arc::clone(&config.reads)).unwrap_or_default());
    for (name, value) in &connected.parameters {
        relay.setting(name, value);
    }
    relay
}

/// Sends words of Tyer's own and takes the whole answer to them; nothing if the connection cannot go on.
async fn answered(connected: &mut Connected, relay: &mut Session, chore: &Chore) -> Option<()> {
    connected.writer.chore(chore);
    while connected.writer.is_pending() {
        connected.writer.drain().await.ok()?;
    }
    let mut decoder = Decoder::new(Side::Upstream);
    decoder.push(&std::mem::take(&mut connected.rest));
    let mut bytes = vec![0; READ_BYTES];
    while relay.is_awaiting() {
        while let Some(frame) = decoder.frame().ok()? {
            // Nothing of it is the agent's.
            drop(relay.upstream(&frame).ok()?);
        }
        if relay.is_awaiting() {
            let count = connected.reader.read(&mut bytes).await.ok().filter(|count| *count > 0)?;
            decoder.push(bytes.get(..count)?);
        }
    }
    connected.rest = decoder.rest().to_vec();
    Some(())
}
