//! The first bytes of a connection ("Start-up" and "Message Formats" in the PostgreSQL
//! documentation): TLS requests, cancel requests and the start-up message.
//!
//! Start-up parameters and `options` change settings before any policy could look, so only those that a SET
//! may change freely are taken; the first of the others is named, for the door to refuse.

use tyer_core::limits::STARTUP_BYTES_MAX;

use super::decode::{DecodeError, Fields};
use super::refuse::Answer;
use super::{encode, understand};

/// The answer to a TLS request that is granted.
pub const YES: &[u8] = b"S";
/// The answer to a TLS or GSSAPI request that is declined; the client may go on without.
pub const NO: &[u8] = b"N";

/// What a connection begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum First {
    /// A TLS handshake without asking first: leave the bytes to the TLS library.
    DirectTls,
    /// `SSLRequest`: answer [`YES`] or [`NO`].
    Tls,
    /// `GSSENCRequest`: answer [`NO`].
    Gss,
    /// `CancelRequest`: no answer, whatever happens.
    Cancel {
        /// The process id that was handed out.
        process: u32,
        /// The secret that was handed out.
        secret: Vec<u8>,
    },
    /// `StartupMessage`.
    Start(Start),
}

/// A start-up message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The user.
    pub user: String,
    /// The database; the user's name unless given.
    pub database: String,
    /// Settings to pass on, in the client's spelling; the encoding is `UTF8` unless another was asked for.
    pub settings: Vec<(String, String)>,
    /// Why these settings must not be taken, if a policy would have to look at one of them first.
    pub unlisted: Option<StartupError>,
    /// The minor version of protocol 3 that is spoken: 0, or 2, whose keys for cancelling are longer.
    pub minor: u16,
    /// `NegotiateProtocolVersion`, to be sent before anything else, if the client asked for more.
    pub negotiate: Option<Vec<u8>>,
}

/// Why a connection is refused at its start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartupError {
    /// A length that no start-up packet has.
    #[error("a start-up packet cannot be {0} bytes long")]
    Length(u32),
    /// Malformed fields.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// Not protocol 3.
    #[error("protocol {0}.{1} is not supported, only 3.0 and 3.2")]
    Version(u16, u16),
    /// No user.
    #[error("no user name in the start-up message")]
    NoUser,
    /// Replication.
    #[error("replication connections are not supported")]
    Replication,
    /// A setting that is not on the list.
    #[error("setting \"{0}\" cannot be given at the start of a connection")]
    Setting(String),
    /// Another client encoding.
    #[error("client encoding \"{0}\" is not supported, only UTF8")]
    Encoding(String),
    /// `options` that are not plain settings.
    #[error("options \"{0}\" are not understood")]
    Options(String),
}

impl StartupError {
    /// What the client is told before the connection ends.
    #[must_use]
    pub fn answer(&self) -> Answer {
        let message = self.to_string();
        match self {
            Self::Length(_) | Self::Malformed(_) => Answer::new("08P01", &message),
            Self::NoUser => Answer::new("28000", &message),
            Self::Version(..) | Self::Replication | Self::Encoding(_) => Answer::new("0A000", &message),
            Self::Setting(_) | Self::Options(_) => Answer::new("42501", &message)
                .hint("Leave it out here and ask for it by SET, so that it can be decided on."),
        }
    }
}

/// Reads the first packet off `bytes`: what it is and how many bytes it took (none for direct TLS),
/// or `None` until more have come.
///
/// # Errors
/// The connection can't go on; see [`StartupError::answer`].
pub fn first(bytes: &[u8]) -> Result<Option<(First, usize)>, StartupError> {
    if bytes.first() == Some(&0x16) {
        return Ok(Some((First::DirectTls, 0)));
    }
    let Some(&[a, b, c, d]) = bytes.get(..4) else { return Ok(None) };
    let declared = u32::from_be_bytes([a, b, c, d]);
    let length = usize::try_from(declared).unwrap_or(usize::MAX);
    if !(8..=STARTUP_BYTES_MAX).contains(&length) {
        return Err(StartupError::Length(declared));
    }
    let Some(body) = bytes.get(4..length) else { return Ok(None) };
    let mut fields = Fields::new(body, "start-up");
    let code = fields.u32()?;
    let first = match code {
        80_877_103 => First::Tls,
        80_877_104 => First::Gss,
        80_877_102 => First::Cancel { process: fields.u32()?, secret: cancel_secret(&mut fields)? },
        _ => return start(code, fields).map(|start| Some((First::Start(start), length))),
    };
    fields.end()?;
    Ok(Some((first, length)))
}

fn cancel_secret(fields: &mut Fields<'_>) -> Result<Vec<u8>, DecodeError> {
    let length = fields.rest().len();
    if !(4..=256).contains(&length) {
        return Err(DecodeError::Malformed("CancelRequest"));
    }
    fields.take(length).map(<[u8]>::to_vec)
}

