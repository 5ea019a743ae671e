//! Objects for stakeholders: business services, status pages, and dashboards.

use serde_json::{Value, json};

use super::State;
use crate::examples::id;

impl State {
    pub(super) fn seed_publishing(&mut self) {
        for (number, name) in [(1, "Shop"), (2, "Back office")] {
            self.example(
                "/business_services",
                "business_service",
                number,
                json!({
                    "name": name, "description": "What people buy in",
                    "point_of_contact": "shop@example.com",
                    "team": self.team_reference(&id("team", 1)),
                }),
            );
        }
        let shop = format!("/business_services/{}", id("business_service", 1));
        let subscribed = json!({"account_is_subscribed": true});
        self.store.set_single(&format!("{shop}/account_subscription"), subscribed);
        self.store.put(
            "/service_dependencies",
            json!({
                "id": id("service_dependency", 1),
                "type": "service_dependency",
                "supporting_service": {
                    "id": id("service", 1), "type": "technical_service_reference",
                },
                "dependent_service": {
                    "id": id("business_service", 1), "type": "business_service_reference",
                },
            }),
        );
        self.example(
            "/status_dashboards",
            "status_dashboard",
            1,
            json!({
                "name": "Example dashboard", "url_slug": "example",
                "services": [{"id": id("business_service", 1), "type": "business_service"}],
            }),
        );
        self.seed_status_page();
    }

    fn seed_status_page(&mut self) {
        let page = json!({"id": id("status_page", 1), "type": "status_page"});
        self.example(
            "/status_pages",
            "status_page",
            1,
            json!({
                "name": "Example page", "published_at": "2025-06-01T12:00:00Z",
                "status_page_type": "public", "url": "https://status.example.com/",
            }),
        );
        let home = format!("/status_pages/{}", id("status_page", 1));
        let part = |kind: &str, number: u8| json!({"id": id(kind, number), "type": format!("status_page_{kind}")});
        for (collection, resource, names) in [
            ("impacts", "impact", ["operational", "major outage"]),
            ("severities", "severity", ["all good", "major"]),
            ("statuses", "status", ["detected", "resolved"]),
        ] {
            for (number, description) in (1..).zip(names) {
                let own = json!({
                    "description": description, "post_type": "incident", "status_page": page,
                });
                let kind = format!("status_page_{resource}");
                let path = format!("{home}/{collection}");
                self.keep(&path, &id(resource, number), &kind, own);
            }
        }
        let own = json!({
            "name": "Shop", "status_page": page,
            "business_service": {"id": id("business_service", 1), "type": "business_service"},
        });
        self.keep(&format!("{home}/services"), &id("service", 1), "status_page_service", own);
        let posts = format!("{home}/posts");
        self.keep(
            &posts,
            &id("post", 1),
            "status_page_post",
            json!({
                "title": "The shop is slow", "post_type": "incident", "status_page": page,
                "starts_at": "2025-06-01T12:00:00Z", "ends_at": null,
            }),
        );
        let post = json!({"id": id("post", 1), "type": "status_page_post"});
        let update = |message: &str| -> Value {
            json!({
                "message": message, "post": post, "reviewed_status": "approved",
                "status": part("status", 1), "severity": part("severity", 1),
                "impacted_services": [], "update_frequency_ms": 300_000,
                "notify_subscribers": false, "reported_at": "2025-06-01T12:00:00Z",
            })
        };
        let updates = format!("{posts}/{}/post_updates", id("post", 1));
        for (number, message) in [(1, "We are looking."), (2, "We have found it.")] {
            let update = update(message);
            self.keep(&updates, &id("post_update", number), "status_page_post_update", update);
        }
        let postmortem = format!("{posts}/{}/postmortem", id("post", 1));
        self.store.set_single(
            &postmortem,
            json!({
                "id": id("postmortem", 1), "type": "status_page_post_postmortem",
                "self": format!("https://{}{postmortem}", self.api_host()),
                "post": post, "message": "It was the disk.", "notify_subscribers": false,
            }),
        );
        self.keep(
            &format!("{home}/subscriptions"),
            &id("subscription", 1),
            "status_page_subscription",
            json!({
                "channel": "email", "contact": "reader@example.com", "status": "active",
                "status_page": page, "subscribable_object": page,
            }),
        );
    }
}
