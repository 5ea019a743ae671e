/** Lists of the editor: what the server and the account offer. */

import type {
	IDataObject,
	ILoadOptionsFunctions,
	INodeListSearchResult,
	INodeParameterResourceLocator,
	INodePropertyOptions,
	ResourceMapperFields,
} from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import { apiPath, entries, json } from './api';
import type { Schema } from './form';
import { fields, filled, LIST, lookUps } from './form';

/** Whether a node is for actions or for triggers. */
export type Kind = 'actions' | 'triggers';

interface Described {
	name: string;
	title: string;
	description?: string;
}

interface Slot {
	required: boolean;
}

interface Form extends Described {
	form: Schema;
	slots: Record<string, Slot>;
}

interface Choice {
	value: unknown;
	label: string;
	description?: string;
}

/** The value of a resource locator that the user has set. */
function chosen(context: ILoadOptionsFunctions, name: string): string {
	const locator = context.getCurrentNodeParameter(name) as INodeParameterResourceLocator | undefined;
	const value = String(locator?.value ?? '');
	if (value === '') {
		throw new NodeOperationError(context.getNode(), `Choose a value for "${name}" first`);
	}
	return value;
}

function formOf(kind: Kind): string {
	return kind === 'actions' ? 'action' : 'trigger';
}

async function form(context: ILoadOptionsFunctions, kind: Kind): Promise<Form> {
	const path = apiPath(
		context,
		'plugins',
		chosen(context, 'plugin'),
		kind,
		chosen(context, formOf(kind)),
	);
	return await json<Form>(context, { method: 'GET', path });
}

/** One page of a list, with the cursor of the next one. */
async function page(
	context: ILoadOptionsFunctions,
	path: string,
	name: string,
	query: IDataObject,
): Promise<INodeListSearchResult> {
	const body = await json<Record<string, Described[]> & { next_cursor?: string }>(context, {
		method: 'GET',
		path,
		query: filled(query),
	});
	const results = body[name].map((entry) => ({
		name: entry.title,
		value: entry.name,
		description: entry.description,
	}));
	return { results, paginationToken: body.next_cursor };
}

export async function searchPlugins(
	this: ILoadOptionsFunctions,
	search?: string,
	cursor?: string,
): Promise<INodeListSearchResult> {
	const path = apiPath(this, 'plugins');
	const body = await json<{
		plugins: Array<{ name: string; display_name: string; description: string }>;
		next_cursor?: string;
	}>(this, { method: 'GET', path, query: filled({ search, cursor }) });
	const results = body.plugins.map((plugin) => ({
		name: plugin.display_name,
		value: plugin.name,
		description: plugin.description,
	}));
	return { results, paginationToken: body.next_cursor };
}

export async function searchResources(
	this: ILoadOptionsFunctions,
	search?: string,
	cursor?: string,
): Promise<INodeListSearchResult> {
	const path = apiPath(this, 'plugins', chosen(this, 'plugin'), 'resources');
	return await page(this, path, 'resources', { search, cursor });
}

export async function searchActions(
	this: ILoadOptionsFunctions,
	search?: string,
	cursor?: string,
): Promise<INodeListSearchResult> {
	const path = apiPath(this, 'plugins', chosen(this, 'plugin'), 'actions');
	const locator = this.getCurrentNodeParameter('resource') as INodeParameterResourceLocator;
	return await page(this, path, 'actions', { resource: locator?.value, search, cursor });
}

export async function searchTriggers(
	this: ILoadOptionsFunctions,
	search?: string,
	cursor?: string,
): Promise<INodeListSearchResult> {
	const path = apiPath(this, 'plugins', chosen(this, 'plugin'), 'triggers');
	return await page(this, path, 'triggers', { search, cursor });
}

/** The slot that the parameter "account" fills: the first that must be filled, or else the first. */
export function mainSlot(slots: Record<string, Slot>): string | undefined {
	const names = Object.keys(slots);
	return names.find((name) => slots[name].required) ?? names[0];
}

