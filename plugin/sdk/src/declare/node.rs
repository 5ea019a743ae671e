//! A node, its slots, and its resources.

use workflow_node_documents::SecretPosition;

use serde::{Deserialize, Serialize};

use super::{Action, Literal, Reference, Trigger, check, leak};

/// A complete description of a node. Created with [`Node::builder`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Node {
    /// Lower case, e.g. `pagerduty`.
    pub name: &'static str,
    /// Increased when a workflow built with the last version would behave differently.
    pub version: u32,
    /// Display name.
    pub display_name: &'static str,
    /// Purpose of the node.
    pub description: &'static str,
    /// Page with further information; https.
    pub documentation_url: Option<&'static str>,
    /// Icon: SVG text of at most 8 KiB. Hosts show it only as an image.
    pub icon: Option<&'static str>,
    /// Categories that catalogs list the node under, in lower case.
    pub categories: &'static [&'static str],
    /// Additional search terms.
    pub aliases: &'static [&'static str],
    /// Every origin that the node may send requests to.
    pub origins: &'static [&'static str],
    /// Servers whose origins the operator chooses.
    pub servers: &'static [Server],
    /// Slots for credentials.
    pub slots: &'static [Slot],
    /// Schemas shared by name; [`Output::Shared`](super::Output::Shared) and `#/$defs/NAME` refer to them.
    pub schemas: &'static [(&'static str, Literal)],
    /// Where responses and requests contain secrets.
    pub secrets: fn() -> Vec<SecretPosition>,
    /// Objects that parameters may refer to.
    pub references: &'static [Reference],
    /// The resources, in the order in which a menu shows them.
    pub resources: &'static [Resource],
    /// Triggers, which start a workflow.
    pub triggers: &'static [Trigger],
}

/// Builds a [`Node`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct NodeBuilder(Node);

impl Node {
    /// Creates a builder from the name (lower case), the display name, and the purpose of the node.
    ///
    /// ```
    /// use workflow_node_sdk::declare::{Action, Node, Resource};
    ///
    /// static NODE: Node = Node::builder("weather", "Weather", "Returns the weather of cities.")
    ///     .origins(&["https://api.weather.example"])
    ///     .resources(&[Resource::new("city", "Cities", "Cities with weather reports.", &[CITIES])])
    ///     .build();
    ///
    /// static CITIES: &[Action] = &[
    ///     Action::get("city.list", "/v1/cities", "List cities", "Returns all cities.")
    ///         .without_credential("https://api.weather.example"),
    /// ];
    /// # assert_eq!(NODE.actions().count(), 1);
    /// ```
    pub const fn builder(
        name: &'static str,
        display_name: &'static str,
        description: &'static str,
    ) -> NodeBuilder {
        NodeBuilder(Self {
            name,
            version: 1,
            display_name,
            description,
            documentation_url: None,
            icon: None,
            categories: &[],
            aliases: &[],
            origins: &[],
            servers: &[],
            slots: &[],
            schemas: &[],
            secrets: Vec::new,
            references: &[],
            resources: &[],
            triggers: &[],
        })
    }

    /// All actions, in order.
    pub fn actions(&self) -> impl Iterator<Item = &'static Action> + use<> {
        self.resources.iter().flat_map(|resource| resource.actions.iter().copied().flatten())
    }

    /// The action of this name.
    pub fn action(&self, name: &str) -> Option<&'static Action> {
        self.actions().find(|action| action.name == name)
    }

    /// The trigger of this name.
    pub fn trigger(&self, name: &str) -> Option<&'static Trigger> {
        self.triggers.iter().find(|trigger| trigger.form.name == name)
    }
}

impl NodeBuilder {
    /// Sets the version. Increase it when a workflow built with the last version would behave
    /// differently.
    pub const fn version(mut self, version: u32) -> Self {
        self.0.version = version;
        self
    }

    /// Sets the page with further information; https.
    pub const fn documentation_url(mut self, url: &'static str) -> Self {
        self.0.documentation_url = Some(url);
        self
    }

    /// Sets the icon: SVG text of at most 8 KiB.
    pub const fn icon(mut self, svg: &'static str) -> Self {
        self.0.icon = Some(svg);
        self
    }

