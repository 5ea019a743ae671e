// The action node against a real server.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { call, editor, engine, load, startProxy, startServer } from './support.mjs';

const node = load('nodes/WorkflowNode/WorkflowNode.node.js', 'WorkflowNode');
const { listSearch, loadOptions, resourceMapping } = node.methods;
let server;

before(async () => {
	server = await startServer();
});
after(async () => await server.close());

const execute = async (context) => (await node.execute.call(context))[0];
const create = (title, more = {}) => ({ title, service_id: server.service, ...more });

async function titles(beginning) {
	const all = await server.ask({ do: 'incidents' });
	return all.map(({ title }) => title).filter((title) => title.startsWith(beginning)).sort();
}

test('the editor lists plugins, resources, actions, and accounts', async () => {
	const parameters = call('incident.create', {}, { resource: { mode: 'list', value: 'incident' } });
	const context = editor(server, parameters);
	const plugins = await listSearch.searchPlugins.call(context);
	assert.deepEqual(plugins.results.map(({ value }) => value), ['pagerduty']);
	assert.equal(plugins.results[0].name, 'PagerDuty');
	const resources = await listSearch.searchResources.call(context, 'note');
	assert.ok(resources.results.some(({ value }) => value === 'incident_note'));
	const actions = await listSearch.searchActions.call(context);
	assert.ok(actions.results.some(({ value }) => value === 'incident.create'));
	assert.ok(actions.results.every(({ value }) => value.startsWith('incident.')));
	const accounts = await listSearch.searchAccounts.call(context);
	assert.deepEqual(accounts.results.map(({ value }) => value), ['work']);
	assert.ok(!JSON.stringify(accounts).includes(server.secret));
});

test('long lists have pages', async () => {
	const context = editor(server, call('incident.create', {}, { resource: { value: '' } }));
	const first = await listSearch.searchActions.call(context);
	assert.equal(first.results.length, 100);
	const second = await listSearch.searchActions.call(context, undefined, first.paginationToken);
	const names = [...first.results, ...second.results].map(({ value }) => value);
	assert.equal(new Set(names).size, names.length);
});

test('the form of an action becomes fields in its order', async () => {
	const context = editor(server, call('incident.create', {}));
	const { fields } = await resourceMapping.parameterFields.call(context);
	assert.deepEqual(fields.slice(0, 3).map(({ id }) => id), ['title', 'service_id', 'priority_id']);
	const field = (id) => fields.find((one) => one.id === id);
	assert.deepEqual([field('title').required, field('title').removed], [true, false]);
	// It can be set by a look-up instead, but is shown.
	assert.deepEqual([field('service_id').required, field('service_id').removed], [false, false]);
	assert.deepEqual([field('details').required, field('details').removed], [false, true]);
	assert.deepEqual(field('urgency').options.map(({ value }) => value), ['high', 'low']);
	assert.equal(field('urgency').type, 'options');
	assert.equal(field('assignee_ids').type, 'array');
	assert.equal(field('additional_fields').type, 'object');
	assert.equal(field('conference_url').type, 'string');
});

test('every action of the plugin has fields', async () => {
	const all = [];
	let cursor;
	do {
		const context = editor(server, call('', {}, { resource: { value: '' } }));
		const page = await listSearch.searchActions.call(context, undefined, cursor);
		all.push(...page.results.map(({ value }) => value));
		cursor = page.paginationToken;
	} while (cursor);
	assert.ok(all.length > 200);
	for (const action of all) {
		const { fields } = await resourceMapping.parameterFields.call(editor(server, call(action, {})));
		const types = new Set(fields.map(({ type }) => type));
		for (const type of types) {
			assert.ok(['string', 'number', 'boolean', 'array', 'object', 'options'].includes(type), action);
		}
	}
});

test('look-ups offer the choices of the account', async () => {
	const parameters = call('incident.create', { title: '={{ $json.title }}', urgency: '' });
	const lookUps = await loadOptions.loadLookUps.call(editor(server, parameters));
	assert.ok(lookUps.some(({ value }) => value === 'service_id'));
	assert.ok(lookUps.some(({ value }) => value === 'assignee_ids[]'));
	const context = editor(server, parameters, { parameter: 'service_id' });
	const { results } = await listSearch.searchChoices.call(context);
	const service = results.find(({ value }) => value === server.service);
	assert.ok(service);
	const found = await listSearch.searchChoices.call(context, service.name);
	assert.deepEqual(found.results.map(({ value }) => value), [server.service]);
	const users = await listSearch.searchChoices.call(
		editor(server, parameters, { parameter: 'assignee_ids[]' }),
	);
	assert.ok(users.results.length > 0);
	await assert.rejects(listSearch.searchChoices.call(editor(server, parameters)), /parameter first/);
});

