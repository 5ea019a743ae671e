//! Requested permissions that an operator does not grant.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use url::Url;

use super::GrantRequest;
use crate::description::{Delivery, Description, Effect};
use crate::origin::{Origin, OriginOfUrl as _, OriginPattern};

/// Permissions that an operator withholds. The rest of the plugin's request is granted.
///
/// Effects and actions are declared by the plugin itself, so withholding them restricts only an
/// honest plugin. Origins and scopes restrict any plugin.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Withheld {
    /// Nothing is sent to these origins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<OriginPattern>,
    /// No action with these effects runs. A trigger whose deliveries are set up at the service counts
    /// as `create`, another as `read`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub effects: BTreeSet<Effect>,
    /// Actions and triggers that do not run.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub actions: BTreeSet<String>,
    /// Scopes that are not asked for and not used, by credential type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scopes: BTreeMap<String, BTreeSet<String>>,
}

impl Withheld {
    /// Whether everything is granted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Withholds more.
    pub fn extend(&mut self, more: Self) {
        for origin in more.origins {
            if !self.origins.contains(&origin) {
                self.origins.push(origin);
            }
        }
        self.effects.extend(more.effects);
        self.actions.extend(more.actions);
        for (credential_type, scopes) in more.scopes {
            self.scopes.entry(credential_type).or_default().extend(scopes);
        }
    }

    /// Removes everything that a plugin does not request.
    pub fn restrict(&mut self, request: &GrantRequest) {
        let one = |point: Self| point.check(request).is_ok();
        self.origins
            .retain(|origin| one(Self { origins: vec![origin.clone()], ..Self::default() }));
        self.actions.retain(|name| {
            one(Self { actions: BTreeSet::from([name.clone()]), ..Self::default() })
        });
        self.scopes.retain(|credential_type, scopes| {
            scopes.retain(|scope| {
                let scopes = BTreeSet::from([scope.clone()]);
                let scopes = BTreeMap::from([(credential_type.clone(), scopes)]);
                one(Self { scopes, ..Self::default() })
            });
            !scopes.is_empty()
        });
    }

    /// Each point in words.
    pub fn in_words(&self) -> Vec<String> {
        let origins = self.origins.iter().map(|origin| format!("requests to {origin}"));
        let effects = self.effects.iter().map(|effect| format!("actions that {effect}"));
        let actions = self.actions.iter().map(|action| format!("the action {action}"));
        let scopes = self.scopes.iter().flat_map(|(credential_type, scopes)| {
            scopes.iter().map(move |scope| format!("the scope {scope} of {credential_type}"))
        });
        origins.chain(effects).chain(actions).chain(scopes).collect()
    }

    /// Checks that everything withheld was requested: a typo would otherwise grant the permission
    /// that it should withhold.
    ///
    /// # Errors
    ///
    /// The first point that was not asked for.
    pub fn check(&self, request: &GrantRequest) -> Result<(), String> {
        let covers = |withheld: &OriginPattern| {
            let asked = || {
                let credentials = request.credentials.values();
                let endpoints = credentials.flat_map(|one| &one.oauth_endpoints);
                endpoints.filter_map(|url| Origin::of(&Url::parse(url).ok()?))
            };
            request.origins.iter().any(|one| one.covers(withheld) || withheld.covers(one))
                || asked().any(|origin| withheld.matches(&origin))
        };
        if let Some(origin) = self.origins.iter().find(|origin| !covers(origin)) {
            return Err(format!("the plugin does not request access to {origin}"));
        }
        let known = |name: &String| {
            request.triggers.contains_key(name)
                || request.actions.values().any(|names| names.contains(name))
        };
        if let Some(name) = self.actions.iter().find(|name| !known(name)) {
            return Err(format!("the plugin has no action or trigger `{name}`"));
        }
        for (credential_type, scopes) in &self.scopes {
            let Some(asked) = request.credentials.get(credential_type) else {
                return Err(format!("the plugin has no credential type `{credential_type}`"));
            };
            if let Some(scope) = scopes.iter().find(|scope| !asked.scopes.contains(*scope)) {
                return Err(format!(
                    "the plugin does not request the scope `{scope}` of `{credential_type}`"
                ));
            }
        }
        Ok(())
    }

    /// Whether nothing may be sent to an origin.
    pub(crate) fn holds_back(&self, origin: &Origin) -> bool {
        self.origins.iter().any(|pattern| pattern.matches(origin))
    }

    /// Whether an action or a trigger may run.
    ///
    /// # Errors
    ///
    /// The reason that it may not run, and the change that would allow it.
    pub(crate) fn check_run(&self, description: &Description, name: &str) -> Result<(), String> {
        if self.actions.contains(name) {
            return Err(refused(&format!("`{name}`"), &format!("--without-action {name}")));
        }
        let action = description.node.action(name).map(|action| action.effect);
        let effect = action.or_else(|| {
            description.trigger(name).map(|trigger| match trigger.delivery {
                Delivery::Poll(_) => Effect::Read,
                _ => Effect::Create,
            })
        });
        match effect.filter(|effect| self.effects.contains(effect)) {
            Some(effect) => Err(refused(
                &format!("`{name}`, whose effect is `{effect}`,"),
                &format!("--without-effect {effect}"),
            )),
            None => Ok(()),
        }
    }

    /// Whether scopes of a credential type hold or include one that is withheld. `includes` says
    /// whether the first includes the second.
    ///
    /// # Errors
    ///
    /// Which one, and what would allow it.
    pub(crate) fn check_scopes<'a>(
        &self,
        credential_type: &str,
        scopes: impl IntoIterator<Item = &'a str>,
        includes: impl Fn(&str, &str) -> bool,
    ) -> Result<(), String> {
        let Some(withheld) = self.scopes.get(credential_type) else { return Ok(()) };
        for scope in scopes {
            if let Some(found) = withheld.iter().find(|one| includes(scope, one)) {
                let what = match found == scope {
                    true => format!("the scope `{scope}` of `{credential_type}`"),
                    false => format!(
                        "the scope `{scope}` of `{credential_type}`, which includes `{found}`,"
                    ),
                };
                let option = format!("--without-scope {credential_type}:{found}");
                return Err(refused(&what, &option));
            }
        }
        Ok(())
    }
}

/// That something was withheld, and what would allow it.
pub(crate) fn refused(what: &str, option: &str) -> String {
    format!(
        "the operator has withheld {what} from this plugin, which was approved with `{option}`. To \
         grant it, approve the plugin in full: harness approve PLUGIN --in-full"
    )
}
