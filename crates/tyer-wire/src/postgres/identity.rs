//! Which request it is: a digest over everything that decides what the server will do, taken before
//! Tyer adds anything of its own, and the same in text for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tyer_core::intent::Digest;

/// Where a request would run, as far as that belongs to its identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The database.
    pub database: String,
    /// The role on the upstream.
    pub role: String,
    /// Settings that change what a text means, as the server reports them.
    pub settings: BTreeMap<String, String>,
}

/// The parameters of one execution.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// Declared type oids, as far as declared; 0 leaves one to the server.
    pub types: Vec<u32>,
    /// Format and bytes of each.
    pub values: Vec<Value>,
}

/// One parameter's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Whether the bytes are in the type's binary form.
    pub binary: bool,
    /// The bytes; `None` is NULL.
    pub bytes: Option<Vec<u8>>,
}

impl Scope {
    /// Its identity, for [`request_digest`]: it changes less often than requests come.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut parts: Vec<&[u8]> =
            vec![b"tyer postgres scope 1", self.database.as_bytes(), self.role.as_bytes()];
        let settings = self.settings.iter().flat_map(|(name, value)| [name, value]);
        parts.extend(settings.map(|part| part.as_bytes()));
        Digest::of_parts(&parts)
    }
}

/// The identity of the exact request in the scope of that digest: of the bytes of its text, whatever their encoding.
#[must_use]
pub fn request_digest(scope: Digest, sql: impl AsRef<[u8]>, parameters: &Parameters) -> Digest {
    let types: Vec<u8> = parameters.types.iter().flat_map(|oid| oid.to_be_bytes()).collect();
    // The parts before the values are always four, so values can't be taken for anything else.
    let mut parts = Vec::with_capacity(4 + 2 * parameters.values.len());
    parts.extend([b"tyer postgres request 2", &scope.0[..], sql.as_ref(), &types]);
    for value in &parameters.values {
        parts.push(match (value.binary, value.bytes.is_some()) {
            (_, false) => b"null",
            (false, true) => b"text",
            (true, true) => b"binary",
        });
        parts.push(value.bytes.as_deref().unwrap_or_default());
    }
    Digest::of_parts(&parts)
}

/// The request for people, complete: the SQL and, below it, its parameters. Text parameters stand as
/// they are, binary ones in hexadecimal with their type.
#[must_use]
pub fn request_text(sql: &str, parameters: &Parameters) -> String {
    let mut text = sql.to_owned();
    if !parameters.values.is_empty() {
        let _ = write!(text, "\n-- {} parameters:", parameters.values.len());
    }
    for (at, value) in parameters.values.iter().enumerate() {
        let oid = parameters.types.get(at).copied().unwrap_or(0);
        let shown = match (&value.bytes, value.binary) {
            (None, _) => "NULL".to_owned(),
            (Some(bytes), false) => match std::str::from_utf8(bytes) {
                Ok(text) => format!("'{text}'"),
                Err(_) => format!("not UTF-8, 0x{}", hex(bytes)),
            },
            (Some(bytes), true) => format!("binary of type {oid}, 0x{}", hex(bytes)),
        };
        let _ = write!(text, "\n-- ${} = {shown}", at + 1);
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Value {
        Value { binary: false, bytes: Some(value.into()) }
    }

    fn parameters(types: &[u32], values: &[Value]) -> Parameters {
        Parameters { types: types.to_vec(), values: values.to_vec() }
    }

    #[test]
    fn different_requests_have_different_digests() {
        let scope = Scope { database: "shop".into(), role: "app".into(), ..Scope::default() };
        let other = Scope { database: "shopapp".into(), role: String::new(), ..Scope::default() };
        let mut set = scope.clone();
        set.settings.insert("TimeZone".into(), "UTC".into());
        let sql = "delete from t where id = $1";
        let null = Value { binary: false, bytes: None };
        let binary = Value { binary: true, bytes: Some(b"1".into()) };
        let (scope, other, set) = (scope.digest(), other.digest(), set.digest());
        let digests = [
            request_digest(scope, sql, &parameters(&[], &[])),
            request_digest(other, sql, &parameters(&[], &[])),
            request_digest(set, sql, &parameters(&[], &[])),
            request_digest(scope, "delete from t", &parameters(&[], &[])),
            request_digest(scope, sql, &parameters(&[23], &[])),
            request_digest(scope, sql, &parameters(&[], &[text("1")])),
            request_digest(scope, sql, &parameters(&[], &[text("")])),
            request_digest(scope, sql, &parameters(&[], &[null])),
            request_digest(scope, sql, &parameters(&[], &[binary])),
            request_digest(scope, sql, &parameters(&[], &[text("1"), text("")])),
            request_digest(scope, sql, &parameters(&[], &[text(""), text("1")])),
        ];
        let distinct: std::collections::BTreeSet<_> = digests.iter().collect();
        assert_eq!(distinct.len(), digests.len());
        let again = request_digest(scope, sql, &parameters(&[], &[]));
        assert_eq!(again, digests[0]);
    }

    #[test]
    fn people_see_every_parameter() {
        let binary = Value { binary: true, bytes: Some(vec![0, 42]) };
        let raw = Value { binary: false, bytes: Some(vec![0xff]) };
        let null = Value { binary: true, bytes: None };
        let shown =
            request_text("select $1", &parameters(&[25, 21], &[text("a b"), binary, raw, null]));
        expect_test::expect![[r"
            select $1
            -- 4 parameters:
            -- $1 = 'a b'
            -- $2 = binary of type 21, 0x002a
            -- $3 = not UTF-8, 0xff
            -- $4 = NULL"]]
        .assert_eq(&shown);
        assert_eq!(request_text("select 1", &Parameters::default()), "select 1");
    }
}