test('many items are one execution', async () => {
	const proxy = await startProxy(server.url, () => undefined);
	const items = Array.from({ length: 30 }, (_, n) => ({ json: { n } }));
	const context = engine(
		{ ...server, url: proxy.url },
		(item) => call('incident.create', create(`many ${String(item).padStart(2, '0')}`)),
		{ items },
	);
	const output = await execute(context);
	await proxy.close();
	assert.equal(output.length, 30);
	output.forEach(({ json, pairedItem }, item) => {
		assert.equal(json.title, `many ${String(item).padStart(2, '0')}`);
		assert.deepEqual(pairedItem, { item });
	});
	assert.equal(proxy.requests.filter(({ path }) => path.endsWith('/execute')).length, 1);
	assert.equal((await titles('many')).length, 30);
});

test('fields that are left empty are not sent, and JSON can hold what fields cannot', async () => {
	const empty = { details: '', priority_id: null, conference_url: undefined };
	const [{ json }] = await execute(engine(server, call('incident.create', create('empty', empty))));
	const changed = { incident_id: json.id, conference_url: null };
	for (const value of [JSON.stringify(changed), changed]) {
		const parameters = call('incident.update', {}, { mode: 'json', json: value });
		assert.equal((await execute(engine(server, parameters)))[0].json.id, json.id);
	}
	for (const wrong of ['{', '[]', 'null', '7']) {
		const parameters = call('incident.update', {}, { mode: 'json', json: wrong });
		await assert.rejects(execute(engine(server, parameters)), /JSON/);
	}
});

test('look-ups replace fields and extend lists', async () => {
	const user = server.simulator.us.users[0].id;
	const lookUp = [
		{ parameter: 'service_id', value: { mode: 'list', value: server.service } },
		{ parameter: 'assignee_ids[]', value: { mode: 'list', value: user } },
		{ parameter: 'priority_id', value: { mode: 'list', value: '' } },
	];
	const parameters = call('incident.create', { title: 'looked up' }, { lookUps: { lookUp } });
	const [{ json }] = await execute(engine(server, parameters));
	assert.equal(json.service.id, server.service);
	assert.equal(json.assignments[0].assignee.id, user);
});

test('a failed item fails the node, with its position and reason', async () => {
	const items = [{ json: {} }, { json: {} }];
	const ids = ['QINCIDENT00001', 'QNOSUCH'];
	const context = engine(
		server,
		(item) =>
			call('incident_note.create', { incident_id: ids[item], content: 'A note' }, {
				options: { concurrency: 1 },
			}),
		{ items },
	);
	await assert.rejects(execute(context), (error) => {
		assert.equal(error.name, 'NodeApiError');
		assert.equal(error.context.itemIndex, 1);
		assert.equal(error.httpCode, '404');
		assert.match(error.description, /Kind: not-found/);
		return true;
	});
});

test('with On Error set to Continue, the other items run and failed ones have errors', async () => {
	const services = [server.service, 'PNOSUCH', server.service, server.service];
	const output = await execute(
		engine(
			server,
			(item) => call('incident.create', { title: `continue ${item}`, service_id: services[item] }),
			{ items: services.map(() => ({ json: {} })), continueOnFail: true },
		),
	);
	assert.deepEqual(output.map(({ pairedItem }) => pairedItem.item), [0, 1, 2, 3]);
	assert.equal(typeof output[1].json.error.kind, 'string');
	assert.deepEqual(Object.keys(output[1].json), ['error']);
	assert.equal(output.filter(({ json }) => json.error).length, 1);
});

test('an invalid call names the invalid fields', async () => {
	await assert.rejects(execute(engine(server, call('incident.create', { title: 'x' }))), (error) => {
		assert.match(error.description, /service_id/);
		assert.equal(error.context.itemIndex, 0);
		return true;
	});
	await assert.rejects(
		execute(engine(server, { ...call('incident.create', {}), action: { value: '' } })),
		/Choose a value for "action"/,
	);
	const stranger = { ...server, token: 'wrong' };
	await assert.rejects(execute(engine(stranger, call('service.list', {}))), /token/i);
});

