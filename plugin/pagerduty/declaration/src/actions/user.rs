//! Users: the people of the account.

use workflow_node_sdk::declare::{Action, Effect, Example, Idempotency, Kind, Param, Place};

use super::rest;
use crate::flat::USER_FLAT;
use crate::paging::{DELETED, classic, one, undocumented, whole_list};
use crate::parameters::{
    ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, FROM, LIMIT, QUERY, SIMPLIFY, TEAM_IDS, USER_ID,
};
use crate::records::USER;

static NAME: Param = Param::text("name", "Name", "Its name.").max(100).body("/name");
static EMAIL: Param =
    Param::new(Kind::Email, "email", "E-mail", "The e-mail address with which the user logs in.")
        .max(100)
        .body("/email");
static TIME_ZONE_VALUE: Param =
    Param::text("time_zone", "Time zone", "IANA name of the time zone, e.g. Europe/Berlin.")
        .body("/time_zone");
static COLOR: Param =
    Param::text("color", "Colour", "The colour of the user in schedules, e.g. purple.")
        .body("/color");
static ROLE: Param = Param::new(
    Kind::OneOf(&[
        "admin",
        "limited_user",
        "observer",
        "owner",
        "read_only_user",
        "restricted_access",
        "read_only_limited_user",
        "user",
    ]),
    "role",
    "Role",
    "What the user may do.",
)
.body("/role");
static DESCRIPTION: Param =
    Param::new(Kind::LongText, "description", "Description", "What it is for.")
        .nullable()
        .body("/description");
static JOB_TITLE: Param =
    Param::text("job_title", "Job", "What the user does.").max(100).body("/job_title");
