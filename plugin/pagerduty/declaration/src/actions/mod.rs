//! The actions, a file per resource.

mod ability;
mod addon;
mod alert_grouping_setting;
mod analytics;
mod audit_record;
mod automation_action;
mod business_service;
mod change_event;
mod enrichment;
mod escalation_policy;
mod event;
mod event_orchestration;
mod extension;
mod incident;
mod incident_alert;
mod incident_communication;
mod incident_field_value;
mod incident_note;
mod incident_relations;
mod incident_type;
mod incident_workflow;
mod ip_allow_list;
mod license;
mod log_entry;
mod maintenance_window;
mod notification;
mod oauth_delegation;
mod on_call;
mod paused_incident;
mod priority;
mod recommendation;
mod schedule;
mod schedule_v3;
mod service;
mod sre_agent;
mod standard;
mod status_dashboard;
mod status_page;
mod tag;
mod team;
mod template;
mod user;
mod vendor;
mod verbs;
mod webhook_subscription;
mod workflow_integration;

use workflow_node_sdk::declare::{Action, Resource};

/// An action on the REST API.
const fn rest(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    method: &'static str,
    path: &'static str,
) -> Action {
    Action::new(name, title, description, method, path).with("rest", "rest")
}

const fn resource(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    actions: &'static [&'static [Action]],
) -> Resource {
    Resource { name, title, description, actions }
}

