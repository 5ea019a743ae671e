/** Forms of actions and triggers as fields of n8n. */

import type { FieldType, IDataObject, INodePropertyOptions, ResourceMapperField } from 'n8n-workflow';

/** The part of JSON Schema that forms use. */
export interface Schema {
	type?: string | string[];
	title?: string;
	description?: string;
	enum?: unknown[];
	items?: Schema;
	properties?: Record<string, Schema>;
	required?: string[];
	default?: unknown;
	'x-ui'?: { order?: string[]; options?: boolean; multiline?: boolean; format?: string };
}

const TYPES: Record<string, FieldType> = {
	string: 'string',
	boolean: 'boolean',
	integer: 'number',
	number: 'number',
	array: 'array',
	object: 'object',
};

/** The names of the parameters, in the order of the form. */
export function parameterNames(form: Schema): string[] {
	const names = Object.keys(form.properties ?? {});
	const order = form['x-ui']?.order ?? [];
	const place = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length);
	return names.sort((one, other) => place(one) - place(other));
}

/** The types of a schema, without null. */
function types(schema: Schema): string[] {
	return [schema.type ?? []].flat().filter((type) => type !== 'null');
}

function fieldType(schema: Schema): FieldType {
	const [type, ...others] = types(schema);
	// A value that can have several types is written as an expression.
	return others.length > 0 ? 'string' : (TYPES[type] ?? 'string');
}

function choices(schema: Schema): INodePropertyOptions[] | undefined {
	const values = schema.enum?.filter((value) => typeof value === 'string');
	// Choices with several values lose their value in this form: they are lists.
	if (!values?.length || types(schema)[0] !== 'string') return undefined;
	return values.map((value) => ({ name: title(value), value }));
}

/** `time_zone` as `Time zone`. */
function title(name: string): string {
	const text = name.replaceAll('_', ' ');
	return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The fields of a form. Optional ones are added by the user. */
export function fields(form: Schema): ResourceMapperField[] {
	const lookedUp = lookUps(form).map(({ value }) => String(value).replace(LIST, ''));
	return parameterNames(form).map((name) => {
		const schema = form.properties?.[name] ?? {};
		const required = form.required?.includes(name) ?? false;
		const options = choices(schema);
		return {
			id: name,
			displayName: schema.title ?? title(name),
			// A look-up can set it, too. The server checks that it is set.
			required: required && !lookedUp.includes(name),
			defaultMatch: false,
			canBeUsedToMatch: false,
			display: true,
			removed: !required,
			type: options ? 'options' : fieldType(schema),
			...(options ? { options } : {}),
		};
	});
}

/** The suffix of the name of a parameter that is a list. */
export const LIST = '[]';

/** The parameters whose choices come from the account, with their titles. */
export function lookUps(form: Schema): INodePropertyOptions[] {
	return parameterNames(form)
		.filter((name) => {
			const schema = form.properties?.[name];
			return schema?.['x-ui']?.options ?? schema?.items?.['x-ui']?.options ?? false;
		})
		.map((name) => {
			const schema = form.properties?.[name];
			return {
				name: schema?.title ?? title(name),
				value: types(schema ?? {})[0] === 'array' ? name + LIST : name,
				description: schema?.description,
			};
		});
}

/** Parameters without those that the user has left empty. */
export function filled(parameters: IDataObject): IDataObject {
	return Object.fromEntries(
		Object.entries(parameters).filter(
			([, value]) => value !== null && value !== undefined && value !== '',
		),
	);
}
