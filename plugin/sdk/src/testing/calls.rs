//! Calls of actions, options, and credentials.

use serde_json::{Map, Value};
use workflow_node_documents::{Configuration, Identity, Options, OptionsQuery, TokenGrant};

use super::{Host, schemas};
use crate::error::{Error, FieldError};
use crate::json;
use crate::node::{self, OutputItem, Plugin};

/// A call of an action for any number of items.
///
/// ```
/// use serde_json::json;
/// use workflow_node_sdk::testing::Call;
///
/// let call = Call::new("city.weather")
///     .item(json!({ "city_id": "berlin" }))
///     .item(json!({ "city_id": "paris" }))
///     .continue_on_fail()
///     .concurrency(2);
/// # let _ = call;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Call {
    action: String,
    version: Option<u32>,
    items: Vec<String>,
    options: Map<String, Value>,
}

impl Call {
    /// Creates a call of an action without items.
    pub fn new(action: impl Into<String>) -> Self {
        Self { action: action.into(), version: None, items: Vec::new(), options: Map::new() }
    }

    /// Adds an item with these parameters.
    pub fn item(mut self, parameters: Value) -> Self {
        self.items.push(parameters.to_string());
        self
    }

    /// Adds an item for each of these parameters.
    pub fn items(mut self, parameters: impl IntoIterator<Item = Value>) -> Self {
        self.items.extend(parameters.into_iter().map(|one| one.to_string()));
        self
    }

    /// Continues after an item that fails.
    pub fn continue_on_fail(mut self) -> Self {
        self.options.insert("continue_on_fail".into(), true.into());
        self
    }

    /// Sets how many items run concurrently.
    pub fn concurrency(mut self, items: usize) -> Self {
        self.options.insert("concurrency".into(), items.into());
        self
    }

    /// Requests that each item is reported as soon as it ends, as a streaming engine does. See
    /// [`Host::finished`].
    pub fn finish_items(mut self) -> Self {
        self.options.insert("finish_items".into(), true.into());
        self
    }

    /// Sets the version of the action that the workflow was built with; by default, the newest.
    pub fn version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }
}

impl Host {
    /// Calls an action for one item, and returns its records, including those emitted before it
    /// ended.
    ///
    /// ```
    /// use serde_json::json;
    /// # use workflow_node_sdk::{declare::*, node::{Declares, Plugin}};
    /// use workflow_node_sdk::testing::{Host, answer};
    /// # struct Weather;
    /// # static NODE: Node = Node::builder("weather", "Weather", "")
    /// #     .origins(&["https://api.test"])
    /// #     .resources(&[Resource::new("city", "Cities", "", &[CITIES])]).build();
    /// # static CITIES: &[Action] = &[Action::get("city.weather", "/{city}", "", "")
    /// #     .without_credential("https://api.test")
    /// #     .parameters(&[&Param::text("city", "", "").required().at(Place::Path)])];
    /// # impl Plugin for Weather { fn declaration() -> &'static dyn Declares { &NODE } }
    ///
    /// let host = Host::scripted([answer(200, r#"{"celsius":21.50}"#)]);
    /// let records = host.execute::<Weather>("city.weather", json!({ "city": "berlin" })).unwrap();
    /// assert_eq!(records[0]["celsius"].to_string(), "21.50");
    /// assert_eq!(host.only_request().path(), "/berlin");
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the error of the item or of the call.
    ///
    /// # Panics
    ///
    /// If a record does not fit the output schema of the action.
    pub fn execute<P: Plugin>(&self, action: &str, parameters: Value) -> Result<Vec<Value>, Error> {
        self.call::<P>(Call::new(action).item(parameters))?.remove(0)
    }

