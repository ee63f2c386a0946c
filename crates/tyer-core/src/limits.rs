//! Every bound of the system, in one place, tied together by compile-time assertions.
//!
//! Durations are milliseconds unless the name says otherwise. A bound that the operator may lower is a
//! ceiling here and a setting in the configuration.

/// How long a hold stays open before it expires: 24 hours.
pub const HOLD_MS_MAX: i64 = 24 * 60 * 60 * 1000;
/// How long an approved hold may be used after its last approval: 15 minutes.
pub const GRANT_MS_MAX: i64 = 15 * 60 * 1000;
/// How long an allowance lasts at most: 8 hours.
pub const ALLOWANCE_MS_MAX: i64 = 8 * 60 * 60 * 1000;
/// Requests that one allowance covers at most.
pub const ALLOWANCE_USES_MAX: u32 = 1_000;
/// How long the request of a rejected hold is refused without asking again: 24 hours.
pub const REJECTED_MS: i64 = 24 * 60 * 60 * 1000;
/// How long an enrolment link lives: 15 minutes.
pub const ENROLMENT_MS: i64 = 15 * 60 * 1000;
/// How long a signing challenge lives: 5 minutes.
pub const CHALLENGE_MS: i64 = 5 * 60 * 1000;
/// How far ahead freezes of the calendar are shown: 7 days.
pub const FREEZES_SHOWN_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// Freezes that hold at once, beside those of the calendar.
pub const FREEZES_MAX: usize = 100;
/// Open reviews of what one human let through alone, at most, whatever is configured.
pub const REVIEWS_MAX: u32 = 20;
/// Freezes that are over and remembered by name, for holds that were opened before them.
pub const FREEZES_OVER_MAX: usize = 300;
/// How long a console sign-in lives: 12 hours.
pub const SIGN_IN_MS: i64 = 12 * 60 * 60 * 1000;
/// How long a session may live at most: 7 days.
pub const SESSION_MS_MAX: i64 = 7 * 24 * 60 * 60 * 1000;
/// How long a session lives unless said otherwise: 2 hours.
pub const SESSION_MS_DEFAULT: i64 = 2 * 60 * 60 * 1000;
/// How long a read lease may be carried: 10 minutes.
pub const LEASE_MS: i64 = 10 * 60 * 1000;
/// How many reads one lease carries.
pub const LEASE_USES_MAX: u64 = 10_000;
/// Leases that carry reads at once; beyond it the oldest carries no more.
pub const LEASES_MAX: usize = 4_096;
/// Bytes of the redacted text of a read that a lease carries; longer ones have leaves of their own.
pub const LEASE_TEXT_BYTES_MAX: usize = 16 * 1024;

/// Open holds of one session.
pub const OPEN_HOLDS_PER_SESSION: usize = 20;
/// Held requests of one shape that one signature approves at most.
pub const TOGETHER_MAX: usize = 20;
/// Open holds of all sessions of one controller.
pub const OPEN_HOLDS_PER_CONTROLLER: usize = 50;
/// Allowances of one session that are asked for or can be used.
pub const ALLOWANCES_PER_SESSION: usize = 20;
/// The same of all sessions of one controller.
pub const ALLOWANCES_PER_CONTROLLER: usize = 50;
/// Answers to holds that one controller has not seen and that are still shown; the oldest give way.
pub const UNSEEN_PER_PERSON: usize = 100;
/// How long they are shown at most: 7 days.
pub const UNSEEN_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// How far back the questions of a session are counted: 10 minutes.
pub const PACE_MS: i64 = 10 * 60 * 1000;
/// Questions of a session, and those that were rejected once more, in that time before it is slowed down.
pub const PACE_FREE: u32 = 30;
/// By how much each question beyond them is put off longer.
pub const PACE_STEP_MS: i64 = 2_000;
/// How long a question is put off at most.
pub const PACE_WAIT_MS_MAX: i64 = 2 * 60 * 1000;
/// Notes that people leave beside one hold.
pub const NOTES_PER_HOLD: usize = 50;
/// People to whom one note hands a hold over.
pub const HANDED_TO_MAX: usize = 16;
/// People who have put one hold off.
pub const PUT_OFF_PER_HOLD: usize = 100;
/// The highest count of people that a policy may ask for.
pub const APPROVALS_MAX: u32 = 8;
/// Windows of one person's working hours.
pub const SHIFTS_MAX: usize = 32;
/// Teams of a request of which policies leave it open whose agreement they want; those that are wanted in any case
/// do not count.
pub const TEAMS_OPEN_MAX: usize = 6;
/// The longest time, in seconds, that a policy may ask to pass before something runs: half of what a hold lives.
pub const WAITED_S_MAX: u32 = 12 * 60 * 60;

