//! Objects that are stored as in the API: collections by path, and single documents.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

/// One collection, in order of insertion.
#[derive(Debug, Default)]
struct Collection {
    next: u64,
    objects: BTreeMap<u64, Value>,
    places: HashMap<String, u64>,
}

/// All objects without a typed collection. Paths are those of the API, without a trailing slash.
#[derive(Debug, Default)]
pub(crate) struct Store {
    collections: HashMap<String, Collection>,
    singles: HashMap<String, Value>,
}

impl Store {
    /// The objects of a collection with their positions, oldest first.
    pub(crate) fn all<'a>(
        &'a self,
        path: &str,
    ) -> impl DoubleEndedIterator<Item = (u64, &'a Value)> + use<'a> {
        let objects = self.collections.get(path).map(|collection| collection.objects.iter());
        objects.into_iter().flatten().map(|(place, object)| (*place, object))
    }

    pub(crate) fn get(&self, path: &str, id: &str) -> Option<&Value> {
        let collection = self.collections.get(path)?;
        collection.objects.get(collection.places.get(id)?)
    }

    pub(crate) fn get_mut(&mut self, path: &str, id: &str) -> Option<&mut Value> {
        let collection = self.collections.get_mut(path)?;
        collection.objects.get_mut(collection.places.get(id)?)
    }

    /// Adds an object to a collection under its `id`, or replaces the existing one.
    pub(crate) fn put(&mut self, path: &str, object: Value) {
        let id = object["id"].as_str().unwrap_or_default().to_owned();
        let collection = self.collections.entry(path.to_owned()).or_default();
        let place = collection.places.get(&id).copied().unwrap_or_else(|| {
            collection.next += 1;
            collection.next
        });
        collection.places.insert(id, place);
        collection.objects.insert(place, object);
    }

    /// Deletes an object with everything below it.
    pub(crate) fn remove(&mut self, path: &str, id: &str) -> Option<Value> {
        let collection = self.collections.get_mut(path)?;
        let place = collection.places.remove(id)?;
        let object = collection.objects.remove(&place);
        self.forget(&format!("{path}/{id}"));
        object
    }

    /// Deletes everything below a path.
    pub(crate) fn forget(&mut self, path: &str) {
        let below = format!("{path}/");
        self.collections.retain(|other, _| !other.starts_with(&below));
        self.singles.retain(|other, _| other != path && !other.starts_with(&below));
    }

    pub(crate) fn single(&self, path: &str) -> Option<&Value> {
        self.singles.get(path)
    }

    pub(crate) fn set_single(&mut self, path: &str, document: Value) {
        self.singles.insert(path.to_owned(), document);
    }

    pub(crate) fn remove_single(&mut self, path: &str) -> Option<Value> {
        self.singles.remove(path)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_keep_their_positions_and_are_deleted_with_their_children() {
        let mut store = Store::default();
        for id in ["a", "b", "c"] {
            store.put("/pages", json!({"id": id}));
            store.put(&format!("/pages/{id}/posts"), json!({"id": "post"}));
        }
        store.put("/pages", json!({"id": "b", "name": "second"}));
        store.set_single("/pages/a/theme", json!("dark"));
        assert!(store.remove("/pages", "a").is_some());
        assert!(store.remove("/pages", "a").is_none());
        assert_eq!(
            (store.get("/pages/a/posts", "post"), store.single("/pages/a/theme")),
            (None, None)
        );
        assert!(store.get("/pages/b/posts", "post").is_some());
        store.put("/pages", json!({"id": "a"}));
        let order: Vec<(u64, &str)> = store
            .all("/pages")
            .map(|(place, page)| (place, page["id"].as_str().unwrap()))
            .collect();
        assert_eq!(order, [(2, "b"), (3, "c"), (4, "a")]);
        assert_eq!(store.get("/pages", "b").unwrap()["name"], "second");
    }
}