test('names cannot lead to other paths of the server', async () => {
	const parameters = { ...call('x', {}), plugin: { value: '../../v1/credentials?' } };
	await assert.rejects(execute(engine(server, parameters)), /Cannot find the plugin/);
	await assert.rejects(execute(engine(server, { ...parameters, plugin: { value: '..' } })), /not a name/);
});

test('the same node runs once in an execution, however often n8n runs it again', async () => {
	const parameters = call('incident.create', create('again'));
	const run = async (more) => (await execute(engine(server, parameters, more)))[0].json.id;
	const first = await run({ executionId: 'n8n-1' });
	assert.equal(await run({ executionId: 'n8n-1' }), first);
	assert.deepEqual(await titles('again'), ['again']);
	// In a loop, and in another execution, it runs again.
	assert.notEqual(await run({ executionId: 'n8n-1', run: 1 }), first);
	assert.notEqual(await run({ executionId: 'n8n-2' }), first);
});

test('a retry of the node runs only the items that failed without effect', async () => {
	// One execution at once: the call waits behind another one, and is cancelled before it begins.
	const slow = await startServer('--latency', '300ms', '--limit', 'running=1');
	const titlesOf = async () => (await slow.ask({ do: 'incidents' })).map(({ title }) => title);
	try {
		const one = (title) => call('incident.create', { title, service_id: slow.service });
		const items = [{ json: {} }, { json: {} }];
		const before = execute(
			engine(slow, (item) => one(`before ${item}`), { items: [...items, ...items] }),
		);
		const contextOf = () =>
			engine(slow, (item) => one(`retry ${item}`), { items, continueOnFail: true, executionId: 'r' });
		const headers = { authorization: `Bearer ${slow.token}` };
		const executionThat = async (status) => {
			for (;;) {
				const response = await fetch(`${slow.url}/v1/executions`, { headers });
				const found = (await response.json()).executions.find((one) => one.status === status);
				if (found) return found.execution_id;
			}
		};
		await executionThat('running');
		const first = execute(contextOf());
		const queued = await executionThat('queued');
		await fetch(`${slow.url}/v1/executions/${queued}`, { method: 'DELETE', headers });
		const cancelled = await first;
		assert.deepEqual(cancelled.map(({ json }) => json.error.kind), ['cancelled', 'cancelled']);
		await before;
		const again = await execute(contextOf());
		assert.deepEqual(again.map(({ json }) => json.title), ['retry 0', 'retry 1']);
		await execute(contextOf());
		assert.equal((await titlesOf()).filter((title) => title.startsWith('retry')).length, 2);
	} finally {
		await slow.close();
	}
});

test('a call is repeated when the connection breaks or the server is busy', async () => {
	const busy = {
		status: 429,
		headers: { 'retry-after': '1', 'content-type': 'application/json' },
		body: '{"error": {"name": "queue-full", "message": "Full."}}',
	};
	const faults = [
		{ reset: true },
		busy,
		{ status: 502, body: '<html>' },
		{ status: 200, body: '{"execution": {"status": "running"}}\n' },
	];
	for (const [number, fault] of faults.entries()) {
		let left = 2;
		const proxy = await startProxy(server.url, (request) =>
			request.url.endsWith('/execute') && left-- > 0 ? fault : undefined,
		);
		const title = `fault ${number}`;
		const context = engine({ ...server, url: proxy.url }, call('incident.create', create(title)));
		const [{ json }] = await execute(context);
		assert.equal(json.title, title);
		const sent = proxy.requests.filter(({ path }) => path.endsWith('/execute'));
		assert.equal(sent.length, 3);
		assert.equal(new Set(sent.map(({ body }) => body)).size, 1);
		assert.deepEqual(await titles(title), [title]);
		await proxy.close();
	}
});

test('an answer that is not from the server is an error and not repeated', async () => {
	for (const answer of [
		{ status: 200, body: '<html>' },
		{ status: 302, headers: { location: server.url } },
		{ status: 404, body: 'no' },
	]) {
		const proxy = await startProxy(server.url, () => answer);
		const context = engine({ ...server, url: proxy.url }, call('service.list', {}));
		await assert.rejects(execute(context), /not from a workflow-node server/);
		assert.equal(proxy.requests.length, 1);
		await proxy.close();
	}
});

test('texts with other separators of lines arrive whole', async () => {
	const content = 'a\u2028b\u2029c\u0085d';
	const parameters = call('incident_note.create', { incident_id: 'QINCIDENT00001', content });
	assert.equal((await execute(engine(server, parameters)))[0].json.content, content);
});
