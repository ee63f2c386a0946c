//! Hosts that only the rule sets of services tell, such as those below `api.aws`, found again by their names.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::{Endpoint, Partition, default_region, partitions, starts_as};
use crate::aws::table::{Api, apis};

/// What a list of hosts says, taken apart once.
static RULED: LazyLock<Vec<Ruled>> = LazyLock::new(|| {
    let lists = apis().flat_map(|api| {
        let own: BTreeSet<&str> = api.operations().map(|operation| operation.place().1).collect();
        own.into_iter().chain([api.hosts()]).map(move |list| (api, list)).collect::<Vec<_>>()
    });
    let read = |(api, list): (Api, &'static str)| {
        list.split(',').filter_map(move |one| Ruled::read(api, one)).collect::<Vec<_>>()
    };
    lists.flat_map(read).collect()
});

/// A host of a service, before and behind where the region stands in it.
struct Ruled {
    api: Api,
    of: Partition,
    start: &'static str,
    end: Option<&'static str>,
    /// Where it is, if its name does not say.
    region: &'static str,
}

impl Ruled {
    /// `PARTITION=HOST` or `REGION=HOST`.
    fn read(api: Api, one: &'static str) -> Option<Self> {
        let (name, host) = one.split_once('=')?;
        let of = partitions().find(|of| of.name() == name || of.has(name))?;
        let region = if of.name() == name { default_region(of) } else { name };
        let (start, end) =
            host.split_once("{}").map_or((host, None), |(start, end)| (start, Some(end)));
        Some(Self { api, of, start, end, region })
    }

    /// The region, if that is the host, with or without what operations put before it.
    fn region(&self, host: &str) -> Option<String> {
        let at = host.find(self.start)?;
        let (before, rest) = (host.get(..at)?, host.get(at + self.start.len()..)?);
        let region = match self.end {
            None => rest.is_empty().then_some(self.region)?,
            Some(end) => rest.strip_suffix(end).filter(|region| self.of.has(region))?,
        };
        let is_known = before.is_empty() || self.api.host_prefixes().any(|it| starts_as(before, it));
        is_known.then(|| region.to_owned())
    }
}

pub(super) fn endpoint(host: &str) -> Option<Endpoint> {
    RULED.iter().find_map(|ruled| {
        let region = ruled.region(host)?;
        let (partition, prefix) = (ruled.of.name(), ruled.api.endpoint_prefix());
        Some(Endpoint { partition, prefix, region, bucket: None })
    })
}