fn start(code: u32, mut fields: Fields<'_>) -> Result<Start, StartupError> {
    let [a, b, c, d] = code.to_be_bytes();
    let (major, minor) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    if major != 3 {
        return Err(StartupError::Version(major, minor));
    }
    let (mut user, mut database, mut settings) = (None, None, Vec::new());
    let mut unknown = Vec::new();
    loop {
        let name = utf8(fields.text()?)?;
        if name.is_empty() {
            break;
        }
        let value = utf8(fields.text()?)?;
        match name.as_str() {
            "user" => user = Some(value),
            "database" => database = Some(value),
            "replication" if is_off(&value) => {}
            "replication" => return Err(StartupError::Replication),
            _ if name.starts_with("_pq_.") => unknown.push(name),
            _ => settings.push((name, value)),
        }
    }
    fields.end()?;
    let user = user.filter(|user| !user.is_empty()).ok_or(StartupError::NoUser)?;
    let database = database.filter(|name| !name.is_empty()).unwrap_or_else(|| user.clone());
    let (settings, unlisted) = listed(settings);
    // There never was a 3.1 (PostgreSQL 18, "Protocol Versions").
    let spoken = if minor >= 2 { 2 } else { 0 };
    let negotiates = minor != spoken || !unknown.is_empty();
    let negotiate = negotiates.then(|| encode::negotiate(spoken, &unknown));
    Ok(Start { user, database, settings, unlisted, minor: spoken, negotiate })
}

/// The settings that may be taken unasked; or all of them as they came, with what is wrong with the first
/// that may not.
fn listed(asked: Vec<(String, String)>) -> (Vec<(String, String)>, Option<StartupError>) {
    let mut settings = Vec::new();
    for (name, value) in &asked {
        let taken = match name.as_str() {
            "options" => options(value),
            _ => harmless(name.clone(), value.clone()).map(|setting| vec![setting]),
        };
        match taken {
            Ok(taken) => settings.extend(taken),
            Err(error) => return (asked, Some(error)),
        }
    }
    (settings, None)
}

fn utf8(bytes: &[u8]) -> Result<String, DecodeError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| DecodeError::Malformed("start-up"))
}

fn is_off(value: &str) -> bool {
    matches!(value, "false" | "off" | "no" | "0")
}

fn harmless(name: String, value: String) -> Result<(String, String), StartupError> {
    let lower = name.to_ascii_lowercase();
    if lower == "client_encoding" {
        // The server, too, looks at letters and digits only.
        let plain: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
        return match plain.to_ascii_lowercase().as_str() {
            "utf8" | "unicode" => Ok((name, "UTF8".to_owned())),
            _ => Err(StartupError::Encoding(value)),
        };
    }
    if !understand::is_free_setting(&lower, &value) {
        return Err(StartupError::Setting(name));
    }
    Ok((name, value))
}

/// The settings of an `options` text: `-c name=value` and `--name=value`, words parted by white space,
/// a backslash taking the next character as it is.
fn options(text: &str) -> Result<Vec<(String, String)>, StartupError> {
    let strange = || StartupError::Options(text.to_owned());
    let mut words = words(text).ok_or_else(strange)?.into_iter();
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let setting = match (word.strip_prefix("--"), word.strip_prefix("-c")) {
            (Some(setting), _) => setting.to_owned(),
            (None, Some("")) => words.next().ok_or_else(strange)?,
            (None, Some(setting)) => setting.to_owned(),
            (None, None) => return Err(strange()),
        };
        let (name, value) = setting.split_once('=').ok_or_else(strange)?;
        // The server reads `-` in a name as `_`.
        settings.push(harmless(name.replace('-', "_"), value.to_owned())?);
    }
    Ok(settings)
}

