//! Fuzz targets over everything that hostile bytes reach before anybody decided on them.
//!
//! Each target runs for `FUZZ_SECONDS` (one, unless said otherwise) on inputs that bolero makes; those in
//! `__fuzz__/<target>/corpus` come first. `./dev fuzz` runs them for longer. What a target checks is a function of
//! its own over the code under test, so that `planted` can show that it finds a bug in that.

#[cfg(test)]
mod attestation;
#[cfg(test)]
mod aws;
#[cfg(test)]
mod chunked;
#[cfg(test)]
mod framing;
#[cfg(test)]
mod planted;
#[cfg(test)]
mod scram;
#[cfg(test)]
mod server;
#[cfg(test)]
mod sigv4;
#[cfg(test)]
mod sshsig;
#[cfg(test)]
mod startup;
#[cfg(test)]
mod statements;

use std::time::Duration;

use bolero::check;
use tyer_wire::postgres::decode::{self, Bind, Complaint, Decoder, Parse, Side};
use tyer_wire::postgres::encode;
use tyer_wire::postgres::scram::{ITERATIONS, Verifier};
use tyer_wire::postgres::understand::understand;
use tyer_wire::postgres::welcome::Welcome;

/// Inputs are made until the time is over; this many would take far longer.
const NO_LIMIT: usize = usize::MAX;

fn time() -> Duration {
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1))
}

/// The first packet of a connection, from any bytes.
#[test]
fn startup() {
    let target = check!().with_iterations(NO_LIMIT).with_test_time(time());
    target.for_each(|bytes: &[u8]| startup::any_bytes(startup::real, bytes));
}

/// The first packet of a connection, with settings in all the places where they may hide.
#[test]
fn settings() {
    let target = check!().with_iterations(NO_LIMIT).with_test_time(time());
    target.with_type().for_each(|asking| startup::settings(startup::real, asking));
}

/// Messages, from any bytes.
#[test]
fn framing() {
    let target = check!().with_iterations(NO_LIMIT).with_test_time(time());
    target.for_each(|bytes: &[u8]| framing::any_stream(framing::real, bytes));
}

/// Fields are read off any body without a panic, and what is read lies in the body.
#[test]
fn fields() {
    check!().with_iterations(NO_LIMIT).with_test_time(time()).for_each(|body: &[u8]| {
        if let Ok(sql) = decode::query(body) {
            assert_eq!(sql.len() + 1, body.len());
        }
        if let Ok(parse) = Parse::decode(body) {
            assert_eq!(parse.name.len() + parse.sql.len() + 4 + 4 * parse.types.len(), body.len());
        }
        if let Ok(bind) = Bind::decode(body) {
            assert!(bind.formats.len() <= 1 || bind.formats.len() == bind.values.len());
        }
        drop((decode::target(body), decode::execute(body), decode::command_tag(body)));
        drop((decode::parameter_status(body), decode::ready_status(body)));
        drop((Complaint::decode(body), decode::sasl_initial(body)));
        for tag in *b"vRKSNEZ" {
            let mut decoder = Decoder::new(Side::Upstream);
            decoder.push(&encode::message(tag, |out| out.extend_from_slice(body)));
            if let Ok(Some(frame)) = decoder.frame() {
                drop(Welcome::decode(&frame));
            }
        }
    });
}

/// A login, from any bytes.
#[test]
fn scram() {
    let verifier = Verifier::from_password("pencil", b"0123456789abcdef", ITERATIONS);
    let target = check!().with_iterations(NO_LIMIT).with_test_time(time());
    target.for_each(move |bytes: &[u8]| scram::any_bytes(scram::real, &verifier, bytes));
}

/// A login that was right before something was changed.
#[test]
fn exchange() {
    let target = check!().with_iterations(NO_LIMIT).with_test_time(time());
    target.with_type().for_each(|change| scram::exchange(scram::real, *change));
}

/// An SSH signature, from any bytes.
#[test]
fn ssh_signature() {
    let target = check!().with_iterations(NO_LIMIT).with_test_time(time());
    target.for_each(|bytes: &[u8]| sshsig::any_bytes(sshsig::real, bytes));
}

/// An SSH signature that was right before something was changed.
#[test]
fn changed_ssh_signature() {
    let target = check!().with_iterations(NO_LIMIT).with_test_time(time());
    target.with_type().for_each(|change| sshsig::changed(sshsig::real, change));
}