    /// Calls an action for many items: one result per item, in order.
    ///
    /// ```
    /// use serde_json::json;
    /// # use workflow_node_sdk::{declare::*, node::{Declares, Plugin}};
    /// use workflow_node_sdk::ErrorKind;
    /// use workflow_node_sdk::testing::{Call, Host, answer};
    /// # struct Weather;
    /// # static NODE: Node = Node::builder("weather", "Weather", "")
    /// #     .origins(&["https://api.test"])
    /// #     .resources(&[Resource::new("city", "Cities", "", &[CITIES])]).build();
    /// # static CITIES: &[Action] = &[Action::get("city.weather", "/{city}", "", "")
    /// #     .without_credential("https://api.test")
    /// #     .parameters(&[&Param::text("city", "", "").required().at(Place::Path)])];
    /// # impl Plugin for Weather { fn declaration() -> &'static dyn Declares { &NODE } }
    ///
    /// let host = Host::answering(|request| match request.url.ends_with("/berlin") {
    ///     true => Ok(answer(200, r#"{"celsius":21}"#)),
    ///     false => Ok(answer(404, r#"{"message":"no such city"}"#)),
    /// });
    /// let call = Call::new("city.weather").continue_on_fail();
    /// let call = call.items([json!({ "city": "atlantis" }), json!({ "city": "berlin" })]);
    /// let results = host.call::<Weather>(call).unwrap();
    /// assert_eq!(results[0].as_ref().unwrap_err().kind, ErrorKind::NotFound);
    /// assert_eq!(results[1].as_ref().unwrap()[0], json!({ "celsius": 21 }));
    /// ```
    ///
    /// # Errors
    ///
    /// If the call as a whole is invalid: there is no such action or version, or the slot is empty.
    ///
    /// # Panics
    ///
    /// As [`Host::execute`].
    pub fn call<P: Plugin>(&self, call: Call) -> Result<Vec<Result<Vec<Value>, Error>>, Error> {
        let declaration = P::declaration();
        let version = declaration.action(&call.action).map_or(1, |action| action.version);
        let action = call.action.clone();
        let emitted_before = self.emitted().len();
        self.forget_finished();
        let raw = node::Call {
            node: declaration.name().into(),
            version: call.version.unwrap_or(version),
            action: call.action,
            items: call.items,
            options: Value::Object(call.options).to_string(),
        };
        let mut results = self.run(|| node::execute::<P>(raw))?;
        for (item, outcome) in self.finished() {
            results[item as usize] = outcome;
        }
        let emitted = self.emitted().split_off(emitted_before);
        let validators = self.0.borrow().checks_output.then(schemas::outputs::<P>);
        let read = |output: &OutputItem| {
            let value = json::value(&output.json).expect("a record is JSON");
            let validator = validators.as_ref().and_then(|all| all.get(&action));
            if let (Some(validator), "main") = (validator, output.port.as_str()) {
                schemas::assert_fits(validator, &value, &format!("a record of `{action}`"));
            }
            value
        };
        let with_emitted = |(item, result): (usize, node::Outcome)| {
            let own = emitted.iter().filter(|(of, _)| *of as usize == item);
            let mut records: Vec<Value> = own.map(|(_, output)| read(output)).collect();
            records.extend(result?.iter().map(read));
            Ok(records)
        };
        Ok(results.into_iter().enumerate().map(with_emitted).collect())
    }

    /// Loads the choices of a form field.
    ///
    /// ```
    /// # use workflow_node_sdk::{declare::*, node::{Declares, Plugin}};
    /// use workflow_node_sdk::documents::OptionsQuery;
    /// use workflow_node_sdk::testing::{Host, answer};
    /// # struct Weather;
    /// # static NODE: Node = Node::builder("weather", "Weather", "")
    /// #     .origins(&["https://api.test"])
    /// #     .references(&[Reference::new("city", "a city", "city.list")])
    /// #     .resources(&[Resource::new("city", "Cities", "", &[CITIES])]).build();
    /// # static CITIES: &[Action] = &[
    /// #     Action::get("city.list", "/cities", "", "").without_credential("https://api.test")
    /// #         .answer(Answer::List("cities", &Paging::None)),
    /// #     Action::get("city.weather", "/{city}", "", "").without_credential("https://api.test")
    /// #         .parameters(&[&Param::text("city", "", "").required().reference("city").at(Place::Path)])];
    /// # impl Plugin for Weather { fn declaration() -> &'static dyn Declares { &NODE } }
    ///
    /// let host = Host::scripted([answer(200, r#"{"cities":[{"id":"C1","name":"Berlin"}]}"#)]);
    /// let query = OptionsQuery::for_action("city.weather", "city");
    /// let options = host.load_options::<Weather>(query).unwrap();
    /// assert_eq!(options.choices[0].label, "Berlin");
    /// ```
    ///
    /// # Errors
    ///
    /// If the choices cannot be read.
    ///
    /// # Panics
    ///
    /// If the document that the node returns is not valid.
    pub fn load_options<P: Plugin>(&self, query: OptionsQuery) -> Result<Options, Error> {
        use workflow_node_documents::Document as _;
        let options = self.run(|| node::load_options::<P>(query.to_json()))?;
        Ok(schemas::read(&options))
    }