static LICENSE_ID: Param = Param::text("license_id", "Licence", "The licence that the user gets.")
    .reference("license")
    .at(Place::BodyAs("/license", r#"{"id":$,"type":"license_reference"}"#));
static INCLUDE: Param = Param::new(
    Kind::List(&Kind::OneOf(&[
        "contact_methods",
        "notification_rules",
        "teams",
        "subdomains",
        "calendar_urls",
    ])),
    "include",
    "Include",
    "What is returned in full instead of as a reference.",
)
.query("include[]");
static TYPE: Param = Param::new(
    Kind::OneOf(&["phone_contact_method", "sms_contact_method"]),
    "type",
    "Kind",
    "A telephone (call) or a mobile (SMS).",
)
.body("/type");
static LABEL: Param = Param::text("label", "Label", "What the user calls it.").body("/label");
static ADDRESS: Param = Param::text(
    "address",
    "Number or address",
    "The telephone number without country code, or the e-mail address.",
)
.body("/address");
static COUNTRY_CODE: Param = Param::new(
    Kind::Integer(1, 1999),
    "country_code",
    "Country code",
    "The country code of a telephone number, e.g. 1 or 49.",
)
.body("/country_code");
static SOUNDS: Param = Param::new(
    Kind::Objects(&[
        &Param::new(
            Kind::OneOf(&["alert_high_urgency", "alert_low_urgency"]),
            "type",
            "Kind",
            "A telephone (call) or a mobile (SMS).",
        ),
        &Param::text("file", "Sound", "Name of the sound."),
    ]),
    "sounds",
    "Sounds",
    "The sounds of the app.",
)
.body("/sounds");
static SEND_SHORT_EMAIL: Param =
    Param::new(Kind::Boolean, "send_short_email", "Short e-mails", "Whether e-mails are short.")
        .default(r#"false"#)
        .body("/send_short_email");
static CONTACT_METHOD_ID: Param =
    Param::text("contact_method_id", "Contact method", "How the user is told.")
        .reference("user_contact_method")
        .at(Place::Path);
static INCLUDE_FILTER: Param = Param::new(
    Kind::List(&Kind::OneOf(&["contact_methods"])),
    "include",
    "Include",
    "What is returned in full instead of as a reference.",
)
.query("include[]");
static START_DELAY_IN_MINUTES: Param = Param::new(
    Kind::Integer(0, 2147483647),
    "start_delay_in_minutes",
    "After",
    "How many minutes after the incident; 0 for at once.",
)
.body("/start_delay_in_minutes");
static CONTACT_METHOD_TYPE: Param = Param::new(
    Kind::OneOf(&[
        "email_contact_method_reference",
        "phone_contact_method_reference",
        "push_notification_contact_method_reference",
        "sms_contact_method_reference",
        "whatsapp_contact_method_reference",
    ]),
    "contact_method_type",
    "Kind of contact method",
    "The kind of the contact method.",
)
.body("/contact_method/type");
static CONTACT_METHOD_ID_VALUE: Param =
    Param::text("contact_method_id", "Contact method", "How the user is told.")
        .reference("user_contact_method")
        .body("/contact_method/id");
static URGENCY: Param = Param::new(
    Kind::OneOf(&["high", "low"]),
    "urgency",
    "Urgency",
    "How loudly people are notified.",
)
.body("/urgency");
static NOTIFICATION_RULE_ID: Param =
    Param::text("notification_rule_id", "Notification rule", "ID of the notification rule.")
        .reference("user_notification_rule")
        .at(Place::Path);
static SUBSCRIBABLES: Param = Param::new(
    Kind::Objects(&[
        &Param::text("subscribable_id", "About which", "ID of the incident or business service."),
        &Param::new(
            Kind::OneOf(&["incident", "business_service"]),
            "subscribable_type",
            "Kind",
            "An incident or a business service.",
        ),
    ]),
    "subscribables",
    "About",
    "Incidents and business services.",
)
.body("/subscribables");
static HANDOFF_TYPE: Param = Param::new(
    Kind::OneOf(&["both", "oncall", "offcall"]),
    "handoff_type",
    "When",
    "At the beginning of a shift, at its end, or both.",
)
.default(r#""both""#)
.body("/handoff_type");
static NOTIFY_ADVANCE_IN_MINUTES: Param = Param::new(
    Kind::Integer(0, 2147483647),
    "notify_advance_in_minutes",
    "Before",
    "How many minutes before the handoff.",
)
.body("/notify_advance_in_minutes");
static ONCALL_HANDOFF_NOTIFICATION_RULE_ID: Param = Param::text(
    "oncall_handoff_notification_rule_id",
    "Oncall handoff notification rule",
    "ID of the oncall handoff notification rule.",
)
.reference("user_handoff_rule")
.at(Place::Path);
static STATUS_UPDATE_NOTIFICATION_RULE_ID: Param = Param::text(
    "status_update_notification_rule_id",
    "Status update notification rule",
    "ID of the status update notification rule.",
)
.reference("user_status_update_rule")
.at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "user.list",
        "List users",
        "Finds users by name, e-mail and team.",
        "GET",
        "/users",
    )
    .scopes(&["users.read"])
    .takes(&[
        &QUERY,
        &TEAM_IDS,
        &Param::new(
            Kind::List(&Kind::OneOf(&[
                "contact_methods",
                "notification_rules",
                "teams",
                "subdomains",
            ])),
            "include",
            "Include",
            "What is returned in full instead of as a reference.",
        )
        .query("include[]"),
        &SIMPLIFY,
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(classic("users"))
    .gives(USER)
    .simple(&USER_FLAT)
    .examples(&[Example::new("By e-mail", r#"{"query":"ada@example.com"}"#)]),
    rest(
        "user.create",
        "Create a user",
        "Adds a user, who gets an e-mail. It may cost a licence.",
        "POST",
        "/users",
    )
    .scopes(&["users.write"])
    .as_user()
    .envelope("/user")
    .constants(&[("/type", r#""user""#)])
    .takes(&[
        &NAME.required(),
        &EMAIL.required(),
        &TIME_ZONE_VALUE,
        &COLOR,
        &ROLE,
        &DESCRIPTION,
        &JOB_TITLE,
        &LICENSE_ID,
        &FROM,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("user"))
    .gives(USER)
    .examples(&[
        Example::new(
            "A responder",
            r#"{"name":"Fay Larsson","email":"fay@example.com","role":"limited_user","time_zone":"Europe/Stockholm"}"#,
        ),
    ]),
    rest(
        "user.get",
        "Get a user",
        "Looks up one user.",
        "GET",
        "/users/{user_id}",
    )
    .scopes(&["users.read"])
    .takes(&[&USER_ID, &INCLUDE, &SIMPLIFY, &ADDITIONAL_QUERY])
    .answer(one("user"))
    .gives(USER)
    .simple(&USER_FLAT)
    .examples(&[
        Example::new(
            "One user with the ways to reach them",
            r#"{"user_id":"PUSER000000001","include":["contact_methods"]}"#,
        ),
    ]),
    rest(
        "user.me",
        "Get the current user",
        "Looks up the user to whom the credential belongs. An account's API key and an app's token \
         belong to nobody.",
        "GET",
        "/users/me",
    )
    .takes(&[&INCLUDE, &SIMPLIFY, &ADDITIONAL_QUERY])
    .answer(one("user"))
    .gives(USER)
    .simple(&USER_FLAT)
    .examples(&[Example::new("Who am I", r#"{}"#)]),
    rest(
        "user.update",
        "Update a user",
        "Changes a user; what is not given stays as it is.",
        "PUT",
        "/users/{user_id}",
    )
    .scopes(&["users.write"])
    .envelope("/user")
    .constants(&[("/type", r#""user""#)])
    .takes(&[
        &USER_ID,
        &NAME,
        &EMAIL,
        &TIME_ZONE_VALUE,
        &COLOR,
        &ROLE,
        &DESCRIPTION,
        &JOB_TITLE,
        &LICENSE_ID,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("user"))
    .gives(USER)
    .examples(&[
        Example::new(
            "Another job",
            r#"{"user_id":"PUSER000000001","job_title":"Site reliability engineer"}"#,
        ),
    ]),
    rest(
        "user.delete",
        "Delete a user",
        "Removes a user. It fails while the user has open incidents or is on a schedule.",
        "DELETE",
        "/users/{user_id}",
    )
    .scopes(&["users.write"])
    .takes(&[&USER_ID])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"user_id":"PUSER000000003"}"#)]),
    rest(
        "user.get_license",
        "Get the licence of a user",
        "Looks up which licence a user has.",
        "GET",
        "/users/{user_id}/license",
    )
    .scopes(&["licenses.read"])
    .takes(&[&USER_ID, &ADDITIONAL_QUERY])
    .answer(one("license"))
    .examples(&[Example::new("One", r#"{"user_id":"PUSER000000001"}"#)]),
    rest(
        "user.regenerate_calendar_key",
        "Renew the calendar address of a user",
        "Makes the addresses of a user's on-call calendar invalid and gives new ones. The node \
         sees a handle in place of the key.",
        "POST",
        "/users/{user_id}/regenerate_private_url_key",
    )
    .check("Look at the user's `calendar_urls` with `user.get` before you run it again: it ends the new address, too.")
    .scopes(&["users.write"])
    .effect(Effect::Execute, Idempotency::None)
    .takes(&[&USER_ID])
    .examples(&[Example::new("One", r#"{"user_id":"PUSER000000001"}"#)]),
    rest(
        "user_contact_method.list",
        "List the contact methods of a user",
        "Reads how a user can be reached.",
        "GET",
        "/users/{user_id}/contact_methods",
    )
    .scopes(&["users:contact_methods.read"])
    .takes(&[&USER_ID, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("contact_methods"))
    .examples(&[Example::new("The first hundred", r#"{"user_id":"PUSER000000001"}"#)]),
    rest(
        "user_contact_method.create",
        "Create a contact method of a user",
        "Adds a telephone number by which a user can be reached.",
        "POST",
        "/users/{user_id}/contact_methods",
    )
    .scopes(&["users:contact_methods.write"])
    .envelope("/contact_method")
    .takes(&[
        &USER_ID,
        &TYPE.required(),
        &LABEL.required(),
        &ADDRESS.required(),
        &COUNTRY_CODE,
        &SOUNDS,
        &SEND_SHORT_EMAIL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("contact_method"))
    .examples(&[
        Example::new(
            "A mobile",
            r#"{"user_id":"PUSER000000001","type":"sms_contact_method","label":"Mobile","address":"5550123456","country_code":1}"#,
        ),
    ]),
    rest(
        "user_contact_method.get",
        "Get a contact method of a user",
        "Looks up one way to reach a user.",
        "GET",
        "/users/{user_id}/contact_methods/{contact_method_id}",
    )
    .scopes(&["users:contact_methods.read"])
    .takes(&[&USER_ID, &CONTACT_METHOD_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("contact_method"))
    .examples(&[
        Example::new(
            "One",
            r#"{"user_id":"PUSER000000001","contact_method_id":"PCONTACTMETHO1"}"#,
        ),
    ]),
    rest(
        "user_contact_method.update",
        "Update a contact method of a user",
        "Changes one way to reach a user.",
        "PUT",
        "/users/{user_id}/contact_methods/{contact_method_id}",
    )
    .scopes(&["users:contact_methods.write"])
    .envelope("/contact_method")
    .takes(&[
        &USER_ID,
        &CONTACT_METHOD_ID.required(),
        &TYPE,
        &LABEL,
        &ADDRESS,
        &COUNTRY_CODE,
        &SOUNDS,
        &SEND_SHORT_EMAIL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("contact_method"))
    .examples(&[
        Example::new(
            "Another number",
            r#"{"user_id":"PUSER000000001","contact_method_id":"PCONTACTMETHO2","type":"sms_contact_method","label":"Mobile","address":"5550123457"}"#,
        ),
    ]),
    rest(
        "user_contact_method.delete",
        "Delete a contact method of a user",
        "Removes one way to reach a user.",
        "DELETE",
        "/users/{user_id}/contact_methods/{contact_method_id}",
    )
    .scopes(&["users:contact_methods.write"])
    .takes(&[&USER_ID, &CONTACT_METHOD_ID.required()])
    .answer(DELETED)
    .examples(&[
        Example::new(
            "One",
            r#"{"user_id":"PUSER000000001","contact_method_id":"PCONTACTMETHO3"}"#,
        ),
    ]),
    rest(
        "user_notification_rule.list",
        "List the notification rules of a user",
        "Reads when and how a user is notified of incidents.",
        "GET",
        "/users/{user_id}/notification_rules",
    )
    .scopes(&["users:contact_methods.read"])
    .takes(&[
        &USER_ID,
        &INCLUDE_FILTER,
        &Param::new(
            Kind::OneOf(&["high", "low", "all"]),
            "urgency",
            "Urgency",
            "How loudly people are notified.",
        )
        .query("urgency"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(whole_list("notification_rules"))
    .examples(&[Example::new("The first hundred", r#"{"user_id":"PUSER000000001"}"#)]),
    rest(
        "user_notification_rule.create",
        "Create a notification rule of a user",
        "Says when and how a user is notified of incidents.",
        "POST",
        "/users/{user_id}/notification_rules",
    )
    .scopes(&["users:contact_methods.write"])
    .envelope("/notification_rule")
    .constants(&[("/type", r#""assignment_notification_rule""#)])
    .takes(&[
        &USER_ID,
        &START_DELAY_IN_MINUTES.required(),
        &CONTACT_METHOD_TYPE.required(),
        &CONTACT_METHOD_ID_VALUE.required(),
        &URGENCY.required(),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("notification_rule"))
    .examples(&[
        Example::new(
            "At once, by SMS",
            r#"{"user_id":"PUSER000000001","start_delay_in_minutes":0,"urgency":"high","contact_method_id":"PCONTACTMETHO3","contact_method_type":"sms_contact_method_reference"}"#,
        ),
    ]),
    rest(
        "user_notification_rule.get",
        "Get a notification rule of a user",
        "Looks up one rule.",
        "GET",
        "/users/{user_id}/notification_rules/{notification_rule_id}",
    )
    .scopes(&["users:contact_methods.read"])
    .takes(&[&USER_ID, &NOTIFICATION_RULE_ID.required(), &INCLUDE_FILTER, &ADDITIONAL_QUERY])
    .answer(one("notification_rule"))
    .examples(&[
        Example::new(
            "One",
            r#"{"user_id":"PUSER000000001","notification_rule_id":"PNOTIFICATION1"}"#,
        ),
    ]),
    rest(
        "user_notification_rule.update",
        "Update a notification rule of a user",
        "Changes one rule.",
        "PUT",
        "/users/{user_id}/notification_rules/{notification_rule_id}",
    )
    .scopes(&["users:contact_methods.write"])
    .envelope("/notification_rule")
    .constants(&[("/type", r#""assignment_notification_rule""#)])
    .takes(&[
        &USER_ID,
        &NOTIFICATION_RULE_ID.required(),
        &START_DELAY_IN_MINUTES,
        &CONTACT_METHOD_TYPE,
        &CONTACT_METHOD_ID_VALUE,
        &URGENCY,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("notification_rule"))
    .examples(&[
        Example::new(
            "After five minutes",
            r#"{"user_id":"PUSER000000001","notification_rule_id":"PNOTIFICATION1","start_delay_in_minutes":5,"urgency":"high","contact_method_id":"PCONTACTMETHO3","contact_method_type":"sms_contact_method_reference"}"#,
        ),
    ]),
    rest(
        "user_notification_rule.delete",
        "Delete a notification rule of a user",
        "Removes one rule.",
        "DELETE",
        "/users/{user_id}/notification_rules/{notification_rule_id}",
    )
    .scopes(&["users:contact_methods.write"])
    .takes(&[&USER_ID, &NOTIFICATION_RULE_ID.required()])
    .answer(DELETED)
    .examples(&[
        Example::new(
            "One",
            r#"{"user_id":"PUSER000000001","notification_rule_id":"PNOTIFICATION1"}"#,
        ),
    ]),
    rest(
        "user_subscription.list",
        "List the subscriptions of a user",
        "Reads about what a user is told.",
        "GET",
        "/users/{user_id}/notification_subscriptions",
    )
    .scopes(&["subscribers.read"])
    .takes(&[&USER_ID, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(undocumented("subscriptions"))
    .examples(&[Example::new("The first hundred", r#"{"user_id":"PUSER000000001"}"#)]),
    rest(
        "user_subscription.create",
        "Create subscriptions of a user",
        "Tells a user about incidents and business services.",
        "POST",
        "/users/{user_id}/notification_subscriptions",
    )
    .scopes(&["subscribers.write"])
    .effect(Effect::Update, Idempotency::Idempotent)
    .takes(&[&USER_ID, &SUBSCRIBABLES.required(), &LIMIT, &ALL, &ADDITIONAL_FIELDS])
    .answer(whole_list("subscriptions"))
    .examples(&[
        Example::new(
            "An incident",
            r#"{"user_id":"PUSER000000001","subscribables":[{"subscribable_id":"QINCIDENT00001","subscribable_type":"incident"}]}"#,
        ),
    ]),
    rest(
        "user_subscription.delete",
        "Delete subscriptions of a user",
        "Stops telling a user about incidents and business services.",
        "POST",
        "/users/{user_id}/notification_subscriptions/unsubscribe",
    )
    .scopes(&["subscribers.write"])
    .effect(Effect::Update, Idempotency::Idempotent)
    .takes(&[&USER_ID, &SUBSCRIBABLES.required(), &ADDITIONAL_FIELDS])
    .examples(&[
        Example::new(
            "An incident",
            r#"{"user_id":"PUSER000000001","subscribables":[{"subscribable_id":"QINCIDENT00001","subscribable_type":"incident"}]}"#,
        ),
    ]),
    rest(
        "user_handoff_rule.list",
        "List the handoff rules of a user",
        "Reads when a user is told that a shift begins or ends.",
        "GET",
        "/users/{user_id}/oncall_handoff_notification_rules",
    )
    .scopes(&["users.read"])
    .takes(&[&USER_ID, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("oncall_handoff_notification_rules"))
    .examples(&[Example::new("The first hundred", r#"{"user_id":"PUSER000000001"}"#)]),
    rest(
        "user_handoff_rule.create",
        "Create a handoff rule of a user",
        "Tells a user that a shift begins or ends.",
        "POST",
        "/users/{user_id}/oncall_handoff_notification_rules",
    )
    .scopes(&["users.write"])
    .envelope("/oncall_handoff_notification_rule")
    .takes(&[
        &USER_ID,
        &HANDOFF_TYPE.required(),
        &CONTACT_METHOD_TYPE.required(),
        &CONTACT_METHOD_ID_VALUE.required(),
        &NOTIFY_ADVANCE_IN_MINUTES,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("oncall_handoff_notification_rule"))
    .examples(&[
        Example::new(
            "An hour before",
            r#"{"user_id":"PUSER000000001","notify_advance_in_minutes":60,"handoff_type":"both","contact_method_id":"PCONTACTMETHO3","contact_method_type":"sms_contact_method_reference"}"#,
        ),
    ]),
    rest(
        "user_handoff_rule.get",
        "Get a handoff rule of a user",
        "Looks up one rule.",
        "GET",
        "/users/{user_id}/oncall_handoff_notification_rules/{oncall_handoff_notification_rule_id}",
    )
    .scopes(&["users.read"])
    .takes(&[&USER_ID, &ONCALL_HANDOFF_NOTIFICATION_RULE_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("oncall_handoff_notification_rule"))
    .examples(&[
        Example::new(
            "One",
            r#"{"user_id":"PUSER000000001","oncall_handoff_notification_rule_id":"PONCALLHANDOF1"}"#,
        ),
    ]),
    rest(
        "user_handoff_rule.update",
        "Update a handoff rule of a user",
        "Changes one rule.",
        "PUT",
        "/users/{user_id}/oncall_handoff_notification_rules/{oncall_handoff_notification_rule_id}",
    )
    .scopes(&["users.write"])
    .envelope("/oncall_handoff_notification_rule")
    .takes(&[
        &USER_ID,
        &ONCALL_HANDOFF_NOTIFICATION_RULE_ID.required(),
        &NOTIFY_ADVANCE_IN_MINUTES,
        &HANDOFF_TYPE,
        &CONTACT_METHOD_TYPE,
        &CONTACT_METHOD_ID_VALUE,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("oncall_handoff_notification_rule"))
    .examples(&[
        Example::new(
            "Two hours before",
            r#"{"user_id":"PUSER000000001","oncall_handoff_notification_rule_id":"PONCALLHANDOF1","notify_advance_in_minutes":120,"handoff_type":"both","contact_method_id":"PCONTACTMETHO3","contact_method_type":"sms_contact_method_reference"}"#,
        ),
    ]),
    rest(
        "user_handoff_rule.delete",
        "Delete a handoff rule of a user",
        "Removes one rule.",
        "DELETE",
        "/users/{user_id}/oncall_handoff_notification_rules/{oncall_handoff_notification_rule_id}",
    )
    .scopes(&["users.write"])
    .takes(&[&USER_ID, &ONCALL_HANDOFF_NOTIFICATION_RULE_ID.required()])
    .answer(DELETED)
    .examples(&[
        Example::new(
            "One",
            r#"{"user_id":"PUSER000000001","oncall_handoff_notification_rule_id":"PONCALLHANDOF1"}"#,
        ),
    ]),
    rest(
        "user_status_update_rule.list",
        "List the status update rules of a user",
        "Reads how a user is told of status updates.",
        "GET",
        "/users/{user_id}/status_update_notification_rules",
    )
    .scopes(&["users.read"])
    .takes(&[&USER_ID, &INCLUDE_FILTER, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("status_update_notification_rules"))
    .examples(&[Example::new("The first hundred", r#"{"user_id":"PUSER000000001"}"#)]),
    rest(
        "user_status_update_rule.create",
        "Create a status update rule of a user",
        "Says how a user is told of status updates.",
        "POST",
        "/users/{user_id}/status_update_notification_rules",
    )
    .scopes(&["users.write"])
    .envelope("/status_update_notification_rule")
    .takes(&[
        &USER_ID,
        &CONTACT_METHOD_TYPE.required(),
        &CONTACT_METHOD_ID_VALUE.required(),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("status_update_notification_rule"))
    .examples(&[
        Example::new(
            "By SMS",
            r#"{"user_id":"PUSER000000001","contact_method_id":"PCONTACTMETHO3","contact_method_type":"sms_contact_method_reference"}"#,
        ),
    ]),
    rest(
        "user_status_update_rule.get",
        "Get a status update rule of a user",
        "Looks up one rule.",
        "GET",
        "/users/{user_id}/status_update_notification_rules/{status_update_notification_rule_id}",
    )
    .scopes(&["users.read"])
    .takes(&[
        &USER_ID,
        &STATUS_UPDATE_NOTIFICATION_RULE_ID.required(),
        &INCLUDE_FILTER,
        &ADDITIONAL_QUERY,
    ])
    .answer(one("notification_rule"))
    .examples(&[
        Example::new(
            "One",
            r#"{"user_id":"PUSER000000001","status_update_notification_rule_id":"PSTATUSUPDATE1"}"#,
        ),
    ]),
    rest(
        "user_status_update_rule.update",
        "Update a status update rule of a user",
        "Changes one rule.",
        "PUT",
        "/users/{user_id}/status_update_notification_rules/{status_update_notification_rule_id}",
    )
    .scopes(&["users.write"])
    .envelope("/status_update_notification_rule")
    .takes(&[
        &USER_ID,
        &STATUS_UPDATE_NOTIFICATION_RULE_ID.required(),
        &CONTACT_METHOD_TYPE.required(),
        &CONTACT_METHOD_ID_VALUE.required(),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("notification_rule"))
    .examples(&[
        Example::new(
            "By SMS",
            r#"{"user_id":"PUSER000000001","status_update_notification_rule_id":"PSTATUSUPDATE1","contact_method_id":"PCONTACTMETHO3","contact_method_type":"sms_contact_method_reference"}"#,
        ),
    ]),
    rest(
        "user_status_update_rule.delete",
        "Delete a status update rule of a user",
        "Removes one rule.",
        "DELETE",
        "/users/{user_id}/status_update_notification_rules/{status_update_notification_rule_id}",
    )
    .scopes(&["users.write"])
    .takes(&[&USER_ID, &STATUS_UPDATE_NOTIFICATION_RULE_ID.required()])
    .answer(DELETED)
    .examples(&[
        Example::new(
            "One",
            r#"{"user_id":"PUSER000000001","status_update_notification_rule_id":"PSTATUSUPDATE1"}"#,
        ),
    ]),
];