/// A request to AWS, of any bytes behind some that get them read.
#[test]
fn aws_request() {
    let target = check!().with_iterations(NO_LIMIT).with_test_time(time());
    target.with_type::<(u8, Vec<u8>, Vec<u8>, Vec<u8>)>().for_each(|(start, path, header, body)| {
        aws::any_request(aws::real, *start, path, header, body);
    });
}

/// A signed request to AWS, from any bytes.
#[test]
fn claim() {
    let target = check!().with_iterations(NO_LIMIT).with_test_time(time());
    target.for_each(|bytes: &[u8]| sigv4::any_bytes(sigv4::real, bytes));
}

/// A signed request to AWS that was right before something was changed.
#[test]
fn signed_request() {
    let target = check!().with_iterations(NO_LIMIT).with_test_time(time());
    target.with_type().for_each(|change| sigv4::changed(sigv4::real, change));
}

/// A body in chunks, from any bytes.
#[test]
fn chunks() {
    let target = check!().with_iterations(NO_LIMIT).with_test_time(time());
    target.for_each(|bytes: &[u8]| chunked::any_bytes(chunked::real, bytes));
}

/// A body in signed chunks that was right before something was changed.
#[test]
fn signed_chunks() {
    let target = check!().with_iterations(NO_LIMIT).with_test_time(time());
    target.with_type().for_each(|change| chunked::changed(chunked::real, change));
}

/// What a maker says of an SSH key, from any bytes.
#[test]
fn ssh_attestation() {
    let target = check!().with_iterations(NO_LIMIT).with_test_time(time());
    target.for_each(|bytes: &[u8]| attestation::any_bytes(attestation::real, bytes));
}

/// The same that was right before something was changed.
#[test]
fn changed_ssh_attestation() {
    let target = check!().with_iterations(NO_LIMIT).with_test_time(time());
    target.with_type().for_each(|change| attestation::changed(attestation::real, change));
}

/// Pieces of SQL that texts are put together from, besides arbitrary bytes.
const WORDS: [&str; 32] = [
    "select",
    "1",
    "delete from",
    "orders",
    ";",
    "(",
    ")",
    "'",
    "$$",
    "--",
    "/*",
    "*/",
    "with x as",
    "begin",
    "commit",
    "set",
    "client_encoding",
    "=",
    "to",
    "execute",
    "prepare a as",
    "explain analyze",
    "copy",
    "from",
    "program",
    "do",
    "E'\\",
    "U&\"",
    "drop table",
    ",",
    "\n",
    "$1",
];

/// Any text is understood, the same each time; one that the grammar refuses is opaque.
#[test]
fn understanding() {
    check!().with_iterations(NO_LIMIT).with_test_time(time()).for_each(|bytes: &[u8]| {
        let words = bytes.iter().map(|byte| WORDS[usize::from(*byte) % WORDS.len()]);
        let texts = [String::from_utf8_lossy(bytes).into_owned(), words.collect::<Vec<_>>().join(" ")];
        for text in texts {
            let understood = understand(&text);
            assert_eq!(understand(&text), understood);
            if understood.syntax_error.is_some() {
                assert!(understood.acts.worst().is_dangerous(), "{text}");
                assert!(!understood.transactional() && !understood.explainable, "{text}");
            }
        }
    });
}

/// Whole sessions before a server that answers them.
#[test]
fn statements() {
    let target = check!().with_iterations(NO_LIMIT).with_test_time(time());
    target
        .with_type()
        .for_each(|conversation| statements::play(conversation, statements::Planted::Nothing));
}

/// Conversations that were found once.
#[test]
fn statements_that_were_found() {
    use crate::statements::{Conversation, Event, Name, Planted, Text, play};
    // A rollback that was not seen through may have ended the transaction: what stands behind it stands.
    let rolled_back_unseen = vec![
        Event::Query(Text::Begin),
        Event::Query(Text::Execute),
        Event::Answers(7),
        Event::Execute(Name::Unnamed, true),
        Event::Sync,
        Event::Run(Name::A, Name::A, Text::Rollback),
        Event::Query(Text::Delete),
    ];
    play(&Conversation { events: rolled_back_unseen, clears: [true; 8] }, Planted::Nothing);
    // The last of these finds the query at its end, which the session has not heard yet.
    let asked_for_more_than_there_is = vec![
        Event::Run(Name::Longer, Name::B, Text::Read),
        Event::Answers(7),
        Event::Execute(Name::Longer, false),
        Event::Execute(Name::Longer, true),
        Event::Sync,
    ];
    let conversation = Conversation { events: asked_for_more_than_there_is, clears: [true; 8] };
    play(&conversation, Planted::Nothing);
}
