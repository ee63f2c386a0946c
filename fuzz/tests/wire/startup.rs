//! The first packet of a connection.

use bolero::TypeGenerator;
use tyer_wire::postgres::encode;
use tyer_wire::postgres::startup::{First, Start, StartupError, first};

/// Reads a first packet.
pub(crate) type Reads = fn(&[u8]) -> Result<Option<(First, usize)>, StartupError>;

/// Never more bytes are taken than there are, and more bytes never change what the first ones were.
pub(crate) fn any_bytes(first: Reads, bytes: &[u8]) {
    // Few inputs have a length that fits by chance.
    let length = u32::try_from(bytes.len() + 8).unwrap().to_be_bytes();
    let framed = [&length[..], &[0, 3, 0, 0], bytes].concat();
    // And fewer are names and values.
    let letters = bytes.iter().map(|byte| if byte % 8 == 0 { 0 } else { b'a' + byte % 26 });
    let named: Vec<u8> = b"user\0a\0".iter().copied().chain(letters).chain(*b"x\0y\0\0").collect();
    let length = u32::try_from(named.len() + 8).unwrap().to_be_bytes();
    let named = [&length[..], &[0, 3, 0, 0], &named].concat();
    for input in [bytes, &framed, &named] {
        let whole = first(input);
        if let Ok(Some((_, taken))) = &whole {
            assert!(*taken <= input.len());
            assert_eq!(first(&[input, b"more"].concat()), whole);
        }
    }
}

/// A setting that a client asks for, in its own place or within `options`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TypeGenerator)]
pub(crate) enum Asked {
    TimeZone,
    Jit,
    Replica,
    Strings,
    SearchPath,
    Encoding,
}

impl Asked {
    fn setting(self) -> (&'static str, &'static str) {
        match self {
            Self::TimeZone => ("TimeZone", "UTC"),
            Self::Jit => ("jit", "off"),
            Self::Replica => ("session_replication_role", "replica"),
            Self::Strings => ("Standard_Conforming_Strings", "off"),
            Self::SearchPath => ("search_path", "evil"),
            Self::Encoding => ("client_encoding", "SJIS"),
        }
    }

    fn is_free(self) -> bool {
        matches!(self, Self::TimeZone | Self::Jit)
    }

    /// In one of the spellings of `options`.
    fn option(self, spelling: u8) -> String {
        let (name, value) = self.setting();
        let dashed = name.replace('_', "-");
        match spelling % 5 {
            0 => format!("-c {name}={value}"),
            1 => format!("-c{name}={value}"),
            2 => format!("--{dashed}={value}"),
            3 => format!("\t-c\n{dashed}={value} "),
            _ => format!("--{name}=\\{value}"),
        }
    }
}

/// A start-up message.
#[derive(Clone, Debug, TypeGenerator)]
pub(crate) struct Asking {
    plain: Vec<Asked>,
    options: Vec<(Asked, u8)>,
    options_first: bool,
}

/// What a policy would have to look at is named, wherever it hides; what it need not is taken.
pub(crate) fn settings(first: Reads, asking: &Asking) {
    let options: Vec<_> =
        asking.options.iter().map(|(asked, spelling)| asked.option(*spelling)).collect();
    let options = options.join(" ");
    let mut parameters: Vec<_> = asking.plain.iter().map(|asked| asked.setting()).collect();
    if !options.is_empty() {
        let at = if asking.options_first { 0 } else { parameters.len() };
        parameters.insert(at, ("options", &options));
    }
    parameters.push(("user", "ses_1"));
    let packet = encode::startup(0, &parameters);
    let (start, taken) = match first(&packet) {
        Ok(Some((First::Start(start), taken))) => (start, taken),
        other => panic!("{other:?}"),
    };
    assert_eq!(taken, packet.len());
    let Start { settings, unlisted, .. } = start;
    let mut asked = asking.plain.iter().chain(asking.options.iter().map(|(asked, _)| asked));
    let is_free = asked.all(|asked| asked.is_free());
    assert_eq!(unlisted.is_none(), is_free, "{parameters:?}: {unlisted:?}");
    if is_free {
        assert_eq!(settings.len(), asking.plain.len() + asking.options.len());
    }
    for length in 0..packet.len() {
        assert_eq!(first(&packet[..length]), Ok(None), "{length} of {} bytes", packet.len());
    }
}

/// The real one.
pub(crate) fn real(bytes: &[u8]) -> Result<Option<(First, usize)>, StartupError> {
    first(bytes)
}

/// Takes one byte too many.
pub(crate) fn takes_too_many(bytes: &[u8]) -> Result<Option<(First, usize)>, StartupError> {
    Ok(first(bytes)?.map(|(found, taken)| (found, taken + 1)))
}

/// Takes whatever it has got for the whole packet.
pub(crate) fn takes_what_there_is(bytes: &[u8]) -> Result<Option<(First, usize)>, StartupError> {
    match (first(bytes), bytes.get(4..)) {
        (Ok(None), Some(rest)) => {
            let length = u32::try_from(bytes.len()).unwrap_or(0).to_be_bytes();
            first(&[&length[..], rest].concat())
        }
        (read, _) => read,
    }
}

/// Looks at the settings that stand for themselves, and not into `options`.
pub(crate) fn forgets_options(bytes: &[u8]) -> Result<Option<(First, usize)>, StartupError> {
    let plain = |settings: &[(String, String)]| settings.iter().any(|(name, _)| name == "options");
    Ok(first(bytes)?.map(|(found, taken)| match found {
        First::Start(start) if plain(&start.settings) => {
            (First::Start(Start { unlisted: None, ..start }), taken)
        }
        found => (found, taken),
    }))
}