/// Passkeys of one person that were not removed.
pub const PASSKEYS_MAX: usize = 16;
/// Root certificates of makers of authenticators.
pub const ATTESTATION_ROOTS_MAX: usize = 64;
/// Certificates of one attestation.
pub const ATTESTATION_CHAIN_MAX: usize = 4;
/// Humans who go on counting, whatever passkey is removed.
pub const COUNTING_MIN: usize = 2;
/// SSH keys of one person.
pub const SSH_KEYS_MAX: usize = 16;
/// Characters of an SSH public key's text; those of RSA's longest are half as many.
pub const SSH_KEY_CHARS_MAX: usize = 4 * 1024;
/// Bytes of an SSH signature, which has its key inside.
pub const SSH_SIGNATURE_BYTES_MAX: usize = 8 * 1024;

/// Bytes of one request's text that is understood; beyond it the request is opaque.
pub const REQUEST_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of one message from an agent.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of one start-up packet; PostgreSQL's own limit.
pub const STARTUP_BYTES_MAX: usize = 10_000;
/// Bytes held back in an unsynced pipeline before Tyer stops waiting inside it.
pub const PIPELINE_BYTES_MAX: usize = 1024 * 1024;
/// Connections at all doors of one upstream at once; the configuration may say fewer.
pub const CONNECTIONS_MAX: usize = 20_000;
/// How long a client may take to prove who it is: 5 minutes; 30 seconds unless the configuration says so.
pub const LOGIN_MS_MAX: i64 = 5 * 60 * 1000;
/// How long connections may finish what they do when the program stops: 10 minutes at most.
pub const DRAIN_MS_MAX: i64 = 10 * 60 * 1000;
/// Characters of one name that a person or an agent supplies.
pub const NAME_CHARS_MAX: usize = 64;
/// Characters of a comment, a reason or a purpose.
pub const COMMENT_CHARS_MAX: usize = 2_000;
/// Prepared statements that one connection may keep.
pub const STATEMENTS_MAX: usize = 10_000;
/// Bytes of one connection's prepared statements and portals together, with what is bound to them.
pub const KEPT_BYTES_MAX: usize = 40 * 1024 * 1024;
/// Bytes of texts, and of what they mean, that one connection remembers.
pub const UNDERSTOOD_BYTES_MAX: usize = 64 * 1024;

/// By how much the moment of a signed request to AWS may differ from ours, as AWS has it: 5 minutes.
pub const SIGNED_SKEW_MS_MAX: i64 = 5 * 60 * 1000;
/// How many seconds a presigned request to AWS may be good for, as AWS has it: 7 days.
pub const PRESIGNED_S_MAX: u32 = 7 * 24 * 60 * 60;
/// Bytes of a request to AWS that is read whole, because what it asks is in its body.
pub const AWS_BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes above which a body that is a stream is not read whole.
pub const AWS_STREAM_BYTES_MIN: u64 = 64 * 1024;
/// The least time for which one of AWS's SDKs waits for an answer unless it is told otherwise: `socketTimeout` of the SDK for
/// Java 2, whose other clients have the same; the SDKs for Python, Ruby and .NET wait a minute or longer.
pub const AWS_SDK_READ_MS_MIN: u64 = 30_000;
/// How long an AWS door waits for people, from when it has read a request. What is left of the client's time is for
/// asking AWS again about what they approved, and for its answer.
pub const AWS_WAIT_MS_MAX: u64 = 25_000;
const _: () = assert!(
    AWS_WAIT_MS_MAX + 5_000 <= AWS_SDK_READ_MS_MIN,
    "a client that gives up while it waits never hears of its hold"
);
/// Bytes of a signed chunk of a body, which is held until its signature was verified.
pub const CHUNK_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a line in a body that comes in chunks.
pub const CHUNK_LINE_BYTES_MAX: usize = 4 * 1024;
/// Trailers of such a body.
pub const TRAILERS_MAX: usize = 16;
/// Bytes of all of its trailers.
pub const TRAILERS_BYTES_MAX: usize = 16 * 1024;

