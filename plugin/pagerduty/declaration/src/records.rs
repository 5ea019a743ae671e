//! Schemas of PagerDuty's records, as far as workflows rely on them. They are lenient: unknown
//! members are accepted, and references may be expanded or null.

use workflow_node_sdk::declare::{Literal, Output};
use workflow_node_sdk::literal;

/// A shared schema, or a schema in the overlay.
pub(crate) fn by_name(name: &str) -> Option<Output> {
    if name.starts_with('{') {
        let schema = serde_json::from_str(name).ok()?;
        return Some(Output::Schema(Literal::leaked(&schema)));
    }
    SHARED.iter().find(|(known, _)| *known == name).map(|(known, _)| Output::Shared(known))
}

/// Whether there is a shared schema of this name.
pub(crate) fn is_shared(name: &str) -> bool {
    SHARED.iter().any(|(known, _)| *known == name)
}

/// Shared schemas by name.
pub(crate) const SHARED: &[(&str, Literal)] = &[
    (
        "reference",
        literal!({"type":["object","null"],"title":"Reference","description":"Reference to another object. In full if it is included.","properties":{"id":{"type":["string","null"]},"type":{"type":"string"},"summary":{"type":["string","null"]},"self":{"type":["string","null"]},"html_url":{"type":["string","null"]}}}),
    ),
    (
        "incident",
        literal!({"type":"object","title":"Incident","required":["id"],"properties":{"id":{"type":"string","description":"ID of the incident."},"incident_number":{"type":["integer","null"],"description":"Number of the incident as users see it."},"title":{"type":["string","null"],"description":"One-line summary of the problem."},"status":{"type":["string","null"],"description":"Status: triggered, acknowledged, or resolved."},"urgency":{"type":["string","null"],"description":"Urgency: high or low."},"incident_key":{"type":["string","null"],"description":"Deduplication key of the incident."},"html_url":{"type":["string","null"],"description":"URL in PagerDuty's web app."},"created_at":{"type":["string","null"]},"updated_at":{"type":["string","null"]},"resolved_at":{"type":["string","null"]},"service":{"$ref":"#/$defs/reference"},"priority":{"$ref":"#/$defs/reference"},"escalation_policy":{"$ref":"#/$defs/reference"},"assignments":{"type":["array","null"]},"teams":{"type":["array","null"]}}}),
    ),
    (
        "incident_note",
        literal!({"type":"object","title":"Note","required":["id"],"properties":{"id":{"type":"string"},"content":{"type":["string","null"],"description":"Text of the note."},"created_at":{"type":["string","null"]},"user":{"$ref":"#/$defs/reference"}}}),
    ),
    (
        "alert",
        literal!({"type":"object","title":"Alert","required":["id"],"properties":{"id":{"type":"string"},"summary":{"type":["string","null"],"description":"One-line summary of the problem."},"status":{"type":["string","null"],"description":"Status: triggered or resolved."},"severity":{"type":["string","null"]},"alert_key":{"type":["string","null"],"description":"Deduplication key of the alert."},"created_at":{"type":["string","null"]},"service":{"$ref":"#/$defs/reference"},"incident":{"$ref":"#/$defs/reference"},"body":{"type":["object","null"]}}}),
    ),
    (
        "log_entry",
        literal!({"type":"object","title":"Log entry","required":["id"],"properties":{"id":{"type":"string"},"type":{"type":"string","description":"Type of the log entry, e.g. trigger_log_entry."},"summary":{"type":["string","null"]},"created_at":{"type":["string","null"]},"agent":{"$ref":"#/$defs/reference"},"channel":{"type":["object","null"]},"incident":{"$ref":"#/$defs/reference"},"service":{"$ref":"#/$defs/reference"}}}),
    ),
    (
        "service",
        literal!({"type":"object","title":"Service","required":["id"],"properties":{"id":{"type":"string"},"name":{"type":["string","null"]},"description":{"type":["string","null"]},"status":{"type":["string","null"]},"html_url":{"type":["string","null"]},"escalation_policy":{"$ref":"#/$defs/reference"},"teams":{"type":["array","null"]},"integrations":{"type":["array","null"]}}}),
    ),
    (
        "business_service",
        literal!({"type":"object","title":"Business service","required":["id"],"properties":{"id":{"type":"string"},"name":{"type":["string","null"]},"description":{"type":["string","null"]},"point_of_contact":{"type":["string","null"]},"team":{"$ref":"#/$defs/reference"},"html_url":{"type":["string","null"]}}}),
    ),
    (
        "user",
        literal!({"type":"object","title":"User","required":["id"],"properties":{"id":{"type":"string"},"name":{"type":["string","null"]},"email":{"type":["string","null"]},"role":{"type":["string","null"]},"job_title":{"type":["string","null"]},"time_zone":{"type":["string","null"]},"html_url":{"type":["string","null"]},"teams":{"type":["array","null"]}}}),
    ),
    (
        "team",
        literal!({"type":"object","title":"Team","required":["id"],"properties":{"id":{"type":"string"},"name":{"type":["string","null"]},"description":{"type":["string","null"]},"parent":{"$ref":"#/$defs/reference"},"html_url":{"type":["string","null"]}}}),
    ),
    (
        "escalation_policy",
        literal!({"type":"object","title":"Escalation policy","required":["id"],"properties":{"id":{"type":"string"},"name":{"type":["string","null"]},"description":{"type":["string","null"]},"num_loops":{"type":["integer","null"]},"escalation_rules":{"type":["array","null"],"description":"Escalation rules, each with its targets."},"services":{"type":["array","null"]},"teams":{"type":["array","null"]},"html_url":{"type":["string","null"]}}}),
    ),
    (
        "schedule",
        literal!({"type":"object","title":"Schedule","properties":{"id":{"type":["string","null"]},"name":{"type":["string","null"]},"description":{"type":["string","null"]},"time_zone":{"type":["string","null"]},"schedule_layers":{"type":["array","null"]},"final_schedule":{"type":["object","null"],"description":"Final schedule, including overrides."},"users":{"type":["array","null"]},"escalation_policies":{"type":["array","null"]},"html_url":{"type":["string","null"]}}}),
    ),
    (
        "override",
        literal!({"type":"object","title":"Override","properties":{"id":{"type":["string","null"]},"start":{"type":["string","null"]},"end":{"type":["string","null"]},"user":{"$ref":"#/$defs/reference"}}}),
    ),
    (
        "on_call",
        literal!({"type":"object","title":"On-call","properties":{"user":{"$ref":"#/$defs/reference"},"schedule":{"$ref":"#/$defs/reference"},"escalation_policy":{"$ref":"#/$defs/reference"},"escalation_level":{"type":["integer","null"]},"start":{"type":["string","null"],"description":"Start of the on-call shift. Null if it has no start."},"end":{"type":["string","null"],"description":"End of the on-call shift. Null if it has no end."}}}),
    ),
    (
        "priority",
        literal!({"type":"object","title":"Priority","required":["id"],"properties":{"id":{"type":"string"},"name":{"type":["string","null"]},"summary":{"type":["string","null"]},"description":{"type":["string","null"]},"color":{"type":["string","null"]}}}),
    ),
    (
        "maintenance_window",
        literal!({"type":"object","title":"Maintenance window","required":["id"],"properties":{"id":{"type":"string"},"description":{"type":["string","null"]},"start_time":{"type":["string","null"]},"end_time":{"type":["string","null"]},"services":{"type":["array","null"]},"created_by":{"$ref":"#/$defs/reference"},"html_url":{"type":["string","null"]}}}),
    ),
    (
        "change_event",
        literal!({"type":"object","title":"Change event","required":["id"],"properties":{"id":{"type":"string"},"summary":{"type":["string","null"]},"timestamp":{"type":["string","null"]},"source":{"type":["string","null"]},"services":{"type":["array","null"]},"integration":{"$ref":"#/$defs/reference"},"custom_details":{"type":["object","null"]}}}),
    ),
    (
        "incident_workflow",
        literal!({"type":"object","title":"Incident workflow","required":["id"],"properties":{"id":{"type":"string"},"name":{"type":["string","null"]},"description":{"type":["string","null"]},"is_enabled":{"type":["boolean","null"]},"steps":{"type":["array","null"]},"team":{"$ref":"#/$defs/reference"}}}),
    ),
    (
        "webhook_subscription",
        literal!({"type":"object","title":"Webhook subscription","required":["id"],"properties":{"id":{"type":"string"},"description":{"type":["string","null"]},"active":{"type":["boolean","null"]},"events":{"type":["array","null"]},"filter":{"$ref":"#/$defs/reference"},"delivery_method":{"type":["object","null"]}}}),
    ),
    (
        "tag",
        literal!({"type":"object","title":"Tag","required":["id"],"properties":{"id":{"type":"string"},"label":{"type":["string","null"]},"html_url":{"type":["string","null"]}}}),
    ),
    (
        "extension",
        literal!({"type":"object","title":"Extension","required":["id"],"properties":{"id":{"type":"string"},"name":{"type":["string","null"]},"endpoint_url":{"type":["string","null"]},"extension_schema":{"$ref":"#/$defs/reference"},"extension_objects":{"type":["array","null"]},"temporarily_disabled":{"type":["boolean","null"]}}}),
    ),
    (
        "event_orchestration",
        literal!({"type":"object","title":"Event orchestration","required":["id"],"properties":{"id":{"type":"string"},"name":{"type":["string","null"]},"description":{"type":["string","null"]},"team":{"$ref":"#/$defs/reference"},"integrations":{"type":["array","null"]},"routes":{"type":["integer","null"]}}}),
    ),
    (
        "event_result",
        literal!({"type":"object","title":"Accepted event","description":"Confirmation that PagerDuty accepted the event. PagerDuty processes it asynchronously.","properties":{"status":{"type":"string"},"message":{"type":"string"},"dedup_key":{"type":["string","null"],"description":"Deduplication key of the alert, for later events."}}}),
    ),
];
