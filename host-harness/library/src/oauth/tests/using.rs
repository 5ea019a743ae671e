//! Who may use what: modes, owners, actions, scopes, and the reports about them.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::service::Whim;
use super::world::{World, description, fast, new, now, open};
use crate::audit::MemoryAudit;
use crate::credential::{
    ConnectionKey, CredentialError, CredentialRequest, CredentialSource as _, HeadChange, Mode,
};
use crate::oauth::{Actor, CredentialEnded, CredentialEvents, CredentialManager};
use crate::principal::{Principal, User};

fn fresh() -> crate::credential::NewCredential {
    new(Some(now() + 3_600_000), Some(3_600_000))
}

async fn of_mode(mode: Mode, owner: Option<&str>, user: Option<&str>) -> World {
    let mut credential = fresh();
    credential.head.mode = mode;
    credential.head.owner = owner.map(User::from);
    credential.user = user.map(User::from);
    World::with(credential, None, fast()).await
}

fn by(world: &World, actor: Option<&str>) -> CredentialRequest {
    let actor = actor.map(Principal::user).unwrap_or_default();
    CredentialRequest { actor, ..world.request.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_credential_is_its_owners() {
    let world = of_mode(Mode::Private, Some("ada"), None).await;
    assert!(world.manager.credential(&by(&world, Some("ada"))).await.is_ok());
    for other in [Some("bob"), None] {
        let error = world.manager.credential(&by(&world, other)).await.unwrap_err().to_string();
        assert!(error.contains("it is private"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_credential_is_anybodys_who_names_it() {
    let world = of_mode(Mode::Shared, Some("ada"), None).await;
    for actor in [Some("ada"), Some("bob"), None] {
        assert!(world.manager.credential(&by(&world, actor)).await.is_ok(), "{actor:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_per_user_is_the_acting_users_own() {
    let world = of_mode(Mode::PerUser, None, Some("ada")).await;
    let mut bobs = fresh();
    bobs.head.mode = Mode::PerUser;
    bobs.user = Some("bob".into());
    bobs.secrets.insert("access_token".into(), crate::Secret::new("the-token-of-bob"));
    world.store.add(bobs).unwrap();
    let token = async |actor: &str| {
        let request = by(&world, Some(actor));
        let credential = world.manager.credential(&request).await?;
        Ok::<_, CredentialError>(credential.secrets["access_token"].expose().to_owned())
    };
    assert_eq!(token("ada").await.unwrap(), "access-token-0000-canary");
    assert_eq!(token("bob").await.unwrap(), "the-token-of-bob");
    let error = token("eve").await.unwrap_err().to_string();
    assert_eq!(error, "eve has not connected `work` yet. Each user needs a separate connection");
    let error = world.manager.credential(&by(&world, None)).await.unwrap_err().to_string();
    assert!(error.contains("no acting user was named"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn o9_an_action_runs_only_with_the_scopes_that_were_granted() {
    let world = World::with(fresh(), None, fast()).await;
    assert!(world.get().await.is_ok(), "reading");
    let writes = CredentialRequest { action: "item.create".into(), ..world.request.clone() };
    let error = world.manager.credential(&writes).await.unwrap_err();
    assert!(
        matches!(&error, CredentialError::InsufficientScope { lacking, .. }
        if lacking == &["items.write"]),
        "{error}"
    );
    // A scope that covers writing covers both.
    let mut everything = fresh();
    everything.parts.granted_scopes = Some(vec!["everything".into()]);
    let world = World::with(everything, None, fast()).await;
    assert!(world.get().await.is_ok());
    assert!(world.manager.credential(&writes).await.is_ok());
    // PagerDuty's way of not knowing a scope.
    let mut nothing = fresh();
    nothing.parts.granted_scopes = Some(vec!["openid".into()]);
    let world = World::with(nothing, None, fast()).await;
    assert!(matches!(world.get().await, Err(CredentialError::InsufficientScope { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn o10_a_refresh_that_grants_less_is_noted() {
    let world = World::over().await;
    world.service.whim(Whim::Answered("{\"scope\":\"openid\"}".into()));
    assert!(matches!(world.get().await, Err(CredentialError::InsufficientScope { .. })));
    assert_eq!(world.store.summary("work").unwrap().granted_scopes, Some(vec!["openid".into()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_for_listed_actions_is_for_no_others_and_may_be_proved() {
    let mut listed = fresh();
    listed.head.allowed_actions = Some(["item.list".to_owned()].into());
    let world = World::with(listed, None, fast()).await;
    assert!(world.get().await.is_ok());
    let of = |action: &str| CredentialRequest { action: action.into(), ..world.request.clone() };
    let error = world.manager.credential(&of("item.create")).await.unwrap_err().to_string();
    assert!(error.contains("only for item.list, not for item.create"), "{error}");
    assert!(world.manager.credential(&of("credential.test")).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_does_not_get_a_credential() {
    let world = World::with(fresh(), None, fast()).await;
    let other = CredentialRequest { node: "other".into(), ..world.request.clone() };
    let error = world.manager.credential(&other).await.unwrap_err().to_string();
    assert!(error.contains("it was connected for the node `example`"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_or_an_administrator_changes_or_ends_it() {
    let world = of_mode(Mode::Shared, Some("ada"), None).await;
    let key = ConnectionKey::of("work");
    let change = || HeadChange::Description("mine".into());
    for principal in [Actor::user("bob"), Actor::default()] {
        assert!(world.manager.change("work", change(), &principal).await.is_err());
        assert!(world.manager.disconnect(&key, &principal, None).await.is_err());
    }
    let refused: Vec<_> = world.audit.credential_events();
    assert_eq!(refused.len(), 4, "what was refused is audited, too");
    assert!(refused.iter().all(|event| event.refused.is_some()));
    world.manager.change("work", change(), &Actor::user("ada")).await.unwrap();
    world.manager.disconnect(&key, &Actor::admin(), None).await.unwrap();
    assert_eq!(world.status(), "disconnected");
    let error = world.manager.credential(&by(&world, Some("ada"))).await.unwrap_err().to_string();
    assert!(error.contains("it was disconnected"), "{error}");
}

#[derive(Default)]
struct Heard(Mutex<Vec<(&'static str, CredentialEnded)>>);

#[async_trait]
impl CredentialEvents for Heard {
    async fn disconnected(&self, event: &CredentialEnded) {
        self.0.lock().unwrap().push(("disconnected", event.clone()));
    }

    async fn needs_reconnect(&self, event: &CredentialEnded) {
        self.0.lock().unwrap().push(("needs-reconnect", event.clone()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dependents_of_a_credential_are_notified_of_its_end() {
    let world = World::with(fresh(), None, fast()).await;
    let heard = Arc::new(Heard::default());
    let description = description(None);
    let quiet = super::world::manager(
        &open(world.directory.path()),
        world.service.port,
        &description,
        fast(),
        Arc::new(MemoryAudit::default()),
    );
    let backend = quiet.backend();
    let manager = CredentialManager::new(crate::oauth::Backend {
        store: backend.store.clone(),
        endpoints: backend.endpoints.clone(),
        clock: backend.clock.clone(),
        references: crate::credential::reference::References::new(
            crate::limits::ReferenceLimits::default(),
            backend.clock.clone(),
        ),
        audit: backend.audit.clone(),
        events: heard.clone(),
        timing: fast(),
    });
    for workflow in ["nightly", "hourly"] {
        let request =
            CredentialRequest { workflow: Some(workflow.into()), ..world.request.clone() };
        manager.credential(&request).await.unwrap();
    }
    // Revoked at the service: it shows at the next refusal.
    world.service.revoke();
    assert!(manager.refreshed(&world.request, 1).await.is_err());
    assert!(manager.credential(&world.request).await.is_err());
    let report =
        manager.disconnect(&ConnectionKey::of("work"), &Actor::admin(), None).await.unwrap();
    let workflows = |dependants: &[crate::credential::Dependant]| -> Vec<String> {
        dependants.iter().map(|one| one.workflow.clone()).collect()
    };
    assert_eq!(workflows(&report.dependants), ["hourly", "nightly"]);
    let heard = heard.0.lock().unwrap();
    let kinds: Vec<&str> = heard.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, ["needs-reconnect", "disconnected"], "each is told once");
    assert!(heard.iter().all(|(_, event)| workflows(&event.dependants).len() == 2));
    assert!(heard[0].1.reason.contains("invalid_grant"));
    assert!(report.not_asked.unwrap().contains("plugin"), "it says what could not be done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_credential_is_reported_as_such_until_it_works_again() {
    let mut fixed = fresh();
    fixed.secrets.remove("refresh_token");
    let world = World::with(fixed, None, fast()).await;
    world.get().await.unwrap();
    world.manager.refused(&world.request, 1);
    world.manager.settle().await;
    assert_eq!(world.status(), "needs-reconnect");
    let credential = world.get().await.unwrap();
    world.manager.accepted(&world.request, credential.revision);
    world.manager.settle().await;
    assert_eq!(world.status(), "connected");
}