/// By how much in a hundred the rows of an approved request may have grown when it runs.
pub const DRIFT_ROWS_PERCENT: u64 = 10;
/// By how many rows they may have grown in any case.
pub const DRIFT_ROWS_MIN: u64 = 10;
/// By how many bytes what it goes through under a lock may have grown in any case; else by the share of rows.
pub const DRIFT_BYTES_MIN: u64 = 16 * 1024 * 1024;

/// Assumed where a card says how long a lock is kept: reading a table from one ordinary disk.
pub const READ_BYTES_PER_SECOND: u64 = 200_000_000;
/// The same for reading it and writing it anew with its indexes and its log.
pub const REWRITE_BYTES_PER_SECOND: u64 = 100_000_000;
/// The same for reading it and sorting what an index is built from.
pub const BUILD_BYTES_PER_SECOND: u64 = 50_000_000;
/// Locks that a card lists.
pub const LOCKS_MAX: usize = 20;

/// Rows of one table that are counted for a card; what has more is said to have at least this many.
pub const COUNTED_ROWS_MAX: u64 = 100_000;

/// Permitted inputs that policies need not evaluate again.
pub const MEMO_ENTRIES_MAX: usize = 1_024;
/// Acts of a request that is among them.
pub const MEMO_ACTS_MAX: usize = 16;

/// Bytes of one leaf: as much as the 16-bit length in a C2SP entry bundle can say.
pub const LEAF_BYTES_MAX: usize = 65_535;
/// Leaves of one ledger: far below every overflow of the tree's index arithmetic.
pub const LEAVES_MAX: u64 = 1 << 48;
/// Bytes of one document that an authenticator or a browser made, decoded.
pub const PASSKEY_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a passkey's credential id, by the WebAuthn specification.
pub const CREDENTIAL_ID_BYTES_MAX: usize = 1023;

/// How long a resource may not be destroyed by whoever removed its last known backup, nor that be removed by whoever
/// destroyed the resource: 7 days.
pub const BACKUP_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// How long what a session did can be part of what another of its controller does.
pub const SEQUENCE_MS: i64 = 24 * 60 * 60 * 1000;
/// What is remembered of one session, to see what its requests come to.
pub const SESSION_SEQUENCE_BYTES_MAX: usize = 256 * 1024;
/// What is remembered of the copies of one upstream's resources.
pub const COPIES_BYTES_MAX: usize = 1024 * 1024;
/// What is remembered of what was destroyed at one upstream that may have copies nobody told of.
pub const LOSSES_BYTES_MAX: usize = 1024 * 1024;
/// What is remembered of all sessions, copies and losses.
pub const SEQUENCE_BYTES_MAX: usize = 64 * 1024 * 1024;

const _: () =
    assert!(SESSION_SEQUENCE_BYTES_MAX < SEQUENCE_BYTES_MAX && COPIES_BYTES_MAX < SEQUENCE_BYTES_MAX);
const _: () = assert!(GRANT_MS_MAX < HOLD_MS_MAX);
const _: () = assert!(ALLOWANCE_MS_MAX < HOLD_MS_MAX);
const _: () = assert!(CHALLENGE_MS <= GRANT_MS_MAX);
const _: () = assert!(LEASE_MS < SESSION_MS_MAX);
const _: () = assert!(PACE_STEP_MS < PACE_WAIT_MS_MAX && PACE_WAIT_MS_MAX < PACE_MS);
const _: () = assert!(OPEN_HOLDS_PER_SESSION <= OPEN_HOLDS_PER_CONTROLLER);
const _: () = assert!(ALLOWANCES_PER_SESSION <= ALLOWANCES_PER_CONTROLLER);
const _: () = assert!(REQUEST_BYTES_MAX <= MESSAGE_BYTES_MAX);
// The longest message still has room beside one that it replaces.
const _: () = assert!(2 * MESSAGE_BYTES_MAX < KEPT_BYTES_MAX);
const _: () = assert!(UNDERSTOOD_BYTES_MAX <= REQUEST_BYTES_MAX);
const _: () = assert!(PIPELINE_BYTES_MAX <= MESSAGE_BYTES_MAX);
const _: () = assert!(CREDENTIAL_ID_BYTES_MAX < PASSKEY_BYTES_MAX);
const _: () =
    assert!(CHUNK_LINE_BYTES_MAX < TRAILERS_BYTES_MAX && TRAILERS_BYTES_MAX < CHUNK_BYTES_MAX);