    /// Tests the credential in a slot.
    ///
    /// ```
    /// # use workflow_node_sdk::{declare::*, documents::*, error::Error, http::{self, Request}};
    /// # use workflow_node_sdk::node::{Credential, Declares, Plugin};
    /// use serde_json::json;
    /// use workflow_node_sdk::testing::{Host, answer};
    /// # struct Weather;
    /// # static NODE: Node = Node::builder("weather", "Weather", "").origins(&["https://api.test"])
    /// #     .slots(&[Slot::new("main", "", &["key"])]).build();
    /// # impl Plugin for Weather {
    /// #     fn declaration() -> &'static dyn Declares { &NODE }
    /// #     fn configure(_: &str, _: &workflow_node_sdk::Map<String, workflow_node_sdk::Value>, _: Option<&TokenGrant>)
    /// #         -> Result<Configuration, Vec<workflow_node_sdk::error::FieldError>> {
    /// #         Ok(Configuration::new(["https://api.test".parse().unwrap()]))
    /// #     }
    /// #     async fn test(credential: Credential) -> Result<Identity, Error> {
    /// #         let mut request = Request::new("GET", "https://api.test/me");
    /// #         request.credential = credential.slot.clone();
    /// #         let response = http::send(&request).await.map_err(|error| Error::from_send(error, &request))?;
    /// #         if !response.is_success() { return Err(response.error()) }
    /// #         Ok(Identity::new("The key is valid."))
    /// #     }
    /// # }
    ///
    /// let host = Host::scripted([answer(200, "{}")]).connected::<Weather>("main", "key", json!({}));
    /// assert_eq!(host.test::<Weather>("main").unwrap().summary, "The key is valid.");
    /// assert_eq!(host.only_request().credential.as_deref(), Some("main"));
    /// ```
    ///
    /// # Errors
    ///
    /// If the credential is not valid, or if it cannot be tested.
    ///
    /// # Panics
    ///
    /// If the document that the node returns is not valid.
    pub fn test<P: Plugin>(&self, slot: &str) -> Result<Identity, Error> {
        let identity = self.run(|| node::test::<P>(slot.to_owned()))?;
        Ok(schemas::read(&identity))
    }
}

/// The configuration that a node derives from a credential's fields.
///
/// ```
/// # use workflow_node_sdk::{Map, Value, declare::*, documents::*, error::FieldError};
/// # use workflow_node_sdk::node::{Declares, Plugin};
/// use serde_json::json;
/// use workflow_node_sdk::testing::configure;
/// # struct Weather;
/// # static NODE: Node = Node::builder("weather", "Weather", "").origins(&["https://eu.test"])
/// #     .slots(&[Slot::new("main", "", &["key"]).base_urls(&[BaseUrl::configured("api")])]).build();
/// # impl Plugin for Weather {
/// #     fn declaration() -> &'static dyn Declares { &NODE }
/// #     fn configure(_: &str, fields: &Map<String, Value>, _: Option<&TokenGrant>)
/// #         -> Result<Configuration, Vec<FieldError>> {
/// #         let url = ["https://", fields["region"].as_str().unwrap(), ".test"].concat();
/// #         Ok(Configuration::new([url.parse().unwrap()]).base_urls([("api", url)]))
/// #     }
/// # }
///
/// let configuration = configure::<Weather>("key", json!({ "region": "eu" })).unwrap();
/// assert_eq!(configuration.base_urls["api"], "https://eu.test");
/// ```
///
/// # Errors
///
/// Returns the invalid fields.
///
/// # Panics
///
/// If the fields are not an object, or the configuration is not a valid document.
pub fn configure<P: Plugin>(
    credential_type: &str,
    fields: Value,
) -> Result<Configuration, Vec<FieldError>> {
    configured::<P>(credential_type, fields, None)
}

/// As [`configure`], after the service has issued a token.
///
/// # Errors
///
/// Returns the invalid fields.
///
/// # Panics
///
/// As [`configure`].
pub fn configure_granted<P: Plugin>(
    credential_type: &str,
    fields: Value,
    grant: &TokenGrant,
) -> Result<Configuration, Vec<FieldError>> {
    configured::<P>(credential_type, fields, Some(grant))
}

fn configured<P: Plugin>(
    credential_type: &str,
    fields: Value,
    grant: Option<&TokenGrant>,
) -> Result<Configuration, Vec<FieldError>> {
    use workflow_node_documents::Document as _;
    assert!(fields.is_object(), "the fields of a credential are an object");
    let grant = grant.map(TokenGrant::to_json);
    let configuration =
        node::configure::<P>(credential_type.to_owned(), fields.to_string(), grant)?;
    Ok(schemas::read(&configuration))
}
