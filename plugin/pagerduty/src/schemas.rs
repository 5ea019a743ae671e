//! Shapes of PagerDuty's objects, as far as a workflow relies on them. Lenient: unknown members
//! pass, references may be expanded or null.

/// Shared schemas by name.
pub(crate) const SHARED: &[(&str, &str)] = &[
    (
        "reference",
        r#"{"type":["object","null"],"title":"Reference","description":"Another object, by id; in full where it was asked for.","properties":{"id":{"type":["string","null"]},"type":{"type":"string"},"summary":{"type":["string","null"]},"self":{"type":["string","null"]},"html_url":{"type":["string","null"]}}}"#,
    ),
    (
        "incident",
        r##"{"type":"object","title":"Incident","required":["id"],"properties":{"id":{"type":"string","description":"ID of the incident."},"incident_number":{"type":["integer","null"],"description":"Its number, as people see it."},"title":{"type":["string","null"],"description":"What is wrong."},"status":{"type":["string","null"],"description":"triggered, acknowledged or resolved."},"urgency":{"type":["string","null"],"description":"high or low."},"incident_key":{"type":["string","null"],"description":"Its key on the service."},"html_url":{"type":["string","null"],"description":"Its page."},"created_at":{"type":["string","null"]},"updated_at":{"type":["string","null"]},"resolved_at":{"type":["string","null"]},"service":{"$ref":"#/$defs/reference"},"priority":{"$ref":"#/$defs/reference"},"escalation_policy":{"$ref":"#/$defs/reference"},"assignments":{"type":["array","null"]},"teams":{"type":["array","null"]}}}"##,
    ),
    (
        "incident_note",
        r##"{"type":"object","title":"Note","required":["id"],"properties":{"id":{"type":"string"},"content":{"type":["string","null"],"description":"What it says."},"created_at":{"type":["string","null"]},"user":{"$ref":"#/$defs/reference"}}}"##,
    ),
    (
        "log_entry",
        r##"{"type":"object","title":"Log entry","required":["id"],"properties":{"id":{"type":"string"},"type":{"type":"string","description":"What happened, e.g. trigger_log_entry."},"summary":{"type":["string","null"]},"created_at":{"type":["string","null"]},"agent":{"$ref":"#/$defs/reference"},"channel":{"type":["object","null"]},"incident":{"$ref":"#/$defs/reference"},"service":{"$ref":"#/$defs/reference"}}}"##,
    ),
    (
        "service",
        r##"{"type":"object","title":"Service","required":["id"],"properties":{"id":{"type":"string"},"name":{"type":["string","null"]},"description":{"type":["string","null"]},"status":{"type":["string","null"]},"html_url":{"type":["string","null"]},"escalation_policy":{"$ref":"#/$defs/reference"},"teams":{"type":["array","null"]},"integrations":{"type":["array","null"]}}}"##,
    ),
    (
        "user",
        r#"{"type":"object","title":"User","required":["id"],"properties":{"id":{"type":"string"},"name":{"type":["string","null"]},"email":{"type":["string","null"]},"role":{"type":["string","null"]},"job_title":{"type":["string","null"]},"time_zone":{"type":["string","null"]},"html_url":{"type":["string","null"]},"teams":{"type":["array","null"]}}}"#,
    ),
    (
        "event_result",
        r#"{"type":"object","title":"Accepted event","description":"PagerDuty has accepted the event; what comes of it shows later.","properties":{"status":{"type":"string"},"message":{"type":"string"},"dedup_key":{"type":["string","null"],"description":"Names the alert in later events."}}}"#,
    ),
];

/// Where answers hold secrets: integration keys open an incident for whoever holds one.
pub(crate) const SECRETS: &str = r#"[
{"name":"integration-key","description":"The key of an integration; with it anybody can send events.","methods":["GET"],"origins":["https://api.pagerduty.com","https://api.eu.pagerduty.com"],"path":"/services/{id}","pointer":"/service/integrations/*/integration_key"},
{"name":"integration-key","description":"The key of an integration; with it anybody can send events.","methods":["GET"],"origins":["https://api.pagerduty.com","https://api.eu.pagerduty.com"],"path":"/services","pointer":"/services/*/integrations/*/integration_key"},
{"name":"integration-key","description":"The key of an integration; with it anybody can send events.","methods":["GET","PUT"],"origins":["https://api.pagerduty.com","https://api.eu.pagerduty.com"],"path":"/services/{id}/integrations/{integration_id}","pointer":"/integration/integration_key"},
{"name":"integration-key","description":"The key of an integration; with it anybody can send events.","methods":["POST"],"origins":["https://api.pagerduty.com","https://api.eu.pagerduty.com"],"path":"/services/{id}/integrations","pointer":"/integration/integration_key"},
{"name":"webhook-secret","description":"Signs the deliveries of a webhook.","methods":["POST"],"origins":["https://api.pagerduty.com","https://api.eu.pagerduty.com"],"path":"/webhook_subscriptions","pointer":"/webhook_subscription/delivery_method/secret"}
]"#;
