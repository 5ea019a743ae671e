//! What parameters may be the id of: which action lists it, how people call it, and where its id
//! stands in an address.

use workflow_node_sdk::declare::Reference;

#[allow(clippy::too_many_arguments, reason = "a row of the table below")]
const fn reference(
    name: &'static str,
    is_named: bool,
    words: &'static str,
    list: &'static str,
    get: &'static str,
    search: &'static str,
    labels: &'static [&'static str],
    detail: &'static str,
    segments: &'static [&'static str],
) -> Reference {
    Reference { name, is_named, words, list, get, search, labels, detail, segments, also: "" }
}

/// Whether people give it a name of its own.
const NAMED: bool = true;
const UNNAMED: bool = false;

/// Name, whether it is named, in words, listed by, looked up by, searched by, called by, second line, in addresses after.
#[rustfmt::skip]
pub(crate) static ALL: &[Reference] = &[
    Reference { also: "number", ..reference("incident", UNNAMED, "an incident", "incident.list", "incident.get", "", &["title"], "status", &["incidents"]) },
    reference("service", NAMED, "a service", "service.list", "service.get", "query", &["name"], "description", &["services", "service-directory"]),
    reference("user", NAMED, "a user", "user.list", "user.get", "query", &["name", "email"], "email", &["users"]),
    reference("team", NAMED, "a team", "team.list", "team.get", "query", &["name"], "description", &["teams"]),
    reference("escalation_policy", NAMED, "an escalation policy", "escalation_policy.list", "escalation_policy.get", "query", &["name"], "description", &["escalation_policies"]),
    reference("schedule", NAMED, "a schedule", "schedule.list", "schedule.get", "query", &["name"], "description", &["schedules"]),
    reference("priority", NAMED, "a priority", "priority.list", "", "", &["name", "summary"], "description", &["priorities"]),
    reference("business_service", NAMED, "a business service", "business_service.list", "business_service.get", "", &["name"], "description", &["business_services", "business-services"]),
    reference("maintenance_window", UNNAMED, "a maintenance window", "maintenance_window.list", "maintenance_window.get", "query", &["summary", "description"], "start_time", &["maintenance_windows"]),
    reference("incident_note", UNNAMED, "a note", "incident_note.list", "", "", &["content"], "created_at", &["notes"]),
    reference("incident_alert", UNNAMED, "an alert", "incident_alert.list", "incident_alert.get", "", &["summary", "alert_key"], "status", &["alerts"]),
    reference("incident_type", NAMED, "an incident type", "incident_type.list", "incident_type.get", "", &["name", "display_name"], "description", &["types"]),
    reference("incident_type_field", NAMED, "a field", "incident_type_field.list", "incident_type_field.get", "", &["name", "display_name"], "description", &["custom_fields"]),
    reference("incident_type_field_option", NAMED, "an option", "incident_type_field_option.list", "incident_type_field_option.get", "", &["summary"], "", &["field_options"]),
    reference("incident_workflow", NAMED, "an incident workflow", "incident_workflow.list", "incident_workflow.get", "query", &["name"], "description", &["incident_workflows", "incident-workflows"]),
    reference("incident_workflow_action", NAMED, "a workflow action", "incident_workflow_action.list", "incident_workflow_action.get", "keyword", &["name", "summary"], "description", &["actions"]),
    reference("incident_workflow_trigger", UNNAMED, "a trigger", "incident_workflow_trigger.list", "incident_workflow_trigger.get", "", &["summary"], "trigger_type", &["triggers"]),
    reference("log_entry", UNNAMED, "a log entry", "log_entry.list", "log_entry.get", "", &["summary"], "created_at", &["log_entries"]),
    reference("change_event", UNNAMED, "a change event", "change_event.list", "change_event.get", "", &["summary"], "timestamp", &["change_events"]),
    reference("service_integration", NAMED, "an integration", "service_integration.list", "service_integration.get", "", &["name", "summary"], "type", &["integrations"]),
    reference("service_field", NAMED, "a field", "service_field.list", "service_field.get", "", &["name", "display_name"], "description", &["custom_fields"]),
    reference("service_field_option", NAMED, "an option", "service_field_option.list", "service_field_option.get", "", &["summary"], "", &["field_options"]),
    reference("service_cache_variable", NAMED, "a cache variable", "service_cache_variable.list", "service_cache_variable.get", "", &["name"], "", &["cache_variables"]),
    reference("event_orchestration", NAMED, "an event orchestration", "event_orchestration.list", "event_orchestration.get", "", &["name"], "description", &["event_orchestrations", "event-orchestration"]),
    reference("event_orchestration_integration", NAMED, "an integration", "event_orchestration_integration.list", "event_orchestration_integration.get", "", &["label"], "", &["integrations"]),
    reference("event_orchestration_cache_variable", NAMED, "a cache variable", "event_orchestration_cache_variable.list", "event_orchestration_cache_variable.get", "", &["name"], "", &["cache_variables"]),
    reference("event_enrichment", NAMED, "an event enrichment", "event_enrichment.list", "event_enrichment.get", "", &["name"], "description", &["event_enrichments"]),
    reference("enrichment_schema", NAMED, "an enrichment schema", "enrichment_schema.list", "enrichment_schema.get", "", &["name"], "description", &["schemas"]),
    reference("enrichment_record", UNNAMED, "a record", "enrichment_record.list", "", "", &["summary"], "", &["records"]),
    reference("servicenow_integration", NAMED, "a ServiceNow integration", "servicenow_integration.list", "servicenow_integration.get", "", &["name"], "description", &["servicenow"]),
    reference("servicenow_table", NAMED, "a table", "servicenow_table.list", "", "", &["display_name", "ci_table_name"], "ci_table_name", &["tables"]),
    reference("schedule_override", UNNAMED, "an override", "schedule_override.list", "", "", &["summary"], "start", &["overrides"]),
    reference("schedule_v3", NAMED, "a shift-based schedule", "schedule_v3.list", "schedule_v3.get", "query", &["name"], "description", &["schedules"]),
    reference("schedule_v3_rotation", NAMED, "a rotation", "schedule_v3_rotation.list", "schedule_v3_rotation.get", "", &["name", "summary"], "", &["rotations"]),
    reference("schedule_v3_event", NAMED, "an event", "schedule_v3_event.list", "schedule_v3_event.get", "", &["name"], "", &["events"]),
    reference("schedule_v3_custom_shift", UNNAMED, "a custom shift", "schedule_v3_custom_shift.list", "schedule_v3_custom_shift.get", "", &["summary"], "start_time", &["custom_shifts"]),
    reference("schedule_v3_override", UNNAMED, "an override", "schedule_v3_override.list", "schedule_v3_override.get", "", &["summary"], "start_time", &["overrides"]),
    reference("user_contact_method", NAMED, "a contact method", "user_contact_method.list", "user_contact_method.get", "", &["summary", "label", "address"], "address", &["contact_methods"]),
    reference("user_notification_rule", UNNAMED, "a notification rule", "user_notification_rule.list", "user_notification_rule.get", "", &["summary"], "urgency", &["notification_rules"]),
    reference("user_handoff_rule", UNNAMED, "a handoff rule", "user_handoff_rule.list", "user_handoff_rule.get", "", &["summary"], "handoff_type", &["oncall_handoff_notification_rules"]),
    reference("user_status_update_rule", UNNAMED, "a status update rule", "user_status_update_rule.list", "user_status_update_rule.get", "", &["summary"], "", &["status_update_notification_rules"]),
    reference("user_delegation", UNNAMED, "an OAuth delegation", "user_delegation.list", "user_delegation.get", "", &["client_id"], "delegation_type", &["oauth_delegations"]),
    reference("addon", NAMED, "an add-on", "addon.list", "addon.get", "", &["name"], "src", &["addons"]),
    reference("alert_grouping_setting", NAMED, "an alert grouping setting", "alert_grouping_setting.list", "alert_grouping_setting.get", "", &["name"], "type", &["alert_grouping_settings"]),
    reference("automation_action", NAMED, "an automation action", "automation_action.list", "automation_action.get", "name", &["name"], "description", &["actions"]),
    reference("automation_runner", NAMED, "an automation runner", "automation_runner.list", "automation_runner.get", "name", &["name"], "description", &["runners"]),
    reference("automation_invocation", UNNAMED, "an invocation", "automation_invocation.list", "automation_invocation.get", "", &["summary"], "state", &["invocations"]),
    reference("extension", NAMED, "an extension", "extension.list", "extension.get", "query", &["name"], "endpoint_url", &["extensions"]),
    reference("extension_schema", NAMED, "an extension schema", "extension_schema.list", "extension_schema.get", "", &["label", "key", "summary"], "description", &["extension_schemas"]),
    reference("ip_allow_list", UNNAMED, "an IP allow list", "ip_allow_list.list", "ip_allow_list.get", "", &["summary"], "state", &["ip_allow_lists"]),
    reference("license", NAMED, "a license", "license.list", "", "", &["name"], "description", &["licenses"]),
    reference("recommendation", UNNAMED, "a recommended rule", "recommendation.list", "", "", &["label", "summary"], "", &["rules"]),
    reference("sre_memory", UNNAMED, "a memory", "sre_memory.list", "", "", &["content"], "type", &["memories"]),
    reference("standard", NAMED, "a standard", "standard.list", "", "", &["name"], "description", &["standards"]),
    reference("status_dashboard", NAMED, "a status dashboard", "status_dashboard.list", "status_dashboard.get", "", &["name"], "url_slug", &["status_dashboards"]),
    reference("status_page", NAMED, "a status page", "status_page.list", "", "", &["name"], "url", &["status_pages", "status-pages"]),
    reference("status_page_impact", NAMED, "an impact", "status_page_impact.list", "status_page_impact.get", "", &["description"], "post_type", &["impacts"]),
    reference("status_page_service", NAMED, "a service of the page", "status_page_service.list", "status_page_service.get", "", &["name"], "", &["services"]),
    reference("status_page_severity", NAMED, "a severity", "status_page_severity.list", "status_page_severity.get", "", &["description"], "post_type", &["severities"]),
    reference("status_page_status", NAMED, "a status", "status_page_status.list", "status_page_status.get", "", &["description"], "post_type", &["statuses"]),
    reference("status_page_post", NAMED, "a post", "status_page_post.list", "status_page_post.get", "", &["title"], "post_type", &["posts"]),
    reference("status_page_update", UNNAMED, "an update", "status_page_update.list", "status_page_update.get", "", &["message"], "reported_at", &["post_updates"]),
    reference("status_page_subscription", UNNAMED, "a subscription", "status_page_subscription.list", "status_page_subscription.get", "", &["contact"], "channel", &["subscriptions"]),
    reference("tag", NAMED, "a tag", "tag.list", "tag.get", "query", &["label"], "", &["tags"]),
    reference("template", NAMED, "a template", "template.list", "template.get", "query", &["name"], "description", &["templates"]),
    reference("vendor", NAMED, "a vendor", "vendor.list", "vendor.get", "", &["name"], "description", &["vendors"]),
    reference("webhook_subscription", NAMED, "a webhook subscription", "webhook_subscription.list", "webhook_subscription.get", "", &["description", "summary"], "", &["webhook_subscriptions"]),
    reference("webhook_oauth_client", NAMED, "an OAuth client", "webhook_oauth_client.list", "webhook_oauth_client.get", "", &["name"], "token_url", &["oauth_clients"]),
    reference("workflow_integration", NAMED, "a workflow integration", "workflow_integration.list", "workflow_integration.get", "", &["name"], "description", &["integrations"]),
    reference("workflow_connection", NAMED, "a workflow connection", "workflow_connection.list", "workflow_connection.get", "name", &["name"], "service_url", &["connections"]),
];