export function searchAccounts(kind: Kind) {
	return async function (
		this: ILoadOptionsFunctions,
		search?: string,
		cursor?: string,
	): Promise<INodeListSearchResult> {
		const slot = mainSlot((await form(this, kind)).slots);
		if (slot === undefined) return { results: [] };
		const body = await json<{
			credentials: Array<{ name: string; description: string; status: string }>;
			next_cursor?: string;
		}>(this, {
			method: 'GET',
			path: apiPath(this, 'credentials'),
			query: filled({ plugin: chosen(this, 'plugin'), slot, search, cursor }),
		});
		const results = body.credentials.map(({ name, description, status }) => ({
			name: status === 'connected' ? name : `${name} (${status})`,
			value: name,
			description,
		}));
		return { results, paginationToken: body.next_cursor };
	};
}

export function loadSlots(kind: Kind) {
	return async function (this: ILoadOptionsFunctions): Promise<INodePropertyOptions[]> {
		const { slots } = await form(this, kind);
		const main = mainSlot(slots);
		return Object.keys(slots)
			.filter((name) => name !== main)
			.map((name) => ({ name, value: name }));
	};
}

export function parameterFields(kind: Kind) {
	return async function (this: ILoadOptionsFunctions): Promise<ResourceMapperFields> {
		const { form: schema } = await form(this, kind);
		const found = fields(schema);
		return found.length > 0
			? { fields: found }
			: { fields: [], emptyFieldsNotice: 'There are no parameters.' };
	};
}

export function loadLookUps(kind: Kind) {
	return async function (this: ILoadOptionsFunctions): Promise<INodePropertyOptions[]> {
		return lookUps((await form(this, kind)).form);
	};
}

/** The accounts that the parameters of the node name, by slot. */
export async function accounts(
	context: ILoadOptionsFunctions,
	kind: Kind,
): Promise<Record<string, string>> {
	const slot = mainSlot((await form(context, kind)).slots);
	const locator = context.getCurrentNodeParameter('account') as INodeParameterResourceLocator;
	const account = String(locator?.value ?? '');
	return slot === undefined || account === '' ? {} : { [slot]: account };
}

export function searchChoices(kind: Kind) {
	return async function (
		this: ILoadOptionsFunctions,
		search?: string,
		cursor?: string,
	): Promise<INodeListSearchResult> {
		const parameter = String(this.getCurrentNodeParameter('&parameter') ?? '').replace(LIST, '');
		if (parameter === '') {
			throw new NodeOperationError(this.getNode(), 'Choose a parameter first');
		}
		const mapped = (this.getCurrentNodeParameter('parameters') as IDataObject | undefined)?.value;
		const path = apiPath(
			this,
			'plugins',
			chosen(this, 'plugin'),
			kind,
			chosen(this, formOf(kind)),
			'options',
		);
		const body = await json<{ choices: Choice[]; next_cursor?: string }>(this, {
			method: 'POST',
			path,
			body: filled({
				parameter,
				// Expressions have no value in the editor.
				parameters: withoutExpressions((mapped ?? {}) as IDataObject),
				credentials: await accounts(this, kind),
				search,
				cursor,
			}),
		});
		const results = body.choices.map(({ label, value, description }) => ({
			name: label,
			value: typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value),
			description,
		}));
		return { results, paginationToken: body.next_cursor };
	};
}

function withoutExpressions(parameters: IDataObject): IDataObject {
	const given = Object.entries(filled(parameters));
	return Object.fromEntries(
		given.filter(([, value]) => typeof value !== 'string' || !value.startsWith('=')),
	);
}

/** All credentials by slot, for an execution. */
export async function slotsOf(
	context: Parameters<typeof entries>[0],
	plugin: string,
	kind: Kind,
	name: string,
): Promise<Record<string, Slot>> {
	const path = apiPath(context, 'plugins', plugin, kind, name);
	return (await json<Form>(context, { method: 'GET', path })).slots;
}
