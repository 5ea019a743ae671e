// Replaces nodes of another package in a workflow by the Workflow Node, with the same parameters. What
// is specific to a service is in a map, a JSON file.

import { createRequire } from 'node:module';

const { fields } = createRequire(import.meta.url)('../dist/nodes/form.js');

/** The entries of nested objects, as `outer.inner`. Lists and expressions are values. */
function* leaves(value, path = []) {
	if (typeof value !== 'object' || value === null || Array.isArray(value)) {
		yield [path.join('.'), value];
		return;
	}
	for (const [name, inner] of Object.entries(value)) yield* leaves(inner, [...path, name]);
}

const isExpression = (value) => typeof value === 'string' && value.startsWith('=');

/** A template of n8n, such as `=a {{ b }}`, as one JavaScript expression. */
export function expressionOf(template) {
	const parts = template
		.slice(1)
		.split(/\{\{([\s\S]*?)\}\}/)
		.map((part, index) => (index % 2 ? `(${part.trim()})` : part && JSON.stringify(part)))
		.filter((part) => part !== '');
	return parts.length === 1 ? `String(${parts[0]})` : `[${parts.join(', ')}].join("")`;
}

function translate(value, rule, report) {
	let translated = value;
	if (rule.split) {
		translated = isExpression(value)
			? `={{ ${expressionOf(value)}.split(${JSON.stringify(rule.split)}).map((one) => one.trim()) }}`
			: String(value)
					.split(rule.split)
					.map((one) => one.trim())
					.filter((one) => one !== '');
	}
	if (rule.values) {
		const renamed = (one) => rule.values[one] ?? one;
		if (isExpression(translated)) {
			report(`${rule.to}: the expression may return ${Object.keys(rule.values).join(', ')}. Rename them`);
		} else {
			translated = Array.isArray(translated) ? translated.map(renamed) : renamed(translated);
		}
	}
	return translated;
}

/**
 * Converts a workflow.
 *
 * `loadForm(action)` returns the form of an action. Returns the workflow and what a person must look
 * at: `{node, kind, message}`, where the kind is `unconverted` (the node is as before), `lost` (a
 * parameter could not be translated), or `difference`.
 */
export async function convert(workflow, map, { account, credential, loadForm }) {
	const report = [];
	const nodes = [];
	for (const node of workflow.nodes ?? []) {
		nodes.push(
			node.type === map.from
				? await convertNode(node, map, { account, credential, loadForm }, report)
				: node,
		);
	}
	return { workflow: { ...workflow, nodes }, report };
}

async function convertNode(node, map, { account, credential, loadForm }, report) {
	const say = (kind, message) => report.push({ node: node.name, kind, message });
	// n8n does not save parameters that have their default.
	const given = node.parameters ?? {};
	const resource = given.resource ?? map.defaults.resource;
	const name = `${resource}/${given.operation ?? map.defaults.operation[resource]}`;
	const operation = map.operations[name];
	if (!operation) {
		say('unconverted', `The operation ${name} has no equivalent`);
		return node;
	}
	const form = await loadForm(operation.action);
	const value = {};
	for (const [path, old] of leaves(given)) {
		if (map.ignored.includes(path)) continue;
		const found = operation.parameters[path];
		const isEmpty = old === '' || old === null || old === undefined;
		if (!found) {
			if (!isEmpty) say('lost', `${path} = ${JSON.stringify(old)} has no equivalent`);
			continue;
		}
		if (isEmpty) continue;
		const rule = typeof found === 'string' ? { to: found } : found;
		value[rule.to] = translate(old, rule, (message) => say('lost', message));
	}
	for (const difference of operation.differences ?? []) say('difference', difference);
	if (!credential) say('difference', 'Choose the credential of the workflow-node server');
	if (!account) say('difference', 'Choose the account');

	const locator = (text) => ({ __rl: true, mode: text ? 'name' : 'list', value: text ?? '' });
	const { credentials: _of, parameters: _old, ...rest } = node;
	return {
		...rest,
		type: 'n8n-nodes-workflow-node.workflowNode',
		typeVersion: 1,
		parameters: {
			plugin: locator(map.plugin),
			resource: locator(undefined),
			action: locator(operation.action),
			account: locator(account),
			mode: 'form',
			parameters: {
				mappingMode: 'defineBelow',
				value,
				matchingColumns: [],
				schema: fields(form).map((field) => ({ ...field, removed: !(field.required || field.id in value) })),
				attemptToConvertTypes: false,
				convertFieldsToString: false,
			},
		},
		...(credential ? { credentials: { workflowNodeApi: credential } } : {}),
	};
}
