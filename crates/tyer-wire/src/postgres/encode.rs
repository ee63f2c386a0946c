//! The few messages that Tyer writes itself, as bytes.

/// A message of that type around the body that `write` appends.
pub fn message(tag: u8, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = vec![tag, 0, 0, 0, 0];
    write(&mut out);
    let length = u32::try_from(out.len() - 1).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(1..5) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    out
}

/// Appends bytes and a NUL. A NUL inside would end the field early, so it is left out.
fn text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(text.iter().filter(|byte| **byte != 0));
    out.push(0);
}

/// `Query`.
#[must_use]
pub fn query(sql: &[u8]) -> Vec<u8> {
    message(b'Q', |out| text(out, sql))
}

/// `Parse`.
#[must_use]
pub fn parse(name: &[u8], sql: &[u8], types: &[u32]) -> Vec<u8> {
    message(b'P', |out| {
        text(out, name);
        text(out, sql);
        out.extend(u16::try_from(types.len()).unwrap_or(u16::MAX).to_be_bytes());
        types.iter().for_each(|oid| out.extend(oid.to_be_bytes()));
    })
}

/// `Bind` of a prepared statement to a portal, with these values as text; results come as text too.
#[must_use]
pub fn bind(portal: &[u8], statement: &[u8], values: &[&str]) -> Vec<u8> {
    message(b'B', |out| {
        text(out, portal);
        text(out, statement);
        out.extend([0, 0]);
        out.extend(u16::try_from(values.len()).unwrap_or(u16::MAX).to_be_bytes());
        for value in values {
            out.extend(u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(value.as_bytes());
        }
        out.extend([0, 0]);
    })
}

/// `Execute` of a portal to its end.
#[must_use]
pub fn execute(portal: &[u8]) -> Vec<u8> {
    message(b'E', |out| {
        text(out, portal);
        out.extend([0; 4]);
    })
}

/// `Close` of a portal.
#[must_use]
pub fn close_portal(name: &[u8]) -> Vec<u8> {
    message(b'C', |out| {
        out.push(b'P');
        text(out, name);
    })
}

/// `Close` of a prepared statement.
#[must_use]
pub fn close_statement(name: &[u8]) -> Vec<u8> {
    message(b'C', |out| {
        out.push(b'S');
        text(out, name);
    })
}

/// `Sync`.
#[must_use]
pub fn sync() -> Vec<u8> {
    message(b'S', |_| {})
}

/// `Flush`.
#[must_use]
pub fn flush() -> Vec<u8> {
    message(b'H', |_| {})
}

/// `Terminate`.
#[must_use]
pub fn terminate() -> Vec<u8> {
    message(b'X', |_| {})
}

/// `SASLResponse`: the bytes as they are.
#[must_use]
pub fn sasl_response(bytes: &[u8]) -> Vec<u8> {
    message(b'p', |out| out.extend_from_slice(bytes))
}

/// `PasswordMessage` of a password, or of its hash.
#[must_use]
pub fn password(password: &[u8]) -> Vec<u8> {
    message(b'p', |out| text(out, password))
}

/// `SASLInitialResponse`.
#[must_use]
pub fn sasl_initial(mechanism: &[u8], first: &[u8]) -> Vec<u8> {
    message(b'p', |out| {
        text(out, mechanism);
        out.extend(u32::try_from(first.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(first);
    })
}

/// `StartupMessage` that asks for that minor version of protocol 3, with these parameters.
#[must_use]
pub fn startup(minor: u16, parameters: &[(&str, &str)]) -> Vec<u8> {
    untyped(|out| {
        out.extend((196_608 + u32::from(minor)).to_be_bytes());
        for (name, value) in parameters {
            text(out, name.as_bytes());
            text(out, value.as_bytes());
        }
        out.push(0);
    })
}

/// `SSLRequest`.
#[must_use]
pub fn ssl_request() -> Vec<u8> {
    untyped(|out| out.extend(80_877_103_u32.to_be_bytes()))
}

/// `CancelRequest`.
#[must_use]
pub fn cancel_request(process: u32, secret: &[u8]) -> Vec<u8> {
    untyped(|out| {
        out.extend(80_877_102_u32.to_be_bytes());
        out.extend(process.to_be_bytes());
        out.extend_from_slice(secret);
    })
}

/// `AuthenticationSASL`, offering these mechanisms.
#[must_use]
pub fn authentication_sasl(mechanisms: &[&str]) -> Vec<u8> {
    authentication(10, |out| {
        mechanisms.iter().for_each(|mechanism| text(out, mechanism.as_bytes()));
        out.push(0);
    })
}

/// `AuthenticationSASLContinue`.
#[must_use]
pub fn authentication_continue(challenge: &[u8]) -> Vec<u8> {
    authentication(11, |out| out.extend_from_slice(challenge))
}

/// `AuthenticationSASLFinal`.
#[must_use]
pub fn authentication_final(last: &[u8]) -> Vec<u8> {
    authentication(12, |out| out.extend_from_slice(last))
}

/// `AuthenticationOk`.
#[must_use]
pub fn authentication_ok() -> Vec<u8> {
    authentication(0, |_| {})
}

/// `ParameterStatus`.
#[must_use]
pub fn parameter_status(name: &str, value: &str) -> Vec<u8> {
    message(b'S', |out| {
        text(out, name.as_bytes());
        text(out, value.as_bytes());
    })
}

/// `BackendKeyData`.
#[must_use]
pub fn backend_key(process: u32, secret: &[u8]) -> Vec<u8> {
    message(b'K', |out| {
        out.extend(process.to_be_bytes());
        out.extend_from_slice(secret);
    })
}

/// `ReadyForQuery` outside any transaction.
#[must_use]
pub fn ready() -> Vec<u8> {
    message(b'Z', |out| out.push(b'I'))
}

/// `NegotiateProtocolVersion`: at most that minor version of protocol 3, and these options are not known.
#[must_use]
pub fn negotiate(minor: u16, unknown: &[String]) -> Vec<u8> {
    message(b'v', |out| {
        // The documentation says the minor version; servers send, and libpq wants, the whole one.
        out.extend((196_608 + u32::from(minor)).to_be_bytes());
        out.extend(u32::try_from(unknown.len()).unwrap_or(u32::MAX).to_be_bytes());
        unknown.iter().for_each(|name| text(out, name.as_bytes()));
    })
}

/// `ErrorResponse` (`E`) or `NoticeResponse` (`N`) with these fields.
#[must_use]
pub fn complaint(tag: u8, fields: &[(u8, &str)]) -> Vec<u8> {
    message(tag, |out| {
        for (field, value) in fields {
            out.push(*field);
            text(out, value.as_bytes());
        }
        out.push(0);
    })
}

fn authentication(kind: u32, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    message(b'R', |out| {
        out.extend(kind.to_be_bytes());
        write(out);
    })
}

fn untyped(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = message(0, write);
    out.remove(0);
    out
}