    /// Sets the categories that catalogs list the node under, in lower case.
    pub const fn categories(mut self, categories: &'static [&'static str]) -> Self {
        self.0.categories = categories;
        self
    }

    /// Sets additional search terms.
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.0.aliases = aliases;
        self
    }

    /// Sets every origin that the node may send requests to.
    pub const fn origins(mut self, origins: &'static [&'static str]) -> Self {
        self.0.origins = origins;
        self
    }

    /// Sets the servers whose origins the operator chooses. `https://{name}` among the origins of the
    /// node and of its credential types refers to one of them.
    pub const fn servers(mut self, servers: &'static [Server]) -> Self {
        self.0.servers = servers;
        self
    }

    /// Sets the slots for credentials.
    pub const fn slots(mut self, slots: &'static [Slot]) -> Self {
        self.0.slots = slots;
        self
    }

    /// Sets the schemas that outputs share by name.
    pub const fn schemas(mut self, schemas: &'static [(&'static str, Literal)]) -> Self {
        self.0.schemas = schemas;
        self
    }

    /// Sets where responses and requests contain secrets.
    pub const fn secrets(mut self, secrets: fn() -> Vec<SecretPosition>) -> Self {
        self.0.secrets = secrets;
        self
    }

    /// Sets the objects that parameters may refer to.
    pub const fn references(mut self, references: &'static [Reference]) -> Self {
        self.0.references = references;
        self
    }

    /// Sets the resources, in the order in which a menu shows them.
    pub const fn resources(mut self, resources: &'static [Resource]) -> Self {
        self.0.resources = resources;
        self
    }

    /// Sets the triggers, which start a workflow.
    pub const fn triggers(mut self, triggers: &'static [Trigger]) -> Self {
        self.0.triggers = triggers;
        self
    }

    /// Returns the node after checking it: the compiler checks a constant or a static, a build
    /// script checks when it runs.
    ///
    /// ```compile_fail
    /// use workflow_node_sdk::declare::{Action, Node, Resource};
    ///
    /// // The path names a parameter that the action does not have.
    /// static NODE: Node = Node::builder("weather", "Weather", "Returns the weather of cities.")
    ///     .origins(&["https://api.weather.example"])
    ///     .resources(&[Resource::new("city", "Cities", "Cities.", &[CITIES])])
    ///     .build();
    ///
    /// static CITIES: &[Action] = &[
    ///     Action::get("city.weather", "/v1/cities/{city}", "Get the weather", "Returns it.")
    ///         .without_credential("https://api.weather.example"),
    /// ];
    /// ```
    ///
    /// # Panics
    ///
    /// If the declaration has a mistake: a path or a field names a parameter, reference, action,
    /// slot, or base URL that does not exist; a parameter in the path is optional; a request that
    /// reads has a body; a parameter is not placed; two objects have the same name. The message
    /// names the action, the field, and the remedy.
    pub const fn build(self) -> Node {
        check::check(&self.0);
        self.0
    }
}

/// Actions that belong together.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Resource {
    /// Lower case.
    pub name: &'static str,
    /// Title in a menu, in the plural.
    pub title: &'static str,
    /// Description for a person who does not know the service.
    pub description: &'static str,
    /// Its actions, a slice per file.
    pub actions: &'static [&'static [Action]],
}

impl Resource {
    /// Creates a resource from its name (lower case), its plural title in a menu, its description,
    /// and its actions, one slice per file.
    pub const fn new(
        name: &'static str,
        title: &'static str,
        description: &'static str,
        actions: &'static [&'static [Action]],
    ) -> Self {
        Self { name, title, description, actions }
    }
}

/// A slot: a place for a credential.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Slot {
    /// Lower case.
    pub name: &'static str,
    /// Purpose of the credential.
    #[serde(skip)]
    pub description: &'static str,
    /// Names of the credential types that it accepts.
    #[serde(deserialize_with = "leak::slice")]
    pub credential_types: &'static [&'static str],
    /// Base URLs of requests that use its credentials.
    #[serde(deserialize_with = "leak::slice")]
    pub base_urls: &'static [BaseUrl],
}

/// A base URL of requests that use the credentials of a slot.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BaseUrl {
    /// Name by which actions refer to it.
    pub name: &'static str,
    /// The URL; `None` where [`configure`](crate::node::Plugin::configure) returns it.
    pub url: Option<&'static str>,
}

impl BaseUrl {
    /// Creates a base URL that is the same for every credential.
    pub const fn fixed(name: &'static str, url: &'static str) -> Self {
        Self { name, url: Some(url) }
    }

    /// Creates a base URL that depends on the credential:
    /// [`configure`](crate::node::Plugin::configure) returns it among the `base_urls`.
    pub const fn configured(name: &'static str) -> Self {
        Self { name, url: None }
    }
}

impl Slot {
    /// Creates a slot for credentials of these types.
    pub const fn new(
        name: &'static str,
        description: &'static str,
        credential_types: &'static [&'static str],
    ) -> Self {
        Self { name, description, credential_types, base_urls: &[] }
    }

    /// Sets the base URLs of requests with its credentials.
    #[must_use]
    pub const fn base_urls(self, base_urls: &'static [BaseUrl]) -> Self {
        Self { base_urls, ..self }
    }
}

/// A server whose origin the operator chooses, for services that people host themselves.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Server {
    /// Name of the server, in lower case. A credential type that refers to it has a field of this
    /// name for the origin.
    pub name: &'static str,
    /// Description of the server for the person who chooses the origin.
    pub description: &'static str,
    /// Origins that may be chosen: `https://*` is every host, `https://*.example.com` is every host
    /// below one, and the port `:*` is every port.
    pub within: &'static [&'static str],
}

impl Server {
    /// Creates a server from its name, its description, and the origins that may be chosen.
    pub const fn new(
        name: &'static str,
        description: &'static str,
        within: &'static [&'static str],
    ) -> Self {
        Self { name, description, within }
    }
}
