//! Each target finds a bug that is planted for it, within so many random inputs: a target that can't fail
//! shows nothing.

use bolero::check;
use tyer_wire::postgres::scram::Verifier;

use crate::statements::{self, Conversation, Planted};
use crate::{attestation, aws, chunked, framing, scram, sigv4, sshsig, startup};

/// Inputs within which a bug must be found; most are found within a hundredth of them.
const INPUTS: usize = 200_000;

/// A test that passes if the target finds the bug.
macro_rules! finds {
    ($name:ident, |$input:ident: &[u8]| $check:expr) => {
        #[test]
        #[should_panic(expected = "test failed")]
        fn $name() {
            let target = check!().with_iterations(INPUTS).with_shrink_time(std::time::Duration::ZERO);
            target.for_each(|$input: &[u8]| $check);
        }
    };
    ($name:ident, |$input:ident: $of:ty| $check:expr) => {
        #[test]
        #[should_panic(expected = "test failed")]
        fn $name() {
            let target = check!().with_iterations(INPUTS).with_shrink_time(std::time::Duration::ZERO);
            target.with_type::<$of>().for_each(|$input: &$of| $check);
        }
    };
}

finds!(a_form_of_which_the_first_counts, |asked: (u8, Vec<u8>)| {
    aws::any_request(aws::takes_the_first, asked.0, b"", b"", &asked.1)
});
finds!(a_packet_that_takes_too_many_bytes, |bytes: &[u8]| {
    startup::any_bytes(startup::takes_too_many, bytes)
});
finds!(a_packet_that_is_not_whole, |asking: startup::Asking| {
    startup::settings(startup::takes_what_there_is, asking)
});
finds!(a_setting_in_options, |asking: startup::Asking| {
    startup::settings(startup::forgets_options, asking)
});
finds!(a_message_that_is_waited_for_too_long, |bytes: &[u8]| {
    framing::any_stream(framing::waits_too_long, bytes)
});
finds!(a_header_in_two_pieces, |bytes: &[u8]| {
    framing::any_stream(framing::forgets_a_header, bytes)
});
finds!(messages_that_are_glued_together, |bytes: &[u8]| framing::any_stream(framing::glues, bytes));
finds!(an_empty_proof, |bytes: &[u8]| {
    let verifier: Verifier = scram::verifier();
    scram::any_bytes(scram::takes_an_empty_proof, &verifier, bytes)
});
finds!(an_empty_proof_in_an_exchange, |change: scram::Change| {
    scram::exchange(scram::takes_an_empty_proof, *change)
});
finds!(an_extension_that_is_skipped, |change: scram::Change| {
    scram::exchange(scram::skips_extensions, *change)
});
finds!(an_ssh_signature_that_can_only_be_read, |change: sshsig::Change| {
    sshsig::changed(sshsig::takes_what_can_be_read, change)
});
finds!(an_ssh_signature_of_no_key, |bytes: &[u8]| {
    sshsig::any_bytes(sshsig::takes_what_names_no_key, bytes)
});
finds!(a_right_ssh_signature_that_is_not_taken, |change: sshsig::Change| {
    sshsig::changed(sshsig::takes_nothing, change)
});
finds!(an_attestation_that_is_only_as_long, |change: sshsig::Change| {
    attestation::changed(attestation::takes_what_is_as_long, change)
});
finds!(an_attestation_of_anything, |bytes: &[u8]| {
    attestation::any_bytes(attestation::takes_what_begins_so, bytes)
});
finds!(a_right_attestation_that_is_not_taken, |change: sshsig::Change| {
    attestation::changed(attestation::takes_nothing, change)
});
finds!(a_right_proof_that_is_not_taken, |change: scram::Change| {
    scram::exchange(scram::proves_nothing, *change)
});
finds!(a_claim_that_can_only_be_read, |bytes: &[u8]| {
    sigv4::any_bytes(sigv4::takes_what_can_be_read, bytes)
});
finds!(a_header_that_is_not_signed, |change: sigv4::Change| {
    sigv4::changed(sigv4::forgets_what_is_not_signed, change)
});
finds!(a_right_request_that_is_not_taken, |change: sigv4::Change| {
    sigv4::changed(sigv4::takes_nothing, change)
});
finds!(a_line_in_two_pieces, |bytes: &[u8]| chunked::any_bytes(chunked::wants_whole_lines, bytes));
finds!(a_body_that_is_not_whole, |bytes: &[u8]| {
    chunked::any_bytes(chunked::takes_what_there_is, bytes)
});
finds!(a_chunk_that_leaves_too_early, |change: chunked::Change| {
    chunked::changed(chunked::releases_at_once, change)
});
finds!(a_name_that_was_never_given, |input: Conversation| {
    statements::play(input, Planted::ParsedAlthoughNot)
});
finds!(a_refused_request_that_leaves, |input: Conversation| {
    statements::play(input, Planted::RefusedLeaves)
});
finds!(parameters_that_were_not_asked_about, |input: Conversation| {
    statements::play(input, Planted::ParametersForgotten)
});
finds!(a_setting_that_was_not_heard_of, |input: Conversation| {
    statements::play(input, Planted::SettingUnheard)
});
finds!(work_that_stands_and_is_said_to_have_failed, |input: Conversation| {
    statements::play(input, Planted::AlwaysFailed)
});
finds!(work_that_was_taken_back_and_is_said_to_be_done, |input: Conversation| {
    statements::play(input, Planted::AlwaysDone)
});