/// All resources, in the order in which a menu shows them.
pub(crate) static RESOURCES: &[Resource] = &[
    resource(
        "incident",
        "Incidents",
        "What is wrong at the moment, and was.",
        &[incident::ACTIONS, incident_relations::ACTIONS],
    ),
    resource(
        "incident_note",
        "Incident notes",
        "What people write about an incident.",
        &[incident_note::ACTIONS],
    ),
    resource(
        "incident_alert",
        "Incident alerts",
        "The alerts that incidents are made of.",
        &[incident_alert::ACTIONS],
    ),
    resource(
        "incident_communication",
        "Incident communication",
        "Who else helps with an incident, and who is told how it goes.",
        &[incident_communication::ACTIONS],
    ),
    resource(
        "incident_field_value",
        "Incident custom fields",
        "What stands in the custom fields of incidents.",
        &[incident_field_value::ACTIONS],
    ),
    resource(
        "log_entry",
        "Log entries",
        "What happened to incidents, step by step.",
        &[log_entry::ACTIONS],
    ),
    resource(
        "event",
        "Events",
        "What monitoring sends: alerts and changes. Needs an events credential.",
        &[event::ACTIONS],
    ),
    resource(
        "on_call",
        "On-calls",
        "Who is on call, when, and by which schedule and policy.",
        &[verbs::ON_CALL_ACTIONS, on_call::ACTIONS],
    ),
    resource(
        "schedule",
        "Schedules",
        "Rotations of people who are on call.",
        &[schedule::ACTIONS, verbs::SCHEDULE_ACTIONS],
    ),
    resource(
        "schedule_v3",
        "Shift-based schedules",
        "The new kind of schedules: rotations of events, custom shifts and overrides. Early access.",
        &[schedule_v3::ACTIONS],
    ),
    resource(
        "escalation_policy",
        "Escalation policies",
        "Who is notified, in which order, until somebody acts.",
        &[escalation_policy::ACTIONS],
    ),
    resource("user", "Users", "The people of the account.", &[user::ACTIONS, verbs::USER_ACTIONS]),
    resource("team", "Teams", "Groups of users, and what belongs to them.", &[team::ACTIONS]),
    resource(
        "service",
        "Services",
        "What can break: the things that incidents are about.",
        &[service::ACTIONS, verbs::SERVICE_ACTIONS],
    ),
    resource(
        "business_service",
        "Business services",
        "What your customers see, built on technical services; and who is told about it.",
        &[business_service::ACTIONS],
    ),
    resource(
        "maintenance_window",
        "Maintenance windows",
        "Times in which services open no incidents.",
        &[verbs::MAINTENANCE_ACTIONS, maintenance_window::ACTIONS],
    ),
    resource(
        "priority",
        "Priorities",
        "The priorities that incidents can have.",
        &[priority::ACTIONS],
    ),
    resource(
        "incident_type",
        "Incident types",
        "Kinds of incidents, and the fields that each has.",
        &[incident_type::ACTIONS],
    ),
    resource(
        "incident_workflow",
        "Incident workflows",
        "Steps that PagerDuty carries out on an incident, and what starts them.",
        &[incident_workflow::ACTIONS],
    ),
    resource(
        "automation_action",
        "Automation actions",
        "Scripts and jobs that people start from an incident, and the runners that run them.",
        &[automation_action::ACTIONS],
    ),
    resource(
        "change_event",
        "Change events",
        "Deploys and other changes, shown beside incidents. They are sent with an events credential.",
        &[change_event::ACTIONS],
    ),
    resource(
        "event_orchestration",
        "Event orchestrations",
        "Rules that route events to services, and change them on the way.",
        &[event_orchestration::ACTIONS],
    ),
    resource(
        "enrichment",
        "Enrichment",
        "Data of your own (CSV files, ServiceNow tables) that is added to events.",
        &[enrichment::ACTIONS, verbs::ENRICHMENT_ACTIONS],
    ),
    resource(
        "alert_grouping_setting",
        "Alert grouping settings",
        "Which alerts of a service become one incident.",
        &[alert_grouping_setting::ACTIONS],
    ),
    resource(
        "status_page",
        "Status pages",
        "Pages that tell your customers how you are.",
        &[status_page::ACTIONS],
    ),
    resource(
        "status_dashboard",
        "Status dashboards",
        "Pages inside PagerDuty that show how services are.",
        &[status_dashboard::ACTIONS],
    ),
    resource(
        "webhook_subscription",
        "Webhook subscriptions",
        "Addresses to which PagerDuty tells what happens.",
        &[webhook_subscription::ACTIONS],
    ),
    resource(
        "extension",
        "Extensions",
        "Ties to other tools: what is told to them when an incident changes.",
        &[extension::ACTIONS],
    ),
    resource(
        "workflow_integration",
        "Workflow integrations",
        "Tools that incident workflows can use, and the connections to them.",
        &[workflow_integration::ACTIONS],
    ),
    resource(
        "template",
        "Status update templates",
        "Texts with gaps, for status updates.",
        &[template::ACTIONS],
    ),
    resource("tag", "Tags", "Labels for users, teams and escalation policies.", &[tag::ACTIONS]),
    resource(
        "analytics",
        "Analytics",
        "Figures about incidents and responders, up to a day old.",
        &[analytics::ACTIONS],
    ),
    resource(
        "notification",
        "Notifications",
        "Messages that users got about incidents.",
        &[notification::ACTIONS],
    ),
    resource(
        "paused_incident",
        "Paused incidents",
        "Alerts that were held back before they notified somebody.",
        &[paused_incident::ACTIONS],
    ),
    resource(
        "audit_record",
        "Audit records",
        "Who changed what in the account, and by which way.",
        &[audit_record::ACTIONS],
    ),
    resource(
        "standard",
        "Standards",
        "Rules that services should keep, and how well they do.",
        &[standard::ACTIONS],
    ),
    resource(
        "recommendation",
        "Recommendations",
        "Rules that PagerDuty recommends for event orchestrations.",
        &[recommendation::ACTIONS],
    ),
    resource(
        "sre_agent",
        "SRE agent",
        "What PagerDuty's SRE agent remembers.",
        &[sre_agent::ACTIONS],
    ),
    resource(
        "addon",
        "Add-ons",
        "Pages of your own that PagerDuty shows inside its web app.",
        &[addon::ACTIONS],
    ),
    resource("vendor", "Vendors", "Tools that can send events to services.", &[vendor::ACTIONS]),
    resource(
        "license",
        "Licenses",
        "Which licences the account has, and who uses them.",
        &[license::ACTIONS],
    ),
    resource("ability", "Abilities", "What the plan of the account includes.", &[ability::ACTIONS]),
    resource(
        "oauth_delegation",
        "Sessions of users",
        "Sessions of users in PagerDuty's web app and mobile app.",
        &[oauth_delegation::ACTIONS],
    ),
    resource(
        "ip_allow_list",
        "IP allow lists",
        "From which addresses the account can be reached.",
        &[ip_allow_list::ACTIONS],
    ),
    resource("api", "Any API request", "For what no other action covers.", &[verbs::API_ACTIONS]),
];
