use workflow_node_sdk::declare::*;
use workflow_node_sdk::documents::{CredentialType, CredentialTypes, OriginPattern, Placement};
use workflow_node_sdk::node::{Declares, Plugin};
use workflow_node_sdk::{export_node, literal};

const API: &str = "https://api.weather.example";

pub static NODE: Node = Node::builder("weather", "Weather", "Returns the weather of cities.")
    .origins(&[API])
    .slots(&[Slot::new("main", "API key.", &["api-key"]).base_urls(&[BaseUrl::fixed("api", API)])])
    .references(&[Reference::new("city", "a city", "city.list").named(&["name"])])
    .resources(&[Resource::new("city", "Cities", "Cities with weather reports.", &[CITIES])])
    .build();

static CITIES: &[Action] = &[
    Action::get("city.list", "/v1/cities", "List cities", "Returns the cities with reports.")
        .with("main", "api")
        .answer(Answer::List("cities", &Paging::None))
        .examples(&[Example::new("All cities", literal!({}))]),
    Action::get("city.weather", "/v1/cities/{city_id}", "Get the weather", "Returns the weather.")
        .with("main", "api")
        .parameters(&[&Param::text("city_id", "City", "ID or name of the city.")
            .required()
            .reference("city")
            .at(Place::Path)])
        .output(Output::Record(&[Field::number("celsius", "Temperature in degrees Celsius.")]))
        .examples(&[Example::new("Berlin", literal!({ "city_id": "berlin" }))]),
];

pub struct Weather;

impl Plugin for Weather {
    fn declaration() -> &'static dyn Declares {
        &NODE
    }
    fn credential_types() -> CredentialTypes {
        let api: OriginPattern = API.parse().expect("an origin");
        let key = Placement::header("X-Api-Key", "{secret}", [api.clone()]);
        let (name, about) = ("api-key", "API key of your account.");
        CredentialTypes::of([CredentialType::secret(name, "API key", about, [api], [key])])
    }
}

export_node!(Weather);

#[cfg(test)]
mod tests {
    use workflow_node_sdk::json;
    use workflow_node_sdk::testing::{Host, answer, assert_sound};

    use super::Weather;

    #[test]
    fn the_node_is_sound() {
        assert_sound::<Weather>();
    }

    #[test]
    fn the_weather_of_a_city_is_found_by_the_citys_name() {
        let host = Host::answering(|request| match request.url.as_str() {
            "https://api.weather.example/v1/cities" => {
                Ok(answer(200, r#"{"cities":[{"id":"C1","name":"Berlin"}]}"#))
            }
            "https://api.weather.example/v1/cities/C1" => Ok(answer(200, r#"{"celsius":21.50}"#)),
            other => panic!("{other}"),
        });
        let host = host.connected::<Weather>("main", "api-key", json!({}));
        let records = host.execute::<Weather>("city.weather", json!({ "city_id": "Berlin" }));
        assert_eq!(records.unwrap()[0]["celsius"].to_string(), "21.50");
        assert_eq!(host.sent()[1].path(), "/v1/cities/C1");
        assert_eq!(host.sent()[1].credential.as_deref(), Some("main"));
    }
}