fn words(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut chars) = (Vec::new(), None::<String>, text.chars());
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' => words.extend(word.take()),
            '\\' => word.get_or_insert_default().push(chars.next()?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(version: u32, parameters: &str) -> Vec<u8> {
        let length = u32::try_from(8 + parameters.len()).unwrap();
        let parameters = parameters.replace('|', "\0");
        [&length.to_be_bytes()[..], &version.to_be_bytes(), parameters.as_bytes()].concat()
    }

    #[test]
    fn start_messages() {
        let check = |parameters: &str, expect: &str| {
            let got = match first(&message(196_608, parameters)) {
                Ok(Some((First::Start(start), _))) => {
                    assert_eq!(start.unlisted, None, "{parameters}");
                    format!("{}@{} {:?}", start.user, start.database, start.settings)
                }
                other => format!("{:?}", other.map_err(|error| error.to_string())),
            };
            assert_eq!(got, expect, "{parameters}");
        };
        check("user|a||", "a@a []");
        check("user|a|database|d|application_name|x||", r#"a@d [("application_name", "x")]"#);
        check("user|a|client_encoding|'utf-8'||", r#"a@a [("client_encoding", "UTF8")]"#);
        check("user|a|replication|off||", "a@a []");
        check(
            "user|a|options|-c statement_timeout=5s -c jit=off|client_min_messages|notice||",
            r#"a@a [("statement_timeout", "5s"), ("jit", "off"), ("client_min_messages", "notice")]"#,
        );
        check(
            "user|a|options|-c DateStyle=ISO,\\ MDY --timezone=UTC -cextra-float-digits=3||",
            r#"a@a [("DateStyle", "ISO, MDY"), ("timezone", "UTC"), ("extra_float_digits", "3")]"#,
        );
        let refused = [
            ("user|a|replication|database||", "replication connections are not supported"),
            ("user|a|replication|||", "replication connections are not supported"),
            ("user|a|search_path|x||", "setting \"search_path\" cannot"),
            (
                "user|a|session_replication_role|replica||",
                "setting \"session_replication_role\" cannot",
            ),
            ("user|a|options|-c row_security=off||", "setting \"row_security\" cannot"),
            ("user|a|options|-c timezone=UTC -c role=root||", "setting \"role\" cannot"),
            ("user|a|statement_timeout|0||", "setting \"statement_timeout\" cannot"),
            ("user|a|search_path|evil||", "setting \"search_path\" cannot"),
            (
                "user|a|standard_conforming_strings|off||",
                "setting \"standard_conforming_strings\" cannot",
            ),
            ("user|a|options|-d 5||", "are not understood"),
            ("user|a|options|-c timezone||", "are not understood"),
            ("user|a|options|\\||", "are not understood"),
            ("user|a|client_encoding|SJIS||", "client encoding \"SJIS\""),
            ("user|a|options|--client_encoding=latin1||", "client encoding \"latin1\""),
            ("database|d||", "no user name"),
            ("user|a|x", "malformed start-up"),
            ("user|a||x", "malformed start-up"),
        ];
        for (parameters, expect) in refused {
            let error = match first(&message(196_608, parameters)) {
                Ok(Some((First::Start(start), _))) => start.unlisted.unwrap(),
                other => other.unwrap_err(),
            };
            assert!(error.to_string().contains(expect), "{parameters}: {error}");
        }
    }

    #[test]
    fn other_first_packets() {
        let check = |bytes: &[u8], expect: Result<Option<(First, usize)>, StartupError>| {
            assert_eq!(first(bytes), expect, "{bytes:?}");
        };
        check(b"\x16\x03\x01", Ok(Some((First::DirectTls, 0))));
        check(&encode::ssl_request(), Ok(Some((First::Tls, 8))));
        check(b"\0\0\0\x08\x04\xd2\x16\x30", Ok(Some((First::Gss, 8))));
        let cancel = First::Cancel { process: 7, secret: b"abcdefgh".to_vec() };
        check(&encode::cancel_request(7, b"abcdefgh"), Ok(Some((cancel, 20))));
        check(b"\0\0\0\x08\x04\xd2", Ok(None));
        check(b"\0\0\0\x07", Err(StartupError::Length(7)));
        check(b"GET / HTTP/1.1\r\n", Err(StartupError::Length(u32::from_be_bytes(*b"GET "))));
        check(&message(0x0002_0000, "user|a||"), Err(StartupError::Version(2, 0)));
        let newer = first(&encode::startup(2, &[("user", "a")]));
        assert!(matches!(newer, Ok(Some((First::Start(Start { minor: 2, .. }), 16)))), "{newer:?}");
    }

    #[test]
    fn newer_minors_are_negotiated_down() {
        let negotiate = |version, parameters| match first(&message(version, parameters)) {
            Ok(Some((First::Start(start), _))) => start.negotiate,
            other => panic!("{other:?}"),
        };
        assert_eq!(negotiate(196_608, "user|a||"), None);
        assert_eq!(negotiate(196_609, "user|a||"), Some(encode::negotiate(0, &[])));
        assert_eq!(negotiate(196_610, "user|a||"), None);
        assert_eq!(negotiate(196_611, "user|a||"), Some(encode::negotiate(2, &[])));
        // The highest that there can be, which newer clients ask for to see what they get.
        let grease = negotiate(206_607, "user|a|_pq_.test_protocol_negotiation|||").unwrap();
        assert_eq!(&grease[5..9], &196_610_u32.to_be_bytes());
        let asked = negotiate(196_608, "user|a|_pq_.x|1||").unwrap();
        assert_eq!(asked, b"v\0\0\0\x13\0\x03\0\0\0\0\0\x01_pq_.x\0".to_vec());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80), text in ".*") {
            drop(first(&bytes));
            drop(first(&[&[0, 0, 0, 64, 0, 3, 0, 0][..], &bytes].concat()));
            drop(options(&text));
        }
    }
}
