//! A map by name with a place beside it for the name that is none, which nearly every message of most drivers uses:
//! finding it hashes and compares nothing.

use std::collections::HashMap;

use super::Name;

#[derive(Debug)]
pub(super) struct Slots<V> {
    unnamed: Option<V>,
    named: HashMap<Name, V>,
}

impl<V> Default for Slots<V> {
    fn default() -> Self {
        Self { unnamed: None, named: HashMap::new() }
    }
}

impl<V> Slots<V> {
    pub(super) fn get(&self, name: &Name) -> Option<&V> {
        if name.is_unnamed() { self.unnamed.as_ref() } else { self.named.get(name) }
    }

    pub(super) fn get_mut(&mut self, name: &Name) -> Option<&mut V> {
        if name.is_unnamed() { self.unnamed.as_mut() } else { self.named.get_mut(name) }
    }

    pub(super) fn insert(&mut self, name: &Name, value: V) {
        if name.is_unnamed() {
            self.unnamed = Some(value);
        } else if let Some(place) = self.named.get_mut(name) {
            *place = value;
        } else {
            self.named.insert(name.clone(), value);
        }
    }

    pub(super) fn remove(&mut self, name: &Name) {
        if name.is_unnamed() {
            self.unnamed = None;
        } else {
            self.named.remove(name);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.named.len() + usize::from(self.unnamed.is_some())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn clear(&mut self) {
        self.unnamed = None;
        self.named.clear();
    }

    #[cfg(test)]
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.unnamed.iter().chain(self.named.values())
    }
}
